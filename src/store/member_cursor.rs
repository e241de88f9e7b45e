//! Reading members that are in memory a piece at a time.
//!
//! Invariant: it shows them as they were when it was made, and lets go of each when it has given it.

use std::fmt;
use std::vec::IntoIter;

use crate::data::state::Member;
use crate::data::text::{TextBuilder, TextKind};
use crate::error::Result;
use crate::store::cursor::{Cursor, EntryPiece};

/// V8 parses so much in about 1 ms. A larger member is a piece of its own.
pub const MEMBERS_BYTES_MAX: usize = 256 << 10;

/// See the header of this file.
pub struct MemberCursor(IntoIter<Member>);

impl MemberCursor {
    /// A cursor before the first of these.
    #[must_use]
    pub fn new(members: Vec<Member>) -> Self {
        Self(members.into_iter())
    }
}

impl fmt::Debug for MemberCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} members", self.0.len())
    }
}

impl Cursor for MemberCursor {
    fn next_piece(mut self: Box<Self>) -> Result<EntryPiece> {
        let mut builder = TextBuilder::in_one_piece(TextKind::Array);
        let mut size_bytes = 0;
        while let Some(next) = self.0.as_slice().first()
            && (size_bytes == 0 || size_bytes + next.text().len() <= MEMBERS_BYTES_MAX)
            && let Some(member) = self.0.next()
        {
            size_bytes += member.text().len();
            builder.push(&["[", member.key(), ",", member.value(), "]"]);
        }
        let text = builder.finish().into_text();
        let cursor: Option<Box<dyn Cursor>> = if size_bytes == 0 { None } else { Some(self) };
        Ok(EntryPiece { text, cursor })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_small_and_a_large_member_is_one_alone() {
        let value = |bytes: usize| format!("\"{}\"", "x".repeat(bytes));
        let sizes = [100 << 10, 100 << 10, 100 << 10, 600 << 10, 10];
        let members =
            sizes.iter().enumerate().map(|(i, size)| Member::new(&format!("\"{i}\""), &value(*size)));
        let mut cursor: Option<Box<dyn Cursor>> = Some(Box::new(MemberCursor::new(members.collect())));
        let mut counts = Vec::new();
        while let Some(at) = cursor {
            let piece = at.next_piece().expect("from memory");
            counts.push(crate::data::json::elements(&piece.text).count());
            cursor = piece.cursor;
        }
        assert_eq!(counts, [2, 1, 1, 1, 0]);
    }
}
