//! The questions of `wire`, put to a real server by statements.
//!
//! ```text
//! commit           batch                           one round trip
//! read, Held       BEGIN, SELECT … FOR UPDATE      sent together
//! commit after it  batch, COMMIT                   sent together
//! ```
//!
//! Statements have no name and nothing is set for a session, so that a pooler may stand between.
//!
//! Invariant: where a transaction was begun, the next commit or failure ends it.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::future::try_join;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row as SqlRow};

use crate::data::json::array_index;
use crate::data::name::LogName;
use crate::data::state::Member;
use crate::error::Error;
use crate::postgres::change_id::ChangeId;
use crate::postgres::metrics::{ServerMetrics, timed};
use crate::postgres::server_clock::ServerClock;
use crate::postgres::session::{Server, Session};
use crate::postgres::sql_values::numbers;
use crate::postgres::statements::Statements;
use crate::postgres::wire::{Asked, Commit, Committed, Effect, Key, KeyEffect, Lock, Loss, Op, Row, Wire};
use crate::vfs::FileSystemRef;

/// A host that stops with rows that it has locked must not keep them from the others: its session is ended.
const BEGIN_LOCKED: &str =
    "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL idle_in_transaction_session_timeout = '5s'";

/// An update of one key is the commonest batch: it asks for the time, and looks for keys that are over, so often at most. It
/// takes the server longer than the rest, and it does not matter when such keys go.
const LOOK_EVERY_MS: i64 = 1_000;

/// See the header of this file.
pub struct Connection {
    session: Session,
    statements: Arc<Statements>,
    metrics: Arc<ServerMetrics>,
    clock: FileSystemRef,
    server_clock: Arc<ServerClock>,
    is_in_transaction: bool,
    /// The last batch found keys whose time is over.
    has_over: bool,
    /// When an update of one key looked for such keys last.
    looked_ms: Option<i64>,
}

impl Connection {
    /// A connection to this server, not opened yet.
    #[must_use]
    pub fn new(server: Server, statements: Arc<Statements>, clock: FileSystemRef) -> Self {
        let metrics = Arc::clone(&server.metrics);
        let server_clock = Arc::clone(&server.clock);
        let session = Session::new(server);
        Self {
            session,
            statements,
            metrics,
            clock,
            server_clock,
            is_in_transaction: false,
            has_over: false,
            looked_ms: None,
        }
    }

    /// Ends what was begun, without a commit.
    fn roll_back(&mut self, within_ms: u64) {
        if std::mem::take(&mut self.is_in_transaction)
            && self.session.run(within_ms, async |client| client.batch_execute("ROLLBACK").await).is_err()
        {
            self.session.close();
        }
    }

    fn run<T>(
        &mut self,
        within_ms: u64,
        ask: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>,
    ) -> Asked<T> {
        let result = self.session.run(within_ms, ask);
        if result.is_err() {
            self.roll_back(within_ms);
        }
        result
    }

