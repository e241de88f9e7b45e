//! Entries from their rows: as callers see them, and what they come to.
//!
//! ```text
//! SET k v                     {"timestamp":T,"op":"SET","key":k,"value":v}
//! DATA a 1, MEMBER b 2        {"timestamp":T,"op":"SET","data":{"a":1,"b":2}}
//! DELETE k                    {"timestamp":T,"op":"DELETE","key":k}
//! CHECKPOINT {…}              {"op":"CHECKPOINT","state":{…},"compactedAt":T}
//! EXPIRE until ms             {"timestamp":T,"op":"EXPIRE","_until":ms}
//! ENTRY {…}                   {…}
//! ```
//!
//! What ends by itself has `,"_expires":…` behind that, from the column `expires`.
//!
//! Invariant: replaying the texts gives what `replay` gives.

use std::fmt::Write as _;

use crate::data::entry_text::{EXPIRES_START, EntryText, KeyChange, Spelling, UNTIL_START, shown_of};
use crate::data::json::quote;
use crate::data::state::{Member, State};
use crate::data::time::iso;

/// A row of `entry`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryRow {
    /// Number of the batch.
    pub seq: i64,
    /// Place in the batch.
    pub part: i32,
    /// See the header of this file.
    pub op: String,
    /// Key literal.
    pub key: Option<String>,
    /// See the header of this file.
    pub value: Option<String>,
    /// Milliseconds since 1970.
    pub at_ms: i64,
    /// When the value is over, or for a checkpoint when which key is, or until when EXPIRE removes.
    pub expires: Option<String>,
}

impl EntryRow {
    fn key(&self) -> &str {
        self.key.as_deref().unwrap_or("\"\"")
    }

    fn value(&self) -> &str {
        self.value.as_deref().unwrap_or("null")
    }

    /// Whether it is one more key of the entry before it.
    #[must_use]
    pub fn is_member(&self) -> bool {
        self.op == "MEMBER"
    }

    /// Whether the row behind it may be a further key of its entry.
    #[must_use]
    pub fn may_go_on(&self) -> bool {
        matches!(self.op.as_str(), "DATA" | "MEMBER")
    }

    fn expires_ms(&self) -> Option<i64> {
        self.expires.as_ref().and_then(|text| text.parse().ok())
    }

    /// What stands behind the entry of one key or of a checkpoint.
    fn expires_text(&self) -> String {
        self.expires.as_ref().map(|text| format!("{EXPIRES_START}{text}")).unwrap_or_default()
    }

    /// The entry without its closing brackets; a member: with the comma before it.
    fn open_text(&self) -> String {
        let time = quote(&iso(self.at_ms));
        let (key, value) = (self.key(), self.value());
        let expires = self.expires_text();
        match self.op.as_str() {
            "SET" => {
                format!("{{\"timestamp\":{time},\"op\":\"SET\",\"key\":{key},\"value\":{value}{expires}")
            }
            "EXPIRE" => {
                let until = self.expires.as_deref().unwrap_or("0");
                format!("{{\"timestamp\":{time},\"op\":\"EXPIRE\"{UNTIL_START}{until}")
            }
            "DATA" => format!("{{\"timestamp\":{time},\"op\":\"SET\",\"data\":{{{key}:{value}"),
            "MEMBER" => format!(",{key}:{value}"),
            "DELETE" => format!("{{\"timestamp\":{time},\"op\":\"DELETE\",\"key\":{key}"),
            "CHECKPOINT" => {
                format!("{{\"op\":\"CHECKPOINT\",\"state\":{value},\"compactedAt\":{time}{expires}")
            }
            _ => value.strip_suffix('}').unwrap_or(value).to_owned(),
        }
    }

    /// Calls `apply` for each key that it changes.
    pub fn changes(&self, mut apply: impl FnMut(KeyChange)) {
        match self.op.as_str() {
            "SET" | "DATA" | "MEMBER" => apply(KeyChange::Set(self.key(), self.value(), self.expires_ms())),
            "DELETE" => apply(KeyChange::Delete(self.key())),
            _ => EntryText::new(&self.open_text(), Spelling::Ours).changes(apply),
        }
    }

    /// Does to a state what the row says.
    pub fn replay(&self, state: &mut State) {
        self.changes(|change| change.apply(state));
    }

    /// What the row records of a key, as `history` gives it; `None` where it does not touch the key. `member` is what the
    /// key had before, and has behind it.
    #[must_use]
    pub fn record_of(&self, key: &str, member: &mut Option<Member>) -> Option<String> {
        let mut is_touched = false;
        self.changes(|change| {
            if let Some(after) = change.of_key(key, member.as_ref()) {
                (*member, is_touched) = (after, true);
            }
        });
        if !is_touched {
            return None;
        }
        let (mut time, mut op) = (quote(&iso(self.at_ms)), quote(&self.op));
        if self.op == "ENTRY" {
            let open = self.open_text();
            let entry = EntryText::new(&open, Spelling::Ours);
            entry.time().unwrap_or("null").clone_into(&mut time);
            entry.op().clone_into(&mut op);
        } else if self.may_go_on() {
            "\"SET\"".clone_into(&mut op);
        }
        let source = quote(&format!("entry {}", self.seq));
        let shown = member.as_ref().map(shown_of).unwrap_or_default();
        Some(format!("{{\"timestamp\":{time},\"op\":{op}{shown},\"source\":{source}}}"))
    }
}

