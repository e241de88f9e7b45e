//! What a call is answered with, on its way back to the caller.
//!
//! Invariant: an answer holds no handle of a place except a cursor, which reads by itself.

use crate::data::text::{Piece, Texts};
use crate::store::cursor::{Cursor, EntryPiece, WholeCursor};

/// A value for the caller.
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
    Cursor(Box<dyn Cursor>),
    /// All members, to be read a piece at a time.
    Whole(WholeCursor),
    /// Entries and the place behind them.
    Piece(EntryPiece),
    /// A value was not the expected one. They are these now (`None`: no such key).
    Conflict(Vec<Option<String>>),
    /// The same for a call behind such a one of the same thread. `None`: the earlier one changes its keys, and nobody knows yet
    /// what they have then, but the thread itself. Nothing of it is certain before the earlier one is answered.
    ConflictBehind(Option<Vec<Option<String>>>),
}

impl Answer {
    /// Bytes of text that must be parsed for it at once.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        match self {
            Self::Json(text) => text.len(),
            Self::Texts(texts) => texts.pieces.first().map_or(0, Piece::size_bytes),
            Self::Piece(piece) => piece.text.len(),
            Self::Conflict(values) | Self::ConflictBehind(Some(values)) => {
                values.iter().flatten().map(String::len).sum()
            }
            Self::Undefined
            | Self::ConflictBehind(None)
            | Self::Written(_)
            | Self::Null
            | Self::Bool(_)
            | Self::Number(_)
            | Self::Cursor(_)
            | Self::Whole(_) => 0,
        }
    }
}
