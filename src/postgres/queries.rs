//! Calls about whole logs, by statements on a connection of their own.
//!
//! Invariant: rows are taken one by one as they arrive; memory grows with the answer alone.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::TryStreamExt;
use parking_lot::Mutex;
use tokio_postgres::Row as SqlRow;
use tokio_postgres::types::Type;

use crate::data::entry_text::{EntryText, Spelling};
use crate::data::json::quote;
use crate::data::name::LogName;
use crate::data::state::{Member, State};
use crate::data::text::{TextBuilder, TextKind, object_of};
use crate::data::time::iso;
use crate::error::Error;
use crate::postgres::change_cursor::ChangeCursor;
use crate::postgres::compaction::Compaction;
use crate::postgres::entry_cursor::{EntryCursor, EntryPages};
use crate::postgres::entry_rows::{EntryRow, EntryTexts};
use crate::postgres::member_cursor::{Listing, MemberCursor};
use crate::postgres::metrics::{ServerMetrics, timed};
use crate::postgres::reader::Side;
use crate::postgres::rows::{Parameter, Rows, entry_row};
use crate::postgres::server_clock::ServerClock;
use crate::postgres::session::{Server, Session};
use crate::postgres::sql_values::field_name;
use crate::postgres::statements::Statements;
use crate::postgres::tries::{SILENCE_MS_MAX, Tries};
use crate::postgres::wire::{Asked, Loss};
use crate::store::answer::Answer;
use crate::store::query::{Listed, Query, Rank, Top};
use crate::store::request::{Request, Work};
use crate::store::watch::WatcherRef;

/// See the header of this file.
pub struct Queries {
    session: Session,
    statements: Arc<Statements>,
    tries: Tries,
    metrics: Arc<ServerMetrics>,
    clock: Arc<ServerClock>,
    compaction: Compaction,
    /// Whether a transaction is open that shows the data of one moment.
    is_in_snapshot: bool,
    /// How often the writer connected, and how often when this connection was opened.
    epoch: Arc<AtomicU64>,
    opened_in: u64,
    /// How often it was opened.
    opened: u64,
    /// Itself, for cursors.
    own: std::sync::Weak<Mutex<Queries>>,
}

impl Queries {
    /// Questions to this server, on a session that is opened with the first.
    pub fn new(
        server: Server,
        statements: Arc<Statements>,
        tries: Tries,
        (compaction, epoch): (Compaction, Arc<AtomicU64>),
    ) -> Arc<Mutex<Self>> {
        Arc::new_cyclic(|own| {
            let own = own.clone();
            let metrics = Arc::clone(&server.metrics);
            let clock = Arc::clone(&server.clock);
            let session = Session::new(server);
            Mutex::new(Self {
                session,
                statements,
                tries,
                metrics,
                clock,
                compaction,
                is_in_snapshot: false,
                epoch,
                opened_in: 0,
                opened: 0,
                own,
            })
        })
    }

    /// Opens the session where it is not open, or is from before the writer lost the server: that one may be no primary
    /// any more.
    fn open(&mut self, within_ms: u64) -> Asked<()> {
        let epoch = self.epoch.load(Ordering::Acquire);
        // The next connection does not have the snapshot of this one, so the question is put once more from its beginning.
        if self.is_in_snapshot || self.session.is_open() && self.opened_in == epoch {
            return Ok(());
        }
        self.session.open(within_ms)?;
        self.opened_in = epoch;
        self.opened += 1;
        Ok(())
    }

