//! What a user may choose for a data folder.

use crate::files::retention::Retention;

/// When an entry counts as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FsyncMode {
    /// Acknowledged once it is on disk.
    Always,
    /// Acknowledged once the system has it; on disk at most this many milliseconds later.
    Interval(u64),
    /// Acknowledged once the system has it; on disk when the system likes. For tests.
    Never,
}

/// What to do with a log that has damaged lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnCorruption {
    /// Use all undamaged lines; set the others aside with the next write.
    Salvage,
    /// Fail every call on that log with `ERR_LOG_CORRUPT` and change nothing.
    Refuse,
}

/// When mirrors are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MirrorMode {
    /// A small one with each change, a large one soon after it.
    Follow,
    /// By flush, close and exit, and before a compaction. A change alone writes none.
    Close,
}

/// Choices for one data folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Options {
    /// When an entry counts as written.
    pub fsync: FsyncMode,
    /// What to do with damaged lines.
    pub on_corruption: OnCorruption,
    /// When mirrors are written.
    pub mirror: MirrorMode,
    /// What becomes of old logs.
    pub retention: Retention,
    /// So many bytes of the values of each log are kept in memory; `None`: all of them.
    pub cache_bytes: Option<u64>,
}

/// All values are in memory, unless the environment of tests says otherwise.
fn usual_cache_bytes() -> Option<u64> {
    if !cfg!(any(test, feature = "simulation")) {
        return None;
    }
    std::env::var("TEST_CACHE_BYTES").ok()?.parse().ok()
}

impl Default for Options {
    fn default() -> Self {
        Self {
            fsync: FsyncMode::Always,
            on_corruption: OnCorruption::Salvage,
            mirror: MirrorMode::Follow,
            retention: Retention::default(),
            cache_bytes: usual_cache_bytes(),
        }
    }
}