/// Puts entries together from their rows, which come in order.
#[derive(Default)]
pub struct EntryTexts {
    open: String,
    /// The open text is one of several keys.
    is_data: bool,
    /// When some of them are over.
    expiries: String,
}

impl EntryTexts {
    /// Takes a row; gives the entry before it, which is whole now.
    pub fn push(&mut self, row: &EntryRow) -> Option<String> {
        if row.is_member() && self.is_data {
            self.open.push_str(&row.open_text());
            self.note_expiry(row);
            return None;
        }
        let done = self.finish();
        self.open = row.open_text();
        self.is_data = row.may_go_on();
        if self.is_data {
            self.note_expiry(row);
        }
        done
    }

    fn note_expiry(&mut self, row: &EntryRow) {
        if let Some(expires) = &row.expires {
            let before = if self.expiries.is_empty() { "" } else { "," };
            let _ = write!(self.expiries, "{before}{}:{expires}", row.key());
        }
    }

    /// The last entry.
    pub fn finish(&mut self) -> Option<String> {
        let mut text = std::mem::take(&mut self.open);
        if text.is_empty() {
            return None;
        }
        if std::mem::take(&mut self.is_data) {
            text.push('}');
        }
        let expiries = std::mem::take(&mut self.expiries);
        if !expiries.is_empty() {
            let _ = write!(text, "{EXPIRES_START}{{{expiries}}}");
        }
        text.push('}');
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(part: i32, op: &str, key: Option<&str>, value: Option<&str>) -> EntryRow {
        let (key, value) = (key.map(str::to_owned), value.map(str::to_owned));
        EntryRow { seq: 7, part, op: op.to_owned(), key, value, at_ms: 0, expires: None }
    }

    fn until(expires: &str, row: EntryRow) -> EntryRow {
        EntryRow { expires: Some(expires.to_owned()), ..row }
    }

    fn rows() -> Vec<EntryRow> {
        vec![
            until("{\"c\":30}", row(1, "CHECKPOINT", None, Some("{\"c\":0,\"f\":1}"))),
            until("20", row(2, "SET", Some("\"a\""), Some("1"))),
            row(3, "DATA", Some("\"b\""), Some("2")),
            until("10", row(4, "MEMBER", Some("\"c\""), Some("3"))),
            row(5, "DATA", Some("\"d\""), Some("4")),
            row(6, "DELETE", Some("\"a\""), None),
            row(
                7,
                "ENTRY",
                Some("\"e\""),
                Some("{\"timestamp\":5,\"op\":\"SET\",\"key\":\"e\",\"value\":5}"),
            ),
            row(8, "ENTRY", None, Some("{\"op\":\"NOTE\"}")),
            until("15", row(9, "EXPIRE", None, None)),
        ]
    }

    fn texts() -> Vec<String> {
        let mut texts = EntryTexts::default();
        let mut all: Vec<String> = rows().iter().filter_map(|row| texts.push(row)).collect();
        all.extend(texts.finish());
        all
    }

    #[test]
    fn entries_are_what_a_folder_would_show() {
        let time = "\"1970-01-01T00:00:00.000Z\"";
        assert_eq!(
            texts(),
            [
                format!(
                    "{{\"op\":\"CHECKPOINT\",\"state\":{{\"c\":0,\"f\":1}},\"compactedAt\":{time},\"_expires\":{{\"c\":30}}}}"
                ),
                format!("{{\"timestamp\":{time},\"op\":\"SET\",\"key\":\"a\",\"value\":1,\"_expires\":20}}"),
                format!(
                    "{{\"timestamp\":{time},\"op\":\"SET\",\"data\":{{\"b\":2,\"c\":3}},\"_expires\":{{\"c\":10}}}}"
                ),
                format!("{{\"timestamp\":{time},\"op\":\"SET\",\"data\":{{\"d\":4}}}}"),
                format!("{{\"timestamp\":{time},\"op\":\"DELETE\",\"key\":\"a\"}}"),
                "{\"timestamp\":5,\"op\":\"SET\",\"key\":\"e\",\"value\":5}".to_owned(),
                "{\"op\":\"NOTE\"}".to_owned(),
                format!("{{\"timestamp\":{time},\"op\":\"EXPIRE\",\"_until\":15}}"),
            ]
        );
    }

    #[test]
    fn rows_and_texts_come_to_the_same_state() {
        let (mut from_rows, mut from_texts) = (State::default(), State::default());
        for row in rows() {
            row.replay(&mut from_rows);
        }
        for text in texts() {
            EntryText::new(&text[..text.len() - 1], Spelling::Ours)
                .changes(|change| change.apply(&mut from_texts));
        }
        assert!(from_rows.iter().eq(from_texts.iter()));
        assert_eq!(from_rows.len(), 4);
    }

    #[test]
    fn a_key_is_found_in_every_kind_of_row() {
        let records = |key: &str| {
            let mut member = None;
            rows().iter().filter_map(|row| row.record_of(key, &mut member)).collect::<Vec<_>>()
        };
        let counts = ["\"a\"", "\"c\"", "\"e\"", "\"x\""].map(|key| records(key).len());
        assert_eq!(counts, [2, 3, 1, 0]);
        let removed = &records("\"a\"")[1];
        assert!(removed.contains("DELETE") && !removed.contains("value"), "{removed}");
        let of_expiring = records("\"c\"");
        assert!(of_expiring[1].contains("\"value\":3,\"expiresAt\":10"), "{of_expiring:?}");
        assert!(of_expiring[2].contains("\"op\":\"EXPIRE\",\"source\""), "{of_expiring:?}");
    }
}
