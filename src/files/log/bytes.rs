//! Bytes of a file: reading a range, copying one, and the mark by which a log is known again.
//!
//! Invariant: no function here holds more than 1 MiB of a file, except `read_all`, whose caller says how much.

use memchr::memmem;
use xxhash_rust::xxh3::xxh3_64;

use crate::data::state::NOWHERE;
use crate::error::Result;
use crate::vfs::File;

/// So many of a log's last bytes distinguish it from another log.
pub const TAIL_BYTES: usize = 64;
const PIECE_BYTES: usize = 1 << 20;

/// Fills `buffer` from `offset`, or up to the end of the file.
pub fn read_full(file: &mut dyn File, buffer: &mut [u8], offset: u64) -> Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64)? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

/// The whole file, at most `size_bytes_max` of it.
pub fn read_all(file: &mut dyn File, size_bytes_max: u64) -> Result<Vec<u8>> {
    let size = file.stamp()?.size_bytes.min(size_bytes_max);
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
    let read = read_full(file, &mut bytes, 0)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// Where in a file a text is that may be a part of these bytes, which are at `start`; else `NOWHERE`.
pub fn offset_in(bytes: &[u8], start: u64, text: &str) -> u64 {
    let at = text.as_ptr().addr().checked_sub(bytes.as_ptr().addr());
    at.filter(|at| at + text.len() <= bytes.len()).map_or(NOWHERE, |at| start + at as u64)
}

/// The last bytes before `end`.
pub fn tail_of(file: &mut dyn File, end: u64) -> Result<Vec<u8>> {
    let mut tail = vec![0; usize::try_from(end).unwrap_or(usize::MAX).min(TAIL_BYTES)];
    let start = end - tail.len() as u64;
    let read = read_full(file, &mut tail, start)?;
    tail.truncate(read);
    Ok(tail)
}

/// Hash of the last bytes of a log before `end`.
pub fn log_mark(file: &mut dyn File, end: u64) -> Result<u64> {
    Ok(mark_of(&tail_of(file, end)?))
}

/// The same of bytes that are in memory.
pub fn mark_of(tail: &[u8]) -> u64 {
    hash_of(tail)
}

/// XXH3 of bytes. There is one copy of it in the binary, because it is much code.
#[inline(never)]
pub fn hash_of(bytes: &[u8]) -> u64 {
    xxh3_64(bytes)
}

/// Whether `wanted`, at most `TAIL_BYTES` of it, stands anywhere in the file.
pub fn contains(file: &mut dyn File, wanted: &[u8]) -> Result<bool> {
    let finder = memmem::Finder::new(wanted);
    let mut buffer = vec![0; PIECE_BYTES];
    let mut at = 0;
    loop {
        let read = read_full(file, &mut buffer, at)?;
        if finder.find(&buffer[..read]).is_some() {
            return Ok(true);
        }
        if read < buffer.len() {
            return Ok(false);
        }
        at += (read - TAIL_BYTES) as u64;
    }
}

/// Offset behind the last byte before `end` that is not zero; `start` where all are.
pub fn end_of_content(file: &mut dyn File, start: u64, end: u64) -> Result<u64> {
    let mut content_end = start;
    for_each_piece(file, start, end, |at, piece| {
        if let Some(last) = piece.iter().rposition(|byte| *byte != 0) {
            content_end = at + last as u64 + 1;
        }
        Ok(())
    })?;
    Ok(content_end)
}

/// Copies the bytes from `start` to `end`.
pub fn copy_range(from: &mut dyn File, to: &mut dyn File, start: u64, end: u64) -> Result<()> {
    for_each_piece(from, start, end, |_, piece| to.append(piece))
}

/// Reads the bytes from `start` to `end`, or as far as there are some, a piece at a time.
pub fn for_each_piece(
    file: &mut dyn File,
    start: u64,
    end: u64,
    mut visit: impl FnMut(u64, &[u8]) -> Result<()>,
) -> Result<()> {
    let mut buffer = vec![0; PIECE_BYTES];
    let mut at = start;
    while at < end {
        let wanted = usize::try_from(end - at).unwrap_or(usize::MAX).min(PIECE_BYTES);
        let read = read_full(file, &mut buffer[..wanted], at)?;
        if read == 0 {
            break;
        }
        visit(at, &buffer[..read])?;
        at += read as u64;
    }
    Ok(())
}
