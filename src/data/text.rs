//! Text for `JSON.parse`, in pieces. To parse one must not hold up the event loop, and V8 must be able to hold it as a
//! string.
//!
//! Of a large state, a piece is the list of its members, and its text is joined when its turn comes: nobody waits until
//! the text of all of them is there, and at no time is there more than one.
//!
//! Invariant: each piece is one whole JSON object (or array). All pieces, merged in order, are the answer.

use std::borrow::Cow;

use crate::data::state::Member;

/// V8 parses this much in about 2 ms. A larger member or element is a piece of its own.
pub const PIECE_BYTES_MAX: usize = 512 << 10;
/// Small members cost more to merge than to parse.
pub const PIECE_LENGTH_MAX: usize = 4096;

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
    pub pieces: Vec<Piece>,
}

/// One whole object or array of an answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// Its text.
    Text(String),
    /// The members of an object, or those of an array of pairs.
    Members(TextKind, Vec<Member>),
}

impl Piece {
    /// The text for `JSON.parse`.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Members(kind, members) => {
                let mut builder = TextBuilder::in_one_piece(*kind);
                builder.open.reserve(self.size_bytes());
                for member in members {
                    builder.push_member(member);
                }
                Cow::Owned(builder.finish().into_text())
            }
        }
    }

    /// About how long that is.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Members(_, members) => members.iter().map(size_in_list).sum::<usize>() + 2,
        }
    }

    /// Whether an object in it may have a member that `Object.assign` would take for its prototype.
    #[must_use]
    pub fn may_set_prototype(&self) -> bool {
        const PROTOTYPE: &str = "\"__proto__\"";
        match self {
            Self::Text(text) => text.contains(PROTOTYPE),
            Self::Members(_, members) => members.iter().any(|member| member.key() == PROTOTYPE),
        }
    }
}

/// With the comma or brackets around it.
fn size_in_list(member: &Member) -> usize {
    member.text().len() + 3
}

impl Texts {
    /// Whether it is an empty object or array.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pieces.iter().all(|piece| piece.size_bytes() == 2)
    }

    /// The text where all is in one piece.
    #[must_use]
    pub fn into_text(self) -> String {
        match self.pieces.into_iter().next() {
            Some(Piece::Text(text)) => text,
            other => other.map(|piece| piece.text().into_owned()).unwrap_or_default(),
        }
    }

    /// A large state: an object, or an array of pairs.
    #[must_use]
    pub fn of_members(kind: TextKind, members: Vec<Member>) -> Self {
        let (mut pieces, mut open, mut open_bytes) = (Vec::new(), Vec::new(), 0);
        for member in members {
            let bytes = size_in_list(&member);
            let is_full = open_bytes + bytes > PIECE_BYTES_MAX || open.len() == PIECE_LENGTH_MAX;
            if is_full && !open.is_empty() {
                pieces.push(Piece::Members(kind, std::mem::take(&mut open)));
                open_bytes = 0;
            }
            open_bytes += bytes;
            open.push(member);
        }
        if !open.is_empty() || pieces.is_empty() {
            pieces.push(Piece::Members(kind, open));
        }
        Self { kind, pieces }
    }

    /// All pieces as one text, for tests.
    #[cfg(any(test, feature = "simulation"))]
    #[must_use]
    pub fn joined(&self) -> String {
        let texts: Vec<Cow<str>> = self.pieces.iter().map(Piece::text).collect();
        let inner: Vec<&str> =
            texts.iter().map(|text| &text[1..text.len() - 1]).filter(|it| !it.is_empty()).collect();
        let (opening, closing) = self.kind.brackets();
        format!("{opening}{}{closing}", inner.join(","))
    }
}

/// Collects members or elements into pieces.
pub struct TextBuilder {
    kind: TextKind,
    done: Vec<Piece>,
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

    /// Adds a key and its value: a member of an object, or a pair of an array.
    pub fn push_member(&mut self, member: &Member) {
        match self.kind {
            TextKind::Object => self.push(&[member.text()]),
            TextKind::Array => self.push(&["[", member.key(), ",", member.value(), "]"]),
        }
    }

    fn close(&mut self) {
        let (opening, closing) = self.kind.brackets();
        if self.open.is_empty() {
            self.open.push(opening);
        }
        self.open.push(closing);
        self.done.push(Piece::Text(std::mem::take(&mut self.open)));
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
        builder.push_member(member);
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
        let texts_of = |texts: &Texts| -> Vec<String> {
            texts.pieces.iter().map(|piece| piece.text().into_owned()).collect()
        };
        assert_eq!(texts_of(&texts), ["[1,22]", "[333]", "[a very long one]", "[4]"]);
        assert_eq!(texts.joined(), "[1,22,333,a very long one,4]");
        let mut builder = TextBuilder::new(TextKind::Array);
        (0..=PIECE_LENGTH_MAX).for_each(|_| builder.push(&["1"]));
        assert_eq!(texts_of(&builder.finish())[1..], ["[1]"]);
        assert_eq!(texts_of(&TextBuilder::new(TextKind::Object).finish()), ["{}"]);
    }

    #[test]
    fn the_pieces_of_members_are_those_of_their_text() {
        let long = format!("\"{}\"", "x".repeat(PIECE_BYTES_MAX / 3));
        let members: Vec<Member> = (0..9).map(|n| Member::new(&format!("\"k{n}\""), &long)).collect();
        for kind in [TextKind::Object, TextKind::Array] {
            let mut builder = TextBuilder::new(kind);
            for member in &members {
                builder.push_member(member);
            }
            let listed = Texts::of_members(kind, members.clone());
            assert_eq!(listed.joined(), builder.finish().joined());
            assert!(listed.pieces.len() > 2);
            assert!(listed.pieces.iter().all(|piece| piece.size_bytes() >= piece.text().len()));
            assert!(listed.pieces.iter().all(|piece| piece.text().len() <= PIECE_BYTES_MAX + 2));
            let none = Texts::of_members(kind, Vec::new());
            assert!(none.is_empty());
            assert_eq!(none.joined().len(), 2);
        }
        let odd = Texts::of_members(TextKind::Object, vec![Member::new("\"__proto__\"", "{}")]);
        assert!(odd.pieces[0].may_set_prototype());
        assert!(!Texts::of_members(TextKind::Object, members).pieces[0].may_set_prototype());
    }
}
