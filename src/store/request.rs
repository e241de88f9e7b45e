//! What callers ask of a place.

use std::path::PathBuf;
use std::sync::Arc;

use crate::data::change::Change;
use crate::data::name::LogName;
use crate::data::state::Member;
use crate::store::expiry::Expiry;
use crate::store::query::Query;
use crate::store::rule::Rule;
use crate::store::ticket::{Outlet, Ticket};

/// Changes keys of one log as the caller made it from the values before, all or none.
///
/// Where one of the keys has another value than expected, nothing is changed, and the answer is `Answer::Conflict` with
/// what all of them have at one moment. All later calls of the same caller on the log are held until its next try: so a
/// thread's calls take effect in their order, whoever else writes.
pub struct Replace {
    /// Key literals; none twice.
    pub keys: Vec<String>,
    /// The values that `changes` were made from.
    pub expected: Expected,
    /// Of some of these keys, or of none; `None` gives up.
    pub changes: Option<Vec<Change>>,
    /// When the new values are over; `None`: each when the one before it would have been.
    pub expiry: Option<Expiry>,
    /// So many tries of the same call met other values.
    pub tries: u32,
}

impl Replace {
    /// Whether the keys have the values that the caller expects.
    #[must_use]
    pub fn is_as_expected<'m>(&self, member_of: impl Fn(&str) -> Option<&'m Member>) -> bool {
        match &self.expected {
            Expected::Unknown => false,
            Expected::Values(expected) => {
                let has = |key: &String| member_of(key).map(Member::value);
                self.keys.iter().zip(expected).all(|(key, expected)| has(key) == expected.as_deref())
            }
        }
    }

    /// What the keys have, for the answer to a conflict.
    #[must_use]
    pub fn found<'m>(&self, member_of: impl Fn(&str) -> Option<&'m Member>) -> Vec<Option<String>> {
        self.keys.iter().map(|key| member_of(key).map(|member| member.value().to_owned())).collect()
    }

    /// The changes, with the times at which the new values are over. None where the caller gives up.
    #[must_use]
    pub fn changes_from<'m>(
        &self,
        member_of: impl Fn(&str) -> Option<&'m Member>,
        now_ms: i64,
    ) -> Vec<Change> {
        let expiry_ms = self.expiry.map(|expiry| expiry.at(now_ms));
        let with_expiry = |member: &Member| {
            let kept_ms = || member_of(member.key()).and_then(Member::expires_ms);
            member.clone().with_expiry(expiry_ms.or_else(kept_ms))
        };
        let changed = |change: &Change| match change {
            Change::Set(member) => Change::Set(with_expiry(member)),
            Change::SetMany(members) => Change::SetMany(members.iter().map(with_expiry).collect()),
            Change::Delete(key) => Change::Delete(key.clone()),
        };
        self.changes.iter().flatten().map(changed).collect()
    }
}

/// The same over several logs: all of it or nothing.
///
/// Where one of the keys has another value than expected, nothing is changed, and the answer is `Answer::Conflict` with
/// what the keys of all parts have at one moment, part by part. All later calls of the same caller, on whatever log, are
/// held until its next try.
pub struct Transaction {
    /// At least two logs, each once. All parts are a first try, or all are a further one; all give up, or none does.
    pub parts: Vec<(LogName, Replace)>,
}

impl Transaction {
    /// So many tries of it met other values.
    #[must_use]
    pub fn tries(&self) -> u32 {
        self.parts.iter().map(|(_, replace)| replace.tries).max().unwrap_or(0)
    }

    /// Whether the caller makes no further try.
    #[must_use]
    pub fn gives_up(&self) -> bool {
        self.parts.iter().all(|(_, replace)| replace.changes.is_none())
    }

    /// Whether the caller says what it expects.
    #[must_use]
    pub fn has_expected(&self) -> bool {
        self.parts.iter().all(|(_, replace)| matches!(replace.expected, Expected::Values(_)))
    }
}

/// What a caller believes its keys to have.
pub enum Expected {
    /// Nothing is known: the answer is a conflict in any case.
    Unknown,
    /// These values, in the order of the keys; `None`: no such key.
    Values(Vec<Option<String>>),
}

/// What some keys have, as far as a place can say so without waiting, in their order. `None` inside: no such key.
pub enum Belief {
    /// It was checked just now, for all of them at one moment.
    Certain(Vec<Option<String>>),
    /// It was so when each was checked last.
    Likely(Vec<Option<String>>),
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
    /// The same over several logs, of which the request names the first.
    Transact(Transaction),
    /// Answer a query.
    Read(Query),
    /// Replace the log by its checkpoint.
    Compact,
    /// Copy all data of the place, as it is at one moment, into this folder, which is there and empty. A place that is
    /// a server refuses.
    Copy(PathBuf),
    /// Rotate or compact the log if that is due, and look after its old logs.
    Maintain(Maintenance),
}

impl Work {
    /// Whether it changes the data.
    #[must_use]
    pub fn is_change(&self) -> bool {
        match self {
            Self::Append(_) | Self::Write(_) | Self::Replace(Replace { changes: Some(_), .. }) => true,
            Self::Transact(transaction) => !transaction.gives_up(),
            _ => false,
        }
    }

    /// Whether it says what its keys should have.
    #[must_use]
    pub fn has_expected(&self) -> bool {
        match self {
            Self::Replace(replace) => matches!(replace.expected, Expected::Values(_)),
            Self::Transact(transaction) => transaction.has_expected(),
            _ => false,
        }
    }

    /// Whether a function of the caller makes its values.
    #[must_use]
    pub fn has_function(&self) -> bool {
        matches!(self, Self::Replace(_) | Self::Transact(_))
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
    /// So many tries of the same call met another value than they expected.
    #[must_use]
    pub fn tries(&self) -> u32 {
        match &self.work {
            Work::Replace(replace) => replace.tries,
            Work::Transact(transaction) => transaction.tries(),
            _ => 0,
        }
    }

    /// Whether this is the next try of such a call.
    #[must_use]
    pub fn is_next_try(&self) -> bool {
        self.tries() > 0
    }

    /// Whether it is the next try of this caller.
    #[must_use]
    pub fn is_next_try_of(&self, caller: &Arc<dyn Outlet>) -> bool {
        self.is_next_try() && self.ticket.is_of(caller)
    }
}
