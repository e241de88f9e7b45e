//! The bytes of an index, written and read a piece at a time.
//!
//! ```text
//! "PSINDEX1" │ hash of the rest │ head │ count │ slot … slot                  numbers: 8 bytes, little-endian
//! head     id, modified_ns, end, mark, lines of the log │ last edit: end, hash       end 0: none
//! slot     key bytes │ offset │ value bytes │ hash │ expires_ms │ key │ value        value: only where the offset is NOWHERE
//! ```
//!
//! Invariant: nothing is read of one whose hash is not that of its bytes, and no more than about a MiB is in memory at once.

use xxhash_rust::xxh3::Xxh3;

use crate::data::slot::Lying;
use crate::data::state::{Kept, Member, NOWHERE, Slot};
use crate::error::Result;
use crate::files::log::bytes::read_full;
use crate::files::log::replay::LoggedEdit;
use crate::vfs::{File, Stamp};

const MAGIC: &[u8; 8] = b"PSINDEX1";
const NO_EXPIRY: u64 = u64::MAX;
/// The magic number and the hash.
const START_BYTES: usize = 16;
const HASHED_FROM: u64 = START_BYTES as u64;
/// Its numbers.
const SLOT_BYTES_MIN: u64 = 5 * 8;
const PIECE_BYTES: usize = 1 << 20;

/// What an index says of its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexedLog {
    /// The file.
    pub id: u64,
    /// When it was changed last.
    pub modified_ns: i64,
    /// Where it ended.
    pub end: u64,
    /// Hash of its last bytes.
    pub mark: u64,
    /// Lines before the end.
    pub lines: u64,
    /// The edit that was logged last.
    pub last_edit: Option<LoggedEdit>,
}

impl IndexedLog {
    /// Whether the log with this stamp is the one, as it was or with more behind it.
    #[must_use]
    pub fn is_of(&self, found: &Stamp, may_have_grown: bool) -> bool {
        let is_as_it_was = found.size_bytes == self.end && found.modified_ns == self.modified_ns;
        let has_grown = found.size_bytes > self.end && may_have_grown;
        found.id == self.id && (is_as_it_was || has_grown)
    }
}

/// Appends the index of a log with so many members to an empty file; gives its size. The members are gone through twice: the
/// hash stands before them.
///
/// # Errors
/// The system's.
pub fn append_index<'m, I: Iterator<Item = (&'m Slot, u64)>>(
    file: &mut dyn File,
    log: &IndexedLog,
    count: usize,
    places: impl Fn() -> I,
) -> Result<u64> {
    let (mut hasher, mut size_bytes) = (Xxh3::new(), HASHED_FROM);
    put_rest(log, count, places(), &mut |bytes| {
        hasher.update(bytes);
        size_bytes += bytes.len() as u64;
        Ok(())
    })?;
    let mut start = MAGIC.to_vec();
    start.extend_from_slice(&hasher.digest().to_le_bytes());
    file.append(&start)?;
    put_rest(log, count, places(), &mut |bytes| file.append(bytes))?;
    Ok(size_bytes)
}

/// All that is hashed.
fn put_rest<'m>(
    log: &IndexedLog,
    count: usize,
    places: impl Iterator<Item = (&'m Slot, u64)>,
    put: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let (edit_end, edit_hash) = log.last_edit.map_or((0, 0), |edit| (edit.log_end, edit.mirror_hash));
    let modified_ns = log.modified_ns.cast_unsigned();
    let head = [log.id, modified_ns, log.end, log.mark, log.lines, edit_end, edit_hash, count as u64];
    let mut out: Vec<u8> = head.into_iter().flat_map(u64::to_le_bytes).collect();
    for (slot, offset) in places {
        let key = slot.key();
        let (value_bytes, hash) = slot.value_id();
        let expires_ms = slot.expires_ms().map_or(NO_EXPIRY, i64::cast_unsigned);
        for number in [key.len() as u64, offset, value_bytes, hash, expires_ms] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(key.as_bytes());
        // Such a value is never let go.
        if let Some(member) = slot.held().filter(|_| offset == NOWHERE) {
            out.extend_from_slice(member.value().as_bytes());
        }
        if out.len() >= PIECE_BYTES {
            put(&out)?;
            out.clear();
        }
    }
    put(&out)
}

/// See the header of this file. What it gives is `None` where the bytes are no index.
pub struct IndexBytes<'f> {
    file: &'f mut dyn File,
    size_bytes: u64,
    /// Up to here the file was read.
    read_to: u64,
    buffer: Vec<u8>,
    /// Up to here the buffer was given.
    at: usize,
}

