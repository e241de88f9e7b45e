//! Reading the members of a folder's log a piece at a time.
//!
//! Invariant: it shows them as they were when it was made, and lets go of each when it has given it.

use std::fmt;
use std::sync::Arc;
use std::vec::IntoIter;

use crate::data::state::Slot;
use crate::data::text::{PIECE_BYTES_MAX, PIECE_LENGTH_MAX, TextBuilder, TextKind};
use crate::error::Result;
use crate::files::values::log_values::LogValues;
use crate::files::values::reading::first_chunk;
use crate::files::values::slot_snapshot::{SlotSnapshot, read_with};
use crate::store::cursor::{Cursor, EntryPiece};
use crate::store::member_cursor::MEMBERS_BYTES_MAX;

/// See the header of this file.
pub struct SlotCursor {
    left: IntoIter<(Slot, u64)>,
    values: Option<Arc<LogValues>>,
    kind: TextKind,
    piece_bytes_max: usize,
}

impl SlotCursor {
    /// A cursor before the first of these, for a caller who may stop at any of them.
    pub fn new(snapshot: SlotSnapshot) -> Self {
        Self::in_pieces(snapshot, TextKind::Array, MEMBERS_BYTES_MAX)
    }

    /// The same for a caller who wants all of them.
    pub fn of_all(snapshot: SlotSnapshot, kind: TextKind) -> Self {
        Self::in_pieces(snapshot, kind, PIECE_BYTES_MAX)
    }

    fn in_pieces(snapshot: SlotSnapshot, kind: TextKind, piece_bytes_max: usize) -> Self {
        let (places, values) = snapshot.into_parts();
        Self { left: places.into_iter(), values, kind, piece_bytes_max }
    }
}

impl fmt::Debug for SlotCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} members", self.left.len())
    }
}

impl Cursor for SlotCursor {
    fn next_piece(mut self: Box<Self>) -> Result<EntryPiece> {
        let mut builder = TextBuilder::in_one_piece(self.kind);
        let count = first_chunk(self.left.as_slice(), self.piece_bytes_max).min(PIECE_LENGTH_MAX);
        let chunk: Vec<(Slot, u64)> = self.left.by_ref().take(count).collect();
        for member in read_with(self.values.as_deref(), &chunk)? {
            builder.push_member(&member);
        }
        let text = builder.finish().into_text();
        let cursor: Option<Box<dyn Cursor>> = if count == 0 { None } else { Some(self) };
        Ok(EntryPiece { text, cursor })
    }
}
