//! What each call does: check its arguments, then ask the engine.
//!
//! A read is answered at once from memory when no call of this thread is waiting (so that it cannot
//! overtake one) and the files are as they were; otherwise it queues.
//!
//! Invariant: a call checks all of its arguments before it touches anything.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};
use std::time::{SystemTime, UNIX_EPOCH};

use napi::ValueType;

use super::arguments::{
    describe, entry, field, finite, finite_or, is_missing, json, key, limit, log_name, object,
    object_of_any_size, point_in_time, username,
};
use super::environment::{Environment, Then};
use super::hub::Hub;
use super::js::{Fallible, Js, Value};
use super::rotation::{Rotating, Rotation};
use super::stores::{Handle, Store};
use super::stream::LogPieces;
use super::update::update;
use crate::data::name::LogName;
use crate::data::state::Member;
use crate::data::state::State;
use crate::data::text::object_of;
use crate::error::Error;
use crate::game::{self, GameResult, LOGS};
use crate::store::collection;
use crate::store::report::Report;
use crate::store::request::Answer;
use crate::store::request::Maintenance;
use crate::store::request::Outcome;
use crate::store::request::Request;
use crate::store::request::Scope;
use crate::store::request::View;
use crate::store::request::Work;

static PLAYERS: LazyLock<LogName> = LazyLock::new(|| game::log_name(LOGS[0]));
static TOKENS: LazyLock<LogName> = LazyLock::new(|| game::log_name(LOGS[1]));
static GAME_STATE: LazyLock<LogName> = LazyLock::new(|| game::log_name(LOGS[2]));

/// Up to this size, a whole state is answered on the JavaScript thread.
const SMALL_STATE_BYTES: u64 = 256 << 10;
/// The size over which a log is worth compacting, if the caller names none.
pub const COMPACTION_THRESHOLD_BYTES: f64 = 1_048_576.0;
const DAY_MS: f64 = 86_400_000.0;

/// One thread's way to a store.
pub struct Calls {
    js: Js,
    environment: Rc<Environment>,
    store: Rc<Store>,
    rotation: Option<Rc<Rotating>>,
}

fn now_ms() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)
}

fn is_bot_log(log: &LogName) -> bool {
    LOGS.contains(&log.as_str())
}

impl Calls {
    /// Calls on a storage.
    pub fn on(js: Js, handle: &Handle) -> Fallible<Self> {
        let store = handle.store()?;
        Ok(Self { js, environment: Environment::of(js)?, store, rotation: handle.rotation.clone() })
    }

    fn send(&self, log: &LogName, is_collection: bool, work: Work) -> Fallible<Value> {
        self.send_text(log, is_collection, work, 0)
    }

    /// Sends work that holds `size_bytes` of text.
    fn send_text(
        &self,
        log: &LogName,
        is_collection: bool,
        work: Work,
        size_bytes: usize,
    ) -> Fallible<Value> {
        if matches!(work, Work::Append(_) | Work::Write(..)) {
            self.rotate_where_due(log);
        }
        let (deferred, promise) = self.js.promise()?;
        let is_collection = is_collection || is_bot_log(log);
        let ticket = self.environment.ticket(self.js, &self.store, Then::Settle(deferred));
        self.store.writer.call(Request { log: log.clone(), is_collection, work, size_bytes, ticket });
        Ok(promise)
    }

    fn request(&self, log: &LogName, is_collection: bool, work: Work, then: Then) {
        let is_collection = is_collection || is_bot_log(log);
        let ticket = self.environment.ticket(self.js, &self.store, then);
        self.store.writer.call(Request { log: log.clone(), is_collection, work, size_bytes: 0, ticket });
    }

    fn resolved(&self, answer: Answer) -> Fallible<Value> {
        let (deferred, promise) = self.js.promise()?;
        self.environment.answer(self.js, deferred, Ok(answer));
        Ok(promise)
    }