    /// Rows that are read; with `Lock::Held` in a transaction that the next commit ends.
    fn rows(
        &mut self,
        text: &str,
        parameters: &[Parameter<'_>],
        lock: Lock,
        within_ms: u64,
    ) -> Asked<Vec<SqlRow>> {
        let begins = lock == Lock::Held && !self.is_in_transaction;
        self.is_in_transaction |= begins;
        let (metrics, clock) = (Arc::clone(&self.metrics), Arc::clone(&self.clock));
        timed(&metrics.read, &clock, || {
            self.run(within_ms, async |client| {
                let read = client.query_typed(text, parameters);
                if begins {
                    let begin = client.batch_execute(BEGIN_LOCKED);
                    return Ok(try_join(begin, read).await?.1);
                }
                read.await
            })
        })
    }

    /// The statement of a batch, in the transaction that it needs.
    fn transact(&mut self, text: &str, parameters: &[Parameter<'_>], within_ms: u64) -> Asked<Vec<SqlRow>> {
        let is_begun = self.is_in_transaction;
        let result = timed(&self.metrics.commit, &self.clock, || {
            self.session.run_commit(within_ms, async |client| {
                let batch = client.query_typed(text, parameters);
                if is_begun {
                    return Ok(try_join(batch, client.batch_execute("COMMIT")).await?.0);
                }
                batch.await
            })
        });
        if result.is_err() {
            self.roll_back(within_ms);
        }
        self.is_in_transaction = false;
        result
    }

    /// What the server said with a batch that is committed.
    fn heard(&mut self, (server_ms, asked_ms): (i64, i64), has_over: bool) {
        self.server_clock.heard(server_ms, asked_ms);
        self.has_over |= has_over;
    }

    fn set_one(&mut self, commit: &Commit, within_ms: u64) -> Option<Asked<Committed>> {
        let [KeyEffect { key, expected: Some(expected), was_there: true, effect: Effect::Set(member), .. }] =
            &commit.keys[..]
        else {
            return None;
        };
        if commit.entries.len() != 1 || commit.entries[0].op != Op::Set || self.is_in_transaction {
            return None;
        }
        let asked_ms = self.server_clock.asked_ms();
        let looks = self.looked_ms.is_none_or(|looked_ms| asked_ms - looked_ms >= LOOK_EVERY_MS);
        if looks {
            self.looked_ms = Some(asked_ms);
        }
        let statements = Arc::clone(&self.statements);
        let text = if looks { &statements.set_one_and_look } else { &statements.set_one };
        let (log, value) = (key.log.as_str(), member.value());
        let numbers = numbers(value);
        let expires_ms = member.expires_ms();
        let parameters: [Parameter; 7] = [
            (&log, Type::TEXT),
            (&key.key, Type::TEXT),
            (&value, Type::TEXT),
            (&numbers, Type::TEXT),
            (expected, Type::UUID),
            (&commit.change, Type::UUID),
            (&expires_ms, Type::INT8),
        ];
        Some(self.transact(text, &parameters, within_ms).and_then(|rows| {
            let Some(done) = rows.first() else {
                let row = self.read(std::slice::from_ref(key), Lock::Free, within_ms)?.pop();
                return Ok(Committed::Conflict(row.map(|row| (key.clone(), row)).into_iter().collect()));
            };
            if looks {
                self.heard((done.get(1), asked_ms), done.get(2));
            }
            Ok(Committed::Done)
        }))
    }
}

/// A value and its type.
type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// The columns of a batch.
#[derive(Default)]
struct Columns<'a> {
    logs: Vec<&'a str>,
    keys: Vec<&'a str>,
    expected: Vec<Option<ChangeId>>,
    effects: Vec<i16>,
    values: Vec<Option<&'a str>>,
    numbers: Vec<Option<String>>,
    /// An array index, or the position among the others below zero.
    places: Vec<i64>,
    expiries_ms: Vec<Option<i64>>,
    entry_logs: Vec<&'a str>,
    entry_keys: Vec<Option<&'a str>>,
    ops: Vec<&'static str>,
    entry_values: Vec<Option<&'a str>>,
    times_ms: Vec<Option<i64>>,
    entry_expiries_ms: Vec<Option<i64>>,
}

impl<'a> Columns<'a> {
    fn of(commit: &'a Commit) -> Self {
        let mut columns = Self::default();
        for KeyEffect { key, expected, effect, position, .. } in &commit.keys {
            let (number, member) = match effect {
                Effect::Keep => (0, None),
                Effect::Set(member) => (1, Some(member)),
                Effect::SetLast(member) => (2, Some(member)),
                Effect::Remove => (3, None),
            };
            columns.logs.push(key.log.as_str());
            columns.keys.push(&key.key);
            columns.expected.push(*expected);
            columns.effects.push(number);
            columns.expiries_ms.push(member.and_then(Member::expires_ms));
            columns.values.push(member.map(Member::value));
            columns.numbers.push(member.map(|member| numbers(member.value())));
            columns.places.push(array_index(&key.key).map_or(-1 - i64::from(*position), i64::from));
        }
        for entry in &commit.entries {
            columns.entry_logs.push(entry.log.as_str());
            columns.entry_keys.push(entry.key.as_deref());
            columns.ops.push(entry.op.as_str());
            columns.entry_values.push(entry.value.as_deref());
            columns.times_ms.push(entry.at_ms);
            columns.entry_expiries_ms.push(entry.expires_ms);
        }
        columns
    }
}

impl Wire for Connection {
    fn open(&mut self, within_ms: u64) -> Asked<()> {
        self.is_in_transaction = false;
        self.session.open(within_ms)
    }

    fn is_open(&self) -> bool {
        self.session.is_open()
    }

    fn close(&mut self) {
        self.is_in_transaction = false;
        self.session.close();
    }

    fn host(&self) -> String {
        self.session.host().to_owned()
    }

    fn read(&mut self, keys: &[Key], lock: Lock, within_ms: u64) -> Asked<Vec<Row>> {
        let logs: Vec<&str> = keys.iter().map(|key| key.log.as_str()).collect();
        let names: Vec<&str> = keys.iter().map(|key| key.key.as_str()).collect();
        let statements = Arc::clone(&self.statements);
        let text = if lock == Lock::Held { &statements.read_locked } else { &statements.read };
        let parameters: [Parameter; 2] = [(&logs, Type::TEXT_ARRAY), (&names, Type::TEXT_ARRAY)];
        let found = self.rows(text, &parameters, lock, within_ms)?;
        let mut rows = vec![Row { version: ChangeId::NONE, member: None }; keys.len()];
        for row in found {
            let place = place_of(&row);
            if let (Some(key), Some(kept)) = (keys.get(place), rows.get_mut(place)) {
                *kept = row_of(&row, &key.key);
            }
        }
        Ok(rows)
    }

