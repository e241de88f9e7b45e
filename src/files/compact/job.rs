//! The long steps of a compaction, beside the writer: writing the checkpoint, and copying what was appended since.
//!
//! Invariant: a step makes and changes only files that no other process knows, and removes them when it fails.

use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::data::name::LogName;
use crate::data::slots::MovedPlaces;
use crate::data::state::Member;
use crate::error::{Error, Result};
use crate::files::log::bytes::for_each_piece;
use crate::files::log::checkpoint::CHECKPOINT_LINE_BYTES;
use crate::files::log::encoder::Encoder;
use crate::files::log::paths::LogPaths;
use crate::files::mirror::content::{FreshMirror, write_large};
use crate::files::temporary::{Pace, create_held};
use crate::files::values::reading::chunks;
use crate::files::values::slot_snapshot::SlotSnapshot;
use crate::vfs::Syncing;
use crate::vfs::{File, FileSystem};

/// A step of the compaction of a log.
pub struct CompactJob {
    /// Whose log.
    pub log: LogName,
    /// Generation of the log that it belongs to.
    pub generation: u64,
    /// Where to write.
    pub temporary: PathBuf,
    /// What to do next.
    pub step: CompactStep,
    /// Whether it must be on disk in the end.
    pub syncing: Syncing,
}

/// A step of a compaction.
pub enum CompactStep {
    /// Write the checkpoint, and a mirror that is as new.
    Checkpoint {
        /// The state at `log_end`.
        snapshot: SlotSnapshot,
        /// Offset in the old log.
        log_end: u64,
        /// When the compaction began, for `compactedAt`.
        now_ms: i64,
        /// Where to write the mirror, if one is needed.
        mirror: Option<PathBuf>,
        /// The log's folders, which may be missing.
        folders: LogPaths,
    },
    /// Copy entries that arrived meanwhile.
    Tail {
        /// The old log.
        log: PathBuf,
        /// From here.
        start: u64,
        /// To here.
        end: u64,
        /// The new log.
        file: Box<dyn File>,
    },
}

/// Result of a `CompactJob`.
pub struct CompactDone {
    /// Whose log.
    pub log: LogName,
    /// Generation of the log that it belongs to.
    pub generation: u64,
    /// What was written.
    pub temporary: PathBuf,
    /// The new log so far.
    pub result: Result<Compacted>,
}

/// A new log that is being made.
pub struct Compacted {
    /// Offset in the old log up to which the new one has everything.
    pub copied_to: u64,
    /// A mirror that is at least as new as the checkpoint, if one was written.
    pub mirror: Option<FreshMirror>,
    /// Lines of checkpoint that were written.
    pub lines: u64,
    /// The members of the checkpoint, if that was written.
    pub places: Option<MovedPlaces>,
    /// The file, open and locked.
    pub file: Box<dyn File>,
}

impl CompactJob {
    /// Takes the step.
    pub fn run(self, files: &dyn FileSystem) -> CompactDone {
        let Self { log, generation, temporary, step, syncing } = self;
        let result = match step {
            CompactStep::Checkpoint { snapshot, log_end, now_ms, mirror, folders } => {
                folders.create_folders(files, syncing).and_then(|()| {
                    let Checkpoint { file, lines, offsets } =
                        checkpoint(files, &temporary, &folders.log, &snapshot, now_ms, syncing)?;
                    let mirror = mirror
                        .map(|path| {
                            write_large(
                                files,
                                path,
                                &folders.mirror,
                                &mut live(&snapshot, files.now_ms()),
                                log_end,
                                Pace::beside(syncing),
                            )
                        })
                        .transpose()?;
                    let (before, _) = snapshot.into_parts();
                    let places = Some(MovedPlaces { before, after: offsets });
                    Ok(Compacted { copied_to: log_end, mirror, lines, places, file })
                })
            }
            CompactStep::Tail { log, start, end, mut file } => {
                let copied = copy_tail(files, &log, &mut *file, start..end, Pace::beside(syncing));
                copied.map(|()| Compacted { copied_to: end, mirror: None, lines: 0, places: None, file })
            }
        };
        if result.is_err() {
            // Of no use any more; the log itself is as it was.
            let _ = files.remove(&temporary);
        }
        CompactDone { log, generation, temporary, result }
    }
}

/// The members that are not over.
fn live(snapshot: &SlotSnapshot, now_ms: i64) -> impl Iterator<Item = Result<Member>> {
    let is_over = move |member: &Result<Member>| member.as_ref().is_ok_and(|member| member.is_over(now_ms));
    snapshot.members().filter(move |member| !is_over(member))
}

/// A checkpoint that was written.
struct Checkpoint {
    file: Box<dyn File>,
    lines: u64,
    /// Of the values, in order.
    offsets: Vec<u64>,
}

/// Writes the checkpoint.
fn checkpoint(
    files: &dyn FileSystem,
    path: &Path,
    log: &Path,
    snapshot: &SlotSnapshot,
    now_ms: i64,
    syncing: Syncing,
) -> Result<Checkpoint> {
    let mut file = create_held(files, path, log)?;
    let mut parts = chunks(snapshot.places(), CHECKPOINT_LINE_BYTES);
    if parts.is_empty() {
        parts.push(&[]);
    }
    let pace = Pace::beside((syncing.is_on() && parts.len() > 1).into());
    let mut line = Vec::new();
    let (mut offsets, mut written_bytes) = (Vec::with_capacity(snapshot.places().len()), 0);
    // Each line says how many follow, so one that is missing at the end is noticed. It needs no END: all of it is synced
    // before the file is in its place.
    for (number, part) in parts.iter().enumerate() {
        let more = parts.len() - 1 - number;
        line.clear();
        let first = offsets.len();
        Encoder::noting(&mut line, &mut offsets).checkpoint(now_ms, &snapshot.read(part)?, more as u64);
        offsets[first..].iter_mut().for_each(|offset| *offset += written_bytes);
        written_bytes += line.len() as u64;
        pace.append(files, &mut *file, &line)?;
    }
    if syncing.is_on() {
        file.sync_data()?;
    }
    Ok(Checkpoint { file, lines: parts.len() as u64, offsets })
}

/// Appends these bytes of `log` to `to`.
///
/// # Errors
/// The system's.
pub fn copy_tail(
    files: &dyn FileSystem,
    log: &Path,
    to: &mut dyn File,
    bytes: Range<u64>,
    pace: Pace,
) -> Result<()> {
    let Some(mut from) = files.open_read(log)? else {
        return Err(Error::log_removed_in_compaction(log));
    };
    for_each_piece(&mut *from, bytes.start, bytes.end, |_, piece| pace.append(files, to, piece))?;
    if pace == Pace::Unsynced { Ok(()) } else { to.sync_data() }
}
