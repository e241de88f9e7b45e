//! Reading the entries of a log on a server page by page.
//!
//! Invariant: a page holds whole entries; it ends where the log ended when the cursor was made.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::data::name::LogName;
use crate::data::text::{TextBuilder, TextKind};
use crate::error::Result;
use crate::postgres::entry_rows::{EntryRow, EntryTexts};
use crate::postgres::tries::Tries;
use crate::postgres::wire::Asked;
use crate::store::cursor::{Cursor, EntryPiece};

/// V8 parses so much in about 2 ms.
const PIECE_BYTES: usize = 512 << 10;
const FIRST_LIMIT: i64 = 100;
const LIMIT_MAX: i64 = 5_000;

/// Where pages come from.
pub trait EntryPages: Send {
    /// Some rows of a log behind a place, up to a number.
    ///
    /// # Errors
    /// See `Loss`.
    fn page(
        &mut self,
        log: &LogName,
        behind: (i64, i32),
        to: i64,
        limit: i64,
        within_ms: u64,
    ) -> Asked<Vec<EntryRow>>;
}

/// See the header of this file.
pub struct EntryCursor {
    pages: Arc<Mutex<dyn EntryPages>>,
    log: LogName,
    /// The last row that was read.
    place: (i64, i32),
    to: i64,
    limit: i64,
    tries: Tries,
}

impl EntryCursor {
    /// Entries of a log from one number to another.
    pub fn new(
        pages: Arc<Mutex<dyn EntryPages>>,
        log: LogName,
        (from, to): (i64, i64),
        tries: Tries,
    ) -> Self {
        Self { pages, log, place: (from - 1, i32::MAX), to, limit: FIRST_LIMIT, tries }
    }

    /// The next rows, without those of an entry that is cut.
    fn next_rows(&mut self) -> Result<Vec<EntryRow>> {
        loop {
            let asked_us = self.tries.clock.monotonic_us();
            let mut rows = self.tries.until_answered(asked_us, |within_ms| {
                self.pages.lock().page(&self.log, self.place, self.to, self.limit, within_ms)
            })?;
            let is_full = i64::try_from(rows.len()).unwrap_or(i64::MAX) == self.limit;
            let whole = if is_full { whole_rows(&rows) } else { rows.len() };
            if whole == 0 && is_full {
                // One entry with more keys than the page has rows.
                self.limit *= 4;
                continue;
            }
            rows.truncate(whole);
            return Ok(rows);
        }
    }
}

/// How many rows belong to entries that end before the last row, or with it.
fn whole_rows(rows: &[EntryRow]) -> usize {
    match rows.last() {
        Some(last) if last.may_go_on() => rows.iter().rposition(|row| !row.is_member()).unwrap_or(0),
        _ => rows.len(),
    }
}

impl fmt::Debug for EntryCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entries behind {:?} up to {}", self.place, self.to)
    }
}

impl Cursor for EntryCursor {
    fn next_piece(mut self: Box<Self>) -> Result<EntryPiece> {
        let rows = self.next_rows()?;
        if let Some(last) = rows.last() {
            self.place = (last.seq, last.part);
        }
        let mut builder = TextBuilder::in_one_piece(TextKind::Array);
        let mut texts = EntryTexts::default();
        let mut size_bytes = 0;
        let whole = rows.iter().filter_map(|row| texts.push(row)).collect::<Vec<_>>();
        for text in whole.into_iter().chain(texts.finish()) {
            size_bytes += text.len();
            builder.push(&[&text]);
        }
        let wanted = if size_bytes > PIECE_BYTES { self.limit / 2 } else { self.limit * 2 };
        self.limit = wanted.clamp(1, LIMIT_MAX);
        let text = builder.finish().into_text();
        let cursor: Option<Box<dyn Cursor>> = if size_bytes == 0 { None } else { Some(self) };
        Ok(EntryPiece { text, cursor })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_ends_with_a_whole_entry() {
        let row = |op: &str| EntryRow {
            seq: 1,
            part: 1,
            op: op.to_owned(),
            key: None,
            value: None,
            at_ms: 0,
            expires: None,
        };
        let whole = |ops: &[&str]| whole_rows(&ops.iter().map(|op| row(op)).collect::<Vec<_>>());
        assert_eq!(whole(&["SET", "DELETE"]), 2);
        assert_eq!(whole(&["SET", "DATA"]), 1);
        assert_eq!(whole(&["SET", "DATA", "MEMBER"]), 1);
        assert_eq!(whole(&["DATA", "MEMBER", "SET"]), 3);
        assert_eq!(whole(&["DATA", "MEMBER"]), 0, "a larger page is needed");
    }
}
