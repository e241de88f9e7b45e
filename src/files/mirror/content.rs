//! The JSON file beside a log: writing it, knowing our own, finding what somebody else changed.
//!
//! ```text
//! {\n  "key": { … },\n  "key": { … }\n}          JSON.stringify(state, null, 2)
//! ```
//!
//! Invariant: the file at the mirror's path is replaced by rename only, after its content was synced (but with
//! `fsync: 'never'`), and only while it still has the content that was taken into account. So any reader finds a
//! whole file at any instant, also after a power cut, and no edit is overwritten unseen. Where the system refuses
//! the rename for good (a file that is mounted by itself), the file is written in place, and a person is notified.

use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::Xxh3;

use crate::data::json;
use crate::data::state::{Member, State};
use crate::error::Result;
use crate::files::log::bytes::{hash_of, read_all};
use crate::files::log::paths::LogPaths;
use crate::files::mirror::record::MirrorId;
use crate::files::temporary::{Pace, create_held};
use crate::vfs::Syncing;
use crate::vfs::{File, FileSystem, SyncBeside};

/// Up to this size the mirror is written before a promise resolves.
pub const SMALL_MIRROR_BYTES: usize = 64 << 10;
const WRITE_BYTES: usize = 1 << 20;
const READS_MAX: u32 = 5;

/// A mirror file's content.
pub struct MirrorContent {
    /// Hash and file.
    pub id: MirrorId,
    /// All bytes.
    pub bytes: Vec<u8>,
}

impl MirrorContent {
    /// Reads the mirror; `None` when there is none.
    pub fn read(files: &dyn FileSystem, paths: &LogPaths) -> Result<Option<Self>> {
        let mut tries = 0;
        loop {
            let Some(mut file) = files.open_read(&paths.mirror)? else { return Ok(None) };
            let stamp = file.stamp()?;
            let bytes = read_all(&mut *file, u64::MAX)?;
            tries += 1;
            // Somebody may write over the file while it is read. Whoever does so without a rest is seen by the
            // stamp, which is older than their content, with the next call.
            if file.stamp()? == stamp || tries == READS_MAX {
                return Ok(Some(Self { id: MirrorId { hash: hash_of(&bytes), stamp }, bytes }));
            }
        }
    }

    /// The object in it; `None` when it is none.
    pub fn parse(&self) -> Option<State> {
        let bytes = self.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.bytes);
        if !json::is_object(bytes) {
            return None;
        }
        let text = std::str::from_utf8(bytes).ok()?;
        Some(State::from_object(&json::compact(text)))
    }
}

/// What of a mirror is on disk for certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durable {
    /// Nothing: `fsync: 'never'`.
    Nothing,
    /// Its content. A power cut leaves the old mirror or this one.
    Content,
    /// Its content, and once it is in its place its name, too.
    Name,
}

impl Durable {
    /// What is on disk of a mirror that was written at this pace, once its folder is synced.
    fn after(pace: Pace) -> Self {
        if pace == Pace::Unsynced { Self::Nothing } else { Self::Name }
    }

    /// Whether its content is.
    pub fn has_content(self) -> bool {
        self != Self::Nothing
    }
}

/// A small mirror that is being synced beside the log.
pub struct SmallMirror {
    temporary: PathBuf,
    id: MirrorId,
    syncing: Option<Box<dyn SyncBeside>>,
}

impl SmallMirror {
    /// Writes it beside its place and begins to sync it. For callers that hold the lock of the folder until it is in
    /// its place.
    pub fn begin(
        files: &dyn FileSystem,
        temporary: PathBuf,
        mirror: &Path,
        text: &str,
        syncing: Syncing,
    ) -> Result<Self> {
        let written = (|| {
            let mut file = files.create_like(&temporary, mirror)?;
            file.append(text.as_bytes())?;
            Ok((MirrorId { hash: hash_of(text.as_bytes()), stamp: file.stamp()? }, file))
        })();
        match written {
            Ok((id, file)) => {
                let syncing = syncing.is_on().then(|| files.sync_beside(file));
                Ok(Self { temporary, id, syncing })
            }
            Err(error) => {
                let _ = files.remove(&temporary);
                Err(error)
            }
        }
    }

