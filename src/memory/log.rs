//! One log in memory: its entries, and the state that they come to.
//!
//! Invariant: `state` is what replaying `entries` gives.

use crate::data::change::Change;
use crate::data::entry_text::{EntryText, KeyChange, Spelling};
use crate::data::json::{self, elements, quote};
use crate::data::state::{Member, State};
use crate::data::text::{TextBuilder, TextKind, Texts, object_of};
use crate::data::time::iso;
use crate::error::Result;
use crate::store::answer::Answer;
use crate::store::cursor::{Cursor, EntryPiece};
use crate::store::query::Query;

/// Size of a checkpoint's entries.
const CHECKPOINT_BYTES: usize = 1 << 20;
/// Entries of a piece.
const PIECE_ENTRIES: usize = 1000;

/// See the header of this file.
#[derive(Clone, Default)]
pub struct MemoryLog {
    state: State,
    /// JSON objects.
    entries: Vec<String>,
    /// What compactions replaced, oldest first.
    older: Vec<String>,
    is_begun: bool,
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
        self.entries.push(format!("{open}}}"));
        self.is_begun = true;
    }

    /// Appends the entry of a change.
    pub fn change(&mut self, now_ms: i64, change: &Change) {
        let time = format!("{{\"timestamp\":{}", quote(&iso(now_ms)));
        self.append(&match change {
            Change::Set(member) => {
                format!("{time},\"op\":\"SET\",\"key\":{},\"value\":{}", member.key(), member.value())
            }
            Change::SetMany(members) => {
                let data: Vec<&str> = members.iter().map(Member::text).collect();
                format!("{time},\"op\":\"SET\",\"data\":{{{}}}", data.join(","))
            }
            Change::Delete(key) => format!("{time},\"op\":\"DELETE\",\"key\":{key}"),
        });
    }

    /// Replaces the entries by a checkpoint.
    pub fn compact(&mut self, now_ms: i64) {
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
                format!("{{\"op\":\"CHECKPOINT\",\"state\":{{{state}}},\"compactedAt\":{compacted_at}}}")
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
    /// None here; a place may have some.
    pub fn answer(&self, query: &Query) -> Result<Answer> {
        Ok(match query {
            Query::Rebuild => Answer::Texts(object_of(self.replayed(&self.entries, i64::MAX).iter())),
            Query::StateAt(at_ms) => {
                let all: Vec<String> = self.all().cloned().collect();
                Answer::Texts(object_of(self.replayed(&all, *at_ms).iter()))
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
            #[expect(clippy::cast_precision_loss, reason = "memory is smaller than 2^53 bytes")]
            Query::LogSize => Answer::Number(self.size_bytes() as f64),
            query => query.of_state(&self.state).unwrap_or(Answer::Undefined),
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
                KeyChange::Set(changed, value) if changed == key => values.push(value.to_owned()),
                _ => {}
            });
        }
        values
    }

    fn history(&self, key: &str) -> Texts {
        let mut list = TextBuilder::new(TextKind::Array);
        for text in self.all() {
            let entry = EntryText::new(&text[..text.len() - 1], Spelling::Ours);
            let mut found = None;
            entry.changes(|change| match change {
                KeyChange::Set(changed, value) if changed == key => {
                    found = Some(format!(",\"value\":{value}"));
                }
                KeyChange::Delete(changed) if changed == key => found = Some(String::new()),
                _ => {}
            });
            if let (Some(value), false) = (found, entry.is_checkpoint()) {
                let (time, op) = (entry.time().unwrap_or("null"), entry.op());
                list.push(&["{\"timestamp\":", time, ",\"op\":", op, &value, ",\"source\":\"memory\"}"]);
            }
        }
        list.finish()
    }
}

fn apply(state: &mut State, open: &str) {
    EntryText::new(open, Spelling::Ours).changes(|change| match change {
        KeyChange::Set(key, value) => state.set(Member::new(key, value)),
        KeyChange::Delete(key) => {
            state.remove(key);
        }
    });
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
        self.position = end;
        Ok(EntryPiece { text, cursor: self })
    }
}
