//! Reading a log and its mirror where the lock between processes is not held: by who may only read the folder.
//!
//! Others may write meanwhile, so what was read may be two halves that do not belong together: a log and a newer mirror,
//! or the beginning of a line that is being written. The stamps of both files show whether that happened; then both
//! are read again. A log that only grows does no harm.
//!
//! Invariant: after `READS_MAX` readings the last one is used. It holds whole entries only, as any reading does.

use crate::error::Result;
use crate::files::context::Context;
use crate::files::log::paths::LogPaths;
use crate::files::open::loaded::Loaded;
use crate::vfs::Stamp;

const READS_MAX: usize = 20;
const PAUSE_US: u64 = 500;

/// Calls `load` until both files were as they are at one point in time.
pub fn load_steadily(
    context: &Context,
    paths: &LogPaths,
    load: impl Fn() -> Result<Loaded>,
) -> Result<Loaded> {
    let files = &*context.files;
    let stamps = || Ok((files.stamp(&paths.log)?, files.stamp(&paths.mirror)?));
    let mut reads = 1;
    loop {
        let found = if context.is_locked.get() { None } else { Some(stamps()?) };
        let loaded = load()?;
        let Some(found) = found else { return Ok(loaded) };
        if reads == READS_MAX || is_steady(found, stamps()?, loaded.file.mending().torn_bytes) {
            return Ok(loaded);
        }
        reads += 1;
        files.sleep_us(PAUSE_US);
    }
}

type BothStamps = (Option<Stamp>, Option<Stamp>);

/// Whether what was read between these two checks belongs together.
fn is_steady(before: BothStamps, after: BothStamps, torn_bytes: u64) -> bool {
    let id = |stamp: Option<Stamp>| stamp.map(|stamp| stamp.id);
    let is_same_log = if torn_bytes > 0 { before.0 == after.0 } else { id(before.0) == id(after.0) };
    is_same_log && before.1 == after.1
}