    /// Waits for the sync. The mirror shows the log up to `log_end`.
    pub fn finish(self, files: &dyn FileSystem, log_end: u64) -> Result<FreshMirror> {
        let Self { temporary, id, syncing } = self;
        let durable = if syncing.is_some() { Durable::Content } else { Durable::Nothing };
        match syncing.map(SyncBeside::wait).transpose() {
            Ok(_) => Ok(FreshMirror { temporary, id, log_end, durable, held: None }),
            Err(error) => {
                let _ = files.remove(&temporary);
                Err(error)
            }
        }
    }

    /// The log does not have what it shows.
    pub fn discard(self, files: &dyn FileSystem) {
        if let Some(syncing) = self.syncing {
            let _ = syncing.wait();
        }
        // Swept up later if this fails.
        let _ = files.remove(&self.temporary);
    }
}

/// A mirror that was written beside, ready to be renamed.
pub struct FreshMirror {
    /// Where it is.
    pub temporary: PathBuf,
    /// Hash and stamp; the rename keeps both.
    pub id: MirrorId,
    /// The log's offset that it shows.
    pub log_end: u64,
    /// What of it is on disk.
    pub durable: Durable,
    /// The open file with its lock, by which other processes know that somebody is at work on it.
    pub held: Option<Box<dyn File>>,
}

/// The mirror's text for a small state; `None` when it would be over `size_bytes_max`.
pub fn small_text<'a>(members: impl Iterator<Item = &'a Member>, size_bytes_max: usize) -> Option<String> {
    let mut text = String::new();
    let mut count = 0;
    for member in members {
        push_member(&mut text, member, count, size_bytes_max);
        count += 1;
        if text.len() > size_bytes_max {
            return None;
        }
    }
    text.push_str(if count == 0 { "{}" } else { "\n}" });
    (text.len() <= size_bytes_max).then_some(text)
}

/// Appends a member as the mirror has it, behind `count` others. Stops early, like `json::push_pretty`.
pub fn push_member(text: &mut String, member: &Member, count: usize, size_bytes_max: usize) {
    text.push_str(if count == 0 { "{" } else { "," });
    json::push_new_line(text, 1);
    text.push_str(member.key());
    text.push_str(": ");
    json::push_pretty(text, member.value(), 1, size_bytes_max);
}

/// Writes a mirror of these members beside its place, a piece at a time.
pub fn write_large(
    files: &dyn FileSystem,
    temporary: PathBuf,
    mirror: &Path,
    members: &mut dyn Iterator<Item = Result<Member>>,
    log_end: u64,
    pace: Pace,
) -> Result<FreshMirror> {
    match write_text(files, &temporary, mirror, members, pace) {
        Ok((id, held)) => {
            Ok(FreshMirror { temporary, id, log_end, durable: Durable::after(pace), held: Some(held) })
        }
        Err(error) => {
            // What was begun beside the mirror is of no use; the mirror itself is as it was.
            let _ = files.remove(&temporary);
            Err(error)
        }
    }
}

fn write_text(
    files: &dyn FileSystem,
    temporary: &Path,
    mirror: &Path,
    members: &mut dyn Iterator<Item = Result<Member>>,
    pace: Pace,
) -> Result<(MirrorId, Box<dyn File>)> {
    let mut file = create_held(files, temporary, mirror)?;
    let mut hasher = Xxh3::new();
    let mut text = String::with_capacity(WRITE_BYTES + (WRITE_BYTES >> 2));
    let mut count = 0;
    for member in members {
        push_member(&mut text, &member?, count, usize::MAX);
        count += 1;
        if text.len() >= WRITE_BYTES {
            hasher.update(text.as_bytes());
            pace.append(files, &mut *file, text.as_bytes())?;
            text.clear();
        }
    }
    text.push_str(if count == 0 { "{}" } else { "\n}" });
    hasher.update(text.as_bytes());
    file.append(text.as_bytes())?;
    if pace != Pace::Unsynced {
        file.sync_data()?;
    }
    Ok((MirrorId { hash: hasher.digest(), stamp: file.stamp()? }, file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_that_of_json_stringify() {
        let state = State::from_object(r#"{"b":{"x":[1,{}]},"2":[],"a":"t: x"}"#);
        let text = "{\n  \"2\": [],\n  \"b\": {\n    \"x\": [\n      1,\n      {}\n    ]\n  },\n  \"a\": \"t: x\"\n}";
        assert_eq!(small_text(state.iter(), 1000).as_deref(), Some(text));
        assert_eq!(small_text(state.iter(), text.len() - 1), None);
        assert_eq!(small_text(State::default().iter(), 10).as_deref(), Some("{}"));
    }
}