    /// The answer from memory, if that is allowed now.
    fn answer_from_memory(&self, log: &LogName, answer: &dyn Fn(&State) -> Option<Answer>) -> Option<Answer> {
        if self.store.pending.get() > 0 {
            return None;
        }
        self.store.writer.shelf(log)?.read(self.store.writer.files(), true, answer)
    }

    fn look(&self, log: &LogName, read: impl Fn(&View) -> Answer + Send + 'static) -> Fallible<Value> {
        match self.answer_from_memory(log, &|state| Some(read(&View::of(state)))) {
            Some(answer) => self.resolved(answer),
            None => self.send(log, true, Work::Read(Scope::Keys, Box::new(read))),
        }
    }

    /// Looks at all members: here while they are few, beside the writer when they are many.
    fn look_at_all<F>(&self, log: &LogName, answer: F) -> Fallible<Value>
    where
        F: Fn(&mut dyn Iterator<Item = &Member>) -> Answer + Send + 'static,
    {
        let small =
            |state: &State| (state.live_bytes() <= SMALL_STATE_BYTES).then(|| answer(&mut state.iter()));
        match self.answer_from_memory(log, &small) {
            Some(answer) => self.resolved(answer),
            None => self.send(log, true, Work::Whole(Box::new(move |members| answer(&mut members.iter())))),
        }
    }

    fn look_at_field(
        &self,
        log: &LogName,
        field: String,
        read: impl Fn(&State, &str) -> Answer + Send + 'static,
    ) -> Fallible<Value> {
        let quick = |state: &State| {
            let is_quick = state.has_field(&field) || state.live_bytes() <= SMALL_STATE_BYTES;
            is_quick.then(|| read(state, &field))
        };
        if let Some(answer) = self.answer_from_memory(log, &quick) {
            self.resolved(answer)
        } else {
            let name = field.clone();
            self.send(log, true, Work::ReadField(name, Box::new(move |view| read(view.state(), &field))))
        }
    }

    fn whole_state(&self, log: &LogName) -> Fallible<Value> {
        self.look_at_all(log, |members| Answer::Texts(object_of(members)))
    }

    /// Changes single keys.
    fn change(
        &self,
        log: &LogName,
        size_bytes: usize,
        stage: impl Fn(&View, i64) -> Outcome + Send + 'static,
    ) -> Fallible<Value> {
        let stage = move |view: &View, now_ms: i64| Ok(stage(view, now_ms));
        self.send_text(log, true, Work::Write(Scope::Keys, Box::new(stage)), size_bytes)
    }

    /// Changes with a look at the whole state.
    fn change_all(
        &self,
        log: &LogName,
        size_bytes: usize,
        stage: impl Fn(&State, i64) -> Outcome + Send + 'static,
    ) -> Fallible<Value> {
        let stage = move |view: &View, now_ms: i64| Ok(stage(view.state(), now_ms));
        self.send_text(log, true, Work::Write(Scope::Whole, Box::new(stage)), size_bytes)
    }

    // Logs.

    pub fn append_log_entry(&self, log: Value, entry_value: Value) -> Fallible<Value> {
        let log = log_name(self.js, log)?;
        let line = entry(self.js, &self.environment, entry_value, now_ms())?;
        let size_bytes = line.len();
        self.send_text(&log, false, Work::Append(line), size_bytes)
    }

    pub fn read_log_entries(&self, log: Value) -> Fallible<Value> {
        self.send(&log_name(self.js, log)?, false, Work::Entries)
    }

    pub fn rebuild_state_from_log(&self, log: Value, options: Value) -> Fallible<Value> {
        let log = log_name(self.js, log)?;
        let work = point_in_time(self.js, options)?.map_or(Work::Rebuild, Work::StateAt);
        self.send(&log, false, work)
    }

    pub fn history(&self, log: Value, key_value: Value) -> Fallible<Value> {
        let log = log_name(self.js, log)?;
        let key = key(self.js, key_value, "key")?;
        self.send(&log, false, Work::History(key))
    }

