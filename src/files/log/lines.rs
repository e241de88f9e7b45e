//! Reading the lines of a log from a file, in order, with bounded memory: that of the longest line. Every reader of a
//! log, a backup or what was set aside has its lines from here, so all see the same. Zeros at the end of the file, of
//! which a power cut can leave any number, are counted and not held.
//!
//! ```text
//! entry \n │ entry x entry \n │ entry entry \n │ garbage entry \n │ garbage \n │ entry \0\0\0
//!    1           2     2          3     3             4      4          5         6     6      line number
//! ```
//!
//! Invariant: offsets are those of the file, and what is handed on is all of the file, in order. A line of the file
//! is handed on as one, except where an entry in it would be lost with the rest: one of ours with another byte in the
//! place of its line break, or without one; one behind garbage (see `salvage`); one whose line break, at the end of
//! the log, was lost to zeros.

use crate::error::Result;
use crate::files::log::entry::{Entry, Invalid, begins_checkpoint, decode_damaged, guess_key};
use crate::files::log::salvage::{first_of_joined, garbage_before_entry};
use crate::vfs::File;

/// The first read asks for so much, as most logs are short; each further one for twice as much.
const FIRST_CHUNK_BYTES: usize = 64 << 10;
const CHUNK_BYTES_MAX: usize = 1 << 20;
/// A byte order mark, as some editors put it before the first line.
pub const BOM: &[u8] = b"\xef\xbb\xbf";

/// A line or a part of one, and where it stands.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// Bytes before it in the file.
    pub offset: u64,
    /// 1 for the first; the same for all parts of a line.
    pub number: u64,
    /// Without its line break.
    pub bytes: &'a [u8],
    /// False for a last line without a line break.
    pub is_terminated: bool,
    /// What ends it.
    pub ending: LineBreak,
    /// Zeros that follow up to the end of the file and are not in `bytes`, which then ends with some of them.
    pub zeros_behind: u64,
    /// What it is.
    pub found: LineKind<'a>,
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind<'a> {
    /// White space.
    Nothing,
    /// An entry.
    Entry(Entry<'a>),
    /// Neither.
    Invalid(Invalid),
}

/// What ends a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineBreak {
    /// A line break, or the end of the file.
    Whole,
    /// A byte that should be a line break.
    Wrong,
    /// Nothing: the next part follows at once.
    Missing,
}

impl<'a> Line<'a> {
    /// Offset behind the line and its break.
    pub fn end(&self) -> u64 {
        let has_break = self.is_terminated && self.ending != LineBreak::Missing;
        self.offset + self.size_bytes() + u64::from(has_break)
    }

    /// Bytes of the line, without its line break.
    pub fn size_bytes(&self) -> u64 {
        self.bytes.len() as u64 + self.zeros_behind
    }

    /// True for a first line behind a byte order mark.
    pub fn has_bom(&self) -> bool {
        self.offset == 0 && self.bytes.starts_with(BOM)
    }

    /// True for what a crash leaves of an append: the last line, without a line break, no entry. A checkpoint is
    /// none, as it was synced before it was in its place.
    pub fn is_torn(&self) -> bool {
        matches!(self.found, LineKind::Invalid(reason) if reason != Invalid::CutCheckpoint)
            && !self.is_terminated
    }

    /// The entry that it is, if it is one.
    pub fn entry(&self) -> Option<Entry<'a>> {
        if let LineKind::Entry(entry) = self.found { Some(entry) } else { None }
    }

    /// The entry that a damaged line would be if its checksum were right.
    pub fn damaged_entry(&self) -> Option<Entry<'a>> {
        decode_damaged(without_bom(self.bytes, self.offset))
    }

    /// The byte that stands where this line should end.
    pub fn wrong_break(&self) -> Damage {
        Damage {
            offset: self.offset + self.bytes.len() as u64,
            size_bytes: 1,
            line: self.number,
            key: None,
            reason: Invalid::LineBreak,
            has_break: false,
            is_checkpoint: false,
            ends_operation: false,
        }
    }
}

fn without_bom(bytes: &[u8], offset: u64) -> &[u8] {
    bytes.strip_prefix(BOM).filter(|_| offset == 0).unwrap_or(bytes)
}

/// A line that is not valid, or the part of one before an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Bytes before it in the file.
    pub offset: u64,
    /// Length without the line break. 0 where lines are missing at the end.
    pub size_bytes: u64,
    /// 1 for the first line.
    pub line: u64,
    /// The key that the line seems to hold.
    pub key: Option<String>,
    /// What is wrong with it.
    pub reason: Invalid,
    /// It has a line break of its own.
    pub has_break: bool,
    /// It is a checkpoint: what it held is in a backup.
    pub is_checkpoint: bool,
    /// It is the last line of an operation of several lines, which ends there all the same.
    pub ends_operation: bool,
}

