//! What callers ask of the engine, and how they get their answers.
//!
//! Invariant: every `Ticket` is answered exactly once. One that is dropped unanswered answers for
//! itself with an error, so no promise waits for ever.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::data::name::LogName;
use crate::data::state::{Member, State};
use crate::data::text::Texts;
use crate::error::{Error, Result};
use crate::files::log::read::{EntryCursor, EntryPiece};

/// A value on its way back to the caller.
#[derive(Debug)]
pub enum Answer {
    /// Nothing.
    Undefined,
    /// Nothing. The text that was written goes back to the thread that made it: many allocators make both
    /// threads wait when another one frees it.
    Written(String),
    /// `null`.
    Null,
    /// A truth value.
    Bool(bool),
    /// A number.
    Number(f64),
    /// JSON text, to be parsed.
    Json(String),
    /// JSON text in pieces.
    Texts(Texts),
    /// A place to read entries from.
    Cursor(EntryCursor),
    /// Entries and the place behind them.
    Piece(EntryPiece),
    /// The value was not the expected one: it is this now (`None`: no such key).
    Conflict(Option<String>),
}

impl Answer {
    /// Bytes of text that must be parsed for it at once.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        match self {
            Self::Json(text) => text.len(),
            Self::Texts(texts) => texts.pieces.first().map_or(0, String::len),
            Self::Piece(piece) => piece.text.len(),
            Self::Conflict(value) => value.as_ref().map_or(0, String::len),
            Self::Undefined
            | Self::Written(_)
            | Self::Null
            | Self::Bool(_)
            | Self::Number(_)
            | Self::Cursor(_) => 0,
        }
    }
}

/// Where answers go: one a JavaScript thread.
pub trait Outlet: Send + Sync {
    /// Keeps an answer for the call `id`.
    fn deliver(&self, id: usize, answer: Result<Answer>);
    /// Hands everything over that was kept, in one go.
    fn flush(&self);
}

/// The right and the duty to answer one call.
pub struct Ticket {
    outlet: Arc<dyn Outlet>,
    id: usize,
    /// When the call was made, on the clock that never jumps, if it is timed.
    asked_us: Option<u64>,
    /// When it was made, on the clock of `Patience`.
    waits_from_us: u64,
    /// It was staged before and is staged again: it comes before all that waits.
    is_again: bool,
    is_answered: bool,
}

impl Ticket {
    /// A ticket for the call that `outlet` knows as `id`.
    pub fn new(outlet: Arc<dyn Outlet>, id: usize) -> Self {
        Self { outlet, id, asked_us: None, waits_from_us: 0, is_again: false, is_answered: false }
    }

    /// The call is timed from here.
    pub fn time_from(&mut self, asked_us: u64) {
        self.asked_us = Some(asked_us);
    }

    /// When the call was made, if it is timed.
    #[must_use]
    pub fn asked_us(&self) -> Option<u64> {
        self.asked_us
    }

    /// The call's waits for the lock between processes count from here, on the clock of `Patience`.
    pub fn wait_from(&mut self, waited_us: u64) {
        self.waits_from_us = waited_us;
    }

    /// From where the call's waits for the lock count.
    #[must_use]
    pub fn waits_from_us(&self) -> u64 {
        self.waits_from_us
    }

    /// The call was staged and is to be staged again.
    pub fn stage_again(&mut self) {
        self.is_again = true;
    }

    /// Whether it was staged before.
    #[must_use]
    pub fn is_again(&self) -> bool {
        self.is_again
    }

    /// Whether `other` goes to the same JavaScript thread.
    #[must_use]
    pub fn is_of(&self, other: &Arc<dyn Outlet>) -> bool {
        Arc::ptr_eq(&self.outlet, other)
    }

    /// Where the answer goes.
    #[must_use]
    pub fn outlet(&self) -> Arc<dyn Outlet> {
        Arc::clone(&self.outlet)
    }