    pub fn compact_log(&self, log: Value) -> Fallible<Value> {
        self.compact_one(&log_name(self.js, log)?)
    }

    fn compact_one(&self, log: &LogName) -> Fallible<Value> {
        let (deferred, promise) = self.js.promise()?;
        self.request(log, false, Work::Compact(None), Then::SettleUndefined(deferred));
        Ok(promise)
    }

    pub fn get_log_size(&self, log: Value) -> Fallible<Value> {
        self.send(&log_name(self.js, log)?, false, Work::Size)
    }

    pub fn needs_compaction(&self, log: Value, threshold: Value) -> Fallible<Value> {
        let log = log_name(self.js, log)?;
        let threshold = finite_or(self.js, threshold, "threshold", COMPACTION_THRESHOLD_BYTES)?;
        let (deferred, promise) = self.js.promise()?;
        let then = Then::Do(Box::new(move |_, js, answer| {
            let is_over = answer.map(|answer| matches!(answer, Answer::Number(size) if size > threshold));
            js.settle(deferred, is_over.map_err(Into::into).and_then(|is_over| js.bool(is_over)));
        }));
        self.request(&log, false, Work::Size, then);
        Ok(promise)
    }

    pub fn log_pieces(&self, log: Value) -> Fallible<Rc<LogPieces>> {
        let log = log_name(self.js, log)?;
        let is_collection = is_bot_log(&log);
        Ok(LogPieces::new(Rc::clone(&self.store), log, is_collection))
    }

    // Tokens.

    pub fn save_tokens(&self, tokens: Value, artist_info: Value) -> Fallible<Value> {
        let js = self.js;
        if !js.is_array(tokens)? {
            let found = describe(js, tokens);
            return Err(
                Error::wrong_type(format!("The argument 'tokens' must be an array, not {found}")).into()
            );
        }
        let count = js.length(tokens)? as usize;
        let text = json(js, &self.environment, tokens, "tokens")?;
        let has_artists = js.is_truthy(artist_info)?;
        let artists =
            if has_artists { Some(json(js, &self.environment, artist_info, "artistInfo")?) } else { None };
        self.change_all(&TOKENS, text.len(), move |state, now_ms| {
            game::save_tokens(state, &text, count, artists.as_deref(), now_ms)
        })
    }

    pub fn load_tokens(&self) -> Fallible<Value> {
        self.look_at_all(&TOKENS, |members| {
            let mut members = members.peekable();
            if members.peek().is_none() { Answer::Null } else { Answer::Texts(object_of(members)) }
        })
    }

    pub fn needs_token_refresh(&self) -> Fallible<Value> {
        let (deferred, promise) = self.js.promise()?;
        let then = Then::Do(Box::new(move |environment, js, answer| {
            let is_due =
                answer.map_err(Into::into).and_then(|answer| is_refresh_due(js, environment, answer));
            js.settle(deferred, is_due.and_then(|is_due| js.bool(is_due)));
        }));
        let read = |view: &View| collection::get(view, "\"lastUpdated\"");
        self.request(&TOKENS, true, Work::Read(Scope::Keys, Box::new(read)), then);
        Ok(promise)
    }

    // Players.

    pub fn load_players(&self) -> Fallible<Value> {
        self.whole_state(&PLAYERS)
    }

    pub fn save_players(&self, players: Value) -> Fallible<Value> {
        let text = object_of_any_size(self.js, &self.environment, players, "players")?;
        self.change_all(&PLAYERS, text.len(), move |state, _| {
            game::save_players(state, &State::from_object(&text))
        })
    }

    pub fn get_player_stats(&self, user_id: Value) -> Fallible<Value> {
        let user_id = key(self.js, user_id, "userId")?;
        self.look(&PLAYERS, move |view| Answer::Json(game::player_stats(&user_id, view.get(&user_id))))
    }