impl Damage {
    /// Bytes that the log is shorter by without it.
    pub fn dropped_bytes(&self) -> u64 {
        // In the place of a wrong line break there is a right one.
        if self.reason == Invalid::LineBreak { 0 } else { self.size_bytes + u64::from(self.has_break) }
    }

    /// Describes a line that is not valid.
    pub fn of(line: &Line, reason: Invalid) -> Self {
        let bytes = without_bom(line.bytes, line.offset);
        Self {
            offset: line.offset,
            size_bytes: line.size_bytes(),
            line: line.number,
            key: guess_key(line.bytes),
            reason,
            has_break: line.is_terminated && line.ending == LineBreak::Whole,
            is_checkpoint: begins_checkpoint(bytes.trim_ascii_start()),
            ends_operation: false,
        }
    }
}

/// Reads lines from `start` (a beginning of a line or of a part) up to `end` or the end of the file. Pulled one by
/// one, so a reader may stop at any line.
pub struct LineReader<'f> {
    file: &'f mut dyn File,
    buffer: Vec<u8>,
    /// Bytes of `buffer` already handed out, and bytes filled.
    taken: usize,
    filled: usize,
    /// Offset in the file of `buffer[0]`.
    base: u64,
    end: u64,
    number: u64,
    /// Where in `buffer` the line ends of which a part was handed out, and whether by a line break.
    rest: Option<(usize, bool)>,
    /// Zeros behind the buffer up to the end of the file.
    zeros_behind: u64,
    /// Up to here the file is known to hold something else than zeros.
    probed_to: u64,
}

impl<'f> LineReader<'f> {
    /// A reader whose first line has number `first_number`.
    pub fn new(file: &'f mut dyn File, start: u64, end: u64, first_number: u64) -> Self {
        Self {
            file,
            buffer: Vec::new(),
            taken: 0,
            filled: 0,
            base: start,
            end,
            number: first_number - 1,
            rest: None,
            zeros_behind: 0,
            probed_to: 0,
        }
    }

    /// The next line, or the next part of one; `None` at the end.
    pub fn next_line(&mut self) -> Result<Option<Line<'_>>> {
        let is_rest = self.rest.is_some();
        let (line_end, has_break) = match self.rest.take() {
            Some(found) => found,
            None => self.find_end()?,
        };
        if line_end == self.taken && !has_break {
            return Ok(None);
        }
        self.number += u64::from(!is_rest);
        let start = self.taken;
        let offset = self.base + start as u64;
        let all = &self.buffer[start..line_end];
        let part = first_part(Stretch { all, offset, has_break, is_rest });
        let is_whole = part.size_bytes == all.len();
        self.taken = start
            + part.size_bytes
            + usize::from(if is_whole { has_break } else { part.ending == LineBreak::Wrong });
        if !is_whole {
            self.rest = Some((line_end, has_break));
        }
        Ok(Some(Line {
            offset,
            number: self.number,
            bytes: &all[..part.size_bytes],
            is_terminated: part.is_terminated,
            ending: part.ending,
            zeros_behind: if is_whole && !has_break { self.zeros_behind } else { 0 },
            found: part.found,
        }))
    }

    /// Where the line ends that begins at `taken`, and whether by a line break.
    fn find_end(&mut self) -> Result<(usize, bool)> {
        let mut searched = self.taken;
        loop {
            if let Some(found) = memchr::memchr(b'\n', &self.buffer[searched..self.filled]) {
                return Ok((searched + found, true));
            }
            self.zeros_behind = self.zeros_to_the_end()?;
            searched = self.filled - self.taken;
            if self.zeros_behind > 0 || !self.fill()? {
                return Ok((self.filled, false));
            }
        }
    }

    /// Where a long line in the buffer ends with many zeros: how many more follow up to the end, if nothing else does.
    /// The reader ends there.
    fn zeros_to_the_end(&mut self) -> Result<u64> {
        let from = self.base + self.filled as u64;
        let line = &self.buffer[self.taken..self.filled];
        let is_long = line.len() >= CHUNK_BYTES_MAX && from >= self.probed_to;
        if !is_long || line[line.len() - FIRST_CHUNK_BYTES..].iter().any(|byte| *byte != 0) {
            return Ok(0);
        }
        let mut piece = vec![0; FIRST_CHUNK_BYTES];
        let mut at = from;
        loop {
            let wanted = usize::try_from(self.end.saturating_sub(at)).unwrap_or(usize::MAX).min(piece.len());
            let read = self.file.read_at(&mut piece[..wanted], at)?;
            if piece[..read].iter().any(|byte| *byte != 0) {
                self.probed_to = at + read as u64;
                return Ok(0);
            }
            if read == 0 {
                self.end = from;
                return Ok(at - from);
            }
            at += read as u64;
        }
    }

    /// Moves what is left to the front and reads more behind it. False at the end.
    fn fill(&mut self) -> Result<bool> {
        self.buffer.copy_within(self.taken..self.filled, 0);
        self.base += self.taken as u64;
        self.filled -= self.taken;
        self.taken = 0;
        let missing = self.end.saturating_sub(self.base + self.filled as u64);
        let chunk = (2 * self.buffer.len()).clamp(FIRST_CHUNK_BYTES, CHUNK_BYTES_MAX);
        let room = self.filled.max(chunk).min(usize::try_from(missing).unwrap_or(usize::MAX));
        if room == 0 {
            return Ok(false);
        }
        if self.buffer.len() < self.filled + room {
            self.buffer.resize(self.filled + room, 0);
        }
        let read = self
            .file
            .read_at(&mut self.buffer[self.filled..self.filled + room], self.base + self.filled as u64)?;
        self.filled += read;
        Ok(read > 0)
    }
}

