//! Reading a log and its mirror where the lock between processes is not held: by who may only read the folder.
//!
//! Others may write meanwhile, so what was read may be two halves that do not belong together: a log and a newer mirror,
//! or the beginning of a line that is being written. The stamps of both files show whether that happened; then both
//! are read again. A log that only grows does no harm.
//!
//! Where a log ends within a line, the stamps may say the same twice while its writer waits for a processor or a disk.
//! So where there is a lock file, which every writer makes first, that line counts as being written until the log has not
//! been changed for `WRITING_MS`.
//!
//! Invariant: after `READS_MAX` readings, and `WRITING_MS` where the log ends within a line, the last one is used. It
//! holds whole entries only, as any reading does.

use crate::error::Result;
use crate::files::context::Context;
use crate::files::lock::LOCK_FILE;
use crate::files::log::paths::LogPaths;
use crate::files::open::loaded::Loaded;
use crate::vfs::Stamp;

const READS_MAX: usize = 20;
const PAUSE_US: u64 = 500;
/// Who lives writes a line to its end within this time.
const WRITING_MS: u64 = 1000;
const WRITING_PAUSE_US: u64 = 10_000;

/// Calls `load` until both files were as they are at one point in time.
pub fn load_steadily(
    context: &Context,
    paths: &LogPaths,
    load: impl Fn() -> Result<Loaded>,
) -> Result<Loaded> {
    let files = &*context.files;
    let stamps = || Ok((files.stamp(&paths.log)?, files.stamp(&paths.mirror)?));
    let begun_ms = files.monotonic_ms();
    let mut reads = 1;
    loop {
        let found = if context.is_locked.get() { None } else { Some(stamps()?) };
        let loaded = load()?;
        let Some(before) = found else { return Ok(loaded) };
        let after = stamps()?;
        let is_torn = loaded.file.mending().torn_bytes > 0;
        let is_patience_over =
            reads >= READS_MAX && !(is_torn && files.monotonic_ms().saturating_sub(begun_ms) < WRITING_MS);
        let is_read = if is_torn {
            before == after && !is_being_written(context, after.0)
        } else {
            belong_together(before, after)
        };
        if is_read || is_patience_over {
            return Ok(loaded);
        }
        files.sleep_us(if reads < READS_MAX { PAUSE_US } else { WRITING_PAUSE_US });
        reads += 1;
    }
}

type BothStamps = (Option<Stamp>, Option<Stamp>);

/// Whether the files of these two checks are the same, but for a log that has grown.
fn belong_together(before: BothStamps, after: BothStamps) -> bool {
    let id = |stamp: Option<Stamp>| stamp.map(|stamp| stamp.id);
    id(before.0) == id(after.0) && before.1 == after.1
}

/// Whether somebody may be in the middle of writing to this log. A time that lies ahead says nothing.
fn is_being_written(context: &Context, log: Option<Stamp>) -> bool {
    let Some(log) = log else { return false };
    let age_ms = context.files.now_ms().saturating_sub(log.modified_ns / 1_000_000);
    let lock_file = context.data_folder.join(".progressive-storage").join(LOCK_FILE);
    u64::try_from(age_ms).unwrap_or(0) < WRITING_MS && !matches!(context.files.stamp(&lock_file), Ok(None))
}
