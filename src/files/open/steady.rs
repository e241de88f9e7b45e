//! Reading a log and its mirror where the lock between processes is not held: by who may only read the folder.
//!
//! Others may write meanwhile, so what was read may be two halves that do not belong together: a log and a newer mirror,
//! or the beginning of a line that is being written. Whether that happened shows in the stamps of both files; then both
//! are read again. A log that only grows does no harm.
//!
//! Invariant: after `READS_MAX` readings the last one is used. It holds whole entries only, as any reading does.

use crate::error::{Error, Result};
use crate::files::context::Context;
use crate::files::mirror::record::MirrorRecord;
use crate::files::open::catch_up::Log;
use crate::files::open::load::{Before, Loaded, load};
use crate::store::event::Details;
use crate::vfs::Stamp;

const READS_MAX: usize = 20;
const PAUSE_US: u64 = 500;

impl Log {
    /// Loads both files as they were at one point in time.
    pub(crate) fn load_steadily(&self, context: &Context, before: &Before) -> Result<Loaded> {
        let files = &*context.files;
        if self.mirror.is_wanted
            && let Err(error) = MirrorRecord::try_read(files, &self.paths)
        {
            self.tell_unreadable_record(context, &error);
        }
        let stamps = || Ok((files.stamp(&self.paths.log)?, files.stamp(&self.paths.mirror)?));
        let mut reads = 1;
        loop {
            let found = if context.is_locked.get() { None } else { Some(stamps()?) };
            let loaded = load(files, &self.paths, self.mirror.is_wanted, before.clone())?;
            let Some(found) = found else { return Ok(loaded) };
            if reads == READS_MAX || is_steady(found, stamps()?, loaded.file.mending().torn_bytes > 0) {
                return Ok(loaded);
            }
            reads += 1;
            files.sleep_us(PAUSE_US);
        }
    }

    fn tell_unreadable_record(&self, context: &Context, error: &Error) {
        let record = self.paths.record.display();
        context.tell(
            "PS_RECORD_FAILED",
            &format!("{record} {}", error.code()),
            format!(
                "'{record}' cannot be read: {}. It only helps to tell an edit from an old mirror; the log tells that as \
                 well, after a crash not always. Remove the file; it is made anew",
                error.message()
            ),
            &Details::of_log(&self.paths.name).path("path", &self.paths.record).text("reason", error.code().as_str()),
        );
    }
}

type Stamps = (Option<Stamp>, Option<Stamp>);

/// Whether what was read between these two looks belongs together.
fn is_steady(before: Stamps, after: Stamps, is_torn: bool) -> bool {
    let id = |stamp: Option<Stamp>| stamp.map(|stamp| stamp.id);
    let is_same_log = if is_torn { before.0 == after.0 } else { id(before.0) == id(after.0) };
    is_same_log && before.1 == after.1
}
