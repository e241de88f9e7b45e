//! What the requests of one log would write: staged, on its way to the log, not yet part of the state.
//!
//! Invariant: `lines` and `changes` say the same; `staged` is what the changes come to. Nothing here changes a file.

use hashbrown::HashMap;

use crate::data::change::Change;
use crate::data::entry_text::KeyChange;
use crate::data::name::LogName;
use crate::data::state::{Kept, Member};
use crate::error::Result;
use crate::files::log::bytes::offset_in;
use crate::files::log::checkpoint::chunks;
use crate::files::log::encoder::Lines;
use crate::files::log::entry::{Entry, Tag};
use crate::files::mirror::edit::Edit;
use crate::files::shelf::Shelf;
use crate::store::answer::Answer;
use crate::store::query::Query;
use crate::store::request::{Request, Work};
use crate::store::rule::View;
use crate::store::ticket::Ticket;

/// A SET of more than this becomes several lines.
const SET_MANY_BYTES_MAX: usize = 16 << 20;

/// What is staged: on its way to the log, not yet part of the state.
#[derive(Default)]
pub struct Batch {
    /// The lines.
    pub lines: Lines,
    /// What they do to the state, in order.
    pub changes: Vec<Edit>,
    staged: HashMap<String, Option<Member>>,
    /// What was over when it was begun is removed.
    is_expired: bool,
    /// Calls that are answered when the batch is on disk.
    pub waiting: Vec<(Ticket, StagedCall)>,
}

/// A call that is answered when the batch is on disk.
pub enum StagedCall {
    /// An entry's text.
    Appended(String),
    /// A write, what it came to, and the work itself.
    Written(Result<Answer>, Work),
    /// A read, its answer, and the query, should the batch fail.
    Read(Answer, Query),
}

impl StagedCall {
    /// Whether the batch holds something of it, or it depends on what it found.
    pub fn is_write(&self) -> bool {
        matches!(self, Self::Appended(_) | Self::Written(Ok(_), _))
    }

    /// What was asked.
    fn into_work(self) -> Work {
        match self {
            Self::Appended(open) => Work::Append(open),
            Self::Written(_, work) => work,
            Self::Read(_, query) => Work::Read(query),
        }
    }
}

/// A request that is made anew.
pub fn again(log: &LogName, work: Work, ticket: Ticket) -> Request {
    // That the log is a collection, it knows from the first time.
    Request { log: log.clone(), is_collection: false, work, size_bytes: 0, ticket }
}

impl Batch {
    /// What was asked, to be asked again.
    pub fn into_requests(self, log: &LogName) -> impl Iterator<Item = Request> {
        self.waiting.into_iter().map(|(mut ticket, waiting)| {
            ticket.stage_again();
            again(log, waiting.into_work(), ticket)
        })
    }

    /// The state as a call behind what is staged sees it.
    pub fn view<R>(&self, shelf: &Shelf, now_ms: i64, read: impl FnOnce(&View) -> R) -> R {
        shelf.with_state(|state| read(&View::of_slots(state, &self.staged, now_ms)))
    }

    /// Whether something is staged of a key literal.
    pub fn has_staged(&self, key: &str) -> bool {
        self.staged.contains_key(key)
    }

    /// The answer to a query of single keys, as a call behind what is staged sees it.
    pub fn answer_of_keys(&self, shelf: &Shelf, query: &Query, now_ms: i64) -> Answer {
        self.view(shelf, now_ms, |view| query.of_keys(|key| view.member(key)))
    }

    /// Stages the removal of what is over, which costs one line however much it is; once a batch.
    pub fn expire(&mut self, shelf: &Shelf, now_ms: i64) {
        if !std::mem::replace(&mut self.is_expired, true) && self.remove_over(shelf, now_ms) {
            self.lines.expire(now_ms);
        }
    }

    /// True where there is something.
    fn remove_over(&mut self, shelf: &Shelf, until_ms: i64) -> bool {
        let mut over: Vec<String> = shelf.with_state(|state| {
            let unstaged = state.over(until_ms).filter(|member| !self.staged.contains_key(member.key()));
            unstaged.map(|member| member.key().to_owned()).collect()
        });
        let is_over =
            |member: &Option<Member>| member.as_ref().is_some_and(|member| member.is_over(until_ms));
        over.extend(self.staged.iter().filter(|(_, member)| is_over(member)).map(|(key, _)| key.clone()));
        let is_something = !over.is_empty();
        for key in over {
            self.change(Edit::Delete(key));
        }
        is_something
    }

    fn change(&mut self, edit: Edit) {
        match &edit {
            Edit::Set(member) => self.staged.insert(member.key().to_owned(), Some(member.clone())),
            Edit::Delete(key) => self.staged.insert(key.clone(), None),
        };
        self.changes.push(edit);
    }

    /// Stages an entry: its text without the closing brace.
    pub fn append(&mut self, shelf: &Shelf, open: &str) {
        let start = self.lines.bytes.len() as u64;
        self.lines.raw(open);
        Entry::of_text(open).changes(|change| match change {
            KeyChange::Set(key, value, expires_ms) => {
                self.lines.values.push(offset_in(open.as_bytes(), start, value));
                self.change(Edit::Set(Member::expiring(key, value, expires_ms)));
            }
            KeyChange::Delete(key) => self.change(Edit::Delete(key.to_owned())),
            KeyChange::Expire(until_ms) => {
                self.remove_over(shelf, until_ms);
            }
        });
    }

    /// Stages changes, all or none.
    pub fn write(&mut self, now_ms: i64, changes: Vec<Change>) {
        let parts: Vec<Change> = changes.into_iter().flat_map(split).collect();
        self.lines.operation(Tag::Call, parts.iter(), |encoder, part, more| match part {
            Change::Set(member) => encoder.set(now_ms, member, more),
            Change::SetMany(members) => encoder.set_many(now_ms, members, more),
            Change::Delete(key) => encoder.delete(now_ms, key, more),
        });
        for part in parts {
            match part {
                Change::Set(member) => self.change(Edit::Set(member)),
                Change::SetMany(members) => {
                    for member in members {
                        self.change(Edit::Set(member));
                    }
                }
                Change::Delete(key) => self.change(Edit::Delete(key)),
            }
        }
    }
}

/// Cuts a SET of very many keys into lines of a size that every reader can hold.
fn split(change: Change) -> Vec<Change> {
    match change {
        Change::SetMany(members) => {
            chunks(members, SET_MANY_BYTES_MAX).into_iter().map(Change::SetMany).collect()
        }
        other => vec![other],
    }
}
