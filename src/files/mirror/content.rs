//! The JSON file beside a log: writing it, knowing our own, finding what somebody else changed.
//!
//! ```text
//! {\n  "key": { … },\n  "key": { … }\n}          JSON.stringify(state, null, 2)
//! ```
//!
//! Invariant: the file at the mirror's path is replaced by rename only, after its content was synced (but with
//! `fsync: 'never'`), and only while it still has the content that was taken into account. So any reader finds a
//! whole file at any instant, also after a power cut, and no edit is overwritten unseen. Where the system refuses
//! the rename for good (a file that is mounted by itself), the file is written in place, and a person is told.

use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::data::json;
use crate::data::state::{Member, Snapshot, State};
use crate::error::Result;
use crate::files::log::entry::EditTag;
use crate::files::log::file::LogPaths;
use crate::files::mirror::record::{MirrorId, read_all};
use crate::vfs::{File, FileSystem, Stamp, SyncBeside};

/// Up to this size the mirror is written before a promise resolves.
pub const SMALL_MIRROR_BYTES: usize = 64 << 10;
const WRITE_BYTES: usize = 1 << 20;
const READS_MAX: u32 = 5;
/// A stamp younger than this may not tell two contents apart, on file systems with coarse times.
const COARSE_TIME_MS: i64 = 20;

/// What the mirror on disk shows, as far as we know.
#[derive(Clone)]
pub enum Shows {
    /// The state of the log up to this offset.
    LogUpTo(u64),
    /// A content of its own (somebody's edit that was taken into the log).
    Content(State),
}

/// The mirror that was last taken into account.
#[derive(Clone)]
pub struct KnownMirror {
    /// Its content's hash and its file.
    pub id: MirrorId,
    /// What it shows.
    pub shows: Shows,
    /// False while a change in the same instant could go unnoticed.
    pub is_settled: bool,
    /// True when its content is on disk for certain.
    pub is_synced: bool,
}

/// The changes that turn one state into another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// A key set.
    Set(Member),
    /// A key literal removed.
    Delete(String),
}

impl Edit {
    /// The key literal.
    pub fn key(&self) -> &str {
        match self {
            Self::Set(member) => member.key(),
            Self::Delete(key) => key,
        }
    }
}

/// A foreign edit that is part of the state but not yet for certain of the log.
pub struct PendingEdit {
    /// What it changes.
    pub edits: Vec<Edit>,
    /// The mirror in which it was found.
    pub tag: EditTag,
    /// All that the mirror holds.
    pub shown: State,
    /// It is in the log, whose name may not be durable: so it is when that was mended.
    pub is_in_log: bool,
    /// It is what damaged lines of the log have lost, and nobody's doing.
    pub is_recovered: bool,
    /// Key literals of which nothing tells for certain what is meant: those that changed since the mirror was
    /// made from which the edit was made, whether the edit changes them or not.
    pub ambiguous: Vec<String>,
}