    pub fn update_player_stats(
        &self,
        user_id: Value,
        name: Value,
        score: Value,
        is_winner: Value,
        correct_answers: Value,
        incorrect_answers: Value,
    ) -> Fallible<Value> {
        let result =
            self.game_result([user_id, name, score, is_winner, correct_answers, incorrect_answers])?;
        self.change(&PLAYERS, 0, move |view, now_ms| game::record_result(view, &result, now_ms))
    }

    fn game_result(&self, values: [Value; 6]) -> Fallible<GameResult> {
        let js = self.js;
        let [user_id, name, score, is_winner, correct_answers, incorrect_answers] = values;
        Ok(GameResult {
            user_id: key(js, user_id, "userId")?,
            username: username(js, name)?,
            score: finite(js, score, "score")?,
            is_winner: js.is_truthy(is_winner)?,
            correct_answers: finite_or(js, correct_answers, "correctAnswers", 0.0)?,
            incorrect_answers: finite_or(js, incorrect_answers, "incorrectAnswers", 0.0)?,
        })
    }

    pub fn update_players_stats(&self, results: Value) -> Fallible<Value> {
        let js = self.js;
        if !js.is_array(results)? {
            let found = describe(js, results);
            return Err(
                Error::wrong_type(format!("The argument 'results' must be an array, not {found}")).into()
            );
        }
        let mut parsed = Vec::new();
        for index in 0..js.length(results)? {
            let result = js.element(results, index)?;
            if js.type_of(result)? != ValueType::Object {
                let found = describe(js, result);
                return Err(
                    Error::wrong_type(format!("results[{index}] must be an object, not {found}")).into()
                );
            }
            let get = |name| js.get(result, name);
            parsed.push(self.game_result([
                get("userId")?,
                get("username")?,
                get("score")?,
                get("isWinner")?,
                get("correctAnswers")?,
                get("incorrectAnswers")?,
            ])?);
        }
        self.change(&PLAYERS, 256 * parsed.len(), move |view, now_ms| {
            game::record_results(view, &parsed, now_ms)
        })
    }

    pub fn get_leaderboard(&self, sort_by: Value, limit_value: Value) -> Fallible<Value> {
        let sort_by = field(self.js, sort_by, "sortBy", "totalScore")?;
        let limit = limit(self.js, limit_value, "limit")?;
        self.look_at_field(&PLAYERS, sort_by, move |state, sort_by| {
            Answer::Json(game::leaderboard(state, sort_by, limit))
        })
    }

    pub fn get_player_rank(&self, user_id: Value, sort_by: Value) -> Fallible<Value> {
        let user_id = key(self.js, user_id, "userId")?;
        let sort_by = field(self.js, sort_by, "sortBy", "totalScore")?;
        self.look_at_field(&PLAYERS, sort_by, move |state, sort_by| game::rank(state, &user_id, sort_by))
    }

    // Game states.

    pub fn save_game_state(&self, channel_id: Value, state: Value) -> Fallible<Value> {
        let channel = key(self.js, channel_id, "channelId")?;
        let text = object(self.js, &self.environment, state, "state")?;
        self.change(&GAME_STATE, text.len(), move |_, now_ms| game::save_game(&channel, &text, now_ms))
    }

    pub fn load_game_state(&self, channel_id: Value) -> Fallible<Value> {
        let channel = key(self.js, channel_id, "channelId")?;
        self.look(&GAME_STATE, move |view| match view.get(&channel) {
            Some(text) => Answer::Json(text.to_owned()),
            None => Answer::Null,
        })
    }

    pub fn clear_game_state(&self, channel_id: Value) -> Fallible<Value> {
        let channel = key(self.js, channel_id, "channelId")?;
        self.change(&GAME_STATE, 0, move |_, _| game::clear_game(&channel))
    }

    pub fn get_all_game_states(&self) -> Fallible<Value> {
        self.whole_state(&GAME_STATE)
    }

    // Compaction of all, flushing, closing.

