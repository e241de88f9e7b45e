//! Text for `JSON.parse`, in pieces that V8 can hold as strings.
//!
//! Invariant: each piece is one whole JSON object (or array); all pieces together, merged in order,
//! are the answer.

use super::state::Member;

/// V8's longest string has 2^29 - 24 characters; UTF-8 never has fewer bytes than characters.
const PIECE_BYTES_MAX: usize = 256 << 20;

/// What the pieces are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextKind {
    /// Objects whose members belong together.
    Object,
    /// Arrays whose elements belong together.
    Array,
}

/// One JSON value in one or more pieces.
#[derive(Debug, PartialEq, Eq)]
pub struct Texts {
    /// Objects or arrays.
    pub kind: TextKind,
    /// At least one.
    pub pieces: Vec<String>,
}

/// Collects members or elements into pieces.
pub struct TextBuilder {
    kind: TextKind,
    done: Vec<String>,
    open: String,
    piece_bytes_max: usize,
}

impl TextBuilder {
    /// An empty object or array.
    pub fn new(kind: TextKind) -> Self {
        Self { kind, done: Vec::new(), open: String::new(), piece_bytes_max: PIECE_BYTES_MAX }
    }

    #[cfg(test)]
    fn with_piece_bytes_max(kind: TextKind, piece_bytes_max: usize) -> Self {
        Self { piece_bytes_max, ..Self::new(kind) }
    }

    /// Adds a member (`"key":value`) or an element.
    pub fn push(&mut self, parts: &[&str]) {
        let bytes: usize = parts.iter().map(|part| part.len()).sum();
        if self.open.len() + bytes + 2 > self.piece_bytes_max && !self.open.is_empty() {
            self.close();
        }
        let opening = if self.kind == TextKind::Object { '{' } else { '[' };
        self.open.push(if self.open.is_empty() { opening } else { ',' });
        for part in parts {
            self.open.push_str(part);
        }
    }

    fn close(&mut self) {
        let (opening, closing) = if self.kind == TextKind::Object { ('{', '}') } else { ('[', ']') };
        if self.open.is_empty() {
            self.open.push(opening);
        }
        self.open.push(closing);
        self.done.push(std::mem::take(&mut self.open));
    }

    /// All pieces.
    pub fn finish(mut self) -> Texts {
        if !self.open.is_empty() || self.done.is_empty() {
            self.close();
        }
        Texts { kind: self.kind, pieces: self.done }
    }
}

/// The object that has these members.
pub fn object_of<'a>(members: impl Iterator<Item = &'a Member>) -> Texts {
    let mut builder = TextBuilder::new(TextKind::Object);
    for member in members {
        builder.push(&[member.text()]);
    }
    builder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_whole_and_small() {
        let mut builder = TextBuilder::with_piece_bytes_max(TextKind::Array, 8);
        for element in ["1", "22", "333", "a very long one", "4"] {
            builder.push(&[element]);
        }
        assert_eq!(builder.finish().pieces, ["[1,22]", "[333]", "[a very long one]", "[4]"]);
        assert_eq!(TextBuilder::new(TextKind::Object).finish().pieces, ["{}"]);
    }
}
