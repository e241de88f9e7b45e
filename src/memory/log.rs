//! One log in memory: its entries, and the state that they come to.
//!
//! Invariant: `state` is what replaying `entries` gives.

use std::sync::Arc;

use crate::data::change::Change;
use crate::data::entry_text::{
    EXPIRES_START, EntryText, KeyChange, Spelling, UNTIL_START, expiries_text, shown_of,
};
use crate::data::json::{self, elements, quote};
use crate::data::state::{Member, State};
use crate::data::text::{TextBuilder, TextKind, Texts, object_of};
use crate::data::time::iso;
use crate::error::Result;
use crate::store::answer::Answer;
use crate::store::cursor::{Cursor, EntryPiece};
use crate::store::member_cursor::MemberCursor;
use crate::store::query::Query;
use crate::store::watch::{Watched, Watcher};

/// Size of a checkpoint's entries.
const CHECKPOINT_BYTES: usize = 1 << 20;
/// Entries of a piece.
const PIECE_ENTRIES: usize = 1000;

/// See the header of this file.
#[derive(Default)]
pub struct MemoryLog {
    state: State,
    /// JSON objects.
    entries: Vec<String>,
    /// What compactions replaced, oldest first.
    older: Vec<String>,
    is_begun: bool,
    watched: Watched,
}

impl MemoryLog {
    /// What the entries come to.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Appends an entry: its text without the closing brace.
    pub fn append(&mut self, open: &str) {
        apply(&mut self.state, open);
        let entry = EntryText::new(open, Spelling::Ours);
        let time = entry.time().unwrap_or("null").into();
        entry.changes(|change| self.watched.note(change, &time, &self.state));
        self.entries.push(format!("{open}}}"));
        self.is_begun = true;
    }

    /// From now on, changes are for this watcher, too; those who have ended are forgotten.
    pub fn watch(&mut self, watcher: &Arc<Watcher>) {
        self.watched.add(watcher, &self.state);
    }

    /// Appends the entry of a change.
    pub fn change(&mut self, now_ms: i64, change: &Change) {
        let time = format!("{{\"timestamp\":{}", quote(&iso(now_ms)));
        self.append(&match change {
            Change::Set(member) => {
                let expiry = member.expires_ms().map(|expires_ms| format!("{EXPIRES_START}{expires_ms}"));
                let expiry = expiry.unwrap_or_default();
                format!("{time},\"op\":\"SET\",\"key\":{},\"value\":{}{expiry}", member.key(), member.value())
            }
            Change::SetMany(members) => {
                let data: Vec<&str> = members.iter().map(Member::text).collect();
                let expiries = expiries_text(members);
                format!("{time},\"op\":\"SET\",\"data\":{{{}}}{expiries}", data.join(","))
            }
            Change::Delete(key) => format!("{time},\"op\":\"DELETE\",\"key\":{key}"),
        });
    }

    /// Appends the entry that removes what is over, if something is.
    pub fn expire(&mut self, now_ms: i64) {
        if self.state.has_over(now_ms) {
            let time = quote(&iso(now_ms));
            self.append(&format!("{{\"timestamp\":{time},\"op\":\"EXPIRE\"{UNTIL_START}{now_ms}"));
        }
    }

    /// Replaces the entries by a checkpoint.
    pub fn compact(&mut self, now_ms: i64) {
        self.expire(now_ms);
        self.older.append(&mut self.entries);
        let compacted_at = quote(&iso(now_ms));
        let mut texts: Vec<String> = vec![String::new()];
        for member in self.state.iter() {
            if let Some(text) = texts.last_mut() {
                if text.len() + member.text().len() > CHECKPOINT_BYTES && !text.is_empty() {
                    texts.push(member.text().to_owned());
                    continue;
                }
                if !text.is_empty() {
                    text.push(',');
                }
                text.push_str(member.text());
            }
        }
        self.entries = texts
            .iter()
            .map(|state| {
                let state_of = State::from_object(&format!("{{{state}}}"));
                let members: Vec<Member> =
                    state_of.iter().filter_map(|member| self.state.get(member.key()).cloned()).collect();
                let expiries = expiries_text(&members);
                format!(
                    "{{\"op\":\"CHECKPOINT\",\"state\":{{{state}}},\"compactedAt\":{compacted_at}{expiries}}}"
                )
            })
            .collect();
        self.is_begun = true;
    }