    fn read_log(&mut self, log: &LogName, lock: Lock, within_ms: u64) -> Asked<Vec<Row>> {
        let statements = Arc::clone(&self.statements);
        let text = if lock == Lock::Held { &statements.read_log_locked } else { &statements.read_log };
        let found = self.rows(text, &[(&log.as_str(), Type::TEXT)], lock, within_ms)?;
        Ok(found.iter().map(|row| row_of(row, row.get(0))).collect())
    }

    fn unlock(&mut self, within_ms: u64) {
        self.roll_back(within_ms);
    }

    fn commit(&mut self, commit: &Commit, within_ms: u64) -> Asked<Committed> {
        if let Some(result) = self.set_one(commit, within_ms) {
            return result;
        }
        let text = self.statements.batch.clone();
        let columns = Columns::of(commit);
        let asked_ms = self.server_clock.asked_ms();
        let parameters: [Parameter; 15] = [
            (&columns.logs, Type::TEXT_ARRAY),
            (&columns.keys, Type::TEXT_ARRAY),
            (&columns.expected, Type::UUID_ARRAY),
            (&columns.effects, Type::INT2_ARRAY),
            (&columns.values, Type::TEXT_ARRAY),
            (&columns.numbers, Type::TEXT_ARRAY),
            (&columns.places, Type::INT8_ARRAY),
            (&commit.change, Type::UUID),
            (&columns.entry_logs, Type::TEXT_ARRAY),
            (&columns.entry_keys, Type::TEXT_ARRAY),
            (&columns.ops, Type::TEXT_ARRAY),
            (&columns.entry_values, Type::TEXT_ARRAY),
            (&columns.times_ms, Type::INT8_ARRAY),
            (&columns.expiries_ms, Type::INT8_ARRAY),
            (&columns.entry_expiries_ms, Type::INT8_ARRAY),
        ];
        let rows = self.transact(&text, &parameters, within_ms)?;
        if let Some(done) = rows.iter().find(|row| row.get::<_, Option<i64>>(0).is_none()) {
            self.heard((done.get(4), asked_ms), done.get(5));
            return Ok(Committed::Done);
        }
        let conflicts = rows.iter().filter_map(|row| {
            let KeyEffect { key, .. } = commit.keys.get(place_of(row))?;
            Some((key.clone(), row_of(row, &key.key)))
        });
        Ok(Committed::Conflict(conflicts.collect()))
    }

    fn look_up(&mut self, changes: &[ChangeId], within_ms: u64) -> Asked<HashSet<ChangeId>> {
        if changes.is_empty() {
            return Ok(HashSet::new());
        }
        let statements = Arc::clone(&self.statements);
        let found = self.run(within_ms, async |client| {
            client.query_typed(&statements.look_up, &[(&changes, Type::UUID_ARRAY)]).await
        })?;
        Ok(found.iter().map(|row| row.get(0)).collect())
    }

    fn take_not_replicated(&mut self) -> bool {
        self.session.take_not_replicated()
    }

    fn now_ms(&self) -> i64 {
        self.server_clock.now_ms()
    }

    fn take_over(&mut self) -> bool {
        std::mem::take(&mut self.has_over)
    }

    fn expire(&mut self, log: &LogName, change: ChangeId, within_ms: u64) -> Asked<()> {
        let text = self.statements.expire.clone();
        self.transact(&text, &[(&log.as_str(), Type::TEXT), (&change, Type::UUID)], within_ms).map(|_| ())
    }

    fn void(&mut self, change: ChangeId, within_ms: u64) -> Asked<bool> {
        let statements = Arc::clone(&self.statements);
        let found = self.run(within_ms, async |client| {
            client.query_typed(&statements.void, &[(&change, Type::UUID)]).await
        })?;
        found
            .first()
            .map(|row| row.get(0))
            .ok_or_else(|| Loss::Lost(Error::internal("an answer without a row")))
    }
}

/// The place of a row's key among those that were asked for.
fn place_of(row: &SqlRow) -> usize {
    usize::try_from(row.get::<_, i64>(0) - 1).unwrap_or(usize::MAX)
}

/// What a key has, from the columns `change`, `value` and `expires` behind the first one.
fn row_of(row: &SqlRow, key: &str) -> Row {
    let version: Option<ChangeId> = row.get(1);
    let value: Option<&str> = row.get(2);
    let member = value.map(|value| Member::expiring(key, value, row.get(3)));
    Row { version: version.unwrap_or(ChangeId::NONE), member }
}
