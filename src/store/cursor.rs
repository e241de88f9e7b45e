//! Reading the entries of a log a piece at a time.
//!
//! Invariant: a cursor shows the log as it was when the cursor was made; later changes do not touch it.

use std::fmt::Debug;

use crate::error::Result;

/// A position in a log from which entries are read.
pub trait Cursor: Debug + Send {
    /// Reads the next entries, about 512 KiB of them. Runs on the reader thread.
    ///
    /// # Errors
    /// When the place cannot be read.
    fn next_piece(self: Box<Self>) -> Result<EntryPiece>;
}

/// Some entries as the text of a JSON array, and the position behind them.
#[derive(Debug)]
pub struct EntryPiece {
    /// A JSON array; empty at the end of the log.
    pub text: String,
    /// Where the next piece begins. `None` where this one is empty: there is none behind it.
    pub cursor: Option<Box<dyn Cursor>>,
}
