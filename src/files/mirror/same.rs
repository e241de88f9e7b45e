//! Whether a mirror shows exactly a state, found out without holding the mirror in memory.
//!
//! At a start without a record this is the usual case (the files of the old module, a folder that was copied), and
//! a mirror may be larger than the state: so its text is made anew a piece at a time and compared with the file,
//! up to the first difference.
//!
//! Invariant: a mirror that was found to be the same has the hash and the stamp that are given back.

use xxhash_rust::xxh3::Xxh3;

use crate::error::Result;
use crate::files::log::bytes::read_full;
use crate::files::log::paths::LogPaths;
use crate::files::mirror::content::push_member;
use crate::files::mirror::record::MirrorId;
use crate::files::values::slot_snapshot::SlotSnapshot;
use crate::vfs::{File, FileSystem};

const PIECE_BYTES: usize = 256 << 10;

/// The mirror's hash and stamp if its content is the text of `state`, byte for byte.
pub fn same_mirror(
    files: &dyn FileSystem,
    paths: &LogPaths,
    state: &SlotSnapshot,
) -> Result<Option<MirrorId>> {
    let Some(mut file) = files.open_read(&paths.mirror)? else { return Ok(None) };
    let stamp = file.stamp()?;
    let mut compared = Compared { file: &mut *file, offset: 0, hasher: Xxh3::new(), found: Vec::new() };
    let mut text = String::with_capacity(PIECE_BYTES + (PIECE_BYTES >> 2));
    let mut count = 0;
    for member in state.members() {
        push_member(&mut text, &member?, count, usize::MAX);
        count += 1;
        if text.len() >= PIECE_BYTES {
            if !compared.goes_on_with(text.as_bytes())? {
                return Ok(None);
            }
            text.clear();
        }
    }
    text.push_str(if count == 0 { "{}" } else { "\n}" });
    if !compared.goes_on_with(text.as_bytes())? || compared.offset != stamp.size_bytes {
        return Ok(None);
    }
    let hash = compared.hasher.digest();
    // Somebody may have written over it meanwhile; then the whole of it is read.
    Ok((file.stamp()? == stamp).then_some(MirrorId { hash, stamp }))
}

struct Compared<'f> {
    file: &'f mut dyn File,
    offset: u64,
    hasher: Xxh3,
    found: Vec<u8>,
}

impl Compared<'_> {
    fn goes_on_with(&mut self, expected: &[u8]) -> Result<bool> {
        self.found.resize(expected.len(), 0);
        let read = read_full(self.file, &mut self.found, self.offset)?;
        if self.found[..read] != *expected {
            return Ok(false);
        }
        self.hasher.update(expected);
        self.offset += expected.len() as u64;
        Ok(true)
    }
}