impl<'f> IndexBytes<'f> {
    /// Of a file whose hash is that of its bytes.
    ///
    /// # Errors
    /// The system's.
    pub fn open(file: &'f mut dyn File) -> Result<Option<Self>> {
        let mut start = [0; START_BYTES];
        if read_full(file, &mut start, 0)? < start.len() || start[..8] != *MAGIC {
            return Ok(None);
        }
        let mut hasher = Xxh3::new();
        let mut piece = vec![0; PIECE_BYTES];
        let mut size_bytes = HASHED_FROM;
        loop {
            let read = read_full(file, &mut piece, size_bytes)?;
            hasher.update(&piece[..read]);
            size_bytes += read as u64;
            if read < piece.len() {
                break;
            }
        }
        let is_whole = start[8..] == hasher.digest().to_le_bytes();
        let bytes = Self { file, size_bytes, read_to: HASHED_FROM, buffer: Vec::new(), at: 0 };
        Ok(is_whole.then_some(bytes))
    }

    /// What comes first: the log, and how many slots may follow.
    ///
    /// # Errors
    /// The system's.
    pub fn head(&mut self) -> Result<Option<(IndexedLog, usize)>> {
        let Some([id, modified_ns, end, mark, lines, log_end, mirror_hash, count]) = self.numbers()? else {
            return Ok(None);
        };
        let modified_ns = modified_ns.cast_signed();
        let last_edit = (log_end > 0).then_some(LoggedEdit { mirror_hash, log_end });
        let is_possible = count <= self.left_bytes() / SLOT_BYTES_MIN;
        let count = usize::try_from(count).ok().filter(|_| is_possible);
        Ok(count.map(|count| (IndexedLog { id, modified_ns, end, mark, lines, last_edit }, count)))
    }

    /// The next slot, and the offset of its value in the log.
    ///
    /// # Errors
    /// The system's.
    pub fn slot(&mut self) -> Result<Option<(Slot, u64)>> {
        let Some([key_bytes, offset, value_bytes, hash, expires_ms]) = self.numbers()? else {
            return Ok(None);
        };
        let expires_ms = (expires_ms != NO_EXPIRY).then_some(expires_ms.cast_signed());
        let text_bytes = if offset == NOWHERE { key_bytes.saturating_add(value_bytes) } else { key_bytes };
        let Some(text) = self.take(text_bytes)?.and_then(|text| std::str::from_utf8(text).ok()) else {
            return Ok(None);
        };
        let Some((key, value)) = usize::try_from(key_bytes).ok().and_then(|at| text.split_at_checked(at))
        else {
            return Ok(None);
        };
        let slot = if offset == NOWHERE {
            Some(Slot::Held(Member::expiring(key, value, expires_ms)))
        } else {
            Lying::new(key, value_bytes, hash, expires_ms).map(Slot::Lying)
        };
        Ok(slot.map(|slot| (slot, offset)))
    }

    /// Whether nothing is left.
    pub fn is_at_end(&self) -> bool {
        self.left_bytes() == 0
    }

    fn left_bytes(&self) -> u64 {
        self.size_bytes - self.read_to + (self.buffer.len() - self.at) as u64
    }

    fn numbers<const N: usize>(&mut self) -> Result<Option<[u64; N]>> {
        let Some(bytes) = self.take(8 * N as u64)? else { return Ok(None) };
        let (numbers, _) = bytes.as_chunks();
        Ok(Some(std::array::from_fn(|at| u64::from_le_bytes(numbers[at]))))
    }

    /// The next bytes.
    fn take(&mut self, size_bytes: u64) -> Result<Option<&[u8]>> {
        let Some(wanted) = usize::try_from(size_bytes).ok().filter(|_| size_bytes <= self.left_bytes())
        else {
            return Ok(None);
        };
        if self.buffer.len() - self.at < wanted {
            self.buffer.drain(..self.at);
            self.at = 0;
            let kept = self.buffer.len();
            let left = usize::try_from(self.size_bytes - self.read_to).unwrap_or(usize::MAX);
            self.buffer.resize(kept + left.min(PIECE_BYTES.max(wanted - kept)), 0);
            let read = read_full(self.file, &mut self.buffer[kept..], self.read_to)?;
            self.buffer.truncate(kept + read);
            self.read_to += read as u64;
        }
        let taken = self.buffer.get(self.at..self.at + wanted);
        self.at += wanted;
        Ok(taken)
    }
}
