//! Reading the lines of a log from a file, in order, with bounded memory: that of the longest line. Zeros at the end of
//! the file, of which a power cut can leave any number, are counted and not held.
//!
//! Invariant: offsets are those of the file; a line's bytes are handed on as they are, and every line
//! ends at the first line break behind its beginning, whatever stands between. Only where the byte that
//! should be a line break was damaged, the two lines that it joined are told apart.

use super::entry::{Entry, Invalid, first_of_joined, guess_key};
use crate::error::Result;
use crate::vfs::File;

/// The first read asks for so much, as most logs are short; each further one for twice as much.
const FIRST_CHUNK_BYTES: usize = 64 << 10;
const CHUNK_BYTES_MAX: usize = 1 << 20;
/// A byte order mark, as some editors put it before the first line.
pub const BOM: &[u8] = b"\xef\xbb\xbf";

/// A line, and where it stands.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// Bytes before it in the file.
    pub offset: u64,
    /// 1 for the first.
    pub number: u64,
    /// Without its line break.
    pub bytes: &'a [u8],
    /// False for a last line without a line break.
    pub is_terminated: bool,
    /// What ends it.
    pub ending: LineBreak,
    /// Zeros that follow up to the end of the file and are not in `bytes`, which then ends with some of them.
    pub zeros_behind: u64,
}

/// What ends a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineBreak {
    /// A line break, or the end of the file.
    Whole,
    /// A byte that should be a line break.
    Wrong,
    /// Nothing: the next line follows at once.
    Missing,
}

impl Line<'_> {
    /// Offset behind the line and its break.
    pub fn end(&self) -> u64 {
        let has_break = self.is_terminated && self.ending != LineBreak::Missing;
        self.offset + self.size_bytes() + u64::from(has_break)
    }

    /// Bytes of the line, without its line break.
    pub fn size_bytes(&self) -> u64 {
        self.bytes.len() as u64 + self.zeros_behind
    }

    /// The same without zeros at its end: a power cut can keep the length that a write gave the file, and lose
    /// what was written, a lone line break that the line lacked.
    pub fn without_zeros(&self) -> Self {
        let zeros = self.bytes.iter().rev().take_while(|byte| **byte == 0).count();
        Self { bytes: &self.bytes[..self.bytes.len() - zeros], zeros_behind: 0, ..*self }
    }

    /// True for a first line behind a byte order mark.
    pub fn has_bom(&self) -> bool {
        self.offset == 0 && self.bytes.starts_with(BOM)
    }

    /// As `first_of_joined`, for a reader who knows where the log ends: all before that end is lines, also where a
    /// zero stands in the place of a line break.
    pub fn first_before_end(&self) -> Option<usize> {
        first_of_joined(self.bytes)
    }

    /// For a line that is not valid: the length of the valid one that it begins with.
    pub fn first_of_joined(&self) -> Option<usize> {
        let first = first_of_joined(self.bytes)?;
        // Zeros behind the last line are what a power cut leaves of a write.
        let is_tail = !self.is_terminated && self.bytes[first..].iter().all(|byte| *byte == 0);
        (!is_tail).then_some(first)
    }

    /// The byte that stands where this line should end.
    pub fn wrong_break(&self) -> Damage {
        Damage {
            offset: self.offset + self.bytes.len() as u64,
            size_bytes: 1,
            line: self.number,
            key: None,
            reason: Invalid::LineBreak,
            ends_operation: false,
        }
    }

    /// The entry in this line; `None` when it is empty.
    pub fn entry(&self) -> Option<std::result::Result<Entry<'_>, Invalid>> {
        let bytes = if self.has_bom() { &self.bytes[BOM.len()..] } else { self.bytes };
        let is_empty = bytes.iter().all(u8::is_ascii_whitespace);
        (!is_empty).then(|| Entry::decode(bytes))
    }
}

/// A line that is not valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Bytes before it in the file.
    pub offset: u64,
    /// Length without the line break.
    pub size_bytes: u64,
    /// 1 for the first line.
    pub line: u64,
    /// The key that the line seems to hold.
    pub key: Option<String>,
    /// What is wrong with it.
    pub reason: Invalid,
    /// It is the last line of an operation of several lines, which ends there all the same.
    pub ends_operation: bool,
}

impl Damage {
    /// Bytes that the log is shorter by without it.
    pub fn dropped_bytes(&self) -> u64 {
        if self.reason == Invalid::LineBreak { 0 } else { self.size_bytes + 1 }
    }

    /// Describes a line that `Line::entry` refused.
    pub fn of(line: &Line, reason: Invalid) -> Self {
        Self {
            offset: line.offset,
            size_bytes: line.size_bytes(),
            line: line.number,
            key: guess_key(line.bytes),
            reason,
            ends_operation: false,
        }
    }
}

/// Reads lines from `start` (a beginning of a line) up to `end` or the end of the file. Pulled one by
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
    /// Where the last line begins in `buffer`, and the length of its first part, if it is to be read again.
    last: usize,
    part: Option<(usize, LineBreak)>,
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
            last: 0,
            part: None,
            probed_to: 0,
        }
    }

    /// Reads the last line again as two, of which the first has `size_bytes`.
    pub fn split_last(&mut self, size_bytes: usize) {
        let is_missing = self.buffer.get(self.last + size_bytes) == Some(&b'{');
        self.part = Some((size_bytes, if is_missing { LineBreak::Missing } else { LineBreak::Wrong }));
        self.number -= 1;
    }

    /// The next line; `None` at the end.
    pub fn next_line(&mut self) -> Result<Option<Line<'_>>> {
        if let Some((size_bytes, ending)) = self.part.take() {
            // What follows stands in the same line of the file.
            let (start, end) = (self.last, self.last + size_bytes);
            self.taken = end + usize::from(ending == LineBreak::Wrong);
            return Ok(Some(Line {
                offset: self.base + start as u64,
                number: self.number + 1,
                bytes: &self.buffer[start..end],
                is_terminated: true,
                ending,
                zeros_behind: 0,
            }));
        }
        let (mut searched, mut zeros_behind) = (self.taken, 0);
        let (line_end, is_terminated) = loop {
            if let Some(found) = memchr::memchr(b'\n', &self.buffer[searched..self.filled]) {
                break (searched + found, true);
            }
            zeros_behind = self.zeros_to_the_end()?;
            searched = self.filled - self.taken;
            if zeros_behind > 0 || !self.fill()? {
                break (self.filled, false);
            }
        };
        if line_end == self.taken && !is_terminated {
            return Ok(None);
        }
        self.number += 1;
        let start = self.taken;
        self.last = start;
        self.taken = line_end + usize::from(is_terminated);
        Ok(Some(Line {
            offset: self.base + start as u64,
            number: self.number,
            bytes: &self.buffer[start..line_end],
            is_terminated,
            ending: LineBreak::Whole,
            zeros_behind,
        }))
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
