//! What each call does: check its arguments, then ask the place that keeps the data.
//!
//! A read is answered at once from memory where the place can do so and no call of this thread is waiting, so that it
//! cannot overtake one. Otherwise it queues.
//!
//! Invariant: a call checks all of its arguments before it touches anything.

use std::cell::Cell;
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

use napi::ValueType;

use super::arguments::{
    describe, entry, expiry, field, finite, finite_or, is_missing, json, key, keys, limit, log_name, members,
    object, object_of_any_size, point_in_time, username,
};
use super::environment::{Environment, Then};
use super::handle::Handle;
use super::hub::Hub;
use super::js::{Deferred, Fallible, Js, Value};
use super::rotation::{Rotating, Rotation};
use super::store::Store;
use super::stream::Pieces;
use super::update::{Asked, update};
use super::updater::Updater;
use super::whole::Whole;
use crate::data::name::LogName;
use crate::data::state::Member;
use crate::error::Error;
use crate::game::{self, ClearGame, GameResult, GameResults, LOGS, SaveGame, SavePlayers, SaveTokens};
use crate::store::answer::Answer;
use crate::store::collection;
use crate::store::event::COMPACTION_FAILED;
use crate::store::expiry::Expiry;
use crate::store::query::{Listed, Query, Rank, Top};
use crate::store::report::Report;
use crate::store::request::Maintenance;
use crate::store::request::Request;
use crate::store::request::Work;
use crate::store::rule::Rule;
use crate::vfs::now_ms;

static PLAYERS: LazyLock<LogName> = LazyLock::new(|| game::log_name(LOGS[0]));
static TOKENS: LazyLock<LogName> = LazyLock::new(|| game::log_name(LOGS[1]));
static GAME_STATE: LazyLock<LogName> = LazyLock::new(|| game::log_name(LOGS[2]));

/// The size over which a log is worth compacting, if the caller names none.
pub const COMPACTION_THRESHOLD_BYTES: f64 = 1_048_576.0;
const DAY_MS: f64 = 86_400_000.0;

/// One thread's way to a store.
pub struct Calls<'scope> {
    js: Js<'scope>,
    environment: Rc<Environment>,
    store: Rc<Store>,
    rotation: Option<Rc<Rotating>>,
}

/// How a call uses a log.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Usage {
    /// As entries, whatever they say. The bot's own logs are collections in any case.
    Entries,
    /// As keyed data.
    Collection,
}

impl Usage {
    fn is_collection(self, log: &LogName) -> bool {
        self == Self::Collection || LOGS.contains(&log.as_str())
    }
}

