//! Reading entries of a log for callers, beside the writer.
//!
//! Invariant: a cursor reads the log as it was when the cursor was made: from the file that was open
//! then, up to the end that the log had then. Later appends and compactions do not touch it.

use crate::data::text::{TextBuilder, TextKind, Texts};
use crate::error::Result;
use crate::files::log::lines::{LineReader, for_each_entry};
use crate::store::cursor::{Cursor, EntryPiece};
use crate::vfs::File;

/// V8 parses so much in about 2 ms.
const PIECE_BYTES: u64 = 512 << 10;

/// A place in a log from which entries are read a piece at a time.
pub struct LogCursor {
    log: Option<Box<dyn File>>,
    offset: u64,
    end: u64,
}

impl std::fmt::Debug for LogCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "entries from byte {} to {}", self.offset, self.end)
    }
}

impl LogCursor {
    /// A cursor at the beginning of `log`, which ends at `end`.
    #[must_use]
    pub fn new(log: Option<Box<dyn File>>, end: u64) -> Self {
        Self { log, offset: 0, end }
    }
}

impl Cursor for LogCursor {
    fn next_piece(mut self: Box<Self>) -> Result<EntryPiece> {
        let mut builder = TextBuilder::in_one_piece(TextKind::Array);
        let mut is_empty = true;
        if let Some(log) = &mut self.log {
            let stop = self.offset + PIECE_BYTES;
            let mut reader = LineReader::new(&mut **log, self.offset, self.end, 1);
            while let Some(line) = reader.next_line()? {
                self.offset = line.end();
                if let Some(entry) = line.entry().filter(|entry| !entry.is_end()) {
                    builder.push(&[&entry.text()]);
                    is_empty = false;
                }
                if self.offset >= stop && !is_empty {
                    break;
                }
            }
        }
        let text = builder.finish().into_text();
        // The empty piece is the last one: the file is closed here.
        Ok(EntryPiece { text, cursor: if is_empty { None } else { Some(self) } })
    }
}

/// Every entry before `end`.
pub fn all_entries(log: Option<Box<dyn File>>, end: u64) -> Result<Texts> {
    let mut builder = TextBuilder::new(TextKind::Array);
    if let Some(mut log) = log {
        for_each_entry(&mut *log, end, |entry| builder.push(&[&entry.text()]))?;
    }
    Ok(builder.finish())
}