    /// Answers the call. The caller hears of it at the outlet's next flush.
    #[must_use]
    pub fn answer(mut self, answer: Result<Answer>) -> Arc<dyn Outlet> {
        self.is_answered = true;
        self.outlet.deliver(self.id, answer);
        Arc::clone(&self.outlet)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.is_answered {
            self.outlet.deliver(self.id, Err(Error::internal("a call was dropped without an answer")));
            self.outlet.flush();
        }
    }
}

/// How much of a log's state a call looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Single keys, by `View::get`: may run in the middle of a batch.
    Keys,
    /// All of it, by `View::state`: what was staged before is committed first.
    Whole,
}

/// The state as a call in the middle of a batch must see it.
pub struct View<'a> {
    pub(crate) state: &'a State,
    pub(crate) staged: Option<&'a HashMap<String, Option<Member>>>,
}

impl<'a> View<'a> {
    /// A view of a state with nothing staged.
    #[must_use]
    pub fn of(state: &'a State) -> Self {
        Self { state, staged: None }
    }

    /// The value of a key literal.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        match self.staged.and_then(|staged| staged.get(key)) {
            Some(staged) => staged.as_ref().map(Member::value),
            None => self.state.get(key).map(Member::value),
        }
    }

    /// The whole state; only for calls of `Scope::Whole`.
    #[must_use]
    pub fn state(&self) -> &State {
        debug_assert!(self.staged.is_none_or(HashMap::is_empty));
        self.state
    }
}

/// A line to be logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// One key set.
    Set(Member),
    /// Several keys set, all or none.
    SetMany(Vec<Member>),
    /// A key literal removed.
    Delete(String),
}

/// What a write comes to: lines (all or none) and the caller's answer.
pub struct Outcome {
    /// No lines: nothing is written.
    pub lines: Vec<Line>,
    /// Given once the lines are on disk.
    pub answer: Answer,
}

/// Decides what a write logs, from the state before it and the time (milliseconds since 1970). It is asked again where
/// another process has written before that was on disk.
pub type Stage = Box<dyn Fn(&View, i64) -> Result<Outcome> + Send>;
/// Answers a read; may be asked twice.
pub type Read = Box<dyn Fn(&View) -> Answer + Send>;

/// Setting a key to a value that was worked out from the value before, on the caller's side.
///
/// When the key has another value than expected, the answer is `Answer::Conflict` with the value that it
/// has, and all later calls of that caller on the log wait for its next try: so calls take effect in the
/// order in which they were made, whoever else writes.
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
    /// It has not looked; the answer is a conflict in any case.
    Unknown,
    /// This value; `None`: no such key.
    Value(Option<String>),
}

/// Makes an answer of all members, in order.
pub type FromMembers = Box<dyn FnOnce(&[Member]) -> Answer + Send>;

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
    /// Change the state.
    Write(Scope, Stage),
    /// A step of a read-modify-write, see `Replace`.
    Replace(Replace),
    /// Look at the state.
    Read(Scope, Read),
    /// Look at numbers of a field literal of all values.
    ReadField(String, Read),
    /// Put an answer together from all members; done beside the writer.
    Whole(FromMembers),
    /// The object that the log alone comes to.
    Rebuild,
    /// The same as it was at this point in time, in milliseconds since 1970.
    StateAt(i64),
    /// Every recorded value of a key literal.
    History(String),
    /// Every entry.
    Entries,
    /// A place from which entries can be read one after the other.
    Cursor,
    /// Size of the log in bytes.
    Size,
    /// Replace the log by its checkpoint; with a threshold in bytes only if that is worth while.
    Compact(Option<u64>),
    /// Rotate or compact the log if that is due, and look after its old logs.
    Maintain(Maintenance),
    /// Make everything durable and the mirror current.
    Flush,
}

/// A call: what, on which log, and who waits.
pub struct Request {
    /// The log.
    pub log: LogName,
    /// Whether the log is kept with a JSON mirror from now on.
    pub is_collection: bool,
    /// What is to be done.
    pub work: Work,
    /// Bytes of text that wait with it, for the queue's limit.
    pub size_bytes: usize,
    /// Who waits.
    pub ticket: Ticket,
}
