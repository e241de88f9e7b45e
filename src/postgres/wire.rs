//! What the core asks of a server: a few questions, each one round trip (`open` a few), over one connection.
//!
//! ```text
//! open      find the primary and check the schema
//! read      what keys have; with `Lock::Held` nobody else changes them until the next commit
//! commit    one batch: all of it, or nothing and what the keys have
//! read_log  what all keys of a log have
//! look_up   which batches were committed
//! void      a batch that was sent never will be committed
//! expire    what is over goes; nobody sees it any more in any case
//! ```
//!
//! A real connection answers them by statements (`connection`), a simulated one from memory (`simulation`).
//!
//! Invariant: `Loss::Lost` is the one answer that leaves open whether a batch was committed.

use std::collections::HashSet;

use crate::data::name::LogName;
use crate::data::state::Member;
use crate::error::Error;
use crate::postgres::change_id::ChangeId;

/// A key of a log.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The log.
    pub log: LogName,
    /// Key literal.
    pub key: String,
}

/// What a key has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The batch that wrote it last; `ChangeId::NONE` where nobody did.
    pub version: ChangeId,
    /// `None`: it was removed, or never there. Its time may be over.
    pub member: Option<Member>,
}

/// What a batch makes of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: the batch depends on it.
    Keep,
    /// Sets it; a key that is there keeps its place.
    Set(Member),
    /// Sets it behind all others.
    SetLast(Member),
    /// Removes it.
    Remove,
}

/// One key of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEffect {
    /// Which.
    pub key: Key,
    /// The version that the batch was made from; `None`: any.
    pub expected: Option<ChangeId>,
    /// Whether the key was there in that version.
    pub was_there: bool,
    /// In which order the batch sets keys that get a new place.
    pub position: u32,
    /// What the batch makes of it.
    pub effect: Effect,
}

/// What kind of row an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Sets `key` to `value`.
    Set,
    /// The first of several keys that are set together.
    Data,
    /// One more of them.
    Member,
    /// Removes `key`.
    Delete,
    /// `value` is the entry as its caller wrote it.
    Entry,
}

impl Op {
    /// As the server keeps it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Set => "SET",
            Self::Data => "DATA",
            Self::Member => "MEMBER",
            Self::Delete => "DELETE",
            Self::Entry => "ENTRY",
        }
    }
}

/// An entry of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    /// The log.
    pub log: LogName,
    /// Key literal, where the entry is about one key.
    pub key: Option<String>,
    /// What it does.
    pub op: Op,
    /// See `Op`.
    pub value: Option<String>,
    /// Its time in milliseconds since 1970; `None`: the server's.
    pub at_ms: Option<i64>,
    /// When the value is over.
    pub expires_ms: Option<i64>,
}

/// A batch, to be committed whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its name, for ever.
    pub change: ChangeId,
    /// In order of log and key; none twice.
    pub keys: Vec<KeyEffect>,
    /// In order.
    pub entries: Vec<NewEntry>,
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Committed {
    /// It is committed.
    Done,
    /// Nothing was done: these keys have something else than was expected.
    Conflict(Vec<(Key, Row)>),
}

/// Whether a read keeps others from changing what it read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// It does not.
    Free,
    /// It does, until the next commit on this connection, or until it is unlocked.
    Held,
}

/// Why a question has no answer.
#[derive(Clone, Debug)]
pub enum Loss {
    /// The connection is gone, or silent for too long. Whether a commit took place is not known.
    Lost(Error),
    /// Rolled back by the server for the sake of others: to be run again.
    Again(Error),
    /// The batch was committed before.
    Duplicate,
    /// Rolled back, for a reason that lasts.
    Refused(Error),
}

/// The answer to a question.
pub type Asked<T> = std::result::Result<T, Loss>;

/// See the header of this file.
pub trait Wire: Send {
    /// Opens the connection, if there is none.
    ///
    /// # Errors
    /// `Lost` where no server answers that takes writes, `Refused` where one does and that will not change by itself.
    fn open(&mut self, within_ms: u64) -> Asked<()>;

    /// Whether there is a connection, as far as is known.
    fn is_open(&self) -> bool;

    /// Gives the connection up.
    fn close(&mut self);

    /// How a person calls the server.
    fn host(&self) -> String;

    /// What these keys have, in the order in which they are asked for.
    ///
    /// # Errors
    /// See `Loss`.
    fn read(&mut self, keys: &[Key], lock: Lock, within_ms: u64) -> Asked<Vec<Row>>;

    /// All keys of a log that are there, in JavaScript's order.
    ///
    /// # Errors
    /// See `Loss`.
    fn read_log(&mut self, log: &LogName, lock: Lock, within_ms: u64) -> Asked<Vec<Row>>;

    /// Lets others change what was read with `Lock::Held`. A connection that cannot even do that is closed.
    fn unlock(&mut self, within_ms: u64);

    /// Commits a batch that is not empty.
    ///
    /// # Errors
    /// See `Loss`.
    fn commit(&mut self, commit: &Commit, within_ms: u64) -> Asked<Committed>;

    /// Which of these batches were committed.
    ///
    /// # Errors
    /// See `Loss`.
    fn look_up(&mut self, changes: &[ChangeId], within_ms: u64) -> Asked<HashSet<ChangeId>>;

    /// Whether the server said since this was asked last that it gave up waiting for a standby: only the primary has what
    /// was committed.
    fn take_not_replicated(&mut self) -> bool;

    /// The server's clock, in milliseconds since 1970.
    fn now_ms(&self) -> i64;

    /// Whether the last batch found keys in its logs whose time is over.
    fn take_over(&mut self) -> bool;

    /// Removes what is over in a log, under this name.
    ///
    /// # Errors
    /// See `Loss`.
    fn expire(&mut self, log: &LogName, change: ChangeId, within_ms: u64) -> Asked<()>;

    /// Makes sure that a batch that was sent once and is not committed never will be. True: it was committed.
    ///
    /// # Errors
    /// See `Loss`.
    fn void(&mut self, change: ChangeId, within_ms: u64) -> Asked<bool>;
}