    pub fn compact_all_logs(&self) -> Fallible<Value> {
        let (deferred, promise) = self.js.promise()?;
        let left = Rc::new(Cell::new(LOGS.len()));
        let last = Rc::new(Cell::new(Some(deferred)));
        for name in LOGS {
            let (left, last, hub) = (Rc::clone(&left), Rc::clone(&last), Arc::clone(&self.store.hub));
            let then = Then::Do(Box::new(move |environment, js, answer| {
                if let Err(error) = answer {
                    compaction_failed(environment, &hub, name, &error);
                }
                left.set(left.get() - 1);
                if left.get() == 0
                    && let Some(deferred) = last.take()
                {
                    js.settle(deferred, js.undefined());
                }
            }));
            self.request(&game::log_name(name), true, Work::Compact(None), then);
        }
        Ok(promise)
    }

    pub fn compact(&self, log: Value) -> Fallible<Value> {
        if is_missing(self.js, log)? { self.compact_all_logs() } else { self.compact_log(log) }
    }

    pub fn flush(&self) -> Fallible<Value> {
        let (deferred, promise) = self.js.promise()?;
        let ticket = self.environment.ticket(self.js, &self.store, Then::Settle(deferred));
        let kept = LOGS.iter().filter_map(|name| LogName::new(name).ok()).collect();
        self.store.writer.flush(ticket, kept);
        Ok(promise)
    }

    /// What the scheduler does at each interval: rotates or compacts each log that is worth it, and looks after old
    /// logs.
    pub fn compact_where_due(&self, logs: &[LogName]) {
        for log in logs {
            self.maintain(log, 1 << 20);
        }
    }

    /// What a write does now and then, where the option `rotation` is given: no scheduler is needed for it, and idle
    /// means no work.
    pub fn rotate_where_due(&self, log: &LogName) {
        if self.rotation.as_ref().is_some_and(|rotating| rotating.is_check_due(log, now_ms())) {
            self.maintain(log, u64::MAX);
        }
    }

    fn maintain(&self, log: &LogName, threshold_bytes: u64) {
        let rotation = self.rotation.as_ref().map(|rotating| &rotating.rotation);
        let wanted = Maintenance {
            threshold_bytes,
            rotate_over_bytes: rotation.and_then(|rotation| rotation.size_bytes),
            // Should the calendar not be known, logs are rotated by their size only.
            boundary_ms: rotation.and_then(|rotation| self.boundary_ms(rotation).ok().flatten()),
        };
        let name = log.as_str().to_owned();
        let hub = Arc::clone(&self.store.hub);
        let then = Then::Do(Box::new(move |environment, _, answer| {
            if let Err(error) = answer {
                compaction_failed(environment, &hub, &name, &error);
            }
        }));
        self.request(log, false, Work::Maintain(wanted), then);
    }

    fn boundary_ms(&self, rotation: &Rotation) -> Fallible<Option<i64>> {
        rotation.boundary_ms(self.js, &*self.environment.host()?, now_ms())
    }

    // What is seen from outside.

    fn report(&self) -> Fallible<Report> {
        let js = self.js;
        let process = js.get(js.global()?, "process")?;
        let memory_usage = js.get(process, "memoryUsage")?;
        let rss = js.get(memory_usage, "rss")?;
        let resident_bytes = if js.type_of(rss)? == ValueType::Function {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of bytes")]
            let bytes = js.f64(js.call(rss, memory_usage, &[])?)? as u64;
            Some(bytes)
        } else {
            None
        };
        Ok(Report { resident_bytes, ..self.store.writer.report() })
    }

    pub fn metrics(&self) -> Fallible<Value> {
        self.environment.parse(self.js, &self.report()?.json())
    }

    pub fn metrics_text(&self) -> Fallible<Value> {
        self.js.string(&self.report()?.prometheus())
    }

    // Collections.

    pub fn collection_get(&self, log: &LogName, key_value: Value) -> Fallible<Value> {
        let key = key(self.js, key_value, "key")?;
        self.look(log, move |view| collection::get(view, &key))
    }