/// An edit that is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoggedEdit {
    /// Hash of the mirror in which it was found.
    pub mirror_hash: u64,
    /// Offset behind its last line.
    pub log_end: u64,
}

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
            // stamp, which is older than his content, with the next call.
            if file.stamp()? == stamp || tries == READS_MAX {
                return Ok(Some(Self { id: MirrorId { hash: xxh3_64(&bytes), stamp }, bytes }));
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

/// What must be done to `base` to get `content`.
pub fn difference(base: &State, content: &State) -> Vec<Edit> {
    let changed = content.iter().filter(|member| base.get(member.key()) != Some(member));
    let removed = base.iter().filter(|member| content.get(member.key()).is_none());
    changed
        .map(|member| Edit::Set(member.clone()))
        .chain(removed.map(|member| Edit::Delete(member.key().to_owned())))
        .collect()
}

/// Applies `edits`, and keeps those that changed something.
pub fn apply_edits(state: &mut State, edits: Vec<Edit>) -> Vec<Edit> {
    let changes = |state: &mut State, edit: &Edit| match edit {
        Edit::Set(member) if state.get(member.key()) == Some(member) => false,
        Edit::Set(member) => {
            state.set(member.clone());
            true
        }
        Edit::Delete(key) => state.remove(key),
    };
    edits.into_iter().filter(|edit| changes(state, edit)).collect()
}

/// Applies what calls or edits change.
pub fn apply_changes(state: &mut State, changes: &[Edit]) {
    for change in changes {
        match change {
            Edit::Set(member) => state.set(member.clone()),
            Edit::Delete(key) => {
                state.remove(key);
            }
        }
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
    /// Content and name, or nothing.
    pub fn in_full(sync: bool) -> Self {
        if sync { Self::Name } else { Self::Nothing }
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
        sync: bool,
    ) -> Result<Self> {
        let written = (|| {
            let mut file = files.create_like(&temporary, mirror)?;
            file.append(text.as_bytes())?;
            Ok((MirrorId { hash: xxh3_64(text.as_bytes()), stamp: file.stamp()? }, file))
        })();
        match written {
            Ok((id, file)) => {
                let syncing = sync.then(|| files.sync_beside(file));
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
    /// The open file with its lock, which tells other processes that somebody is at work on it.
    pub held: Option<Box<dyn File>>,
}

/// The mirror's text for a small state; `None` when it would be over `size_bytes_max`.
pub fn small_text<'a>(members: impl Iterator<Item = &'a Member>, size_bytes_max: usize) -> Option<String> {
    let mut text = String::new();
    let mut is_first = true;
    for member in members {
        push_member(&mut text, member, is_first, size_bytes_max);
        is_first = false;
        if text.len() > size_bytes_max {
            return None;
        }
    }
    text.push_str(if is_first { "{}" } else { "\n}" });
    (text.len() <= size_bytes_max).then_some(text)
}

/// Appends a member as the mirror has it. Stops early, like `json::push_pretty`.
pub fn push_member(text: &mut String, member: &Member, is_first: bool, size_bytes_max: usize) {
    text.push_str(if is_first { "{" } else { "," });
    json::push_new_line(text, 1);
    text.push_str(member.key());
    text.push_str(": ");
    json::push_pretty(text, member.value(), 1, size_bytes_max);
}

/// Writes a mirror beside its place from a snapshot, a piece at a time.
pub fn write_large(
    files: &dyn FileSystem,
    temporary: PathBuf,
    mirror: &Path,
    snapshot: &Snapshot,
    log_end: u64,
    pace: Pace,
) -> Result<FreshMirror> {
    let sync = pace != Pace::Unsynced;
    let written = (|| {
        let mut file = create_held(files, &temporary, mirror)?;
        let mut hasher = Xxh3::new();
        let mut text = String::with_capacity(WRITE_BYTES + (WRITE_BYTES >> 2));
        for (number, member) in snapshot.iter().enumerate() {
            push_member(&mut text, member, number == 0, usize::MAX);
            if text.len() >= WRITE_BYTES {
                hasher.update(text.as_bytes());
                file.append(text.as_bytes())?;
                text.clear();
                pace.rest(files, &mut *file)?;
            }
        }
        text.push_str(if snapshot.is_empty() { "{}" } else { "\n}" });
        hasher.update(text.as_bytes());
        file.append(text.as_bytes())?;
        if sync {
            file.sync_data()?;
        }
        Ok((MirrorId { hash: hasher.digest(), stamp: file.stamp()? }, Some(file)))
    })();
    fresh(files, temporary, written, log_end, sync)
}

/// How a large file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Not synced.
    Unsynced,
    /// Synced at the end, as fast as it goes: somebody waits.
    Fast,
    /// Synced a piece at a time with rests between, so that the syncs of appends do not queue up behind it.
    Gentle,
}

impl Pace {
    /// For work beside the writer.
    pub fn beside(sync: bool) -> Self {
        if sync { Self::Gentle } else { Self::Unsynced }
    }

    /// After each piece of about 1 MiB.
    pub fn rest(self, files: &dyn FileSystem, file: &mut dyn File) -> Result<()> {
        const REST_US: u64 = 1000;
        if self == Self::Gentle {
            file.sync_data()?;
            files.sleep_us(REST_US);
        }
        Ok(())
    }
}

/// Makes a temporary file, to take the place of `like`, that other processes leave alone while it is open.
pub fn create_held(files: &dyn FileSystem, path: &Path, like: &Path) -> Result<Box<dyn File>> {
    const TRIES_MAX: usize = 10;
    let mut tries = 0;
    loop {
        let mut file = files.create_like(path, like)?;
        // Where files cannot be locked, nobody else can find out that this one is not locked either.
        let _ = file.try_lock();
        // Between the two somebody may have swept it away.
        let found = files.stamp(path)?.map(|stamp| stamp.id);
        tries += 1;
        if found == Some(file.stamp()?.id) || tries == TRIES_MAX {
            return Ok(file);
        }
    }
}

type Written = (MirrorId, Option<Box<dyn File>>);

fn fresh(
    files: &dyn FileSystem,
    temporary: PathBuf,
    written: Result<Written>,
    log_end: u64,
    sync: bool,
) -> Result<FreshMirror> {
    match written {
        Ok((id, held)) => Ok(FreshMirror { temporary, id, log_end, durable: Durable::in_full(sync), held }),
        Err(error) => {
            // What was begun beside the mirror is of no use; the mirror itself is as it was.
            let _ = files.remove(&temporary);
            Err(error)
        }
    }
}

/// Whether a change of content shows in `stamp` for certain.
pub fn is_settled(stamp: Stamp, now_ms: i64) -> bool {
    let age_ms = now_ms - stamp.modified_ns.div_euclid(1_000_000);
    // A time in the future comes from a clock that was set back: nothing follows from it.
    stamp.size_bytes > SMALL_MIRROR_BYTES as u64 || !(0..COARSE_TIME_MS).contains(&age_ms)
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

    #[test]
    fn a_difference_leads_from_one_state_to_the_other() {
        let base = State::from_object(r#"{"a":1,"b":2,"c":3}"#);
        let content = State::from_object(r#"{"c":3,"b":5,"d":4}"#);
        let edits = difference(&base, &content);
        assert_eq!(edits.len(), 3);
        let mut state = State::from_object(r#"{"a":1,"b":5,"c":9,"e":7}"#);
        let effective = apply_edits(&mut state, edits);
        assert_eq!(effective.len(), 2, "b is 5 already");
        let text: Vec<&str> = state.iter().map(Member::text).collect();
        assert_eq!(text, ["\"b\":5", "\"c\":9", "\"e\":7", "\"d\":4"]);
    }
}