/// Calls `visit` with each entry before `end`, skipping damaged lines and ends of operations.
pub fn for_each_entry(file: &mut dyn File, end: u64, mut visit: impl FnMut(&Entry)) -> Result<()> {
    let mut reader = LineReader::new(file, 0, end, 1);
    while let Some(line) = reader.next_line()? {
        if let Some(entry) = line.entry().filter(|entry| !entry.is_end()) {
            visit(&entry);
        }
    }
    Ok(())
}

/// The first part of a line.
struct Part<'a> {
    size_bytes: usize,
    is_terminated: bool,
    ending: LineBreak,
    found: LineKind<'a>,
}

/// A line, or what is left of one.
#[derive(Clone, Copy)]
struct Stretch<'a> {
    all: &'a [u8],
    offset: u64,
    has_break: bool,
    is_rest: bool,
}

/// Takes a line apart.
fn first_part(stretch: Stretch<'_>) -> Part<'_> {
    let Stretch { all, offset, has_break, is_rest } = stretch;
    let bytes = without_bom(all, offset);
    let mark_bytes = all.len() - bytes.len();
    let whole =
        |found| Part { size_bytes: all.len(), is_terminated: has_break, ending: LineBreak::Whole, found };
    let joined = || {
        let size_bytes = first_of_joined(bytes)?;
        let entry = Entry::decode(&bytes[..size_bytes]).ok()?;
        // Zeros behind the last line are what a power cut leaves of a write.
        let is_tail = !has_break && bytes[size_bytes..].iter().all(|byte| *byte == 0);
        let ending = match bytes[size_bytes] {
            _ if is_tail => LineBreak::Whole,
            b'{' => LineBreak::Missing,
            _ => LineBreak::Wrong,
        };
        let size_bytes = mark_bytes + size_bytes;
        Some(Part { size_bytes, is_terminated: !is_tail, ending, found: LineKind::Entry(entry) })
    };
    // Looked for first, so that a line of many entries is not read once for each of them.
    if is_rest && let Some(part) = joined() {
        return part;
    }
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return whole(LineKind::Nothing);
    }
    let reason = match Entry::decode(bytes) {
        Ok(entry) => return whole(LineKind::Entry(entry)),
        Err(reason) => reason,
    };
    if let Some(part) = joined() {
        return part;
    }
    let zeros = bytes.iter().rev().take_while(|byte| **byte == 0).count();
    if !has_break
        && zeros > 0
        && let Ok(entry) = Entry::decode(&bytes[..bytes.len() - zeros])
    {
        let size_bytes = all.len() - zeros;
        return Part {
            size_bytes,
            is_terminated: false,
            ending: LineBreak::Whole,
            found: LineKind::Entry(entry),
        };
    }
    if let Some(garbage) = garbage_before_entry(bytes) {
        return Part {
            size_bytes: mark_bytes + garbage,
            is_terminated: true,
            ending: LineBreak::Missing,
            found: LineKind::Invalid(reason_of(&bytes[..garbage])),
        };
    }
    let is_cut = !has_break && begins_checkpoint(bytes.trim_ascii_start());
    whole(LineKind::Invalid(if is_cut { Invalid::CutCheckpoint } else { reason }))
}

/// What is wrong with the part of a line before an entry.
fn reason_of(garbage: &[u8]) -> Invalid {
    if begins_checkpoint(garbage.trim_ascii_start()) { Invalid::CutCheckpoint } else { Invalid::NotAnObject }
}
