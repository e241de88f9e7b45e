//! Logs made of pieces as they occur: our lines, the old module's, and all kinds of damage. Without them the fuzzer would
//! have to find valid checksums first.

use arbitrary::Arbitrary;

/// A JSON value.
#[derive(Arbitrary, Clone, Debug)]
pub enum Json {
    /// `null`, `true`, `false`.
    Word(u8),
    /// A whole number.
    Whole(i32),
    /// Any other number, as text like `-1.5e-7`.
    Number(i8, u16, i8),
    /// Text; also with half surrogate pairs.
    Text(Vec<u16>),
    /// An array.
    Array(Vec<Json>),
    /// An object.
    Object(Vec<(Key, Json)>),
}

/// A key, most often one of few.
#[derive(Arbitrary, Clone, Debug)]
pub enum Key {
    /// One that comes again.
    Known(u8),
    /// An array index.
    Index(u8),
    /// Anything.
    Text(Vec<u16>),
    /// `__proto__`.
    Proto,
}

impl Key {
    /// The literal as `JSON.stringify` spells it.
    #[must_use]
    pub fn literal(&self) -> String {
        match self {
            Self::Known(number) => format!("\"key-{}\"", number % 8),
            Self::Index(number) => format!("\"{}\"", number % 16),
            Self::Text(units) => progressive_storage::data::json::quote_utf16(units),
            Self::Proto => "\"__proto__\"".to_owned(),
        }
    }
}

impl Json {
    /// The text as `JSON.stringify` spells it: compact, each key once.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Word(number) => ["null", "true", "false"][usize::from(*number) % 3].to_owned(),
            Self::Whole(number) => number.to_string(),
            Self::Number(a, b, c) => format!("{a}.{b}e{c}"),
            Self::Text(units) => progressive_storage::data::json::quote_utf16(units),
            Self::Array(values) => {
                let texts: Vec<String> = values.iter().map(Self::text).collect();
                format!("[{}]", texts.join(","))
            }
            Self::Object(members) => object_text(members),
        }
    }
}

fn object_text(members: &[(Key, Json)]) -> String {
    let mut texts: Vec<(String, String)> = Vec::new();
    for (key, value) in members {
        let key = key.literal();
        texts.retain(|(known, _)| *known != key);
        texts.push((key, value.text()));
    }
    let texts: Vec<String> = texts.iter().map(|(key, value)| format!("{key}:{value}")).collect();
    format!("{{{}}}", texts.join(","))
}

/// An entry.
#[derive(Arbitrary, Clone, Debug)]
pub enum Entry {
    /// Sets a key.
    Set(Key, Json),
    /// Sets some.
    SetMany(Vec<(Key, Json)>),
    /// Removes a key.
    Delete(Key),
    /// A checkpoint.
    Checkpoint(Vec<(Key, Json)>),
    /// Something else.
    Other(Vec<(Key, Json)>),
}

impl Entry {
    /// The object's text.
    #[must_use]
    pub fn text(&self) -> String {
        let time = "\"timestamp\":\"2026-01-01T00:00:00.000Z\"";
        match self {
            Self::Set(key, value) => {
                format!("{{{time},\"op\":\"SET\",\"key\":{},\"value\":{}}}", key.literal(), value.text())
            }
            Self::SetMany(members) => format!("{{{time},\"op\":\"SET\",\"data\":{}}}", object_text(members)),
            Self::Delete(key) => format!("{{{time},\"op\":\"DELETE\",\"key\":{}}}", key.literal()),
            Self::Checkpoint(members) => {
                format!(
                    "{{\"op\":\"CHECKPOINT\",\"state\":{},\"compactedAt\":\"now\"}}",
                    object_text(members)
                )
            }
            Self::Other(members) => object_text(members),
        }
    }
}

/// A piece of a log.
#[derive(Arbitrary, Clone, Debug)]
pub enum Piece {
    /// A line of ours.
    Ours(Entry),
    /// An operation of several lines.
    Group(Vec<Entry>),
    /// A line of ours that says that its operation goes on for so many lines, whether it does or not.
    Goes(Entry, u8),
    /// A line of ours that takes in an edit of the mirror.
    Edit(Entry, u64),
    /// A line of the old module.
    Old(Entry),
    /// A line of the old module, with white space between its parts.
    Spaced(Entry),
    /// A line of ours, cut short.
    Cut(Entry, u8),
    /// A line of ours with one bit flipped.
    Flipped(Entry, u16, u8),
    /// A line of ours without its break.
    Stuck(Entry),
    /// Anything.
    Bytes(Vec<u8>),
    /// Zeros.
    Zeros(u8),
    /// The end of a line: LF, CRLF, blanks.
    Break(u8),
    /// A byte order mark.
    Mark,
}

/// A line of ours, without its break.
#[must_use]
pub fn sealed(object: &str, extra: &str) -> Vec<u8> {
    let checked = format!("{}{extra}", &object[..object.len() - 1]);
    let crc = crc32fast::hash(checked.as_bytes());
    format!("{checked},\"_crc\":\"{crc:08x}\"}}").into_bytes()
}

impl Piece {
    /// The bytes in the log.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = match self {
            Self::Ours(entry) | Self::Stuck(entry) => sealed(&entry.text(), ""),
            Self::Goes(entry, more) => sealed(&entry.text(), &format!(",\"_more\":{more}")),
            Self::Group(entries) => {
                let lines = entries.iter().enumerate().map(|(number, entry)| {
                    let more = entries.len() - number - 1;
                    sealed(
                        &entry.text(),
                        &if more > 0 { format!(",\"_more\":{more}") } else { String::new() },
                    )
                });
                lines.collect::<Vec<_>>().join(&b'\n')
            }
            Self::Edit(entry, hash) => {
                let of_old = if hash % 2 == 1 { "-old" } else { "" };
                sealed(&entry.text(), &format!(",\"_edit\":\"{hash:016x}{of_old}\""))
            }
            Self::Old(entry) => entry.text().into_bytes(),
            Self::Spaced(entry) => entry.text().replace(":{", ": {\t").replace(",\"", " , \"").into_bytes(),
            Self::Cut(entry, at) => {
                let mut line = sealed(&entry.text(), "");
                line.truncate(usize::from(*at));
                line
            }
            Self::Flipped(entry, at, bit) => {
                let mut line = sealed(&entry.text(), "");
                let at = usize::from(*at) % line.len();
                line[at] ^= 1 << (bit % 8);
                line
            }
            Self::Bytes(bytes) => bytes.clone(),
            Self::Zeros(count) => vec![0; usize::from(*count)],
            Self::Break(kind) => {
                return [&b"\n"[..], b"\r\n", b"  \n", b"\n\n"][usize::from(*kind) % 4].to_vec();
            }
            Self::Mark => return b"\xef\xbb\xbf".to_vec(),
        };
        let is_open = matches!(self, Self::Stuck(_) | Self::Cut(..) | Self::Zeros(_));
        if !is_open && !matches!(self, Self::Group(entries) if entries.is_empty()) {
            bytes.push(b'\n');
        }
        bytes
    }
}

/// The bytes of all pieces.
#[must_use]
pub fn log_of(pieces: &[Piece]) -> Vec<u8> {
    pieces.iter().flat_map(Piece::bytes).collect()
}
