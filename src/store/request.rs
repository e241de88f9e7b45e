//! What callers ask of a place.

use crate::data::name::LogName;
use crate::store::query::Query;
use crate::store::rule::Rule;
use crate::store::ticket::Ticket;

/// Sets a key to a value that the caller made from the value before.
///
/// Where the key has another value than expected, the answer is `Answer::Conflict` with that value. All later calls of
/// the same caller on the log are held until its next try: so a thread's calls take effect in their order, whoever else
/// writes.
pub struct Replace {
    /// Key literal.
    pub key: String,
    /// The value that `value` was made from.
    pub expected: Expected,
    /// The new value; `None` gives up.
    pub value: Option<String>,
    /// True for a further try.
    pub is_again: bool,
}

/// What a caller believes a key to have.
pub enum Expected {
    /// Nothing is known: the answer is a conflict in any case.
    Unknown,
    /// This value; `None`: no such key.
    Value(Option<String>),
}

/// What a key has, as far as a place can say so without waiting. `None` inside: no such key.
pub enum Belief {
    /// It was checked just now.
    Certain(Option<String>),
    /// It was so when it was checked last.
    Likely(Option<String>),
}

/// What a scheduler asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Maintenance {
    /// A log is compacted when it is larger, and at least half dead.
    pub threshold_bytes: u64,
    /// A log is rotated when it is larger, and at least half dead.
    pub rotate_over_bytes: Option<u64>,
    /// A log is rotated when it was not since then, in milliseconds since 1970.
    pub boundary_ms: Option<i64>,
}

/// What is to be done.
pub enum Work {
    /// Append an entry: its text without the closing brace.
    Append(String),
    /// Change the data by a rule.
    Write(Box<dyn Rule>),
    /// A step of a read-modify-write, see `Replace`.
    Replace(Replace),
    /// Answer a query.
    Read(Query),
    /// Replace the log by its checkpoint; with a threshold in bytes only if that is worth while.
    Compact(Option<u64>),
    /// Rotate or compact the log if that is due, and look after its old logs.
    Maintain(Maintenance),
}

impl Work {
    /// Whether it changes the data.
    #[must_use]
    pub fn is_change(&self) -> bool {
        matches!(self, Self::Append(_) | Self::Write(_) | Self::Replace(Replace { value: Some(_), .. }))
    }
}

/// A call: what, on which log, and who waits.
pub struct Request {
    /// The log.
    pub log: LogName,
    /// Whether the log is kept with a JSON mirror from now on, where the place has mirrors.
    pub is_collection: bool,
    /// What is to be done.
    pub work: Work,
    /// Bytes of text that wait with it, for the queue's limit.
    pub size_bytes: usize,
    /// Who waits.
    pub ticket: Ticket,
}

impl Request {
    /// Whether this is the next try of a call that met another value than it expected.
    #[must_use]
    pub fn is_next_try(&self) -> bool {
        matches!(&self.work, Work::Replace(Replace { is_again: true, .. }))
    }
}
