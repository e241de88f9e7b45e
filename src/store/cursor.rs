//! Reading the entries of a log a piece at a time.
//!
//! Invariant: a cursor shows the log as it was when the cursor was made; later changes do not touch it.

use std::fmt::Debug;

use crate::data::name::LogName;
use crate::data::text::TextKind;
use crate::error::Result;

/// A position in a log from which entries are read.
pub trait Cursor: Debug + Send {
    /// Reads the next entries, about 512 KiB of them. Runs on the reader thread.
    ///
    /// # Errors
    /// When the place cannot be read.
    fn next_piece(self: Box<Self>) -> Result<EntryPiece>;
}

/// All members of a log, in pieces: objects, or arrays of pairs.
#[derive(Debug)]
pub struct WholeCursor {
    /// Whose they are.
    pub log: LogName,
    /// What each piece is.
    pub kind: TextKind,
    /// Before the first.
    pub cursor: Box<dyn Cursor>,
}

#[cfg(any(test, feature = "simulation"))]
impl WholeCursor {
    /// All of it as one text, for tests.
    ///
    /// # Errors
    /// Those of `next_piece`.
    pub fn read_all(self) -> Result<String> {
        let (mut cursor, mut pieces) = (Some(self.cursor), Vec::new());
        while let Some(at) = cursor {
            let piece = at.next_piece()?;
            pieces.push(crate::data::text::Piece::Text(piece.text));
            cursor = piece.cursor;
        }
        Ok(crate::data::text::Texts { kind: self.kind, pieces }.joined())
    }
}

/// Some entries as the text of a JSON array, or members of a whole state as that of an object, and the position behind them.
#[derive(Debug)]
pub struct EntryPiece {
    /// A JSON array or object; empty at the end.
    pub text: String,
    /// Where the next piece begins. `None` where this one is empty: there is none behind it.
    pub cursor: Option<Box<dyn Cursor>>,
}