    /// Bytes of the entries, as lines.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.len() as u64 + 1).sum()
    }

    /// The answer to a query.
    ///
    /// # Errors
    /// Where an iteration is to go on behind a key that is not there.
    pub fn answer(&self, query: &Query, now_ms: i64) -> Result<Answer> {
        Ok(match query {
            Query::Rebuild => Answer::Texts(object_of(self.replayed(&self.entries, i64::MAX).live(now_ms))),
            Query::StateAt(at_ms) => {
                let all: Vec<String> = self.all().cloned().collect();
                Answer::Texts(object_of(self.replayed(&all, *at_ms).live(*at_ms)))
            }
            Query::History(key) => Answer::Texts(self.history(key)),
            Query::LogEntries => {
                let mut list = TextBuilder::new(TextKind::Array);
                self.entries.iter().for_each(|entry| list.push(&[entry]));
                Answer::Texts(list.finish())
            }
            Query::LogCursor => {
                Answer::Cursor(Box::new(MemoryCursor { entries: self.entries.clone(), position: 0 }))
            }
            Query::MemberCursor(selection) => {
                Answer::Cursor(Box::new(MemberCursor::new(selection.of_state(&self.state, now_ms)?)))
            }
            #[expect(clippy::cast_precision_loss, reason = "memory is smaller than 2^53 bytes")]
            Query::LogSize => Answer::Number(self.size_bytes() as f64),
            query => query.of_state(&self.state, now_ms).unwrap_or(Answer::Undefined),
        })
    }

    fn all(&self) -> impl Iterator<Item = &String> {
        self.older.iter().chain(&self.entries)
    }

    #[expect(clippy::unused_self, reason = "a log's entries")]
    fn replayed(&self, entries: &[String], at_ms: i64) -> State {
        let mut state = State::default();
        for entry in entries {
            let open = &entry[..entry.len() - 1];
            let time_ms = EntryText::new(open, Spelling::Ours).time().and_then(json::time_ms);
            if time_ms.is_some_and(|time_ms| time_ms > at_ms) {
                break;
            }
            apply(&mut state, open);
        }
        state
    }

    /// The values that the key has and had.
    #[must_use]
    pub fn values_of(&self, key: &str) -> Vec<String> {
        let mut values = Vec::new();
        for text in self.all() {
            EntryText::new(&text[..text.len() - 1], Spelling::Ours).changes(|change| match change {
                KeyChange::Set(changed, value, _) if changed == key => values.push(value.to_owned()),
                _ => {}
            });
        }
        values
    }

    fn history(&self, key: &str) -> Texts {
        let mut list = TextBuilder::new(TextKind::Array);
        let mut member: Option<Member> = None;
        for text in self.all() {
            let entry = EntryText::new(&text[..text.len() - 1], Spelling::Ours);
            let mut is_touched = false;
            entry.changes(|change| {
                if let Some(after) = change.of_key(key, member.as_ref()) {
                    (member, is_touched) = (after, true);
                }
            });
            if is_touched && !entry.is_checkpoint() {
                let value = member.as_ref().map(shown_of).unwrap_or_default();
                let (time, op) = (entry.time().unwrap_or("null"), entry.op());
                list.push(&["{\"timestamp\":", time, ",\"op\":", op, &value, ",\"source\":\"memory\"}"]);
            }
        }
        list.finish()
    }
}

fn apply(state: &mut State, open: &str) {
    EntryText::new(open, Spelling::Ours).changes(|change| change.apply(state));
}

/// Reads the entries that were there when it was made.
struct MemoryCursor {
    entries: Vec<String>,
    position: usize,
}

impl std::fmt::Debug for MemoryCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "entries from number {}", self.position)
    }
}

impl Cursor for MemoryCursor {
    fn next_piece(mut self: Box<Self>) -> Result<EntryPiece> {
        let end = self.entries.len().min(self.position + PIECE_ENTRIES);
        let text = format!("[{}]", self.entries[self.position..end].join(","));
        debug_assert_eq!(elements(&text).count(), end - self.position);
        if end == self.position {
            return Ok(EntryPiece { text, cursor: None });
        }
        self.position = end;
        Ok(EntryPiece { text, cursor: Some(self) })
    }
}