impl<'scope> Calls<'scope> {
    /// Calls on a storage.
    pub fn on(js: Js<'scope>, handle: &Handle) -> Fallible<'scope, Self> {
        let store = handle.store()?;
        Ok(Self { js, environment: Environment::of(js)?, store, rotation: handle.rotation.clone() })
    }

    fn send(&self, log: &LogName, usage: Usage, work: Work) -> Fallible<'scope, Value<'scope>> {
        self.send_text(log, usage, work, 0)
    }

    /// Sends work that holds `size_bytes` of text.
    fn send_text(
        &self,
        log: &LogName,
        usage: Usage,
        work: Work,
        size_bytes: usize,
    ) -> Fallible<'scope, Value<'scope>> {
        if matches!(work, Work::Append(_) | Work::Write(_)) {
            self.rotate_where_due(log);
        }
        let (deferred, promise) = self.js.promise()?;
        let is_collection = usage.is_collection(log);
        let ticket = self.environment.ticket_of_change(self.js, &self.store, Then::Settle(deferred));
        self.store.backend.call(Request { log: log.clone(), is_collection, work, size_bytes, ticket });
        Ok(promise)
    }

    fn request(&self, log: &LogName, usage: Usage, work: Work, then: Then) {
        let is_collection = usage.is_collection(log);
        let ticket = self.environment.ticket(self.js, &self.store, then);
        self.store.backend.call(Request { log: log.clone(), is_collection, work, size_bytes: 0, ticket });
    }

    /// Answers a query: from memory where that is possible now, else behind the earlier calls.
    fn ask(&self, log: &LogName, query: Query) -> Fallible<'scope, Value<'scope>> {
        self.ask_and(log, query, |answer| answer)
    }

    /// The same; `map` makes the caller's answer of the query's.
    fn ask_and(
        &self,
        log: &LogName,
        query: Query,
        map: impl FnOnce(Answer) -> Answer + 'static,
    ) -> Fallible<'scope, Value<'scope>> {
        let (deferred, promise) = self.js.promise()?;
        // A read must not overtake an earlier call of this thread.
        let is_first = self.store.pending.get() == 0;
        if let Some(answer) = is_first.then(|| self.store.backend.answer_now(log, &query)).flatten() {
            self.environment.answer(self.js, deferred, Ok(map(answer)));
        } else {
            let then = if query.is_of_all() {
                self.then_all(deferred, map)
            } else {
                Then::SettleAs(deferred, Box::new(map))
            };
            self.request(log, Usage::Collection, Work::Read(query), then);
        }
        Ok(promise)
    }

    /// The answer to a query of all members may come in pieces.
    fn then_all(&self, deferred: Deferred, map: impl FnOnce(Answer) -> Answer + 'static) -> Then {
        let store = Rc::clone(&self.store);
        Then::Do(Box::new(move |environment, js, answer| match answer.map(map) {
            Ok(Answer::Whole(cursor)) => Whole::read(js, environment, store, deferred, cursor),
            answer => environment.settle(js, &store, deferred, answer),
        }))
    }

    /// Answers a query about the log itself.
    fn ask_log(&self, log: &LogName, query: Query) -> Fallible<'scope, Value<'scope>> {
        self.send(log, Usage::Entries, Work::Read(query))
    }

    /// Changes the data by a rule that holds `size_bytes` of text.
    fn change(
        &self,
        log: &LogName,
        size_bytes: usize,
        rule: impl Rule + 'static,
    ) -> Fallible<'scope, Value<'scope>> {
        self.send_text(log, Usage::Collection, Work::Write(Box::new(rule)), size_bytes)
    }

    // Logs.

    pub fn append_log_entry(
        &self,
        log: Value<'scope>,
        entry_value: Value<'scope>,
    ) -> Fallible<'scope, Value<'scope>> {
        let log = log_name(self.js, log)?;
        let line = entry(self.js, &self.environment.json, entry_value, now_ms())?;
        let size_bytes = line.len();
        self.send_text(&log, Usage::Entries, Work::Append(line), size_bytes)
    }

    pub fn read_log_entries(&self, log: Value<'scope>) -> Fallible<'scope, Value<'scope>> {
        self.ask_log(&log_name(self.js, log)?, Query::LogEntries)
    }

    pub fn rebuild_state_from_log(
        &self,
        log: Value<'scope>,
        options: Value<'scope>,
    ) -> Fallible<'scope, Value<'scope>> {
        let log = log_name(self.js, log)?;
        let query = point_in_time(self.js, options)?.map_or(Query::Rebuild, Query::StateAt);
        self.ask_log(&log, query)
    }

    pub fn history(&self, log: Value<'scope>, key_value: Value<'scope>) -> Fallible<'scope, Value<'scope>> {
        let log = log_name(self.js, log)?;
        let key = key(self.js, key_value, "key")?;
        self.ask_log(&log, Query::History(key))
    }

    pub fn compact_log(&self, log: Value<'scope>) -> Fallible<'scope, Value<'scope>> {
        self.compact_one(&log_name(self.js, log)?)
    }

    fn compact_one(&self, log: &LogName) -> Fallible<'scope, Value<'scope>> {
        let (deferred, promise) = self.js.promise()?;
        self.request(log, Usage::Entries, Work::Compact, Then::SettleUndefined(deferred));
        Ok(promise)
    }

    pub fn get_log_size(&self, log: Value<'scope>) -> Fallible<'scope, Value<'scope>> {
        self.ask_log(&log_name(self.js, log)?, Query::LogSize)
    }

    pub fn needs_compaction(
        &self,
        log: Value<'scope>,
        threshold: Value<'scope>,
    ) -> Fallible<'scope, Value<'scope>> {
        let log = log_name(self.js, log)?;
        let threshold = finite_or(self.js, threshold, "threshold", COMPACTION_THRESHOLD_BYTES)?;
        let (deferred, promise) = self.js.promise()?;
        let then = Then::Do(Box::new(move |_, js, answer| {
            let is_over = answer.map(|answer| matches!(answer, Answer::Number(size) if size > threshold));
            js.settle(deferred, is_over.map_err(Into::into).and_then(|is_over| js.bool(is_over)));
        }));
        self.request(&log, Usage::Entries, Work::Read(Query::LogSize), then);
        Ok(promise)
    }

    pub fn log_pieces(&self, log: Value<'scope>) -> Fallible<'scope, Rc<Pieces>> {
        let log = log_name(self.js, log)?;
        Ok(Pieces::of_log(Rc::clone(&self.store), log))
    }

    // Tokens.

    pub fn save_tokens(
        &self,
        tokens: Value<'scope>,
        artist_info: Value<'scope>,
    ) -> Fallible<'scope, Value<'scope>> {
        let js = self.js;
        if !js.is_array(tokens)? {
            let found = describe(js, tokens);
            return Err(
                Error::wrong_type(format!("The argument 'tokens' must be an array, not {found}")).into()
            );
        }
        let count = js.length(tokens)? as usize;
        let text = json(js, &self.environment.json, tokens, "tokens")?;
        let has_artists = js.is_truthy(artist_info)?;
        let artists = if has_artists {
            Some(json(js, &self.environment.json, artist_info, "artistInfo")?)
        } else {
            None
        };
        let rule = SaveTokens { tokens: text, count, artist_info: artists };
        self.change(&TOKENS, rule.tokens.len(), rule)
    }

    pub fn load_tokens(&self) -> Fallible<'scope, Value<'scope>> {
        self.ask_and(&TOKENS, Query::All, |answer| match answer {
            Answer::Texts(texts) if texts.is_empty() => Answer::Null,
            answer => answer,
        })
    }

    pub fn needs_token_refresh(&self) -> Fallible<'scope, Value<'scope>> {
        let (deferred, promise) = self.js.promise()?;
        let then = Then::Do(Box::new(move |environment, js, answer| {
            let is_due =
                answer.map_err(Into::into).and_then(|answer| is_refresh_due(js, environment, answer));
            js.settle(deferred, is_due.and_then(|is_due| js.bool(is_due)));
        }));
        let query = Query::Get("\"lastUpdated\"".to_owned());
        self.request(&TOKENS, Usage::Collection, Work::Read(query), then);
        Ok(promise)
    }

    // Players.

    pub fn load_players(&self) -> Fallible<'scope, Value<'scope>> {
        self.ask(&PLAYERS, Query::All)
    }

    pub fn save_players(&self, players: Value<'scope>) -> Fallible<'scope, Value<'scope>> {
        let text = object_of_any_size(self.js, &self.environment.json, players, "players")?;
        self.change(&PLAYERS, text.len(), SavePlayers(text))
    }

    pub fn get_player_stats(&self, user_id: Value<'scope>) -> Fallible<'scope, Value<'scope>> {
        let user_id = key(self.js, user_id, "userId")?;
        self.ask_and(&PLAYERS, Query::Get(user_id.clone()), move |answer| {
            let stored = if let Answer::Json(text) = &answer { Some(text.as_str()) } else { None };
            Answer::Json(game::player_stats(&user_id, stored))
        })
    }

    pub fn update_player_stats(
        &self,
        user_id: Value<'scope>,
        name: Value<'scope>,
        score: Value<'scope>,
        is_winner: Value<'scope>,
        correct_answers: Value<'scope>,
        incorrect_answers: Value<'scope>,
    ) -> Fallible<'scope, Value<'scope>> {
        let result =
            self.game_result([user_id, name, score, is_winner, correct_answers, incorrect_answers])?;
        self.change(&PLAYERS, 0, result)
    }

    fn game_result(&self, values: [Value<'scope>; 6]) -> Fallible<'scope, GameResult> {
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

    pub fn update_players_stats(&self, results: Value<'scope>) -> Fallible<'scope, Value<'scope>> {
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
        self.change(&PLAYERS, 256 * parsed.len(), GameResults(parsed))
    }

    pub fn get_leaderboard(
        &self,
        sort_by: Value<'scope>,
        limit_value: Value<'scope>,
    ) -> Fallible<'scope, Value<'scope>> {
        let sort_by = field(self.js, sort_by, "sortBy", "totalScore")?;
        let limit = limit(self.js, limit_value, "limit")?;
        self.ask(&PLAYERS, game::leaderboard(sort_by, limit))
    }

    pub fn get_player_rank(
        &self,
        user_id: Value<'scope>,
        sort_by: Value<'scope>,
    ) -> Fallible<'scope, Value<'scope>> {
        let user_id = key(self.js, user_id, "userId")?;
        let sort_by = field(self.js, sort_by, "sortBy", "totalScore")?;
        self.ask(&PLAYERS, game::rank(user_id, sort_by))
    }

    // Game states.

    pub fn save_game_state(
        &self,
        channel_id: Value<'scope>,
        state: Value<'scope>,
    ) -> Fallible<'scope, Value<'scope>> {
        let channel = key(self.js, channel_id, "channelId")?;
        let text = object(self.js, &self.environment.json, state, "state")?;
        self.change(&GAME_STATE, text.len(), SaveGame { channel, text })
    }

    pub fn load_game_state(&self, channel_id: Value<'scope>) -> Fallible<'scope, Value<'scope>> {
        let channel = key(self.js, channel_id, "channelId")?;
        self.ask_and(&GAME_STATE, Query::Get(channel), |answer| match answer {
            Answer::Undefined => Answer::Null,
            answer => answer,
        })
    }

    pub fn clear_game_state(&self, channel_id: Value<'scope>) -> Fallible<'scope, Value<'scope>> {
        let channel = key(self.js, channel_id, "channelId")?;
        self.change(&GAME_STATE, 0, ClearGame(channel))
    }

    pub fn get_all_game_states(&self) -> Fallible<'scope, Value<'scope>> {
        self.ask(&GAME_STATE, Query::All)
    }

    // Compaction of all, flushing, closing.

    pub fn compact_all_logs(&self) -> Fallible<'scope, Value<'scope>> {
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
            self.request(&game::log_name(name), Usage::Collection, Work::Compact, then);
        }
        Ok(promise)
    }

    pub fn compact(&self, log: Value<'scope>) -> Fallible<'scope, Value<'scope>> {
        if is_missing(self.js, log)? { self.compact_all_logs() } else { self.compact_log(log) }
    }

    pub fn flush(&self) -> Fallible<'scope, Value<'scope>> {
        let (deferred, promise) = self.js.promise()?;
        let ticket = self.environment.ticket(self.js, &self.store, Then::Settle(deferred));
        self.store.backend.flush(ticket);
        Ok(promise)
    }

    /// Copies the folder behind all earlier calls.
    pub fn copy_data(&self, folder: String) -> Fallible<'scope, Value<'scope>> {
        let (deferred, promise) = self.js.promise()?;
        // It is of no log, and is sorted out before the logs get theirs.
        let log = game::log_name(LOGS[0]);
        self.request(&log, Usage::Entries, Work::Copy(folder.into()), Then::Settle(deferred));
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
        self.request(log, Usage::Entries, Work::Maintain(wanted), then);
    }

    fn boundary_ms(&self, rotation: &Rotation) -> Fallible<'scope, Option<i64>> {
        rotation.boundary_ms(self.js, &*self.environment.host()?, now_ms())
    }

    // What is seen from outside.

    fn report(&self) -> Fallible<'scope, Report> {
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
        Ok(Report { resident_bytes, ..self.store.backend.report() })
    }

    pub fn metrics(&self) -> Fallible<'scope, Value<'scope>> {
        self.environment.json.parse(self.js, &self.report()?.json())
    }

    pub fn metrics_text(&self) -> Fallible<'scope, Value<'scope>> {
        self.js.string(&self.report()?.prometheus())
    }

    // Collections.

    pub fn collection_get(&self, log: &LogName, key_value: Value<'scope>) -> Fallible<'scope, Value<'scope>> {
        let key = key(self.js, key_value, "key")?;
        self.ask(log, Query::Get(key))
    }

    pub fn collection_has(&self, log: &LogName, key_value: Value<'scope>) -> Fallible<'scope, Value<'scope>> {
        let key = key(self.js, key_value, "key")?;
        self.ask(log, Query::Has(key))
    }

    pub fn collection_expires_at(
        &self,
        log: &LogName,
        key_value: Value<'scope>,
    ) -> Fallible<'scope, Value<'scope>> {
        let key = key(self.js, key_value, "key")?;
        self.ask(log, Query::ExpiresAt(key))
    }

    pub fn collection_set(
        &self,
        log: &LogName,
        key_value: Value<'scope>,
        value: Value<'scope>,
        options: Value<'scope>,
    ) -> Fallible<'scope, Value<'scope>> {
        let key = key(self.js, key_value, "key")?;
        let expiry = expiry(self.js, options)?;
        let text = json(self.js, &self.environment.json, value, "value")?;
        let work = collection::set_expiring(&key, &text, expiry);
        let size_bytes = text.len();
        self.store.predicted.set(log, &key, Some(text));
        self.send_text(log, Usage::Collection, work, size_bytes)
    }

    pub fn collection_delete(
        &self,
        log: &LogName,
        key_value: Value<'scope>,
    ) -> Fallible<'scope, Value<'scope>> {
        let key = key(self.js, key_value, "key")?;
        self.store.predicted.set(log, &key, None);
        self.send(log, Usage::Collection, collection::delete(key))
    }

    pub fn collection_clear(&self, log: &LogName) -> Fallible<'scope, Value<'scope>> {
        self.store.predicted.forget();
        self.send(log, Usage::Collection, collection::clear())
    }

    pub fn collection_update(
        &self,
        log: &LogName,
        key_value: Value<'scope>,
        function: Value<'scope>,
        options: Value<'scope>,
    ) -> Fallible<'scope, Value<'scope>> {
        let key = key(self.js, key_value, "key")?;
        let expiry = expiry(self.js, options)?;
        self.update(Updater::One(log.clone(), [key]), function, expiry)
    }

    fn update(
        &self,
        updater: Updater,
        function: Value<'scope>,
        expiry: Option<Expiry>,
    ) -> Fallible<'scope, Value<'scope>> {
        if self.js.type_of(function)? != ValueType::Function {
            let found = describe(self.js, function);
            return Err(
                Error::wrong_type(format!("The argument 'fn' must be a function, not {found}")).into()
            );
        }
        let asked = Asked::of(&self.store, updater, expiry);
        asked.logs().for_each(|log| self.rotate_where_due(log));
        update(self.js, &self.environment, &self.store, asked, function)
    }

    // Several keys of a collection.

    fn keys(&self, given: Value<'scope>) -> Fallible<'scope, Vec<String>> {
        keys(self.js, self.environment.host()?.key_list(self.js, given)?)
    }

    /// The keys in their order, those that are named twice once.
    fn distinct_keys(&self, given: Value<'scope>) -> Fallible<'scope, Vec<String>> {
        let mut keys = self.keys(given)?;
        let mut seen = HashSet::new();
        keys.retain(|key| seen.insert(key.clone()));
        Ok(keys)
    }

    pub fn collection_get_many(&self, log: &LogName, keys: Value<'scope>) -> Fallible<'scope, Value<'scope>> {
        let keys = self.distinct_keys(keys)?;
        let pairs = self.ask(log, Query::GetMany(keys))?;
        self.environment.host()?.map_of(self.js, pairs)
    }

    pub fn collection_set_many(
        &self,
        log: &LogName,
        entries: Value<'scope>,
    ) -> Fallible<'scope, Value<'scope>> {
        let list = self.environment.host()?.entry_list(self.js, entries)?;
        let entries = members(self.js, &self.environment.json, list)?;
        let size_bytes = entries.iter().map(|(_, text)| text.len()).sum();
        let of_entry = |(key, text): (String, String)| {
            let member = Member::new(&key, &text);
            self.store.predicted.set(log, &key, Some(text));
            member
        };
        let work = collection::set_many(entries.into_iter().map(of_entry).collect());
        self.send_text(log, Usage::Collection, work, size_bytes)
    }

    pub fn collection_delete_many(
        &self,
        log: &LogName,
        keys: Value<'scope>,
    ) -> Fallible<'scope, Value<'scope>> {
        let keys = self.distinct_keys(keys)?;
        for key in &keys {
            self.store.predicted.set(log, key, None);
        }
        self.send(log, Usage::Collection, collection::delete_many(keys))
    }

    pub fn collection_update_many(
        &self,
        log: &LogName,
        given: Value<'scope>,
        function: Value<'scope>,
    ) -> Fallible<'scope, Value<'scope>> {
        let keys = self.keys(given)?;
        let mut seen = HashSet::new();
        if let Some(twice) = keys.iter().find(|key| !seen.insert(key.as_str())) {
            return Err(Error::wrong_value(format!(
                "The argument 'keys' names {twice} twice; name each key once"
            ))
            .into());
        }
        self.update(Updater::Many(log.clone(), keys), function, None)
    }

    /// `names[n]` and `keys[n]` are a place.
    pub fn transact(
        &self,
        names: Value<'scope>,
        given: Value<'scope>,
        function: Value<'scope>,
    ) -> Fallible<'scope, Value<'scope>> {
        let js = self.js;
        let keys = keys(js, given)?;
        let logs = (0..js.length(names)?).map(|index| log_name(js, js.element(names, index)?));
        let logs = logs.collect::<Fallible<Vec<LogName>>>()?;
        if logs.is_empty() || logs.len() != keys.len() {
            return Err(Error::wrong_value("The argument 'places' must name at least one place").into());
        }
        let mut seen = HashSet::new();
        if let Some((log, key)) = logs.iter().zip(&keys).find(|place| !seen.insert(*place)) {
            return Err(Error::wrong_value(format!(
                "The argument 'places' names {key} of the collection '{log}' twice; name each key once"
            ))
            .into());
        }
        self.update(Updater::Across(logs, keys), function, None)
    }

    pub fn collection_entries(&self, log: &LogName) -> Fallible<'scope, Value<'scope>> {
        self.ask(log, Query::Entries)
    }

    pub fn collection_keys(&self, log: &LogName) -> Fallible<'scope, Value<'scope>> {
        self.ask(log, Query::Keys)
    }

    pub fn collection_size(&self, log: &LogName) -> Fallible<'scope, Value<'scope>> {
        self.ask(log, Query::Size)
    }

    pub fn collection_top(
        &self,
        log: &LogName,
        field_value: Value<'scope>,
        n: Value<'scope>,
    ) -> Fallible<'scope, Value<'scope>> {
        let field = key(self.js, field_value, "field")?;
        let limit = limit(self.js, n, "n")?;
        self.ask(log, Query::Top(Top { field, limit, absent: None, listed: Listed::Pairs }))
    }

    pub fn collection_rank(
        &self,
        log: &LogName,
        key_value: Value<'scope>,
        field_value: Value<'scope>,
    ) -> Fallible<'scope, Value<'scope>> {
        let key_literal = key(self.js, key_value, "key")?;
        let field = key(self.js, field_value, "field")?;
        self.ask(log, Query::Rank(Rank { key: key_literal, field, absent: None }))
    }
}

/// Prints a failure that no promise reports. The place itself notifies of the event.
fn compaction_failed(environment: &Environment, hub: &Hub, log: &str, error: &Error) {
    hub.print_unless_heard(
        &environment.outlet,
        COMPACTION_FAILED,
        format!("The log '{log}' could not be compacted: {}. It is as it was", error.message()),
    );
}

/// `lastUpdated` as JSON text: older than a day, or no date?
fn is_refresh_due<'scope>(
    js: Js<'scope>,
    environment: &Environment,
    last_updated: Answer,
) -> Fallible<'scope, bool> {
    let Answer::Json(text) = last_updated else { return Ok(true) };
    let value = environment.json.parse(js, &text)?;
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
