//! What a process knows of a mirror: what it shows, whose edit it holds, and what was known before the files changed.
//!
//! Plain values: `open::reconcile` and `MirrorTracker` find them out, and `MirrorTracker` keeps them.

use crate::data::state::State;
use crate::files::log::entry::{EditTag, MemoryTag};
use crate::files::log::replay::LoggedEdit;
use crate::files::mirror::content::SMALL_MIRROR_BYTES;
use crate::files::mirror::edit::Edit;
use crate::files::mirror::record::{MirrorId, MirrorRecord, PlacedMirror};
use crate::vfs::Stamp;

/// A stamp younger than this may be that of two contents, on file systems with coarse times.
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

/// A foreign edit that is part of the state but not yet for certain of the log.
pub struct PendingEdit {
    /// What it changes.
    pub edits: Vec<Edit>,
    /// The mirror in which it was found.
    pub tag: EditTag,
    /// All that the mirror holds.
    pub shown: State,
    /// It is known what the mirror was made from; else it removes nothing but what such an edit before it held.
    pub is_placed: bool,
    /// It is in the log, whose name may not be durable: so it is when that was mended.
    pub is_in_log: bool,
    /// It is what damaged lines of the log have lost, and nobody's doing.
    pub is_recovered: bool,
    /// Key literals of which it is not certain what is meant: those that changed since the mirror was
    /// made from which the edit was made, whether the edit changes them or not.
    pub ambiguous: Vec<String>,
}

impl PendingEdit {
    /// What its lines are tagged with, if they bring back what damaged lines have lost.
    pub fn memory_tag(&self) -> Option<MemoryTag> {
        self.is_recovered.then_some(MemoryTag { known_end: 0, mirror_hash: self.tag.mirror_hash })
    }
}

/// What this process knows from before.
#[derive(Clone)]
pub enum Before {
    /// Nothing: it starts.
    Nothing,
    /// It has been running, but the log is not the one that it knew. The hash of the mirror, if that seems to be
    /// the file that it knew, and there was no edit in it.
    OtherLog(Option<u64>),
    /// It has been running on this log.
    SameLog(Box<KnownBefore>),
}

/// What a process knew of the mirror of a log that it has been running on.
#[derive(Clone)]
pub struct KnownBefore {
    /// The mirror.
    pub mirror: KnownMirror,
    /// The placed mirror of which the record spoke when it was last read.
    pub placed_seen: Option<PlacedMirror>,
    /// The edit that was found in it and is not logged yet.
    pub edited: Option<EditedBefore>,
}

/// An edit that was found in a mirror before the one that is looked at, and is not logged yet.
#[derive(Clone)]
pub struct EditedBefore {
    /// What the mirror held.
    pub shown: State,
    /// See `PendingEdit`.
    pub is_placed: bool,
}

impl Before {
    /// The mirror that was known.
    pub fn known(self) -> Option<KnownMirror> {
        match self {
            // Its file is gone, so there is nothing about it that could go unnoticed.
            Self::SameLog(known) => Some(KnownMirror { is_settled: true, ..known.mirror }),
            _ => None,
        }
    }
}

/// What was found of a mirror, read together with its log.
#[derive(Default)]
pub struct FoundMirror {
    /// The file.
    pub file: MirrorFile,
    /// The edit in it that the log does not hold yet.
    pub pending: Option<PendingEdit>,
    /// The edit that was logged last.
    pub last_edit: Option<LoggedEdit>,
    /// The mirror of which the record speaks, if there is one in its place.
    pub placed_seen: Option<PlacedMirror>,
    /// The record.
    pub record_seen: Option<MirrorRecord>,
}

/// What a mirror is.
#[derive(Default)]
#[expect(clippy::large_enum_variant, reason = "there is one for each log")]
pub enum MirrorFile {
    /// There is none, or the log has no mirror.
    #[default]
    Missing,
    /// It is not a JSON object.
    Broken(MirrorId),
    /// It was taken into account.
    Known(KnownMirror),
}

/// Whether a change of content shows in `stamp` for certain.
pub fn is_settled(stamp: Stamp, now_ms: i64) -> bool {
    let age_ms = now_ms - stamp.modified_ns.div_euclid(1_000_000);
    // A time in the future comes from a clock that was set back: nothing follows from it.
    stamp.size_bytes > SMALL_MIRROR_BYTES as u64 || !(0..COARSE_TIME_MS).contains(&age_ms)
}

/// Whether a mirror with this hash holds the edit that was logged last. Once a mirror was written behind
/// that, the same content is a new edit; `proves` says whether a record proves that its mirror was there.
pub fn is_logged(
    last_edit: Option<LoggedEdit>,
    mirror_hash: u64,
    record: Option<&MirrorRecord>,
    proves: impl Fn(&MirrorRecord) -> bool,
) -> bool {
    last_edit.is_some_and(|edit| {
        let is_behind = |record: &MirrorRecord| proves(record) && record.log_end >= edit.log_end;
        edit.mirror_hash == mirror_hash && !record.is_some_and(is_behind)
    })
}
