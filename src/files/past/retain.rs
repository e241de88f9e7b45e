//! What becomes of old logs: compression, and removal of those that are too many.
//!
//! ```text
//! NAME.log ──compaction──> NAME.log.backup.N  ──a day──> NAME.log.backup.N.gz  ──too many──> gone
//!          ──rotation────> NAME.log.archive.N ──a day──> NAME.log.archive.N.gz ──too many──> gone
//! ```
//!
//! A compaction by itself removes what is too many, and compresses nothing: who has just compacted finds the backups as
//! they were. See `rotation` for when a log becomes an archive.
//!
//! A file is compressed by the worker beside its place; synced, read back and compared; renamed under the lock, the
//! folder synced; and only then is the plain one removed. A crash leaves the plain one, or both.
//!
//! Invariant: at each instant each old log that is to be kept is there whole, in one form at least.

use crate::error::Result;
use crate::files::context::Context;
use crate::files::event::Event;
use crate::files::log::paths::LogPaths;
use crate::files::metrics::LogMetrics;
use crate::files::past::compress::{CompressDone, CompressJob};
use crate::files::past::old_logs::{count_old, described_old_logs};
use crate::files::retention::{to_compress, too_many};

/// See the header of this file.
#[derive(Default)]
pub struct Retainer {
    /// An old log is being compressed.
    is_compressing: bool,
}

impl Retainer {
    /// Removes old logs that are too many.
    pub fn remove_old(context: &Context, paths: &LogPaths, metrics: &LogMetrics) {
        if let Err(error) = try_remove_old(context, paths, metrics) {
            context.notify(paths, &Event::BackupFailed { error: &error });
        }
    }

    /// The same, and begins to compress one that is old enough.
    pub fn retain(
        &mut self,
        context: &Context,
        paths: &LogPaths,
        metrics: &LogMetrics,
    ) -> Option<CompressJob> {
        let begun =
            try_remove_old(context, paths, metrics).and_then(|()| self.begin_to_compress(context, paths));
        begun.unwrap_or_else(|error| {
            context.notify(paths, &Event::BackupFailed { error: &error });
            None
        })
    }

    fn begin_to_compress(&mut self, context: &Context, paths: &LogPaths) -> Result<Option<CompressJob>> {
        if self.is_compressing || !context.options.retention.compress {
            return Ok(None);
        }
        let (mut old, described) = described_old_logs(&*context.files, paths)?;
        let Some(at) = to_compress(&described, context.files.now_ms()) else { return Ok(None) };
        self.is_compressing = true;
        let old = old.swap_remove(at);
        Ok(Some(CompressJob {
            log: paths.name.clone(),
            temporary: context.temporary(&old.compressed_path()),
            old,
            syncing: context.syncing(),
        }))
    }

    /// A file that was to be compressed stays plain for now: the next `retain` begins anew.
    pub fn leave_uncompressed(&mut self) {
        self.is_compressing = false;
    }

    /// Takes a compressed file that a job made; gives the next job. `ready` says whether the lock is held.
    pub fn compress_done(
        &mut self,
        context: &Context,
        paths: &LogPaths,
        metrics: &LogMetrics,
        done: CompressDone,
        ready: Result<()>,
    ) -> Option<CompressJob> {
        self.is_compressing = false;
        let (path, temporary) = (done.old.compressed_path(), done.temporary.clone());
        match place(context, paths, done, ready) {
            Ok(size_bytes) => {
                if let Some(size_bytes) = size_bytes {
                    context.notify(paths, &Event::BackupCompressed { path: &path, size_bytes });
                }
                self.retain(context, paths, metrics)
            }
            Err(error) => {
                // Swept up later if this fails.
                let _ = context.files.remove(&temporary);
                context.notify(paths, &Event::BackupFailed { error: &error });
                None
            }
        }
    }
}

/// Moves a compressed file into its place and removes the plain one; gives its size.
fn place(context: &Context, paths: &LogPaths, done: CompressDone, ready: Result<()>) -> Result<Option<u64>> {
    let CompressDone { old, temporary, result, .. } = done;
    let files = &*context.files;
    let file = ready.and(result)?;
    let size_bytes = file.stamp()?.size_bytes;
    // Some systems do not let others read a locked file.
    drop(file);
    if files.stamp(&old.path)?.is_none() {
        // Removed meanwhile, as one too many.
        files.remove(&temporary)?;
        return Ok(None);
    }
    files.rename(&temporary, &old.compressed_path())?;
    if context.syncing().is_on() {
        files.sync_dir(&paths.logs_folder)?;
    }
    let _plain = files.free_beside(&old.path);
    files.remove(&old.path)?;
    Ok(Some(size_bytes))
}

fn try_remove_old(context: &Context, paths: &LogPaths, metrics: &LogMetrics) -> Result<()> {
    let (old, described) = described_old_logs(&*context.files, paths)?;
    for at in too_many(&described, context.options.retention).into_iter().rev() {
        let gone = &old[at];
        for path in [&gone.path, &gone.compressed_path()] {
            let _gone = context.files.free_beside(path);
            context.files.remove(path)?;
        }
        let size_bytes = described[at].size_bytes;
        context.notify(paths, &Event::BackupRemoved { path: &gone.found_path(), size_bytes });
    }
    count_old(&*context.files, paths, metrics)
}
