//! Text for `JSON.parse`, in pieces. To parse one must not hold up the event loop, and V8 must be able to hold it as a
//! string.
//!
//! Invariant: each piece is one whole JSON object (or array). All pieces, merged in order, are the answer.

use crate::data::state::Member;

/// V8 parses this much in about 2 ms. A larger member or element is a piece of its own.
const PIECE_BYTES_MAX: usize = 512 << 10;
/// Small members cost more to merge than to parse.
const PIECE_LENGTH_MAX: usize = 4096;

/// The kind of the pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextKind {
    /// Objects whose members belong together.
    Object,
    /// Arrays whose elements belong together.
    Array,
}

impl TextKind {
    fn brackets(self) -> (char, char) {
        match self {
            Self::Object => ('{', '}'),
            Self::Array => ('[', ']'),
        }
    }
}

/// One JSON value in one or more pieces.
#[derive(Debug, PartialEq, Eq)]
pub struct Texts {
    /// Objects or arrays.
    pub kind: TextKind,
    /// At least one.
    pub pieces: Vec<String>,
}

impl Texts {
    /// Whether it is an empty object or array.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pieces.iter().all(|piece| piece.len() == 2)
    }

    /// All pieces as one text, for tests.
    #[cfg(any(test, feature = "simulation"))]
    #[must_use]
    pub fn joined(&self) -> String {
        let inner: Vec<&str> =
            self.pieces.iter().map(|piece| &piece[1..piece.len() - 1]).filter(|it| !it.is_empty()).collect();
        let (opening, closing) = self.kind.brackets();
        format!("{opening}{}{closing}", inner.join(","))
    }
}

/// Collects members or elements into pieces.
pub struct TextBuilder {
    kind: TextKind,
    done: Vec<String>,
    open: String,
    open_length: usize,
    piece_bytes_max: usize,
    piece_length_max: usize,
}

impl TextBuilder {
    /// An empty object or array.
    #[must_use]
    pub fn new(kind: TextKind) -> Self {
        Self::with_pieces_of(kind, PIECE_BYTES_MAX, PIECE_LENGTH_MAX)
    }

    /// One piece, however much is added.
    #[must_use]
    pub fn in_one_piece(kind: TextKind) -> Self {
        Self::with_pieces_of(kind, usize::MAX, usize::MAX)
    }

    fn with_pieces_of(kind: TextKind, piece_bytes_max: usize, piece_length_max: usize) -> Self {
        Self {
            kind,
            done: Vec::new(),
            open: String::new(),
            open_length: 0,
            piece_bytes_max,
            piece_length_max,
        }
    }

    /// Adds a member (`"key":value`) or an element.
    pub fn push(&mut self, parts: &[&str]) {
        let bytes: usize = parts.iter().map(|part| part.len()).sum();
        let is_full =
            self.open.len() + bytes + 2 > self.piece_bytes_max || self.open_length == self.piece_length_max;
        if is_full && !self.open.is_empty() {
            self.close();
        }
        self.open_length += 1;
        let (opening, _) = self.kind.brackets();
        self.open.push(if self.open.is_empty() { opening } else { ',' });
        for part in parts {
            self.open.push_str(part);
        }
    }

    fn close(&mut self) {
        let (opening, closing) = self.kind.brackets();
        if self.open.is_empty() {
            self.open.push(opening);
        }
        self.open.push(closing);
        self.done.push(std::mem::take(&mut self.open));
        self.open_length = 0;
    }

    /// All pieces.
    #[must_use]
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
        let mut builder = TextBuilder::with_pieces_of(TextKind::Array, 8, 9);
        for element in ["1", "22", "333", "a very long one", "4"] {
            builder.push(&[element]);
        }
        let texts = builder.finish();
        assert_eq!(texts.pieces, ["[1,22]", "[333]", "[a very long one]", "[4]"]);
        assert_eq!(texts.joined(), "[1,22,333,a very long one,4]");
        let mut builder = TextBuilder::new(TextKind::Array);
        (0..=PIECE_LENGTH_MAX).for_each(|_| builder.push(&["1"]));
        assert_eq!(builder.finish().pieces[1..], ["[1]"]);
        assert_eq!(TextBuilder::new(TextKind::Object).finish().pieces, ["{}"]);
    }
}