    pub fn collection_has(&self, log: &LogName, key_value: Value) -> Fallible<Value> {
        let key = key(self.js, key_value, "key")?;
        self.look(log, move |view| Answer::Bool(view.get(&key).is_some()))
    }

    pub fn collection_set(&self, log: &LogName, key_value: Value, value: Value) -> Fallible<Value> {
        let key = key(self.js, key_value, "key")?;
        let text = json(self.js, &self.environment, value, "value")?;
        let work = collection::set(&key, &text);
        let size_bytes = text.len();
        self.store.predicted.set(log, key, Some(text));
        self.send_text(log, true, work, size_bytes)
    }

    pub fn collection_delete(&self, log: &LogName, key_value: Value) -> Fallible<Value> {
        let key = key(self.js, key_value, "key")?;
        self.store.predicted.set(log, key.clone(), None);
        self.send(log, true, collection::delete(key))
    }

    pub fn collection_clear(&self, log: &LogName) -> Fallible<Value> {
        self.store.predicted.forget();
        self.send(log, true, collection::clear())
    }

    pub fn collection_update(&self, log: &LogName, key_value: Value, function: Value) -> Fallible<Value> {
        let key = key(self.js, key_value, "key")?;
        if self.js.type_of(function)? != ValueType::Function {
            let found = describe(self.js, function);
            return Err(
                Error::wrong_type(format!("The argument 'fn' must be a function, not {found}")).into()
            );
        }
        self.rotate_where_due(log);
        update(self.js, &self.environment, &self.store, log, key, function)
    }

    pub fn collection_entries(&self, log: &LogName) -> Fallible<Value> {
        self.look_at_all(log, |members| collection::entries(members))
    }

    pub fn collection_keys(&self, log: &LogName) -> Fallible<Value> {
        self.look_at_all(log, |members| collection::keys(members))
    }

    pub fn collection_size(&self, log: &LogName) -> Fallible<Value> {
        #[expect(clippy::cast_precision_loss, reason = "fewer than 2^32 keys")]
        let size = |state: &State| Answer::Number(state.len() as f64);
        match self.answer_from_memory(log, &|state| Some(size(state))) {
            Some(answer) => self.resolved(answer),
            None => self.send(log, true, Work::Read(Scope::Whole, Box::new(move |view| size(view.state())))),
        }
    }

    pub fn collection_top(&self, log: &LogName, field_value: Value, n: Value) -> Fallible<Value> {
        let field = key(self.js, field_value, "field")?;
        let limit = limit(self.js, n, "n")?;
        self.look_at_field(log, field, move |state, field| collection::top(state, field, limit))
    }

    pub fn collection_rank(&self, log: &LogName, key_value: Value, field_value: Value) -> Fallible<Value> {
        let key_literal = key(self.js, key_value, "key")?;
        let field = key(self.js, field_value, "field")?;
        self.look_at_field(log, field, move |state, field| collection::rank(state, &key_literal, field))
    }
}

/// Prints what no promise tells; the event itself is told by the engine.
fn compaction_failed(environment: &Environment, hub: &Hub, log: &str, error: &Error) {
    hub.print_unless_heard(
        &environment.outlet,
        "PS_COMPACTION_FAILED",
        format!("The log '{log}' could not be compacted: {}. It is as it was", error.message()),
    );
}

/// `lastUpdated` as JSON text: older than a day, or no date?
fn is_refresh_due(js: Js, environment: &Environment, last_updated: Answer) -> Fallible<bool> {
    let Answer::Json(text) = last_updated else { return Ok(true) };
    let value = environment.parse(js, &text)?;
    let time_ms = match js.type_of(value)? {
        ValueType::Number => js.f64(value)?,
        ValueType::String => {
            let date = js.get(js.global()?, "Date")?;
            js.f64(js.call(js.get(date, "parse")?, date, &[value])?)?
        }
        _ => f64::NAN,
    };
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are below 2^53")]
    let age_ms = now_ms() as f64 - time_ms;
    Ok(time_ms.is_nan() || age_ms > DAY_MS)
}