    /// The rows of a statement, each given to `take`; `begun` is called when it is fixed which they are.
    ///
    /// # Errors
    /// See `Loss`.
    pub fn rows(
        &mut self,
        text: impl FnOnce(&Statements) -> String,
        parameters: &[Parameter<'_>],
        within_ms: u64,
        begun: &dyn Fn(),
        mut take: impl FnMut(&SqlRow),
    ) -> Asked<()> {
        self.open(within_ms)?;
        let statements = Arc::clone(&self.statements);
        let text = &text(&statements);
        timed(&self.metrics.read, &self.tries.clock, || {
            self.session.run(within_ms, async |client| {
                let parameters = parameters.iter().map(|(value, ty)| (*value, ty.clone()));
                let mut rows = pin!(client.query_typed_raw(text, parameters).await?);
                let mut is_first = true;
                while let Some(row) = rows.try_next().await? {
                    if std::mem::take(&mut is_first) {
                        begun();
                    }
                    take(&row);
                }
                begun();
                Ok(())
            })
        })
    }

    fn one(
        &mut self,
        text: impl FnOnce(&Statements) -> String,
        parameters: &[Parameter<'_>],
        within_ms: u64,
        begun: &dyn Fn(),
    ) -> Asked<Option<SqlRow>> {
        self.open(within_ms)?;
        let statements = Arc::clone(&self.statements);
        let text = &text(&statements);
        let rows = timed(&self.metrics.read, &self.tries.clock, || {
            self.session.run(within_ms, async |client| {
                let parameters: Vec<Parameter> =
                    parameters.iter().map(|(value, ty)| (*value, ty.clone())).collect();
                client.query_typed(text, &parameters).await
            })
        })?;
        begun();
        Ok(rows.into_iter().next())
    }

    fn number(
        &mut self,
        text: impl FnOnce(&Statements) -> String,
        log: &str,
        within_ms: u64,
        begun: &dyn Fn(),
    ) -> Asked<i64> {
        let row = self.one(text, &[(&log, Type::TEXT)], within_ms, begun)?;
        Ok(row.map_or(0, |row| row.get(0)))
    }

    fn members(&mut self, log: &str, query: &Query, within_ms: u64, begun: &dyn Fn()) -> Asked<Answer> {
        let kind = if *query == Query::All { TextKind::Object } else { TextKind::Array };
        let mut text = TextBuilder::new(kind);
        self.rows(
            |all| all.read_log.clone(),
            &[(&log, Type::TEXT)],
            within_ms,
            begun,
            |row| {
                let (key, value): (&str, &str) = (row.get(0), row.get(2));
                match query {
                    Query::Keys => text.push(&[key]),
                    Query::Entries => text.push(&["[", key, ",", value, "]"]),
                    _ => text.push(&[key, ":", value]),
                }
            },
        )?;
        Ok(Answer::Texts(text.finish()))
    }

    fn top(&mut self, log: &str, top: &Top, within_ms: u64, begun: &dyn Fn()) -> Asked<Answer> {
        let Top { field, limit, absent, listed } = top;
        let (name, limit) = (field_name(field), i64::try_from(*limit).unwrap_or(i64::MAX));
        let mut parameters: Vec<Parameter> =
            vec![(&log, Type::TEXT), (&name, Type::TEXT), (&limit, Type::INT8)];
        if let Some(absent) = absent {
            parameters.push((absent, Type::FLOAT8));
        }
        let is_of_all = absent.is_some();
        let text = move |all: &Statements| if is_of_all { all.top_of_all.clone() } else { all.top.clone() };
        let mut list = TextBuilder::new(TextKind::Array);
        self.rows(text, &parameters, within_ms, begun, |row| {
            let (key, value): (&str, &str) = (row.get(0), row.get(1));
            match listed {
                Listed::Pairs => list.push(&["[", key, ",", value, "]"]),
                Listed::Values => list.push(&[value]),
            }
        })?;
        Ok(Answer::Texts(list.finish()))
    }

    fn rank(&mut self, log: &str, rank: &Rank, within_ms: u64, begun: &dyn Fn()) -> Asked<Answer> {
        let Rank { key, field, absent } = rank;
        let name = field_name(field);
        let mut parameters: Vec<Parameter> = vec![(&log, Type::TEXT), (&name, Type::TEXT), (key, Type::TEXT)];
        if let Some(absent) = absent {
            parameters.push((absent, Type::FLOAT8));
        }
        let is_of_all = absent.is_some();
        let text = move |all: &Statements| if is_of_all { all.rank_of_all.clone() } else { all.rank.clone() };
        let row = self.one(text, &parameters, within_ms, begun)?;
        Ok(row.map_or(Answer::Null, |row| {
            let (place, of): (i64, i64) = (row.get(0), row.get(1));
            Answer::Json(format!("{{{}:{place},{}:{of}}}", quote("rank"), quote("of")))
        }))
    }

    /// Where the entries of a log begin, and the number of its last.
    fn bounds(&mut self, log: &str, within_ms: u64) -> Asked<(i64, i64)> {
        let row = self.one(|all| all.bounds.clone(), &[(&log, Type::TEXT)], within_ms, &|| {})?;
        Ok(row.map_or((0, 0), |row| (row.get(0), row.get(1))))
    }

    fn entries(
        &mut self,
        log: &str,
        (from, to): (i64, i64),
        within_ms: u64,
        begun: &dyn Fn(),
        mut take: impl FnMut(EntryRow),
    ) -> Asked<()> {
        // Behind the last part of the batch before.
        let (before, part) = (from - 1, i32::MAX);
        let parameters: [Parameter; 4] =
            [(&log, Type::TEXT), (&before, Type::INT8), (&part, Type::INT4), (&to, Type::INT8)];
        self.rows(|all| all.entries.clone(), &parameters, within_ms, begun, |row| take(entry_row(row)))
    }

    fn log_entries(&mut self, log: &str, within_ms: u64, begun: &dyn Fn()) -> Asked<Answer> {
        let bounds = self.bounds(log, within_ms)?;
        let mut texts = EntryTexts::default();
        let mut list = TextBuilder::new(TextKind::Array);
        self.entries(log, bounds, within_ms, begun, |row| {
            texts.push(&row).into_iter().for_each(|text| list.push(&[&text]));
        })?;
        texts.finish().into_iter().for_each(|text| list.push(&[&text]));
        Ok(Answer::Texts(list.finish()))
    }

    fn rebuild(&mut self, log: &str, within_ms: u64, begun: &dyn Fn()) -> Asked<Answer> {
        let bounds = self.bounds(log, within_ms)?;
        let mut state = State::default();
        self.entries(log, bounds, within_ms, begun, |row| row.replay(&mut state))?;
        Ok(Answer::Texts(object_of(state.live(self.clock.now_ms()))))
    }

    fn state_at(&mut self, log: &str, at_ms: i64, within_ms: u64, begun: &dyn Fn()) -> Asked<Answer> {
        let parameters: [Parameter; 2] = [(&log, Type::TEXT), (&at_ms, Type::INT8)];
        let mut state = State::default();
        if let Some(last) = self.one(|all| all.last_at.clone(), &parameters, within_ms, begun)? {
            let (seq, part, from): (i64, i32, i64) = (last.get(0), last.get(1), last.get(2));
            self.entries(log, (from, seq), within_ms, begun, |row| {
                if (row.seq, row.part) <= (seq, part) {
                    row.replay(&mut state);
                }
            })?;
        } else if let Some(first) =
            self.one(|all| all.first.clone(), &[(&log, Type::TEXT)], within_ms, begun)?
            && begins_with_checkpoint(&first)
        {
            // No entry says what was before the oldest checkpoint.
            return Err(Loss::Refused(Error::no_history(log, iso(at_ms), iso(first.get(1)))));
        }
        Ok(Answer::Texts(object_of(state.live(at_ms))))
    }

    fn history(&mut self, log: &str, key: &str, within_ms: u64, begun: &dyn Fn()) -> Asked<Answer> {
        let parameters: [Parameter; 2] = [(&log, Type::TEXT), (&key, Type::TEXT)];
        let mut list = TextBuilder::new(TextKind::Array);
        let mut member = None;
        self.rows(
            |all| all.history.clone(),
            &parameters,
            within_ms,
            begun,
            |row| {
                if let Some(record) = entry_row(row).record_of(key, &mut member) {
                    list.push(&[&record]);
                }
            },
        )?;
        Ok(Answer::Texts(list.finish()))
    }

    fn query(&mut self, log: &LogName, query: &Query, within_ms: u64, begun: &dyn Fn()) -> Asked<Answer> {
        let name = log.as_str();
        match query {
            Query::Get(key) | Query::Has(key) | Query::ExpiresAt(key) => {
                let parameters: [Parameter; 2] = [(&name, Type::TEXT), (key, Type::TEXT)];
                let row = self.one(|all| all.value.clone(), &parameters, within_ms, begun)?;
                let member = row.map(|row| Member::expiring(key, row.get(0), row.get(1)));
                Ok(query.of_keys(|_| member.as_ref()))
            }
            Query::GetMany(keys) => {
                // One statement sees one moment.
                let parameters: [Parameter; 2] = [(&name, Type::TEXT), (keys, Type::TEXT_ARRAY)];
                let mut list = TextBuilder::new(TextKind::Array);
                self.rows(
                    |all| all.values_of_keys.clone(),
                    &parameters,
                    within_ms,
                    begun,
                    |row| {
                        let (key, value): (&str, &str) = (row.get(0), row.get(1));
                        list.push(&["[", key, ",", value, "]"]);
                    },
                )?;
                Ok(Answer::Texts(list.finish()))
            }
            Query::Keys | Query::Entries | Query::All => self.members(name, query, within_ms, begun),
            #[expect(clippy::cast_precision_loss, reason = "fewer than 2^53 keys")]
            Query::Size => {
                Ok(Answer::Number(self.number(|all| all.size.clone(), name, within_ms, begun)? as f64))
            }
            Query::Top(top) => self.top(name, top, within_ms, begun),
            Query::Rank(rank) => self.rank(name, rank, within_ms, begun),
            Query::Rebuild => self.rebuild(name, within_ms, begun),
            Query::StateAt(at_ms) => self.state_at(name, *at_ms, within_ms, begun),
            Query::History(key) => self.history(name, key, within_ms, begun),
            Query::LogEntries => self.log_entries(name, within_ms, begun),
            Query::LogCursor => {
                let (from, to) = self.bounds(name, within_ms)?;
                begun();
                let own = self.own.upgrade().ok_or_else(|| Loss::Refused(Error::closed()))?;
                let tries = self.tries.clone();
                Ok(Answer::Cursor(Box::new(EntryCursor::new(own, log.clone(), (from, to), tries))))
            }
            Query::MemberCursor(selection) => {
                let listing = Listing::read(self, log, selection, within_ms, begun)?;
                let own = self.own.upgrade().ok_or_else(|| Loss::Refused(Error::closed()))?;
                Ok(Answer::Cursor(Box::new(MemberCursor::new(own, listing, self.tries.clone()))))
            }
            Query::Changes(WatcherRef(watcher)) => {
                let own = self.own.upgrade().ok_or_else(|| Loss::Refused(Error::closed()))?;
                let (watcher, tries) = (Arc::clone(watcher), self.tries.clone());
                let cursor = ChangeCursor::begin((self, own), log, watcher, tries, (within_ms, begun))?;
                Ok(Answer::Cursor(Box::new(cursor)))
            }
            #[expect(clippy::cast_precision_loss, reason = "a log is smaller than 2^53 bytes")]
            Query::LogSize => {
                Ok(Answer::Number(self.number(|all| all.log_size.clone(), name, within_ms, begun)? as f64))
            }
        }
    }

    /// The answer to a question as of one moment: it is fixed before the server looks for it, so that what is written
    /// meanwhile need not wait for that.
    fn query_in_snapshot(
        &mut self,
        log: &LogName,
        query: &Query,
        within_ms: u64,
        begun: &dyn Fn(),
    ) -> Asked<Answer> {
        // These are short, however long the answer is.
        let short_ms = within_ms.min(SILENCE_MS_MAX);
        self.open(short_ms)?;
        self.session.begin_snapshot(short_ms)?;
        self.is_in_snapshot = true;
        begun();
        let answer = self.query(log, query, within_ms, begun);
        self.is_in_snapshot = false;
        self.session.roll_back(short_ms);
        answer
    }

    /// Compacts a log, with a bound only where it is larger and half of it is dead.
    fn compact(&mut self, log: &LogName, over_bytes: Option<u64>, within_ms: u64) -> Asked<Answer> {
        if let Some(over_bytes) = over_bytes
            && !self.compaction.is_unsettled(log)
        {
            let size = self.number(|all| all.log_size.clone(), log.as_str(), within_ms, &|| {})?;
            let live = self.number(|all| all.live_size.clone(), log.as_str(), within_ms, &|| {})?;
            if u64::try_from(size).unwrap_or(0) <= over_bytes || size < 2 * live {
                return Ok(Answer::Bool(false));
            }
        }
        self.open(within_ms)?;
        self.compaction.run(&mut self.session, &self.statements, log, within_ms)?;
        Ok(Answer::Bool(true))
    }
}

/// Whether a row of the statement `first` is a checkpoint: one of a compaction, or one that was appended with the entries
/// of another place.
fn begins_with_checkpoint(first: &SqlRow) -> bool {
    let (op, appended): (&str, Option<&str>) = (first.get(0), first.get(2));
    let open = appended.and_then(|text| text.strip_suffix('}'));
    op == "CHECKPOINT" || open.is_some_and(|open| EntryText::new(open, Spelling::Ours).is_checkpoint())
}

impl Rows for Queries {
    fn each(
        &mut self,
        text: &dyn Fn(&Statements) -> &String,
        parameters: &[Parameter<'_>],
        within_ms: u64,
        begun: &dyn Fn(),
        take: &mut dyn FnMut(&SqlRow),
    ) -> Asked<()> {
        self.rows(|all| text(all).clone(), parameters, within_ms, begun, take)
    }

    fn epoch(&self) -> u64 {
        self.opened
    }

    fn leave_snapshot(&mut self) {
        if std::mem::take(&mut self.is_in_snapshot) {
            self.session.close();
        }
    }
}

impl EntryPages for Queries {
    fn page(
        &mut self,
        log: &LogName,
        (seq, part): (i64, i32),
        to: i64,
        limit: i64,
        within_ms: u64,
    ) -> Asked<Vec<EntryRow>> {
        self.leave_snapshot();
        let name = log.as_str();
        let parameters: [Parameter; 5] = [
            (&name, Type::TEXT),
            (&seq, Type::INT8),
            (&part, Type::INT4),
            (&to, Type::INT8),
            (&limit, Type::INT8),
        ];
        let mut rows = Vec::new();
        self.rows(
            |all| all.some_entries.clone(),
            &parameters,
            within_ms,
            &|| {},
            |row| rows.push(entry_row(row)),
        )?;
        Ok(rows)
    }
}

impl Side for Queries {
    fn answer(&mut self, request: &Request, begun: &dyn Fn(), within_ms: u64) -> Asked<Answer> {
        self.leave_snapshot();
        let log = &request.log;
        match &request.work {
            Work::Read(query) if query.is_of_keys() => self.query(log, query, within_ms, begun),
            Work::Read(query) => self.query_in_snapshot(log, query, within_ms, begun),
            Work::Compact => self.compact(log, None, within_ms),
            Work::Maintain(wanted) => self.compact(log, Some(wanted.threshold_bytes), within_ms),
            Work::Append(_) | Work::Write(_) | Work::Replace(_) | Work::Transact(_) => {
                Err(Loss::Refused(Error::internal("a write was given to the reader")))
            }
            Work::Copy(_) => Err(Loss::Refused(Error::internal("only a folder can be copied"))),
        }
    }

    fn failed(&mut self, request: &Request, error: &Error) {
        if matches!(request.work, Work::Compact | Work::Maintain(_)) {
            self.compaction.failed(&request.log, error);
        }
    }
}
