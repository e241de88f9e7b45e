//! A server in memory that does what the statements of a real one do, to whole batches.
//!
//! Its clock is its own. A row whose time is over stays until a client has it removed.
//!
//! Invariant: `rows` is what `applied` comes to.

use std::collections::{BTreeMap, HashSet};

use crate::data::name::LogName;
use crate::error::Error;
use crate::postgres::change_id::ChangeId;
use crate::postgres::wire::{Asked, Commit, Committed, Effect, Key, KeyEffect, Loss, NewEntry, Op, Row};

/// What a simulated server leaves out, to see that the checker finds it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mutation {
    /// Nothing.
    #[default]
    None,
    /// It takes a batch twice, and finds none.
    NoChangeId,
    /// It compares no versions.
    NoVersions,
    /// Nobody hears its clock.
    NoClock,
}

/// See the header of this file.
#[derive(Default)]
pub struct SimulatedServer {
    rows: BTreeMap<Key, Row>,
    applied: Vec<Commit>,
    /// When each of them was.
    times_ms: Vec<i64>,
    now_ms: i64,
    /// The last batch found rows whose time is over.
    has_over: bool,
    names: HashSet<ChangeId>,
    voided: HashSet<ChangeId>,
    /// Batches on their way, and how many messages they are behind.
    late: Vec<(u8, Commit)>,
    /// It has given up waiting for a standby, and has said so.
    is_alone: bool,
    /// Keys that a client has locked.
    locked: BTreeMap<Key, usize>,
    /// How often keys were locked.
    locks: usize,
    mutation: Mutation,
}

impl SimulatedServer {
    /// An empty server.
    #[must_use]
    pub fn new(mutation: Mutation) -> Self {
        Self { mutation, ..Self::default() }
    }

    /// What a key has.
    #[must_use]
    pub fn row(&self, key: &Key) -> Row {
        self.rows.get(key).cloned().unwrap_or(Row { version: ChangeId::NONE, member: None })
    }

    /// All that was committed, in order.
    #[must_use]
    pub fn applied(&self) -> &[Commit] {
        &self.applied
    }

    /// When each of these was committed.
    #[must_use]
    pub fn times_ms(&self) -> &[i64] {
        &self.times_ms
    }

    /// Its clock, as far as it is heard.
    #[must_use]
    pub fn heard_ms(&self) -> Option<i64> {
        (self.mutation != Mutation::NoClock).then_some(self.now_ms)
    }

    /// Lets its time pass.
    pub fn advance_ms(&mut self, ms: i64) {
        self.now_ms += ms;
    }

    /// Whether the last batch found rows whose time is over.
    pub fn take_over(&mut self) -> bool {
        std::mem::take(&mut self.has_over)
    }

    fn over(&self, log: &LogName) -> Vec<Key> {
        let is_over = |row: &Row| row.member.as_ref().is_some_and(|member| member.is_over(self.now_ms));
        let over = self.rows.iter().filter(|(key, row)| key.log == *log && is_over(row));
        over.map(|(key, _)| key.clone()).collect()
    }

    /// The statement that removes what is over.
    pub fn expire(&mut self, log: &LogName, change: ChangeId) {
        let over = self.over(log);
        if over.is_empty() {
            return;
        }
        let effect =
            |key| KeyEffect { key, expected: None, was_there: true, position: 0, effect: Effect::Remove };
        let entry = NewEntry {
            log: log.clone(),
            key: None,
            op: Op::Entry,
            value: Some(format!("{{\"op\":\"EXPIRE\",\"_until\":{}}}", self.now_ms)),
            at_ms: None,
            expires_ms: None,
        };
        self.apply(&Commit { change, keys: over.into_iter().map(effect).collect(), entries: vec![entry] });
    }

    /// Which of these were committed.
    #[must_use]
    pub fn found(&self, changes: &[ChangeId]) -> HashSet<ChangeId> {
        if self.mutation == Mutation::NoChangeId {
            return HashSet::new();
        }
        changes.iter().copied().filter(|change| self.names.contains(change)).collect()
    }

    /// A message arrives: what is late comes nearer.
    pub fn message(&mut self) {
        let (due, late): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.late).into_iter().partition(|(left, _)| *left == 0);
        self.late = late.into_iter().map(|(left, commit)| (left - 1, commit)).collect();
        for (_, commit) in due {
            // Nobody hears what becomes of it.
            let _ = self.commit(&commit);
        }
    }

    /// Everything that is late arrives.
    pub fn settle_late(&mut self) {
        while !self.late.is_empty() {
            self.message();
        }
    }

    /// A batch is on its way, and nobody waits for it.
    pub fn send_late(&mut self, messages: u8, commit: Commit) {
        self.late.push((messages, commit));
    }

    /// Locks keys for a client. False: another one has one of them.
    pub fn lock(&mut self, client: usize, keys: &[Key]) -> bool {
        let is_free = !self.is_locked(client, keys.iter());
        if is_free {
            self.locks += 1;
            self.locked.extend(keys.iter().map(|key| (key.clone(), client)));
        }
        is_free
    }

    /// Whether another client has one of these keys.
    pub fn is_locked<'a>(&self, client: usize, mut keys: impl Iterator<Item = &'a Key>) -> bool {
        keys.any(|key| self.locked.get(key).is_some_and(|owner| *owner != client))
    }

    /// How often keys were locked.
    #[must_use]
    pub fn locks(&self) -> usize {
        self.locks
    }

    /// A client has nothing locked any more: its transaction, or its connection, is over.
    pub fn unlock(&mut self, client: usize) {
        self.locked.retain(|_, owner| *owner != client);
    }

    /// The statement of a batch.
    ///
    /// # Errors
    /// `Duplicate` for one that was committed or made impossible.
    pub fn commit(&mut self, commit: &Commit) -> Asked<Committed> {
        let wrong: Vec<(Key, Row)> = commit
            .keys
            .iter()
            .filter(|_| self.mutation != Mutation::NoVersions)
            .filter(|effect| {
                effect.expected.is_some_and(|expected| expected != self.row(&effect.key).version)
            })
            .map(|effect| (effect.key.clone(), self.row(&effect.key)))
            .collect();
        if !wrong.is_empty() {
            return Ok(Committed::Conflict(wrong));
        }
        if commit.entries.is_empty() {
            return Ok(Committed::Done);
        }
        let is_known = self.names.contains(&commit.change) && self.mutation != Mutation::NoChangeId;
        if is_known || self.voided.contains(&commit.change) {
            return Err(Loss::Duplicate);
        }
        self.has_over |= commit.keys.iter().any(|effect| !self.over(&effect.key.log).is_empty());
        self.apply(commit);
        Ok(Committed::Done)
    }

    fn apply(&mut self, commit: &Commit) {
        for KeyEffect { key, effect, .. } in &commit.keys {
            let member = match effect {
                Effect::Keep => continue,
                Effect::Set(member) | Effect::SetLast(member) => Some(member.clone()),
                Effect::Remove => None,
            };
            self.rows.insert(key.clone(), Row { version: commit.change, member });
        }
        self.names.insert(commit.change);
        self.applied.push(commit.clone());
        self.times_ms.push(self.now_ms);
    }

    /// Makes a batch impossible. True: it was committed.
    pub fn void(&mut self, change: ChangeId) -> bool {
        if self.names.contains(&change) {
            return true;
        }
        self.voided.insert(change);
        false
    }

    /// It gives up waiting for a standby with its next batch.
    pub fn give_up_waiting(&mut self) {
        self.is_alone = true;
    }

    /// Whether it said that it gave up waiting.
    pub fn take_not_replicated(&mut self) -> bool {
        std::mem::take(&mut self.is_alone)
    }

    /// A standby takes over that lacks the newest batches. Gives how many it has.
    pub fn fail_over(&mut self, lacks: usize) -> usize {
        let kept = self.applied.len().saturating_sub(lacks);
        let applied: Vec<Commit> = std::mem::take(&mut self.applied).into_iter().take(kept).collect();
        self.rows.clear();
        self.times_ms.clear();
        self.names.clear();
        self.late.clear();
        self.locked.clear();
        for commit in &applied {
            self.apply(commit);
        }
        kept
    }

    /// The failure of a transaction that others made impossible.
    #[must_use]
    pub fn again() -> Loss {
        Loss::Again(Error::server("simulated", "40001", "could not serialize access"))
    }
}
