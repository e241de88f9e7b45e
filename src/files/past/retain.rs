//! What becomes of old logs, and when a log becomes one: rotation, compression, and removal of those too many.
//!
//! ```text
//! NAME.log ──compaction──> NAME.log.backup.N  ──a day──> NAME.log.backup.N.gz  ──too many──> gone
//!          ──rotation────> NAME.log.archive.N ──a day──> NAME.log.archive.N.gz ──too many──> gone
//! ```
//!
//! A rotation is a compaction whose old log becomes an archive: the state stays whole. It is looked at where
//! somebody asks (`Work::Maintain`, the scheduler); nothing wakes up for it. A compaction by itself removes what is too
//! many, and compresses nothing: who has just compacted finds the backups as they were.
//!
//! A file is compressed by the worker beside its place; synced, read back and compared; renamed under the lock, the
//! folder synced; and only then is the plain one removed. A crash leaves the plain one, or both.
//!
//! Invariant: at each instant each old log that is to be kept is there whole, in one form at least.

use std::io::{self, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use xxhash_rust::xxh3::Xxh3;

use crate::data::json;
use crate::error::{Error, Result};
use crate::files::compact::job::{CompressDone, CompressJob, Job};
use crate::files::context::Context;
use crate::files::folder::Folder;
use crate::files::log::lines::LineReader;
use crate::files::mirror::content::create_held;
use crate::files::open::catch_up::Log;
use crate::files::past::old_logs::{Kind, OldLog, Unzipped, old_logs};
use crate::files::policy::{OldFile, is_compaction_due, is_rotation_due, to_compress, too_many};
use crate::files::write::stage::Run;
use crate::store::answer::Answer;
use crate::store::event::Details;
use crate::store::request::Maintenance;
use crate::store::ticket::Ticket;
use crate::vfs::{File, FileSystem};

const COPY_BYTES: usize = 1 << 20;

impl Folder {
    /// A file that was to be compressed is left to a later look.
    pub fn leave_uncompressed(&mut self, job: &CompressJob) {
        if let Some(log) = self.logs.get_mut(&job.log) {
            log.is_compressing = false;
        }
    }
}

impl Log {
    /// What the scheduler asks for: a rotation or a compaction if it is due, and a look at the old logs.
    pub(crate) fn maintain(&mut self, context: &Context, wanted: Maintenance, ticket: Ticket, run: &mut Run) {
        let live_bytes = self.shelf.published.read().state.live_bytes();
        let log_bytes = self.file.end();
        let due = self.is_rotation_due(context, wanted).map(|is_due| {
            if is_due {
                Some(Kind::Archive)
            } else {
                is_compaction_due(log_bytes, live_bytes, wanted.threshold_bytes).then_some(Kind::Backup)
            }
        });
        match due {
            Ok(Some(kind)) if !self.compaction.is_running() => self.compact_as(context, kind, ticket, run),
            Ok(_) => {
                self.retain(context, run.jobs);
                run.answer(ticket, Ok(Answer::Bool(false)));
            }
            Err(error) => run.answer(ticket, Err(error)),
        }
    }

    fn is_rotation_due(&mut self, context: &Context, wanted: Maintenance) -> Result<bool> {
        let live_bytes = self.shelf.published.read().state.live_bytes();
        if wanted
            .rotate_over_bytes
            .is_some_and(|limit_bytes| is_compaction_due(self.file.end(), live_bytes, limit_bytes))
        {
            return Ok(true);
        }
        let (Some(boundary_ms), Some(stamp)) = (wanted.boundary_ms, self.file.stamp()) else {
            return Ok(false);
        };
        let files = &*context.files;
        let old = old_logs(files, &self.paths)?;
        let mut last_rotation_ms = None;
        for archive in old.iter().filter(|old| old.kind == Kind::Archive) {
            last_rotation_ms = last_rotation_ms.max(archive.made_ms(files)?);
        }
        let begins_ms = match last_rotation_ms {
            Some(_) => None,
            None => self.begins_ms(files, &old)?,
        };
        Ok(is_rotation_due(last_rotation_ms, begins_ms, stamp.modified_ns.div_euclid(1_000_000), boundary_ms))
    }

    /// Since when there is something to rotate, for a log that never was: the oldest record says so. One in the future
    /// says nothing but that the clock was ahead.
    fn begins_ms(&self, files: &dyn FileSystem, old: &[OldLog]) -> Result<Option<i64>> {
        let first_ms = match old.first() {
            Some(oldest) => Some(oldest.number),
            None => self.first_entry_ms(files)?,
        };
        let now_ms = files.now_ms();
        Ok(first_ms.map(|first_ms| if first_ms > now_ms { i64::MIN } else { first_ms }))
    }

    fn first_entry_ms(&self, files: &dyn FileSystem) -> Result<Option<i64>> {
        let Some(mut log) = files.open_read(&self.paths.log)? else { return Ok(None) };
        let mut reader = LineReader::new(&mut *log, 0, self.file.end(), 1);
        while let Some(line) = reader.next_line()? {
            if let Some(entry) = line.entry()
                && let Some(time_ms) = entry.time().and_then(json::time_ms)
            {
                return Ok(Some(time_ms));
            }
        }
        Ok(None)
    }

    /// Removes old logs that are too many.
    pub(crate) fn remove_old(&mut self, context: &Context) {
        if let Err(error) = self.try_remove_old(context) {
            self.retaining_failed(context, &error);
        }
    }

    /// The same, and begins to compress one that is old enough.
    fn retain(&mut self, context: &Context, jobs: &mut Vec<Job>) {
        let begun = self.try_remove_old(context).and_then(|()| self.try_compress(context, jobs));
        if let Err(error) = begun {
            self.retaining_failed(context, &error);
        }
    }

    fn old_logs(&self, context: &Context) -> Result<(Vec<OldLog>, Vec<OldFile>)> {
        let files = &*context.files;
        let old = old_logs(files, &self.paths)?;
        let described = old.iter().map(|old| {
            let size_bytes = files.stamp(&old.found_path())?.map_or(0, |stamp| stamp.size_bytes);
            Ok(OldFile {
                number: old.number,
                is_archive: old.kind == Kind::Archive,
                is_compressed: old.is_compressed,
                size_bytes,
            })
        });
        let described = described.collect::<Result<_>>()?;
        Ok((old, described))
    }

    fn try_remove_old(&mut self, context: &Context) -> Result<()> {
        let (old, described) = self.old_logs(context)?;
        for at in too_many(&described, context.options.retention).into_iter().rev() {
            let gone = &old[at];
            context.files.remove(&gone.path)?;
            context.files.remove(&gone.compressed_path())?;
            let size_bytes = described[at].size_bytes;
            self.tell_of(context, &gone.found_path(), size_bytes, "removed", "was one too many");
        }
        self.count_old(context)
    }

    /// Counts backups and archives, for the metrics.
    pub(crate) fn count_old(&self, context: &Context) -> Result<()> {
        let (_, described) = self.old_logs(context)?;
        let sum = |is_archive: bool| {
            let kind = described.iter().filter(|old| old.is_archive == is_archive);
            kind.fold((0, 0), |(count, bytes), old| (count + 1, bytes + old.size_bytes))
        };
        self.shelf.metrics.backups.set(sum(false));
        self.shelf.metrics.archives.set(sum(true));
        Ok(())
    }

    fn try_compress(&mut self, context: &Context, jobs: &mut Vec<Job>) -> Result<()> {
        if self.is_compressing || !context.options.retention.compress {
            return Ok(());
        }
        let (mut old, described) = self.old_logs(context)?;
        if let Some(at) = to_compress(&described, context.files.now_ms()) {
            self.is_compressing = true;
            let old = old.swap_remove(at);
            jobs.push(Job::Compress(CompressJob {
                log: self.paths.name.clone(),
                temporary: context.temporary(&old.compressed_path()),
                old,
                sync: context.sync_ever(),
            }));
        }
        Ok(())
    }

    /// Takes a compressed file that a job made. `ready` tells whether the lock is held.
    pub(crate) fn compress_done(
        &mut self,
        context: &Context,
        done: CompressDone,
        ready: Result<()>,
        jobs: &mut Vec<Job>,
    ) {
        self.is_compressing = false;
        let CompressDone { old, temporary, result, .. } = done;
        let files = &*context.files;
        let placed = ready.and(result).and_then(|file| {
            let size_bytes = file.stamp()?.size_bytes;
            // Some systems do not let others read a locked file.
            drop(file);
            if files.stamp(&old.path)?.is_none() {
                // Removed meanwhile, as one too many.
                files.remove(&temporary)?;
                return Ok(None);
            }
            files.rename(&temporary, &old.compressed_path())?;
            if context.sync_ever() {
                files.sync_dir(&self.paths.logs_folder)?;
            }
            files.remove(&old.path)?;
            Ok(Some(size_bytes))
        });
        match placed {
            Ok(size_bytes) => {
                if let Some(size_bytes) = size_bytes {
                    self.tell_of(context, &old.compressed_path(), size_bytes, "compressed", "was compressed");
                }
                self.retain(context, jobs);
            }
            Err(error) => {
                // Swept up later if this fails.
                let _ = files.remove(&temporary);
                self.retaining_failed(context, &error);
            }
        }
    }

    fn tell_of(&self, context: &Context, path: &Path, size_bytes: u64, action: &str, what: &str) {
        let details = Details::of_log(&self.paths.name)
            .path("path", path)
            .number("sizeBytes", size_bytes)
            .text("action", action);
        context.tell("PS_BACKUP", "", format!("'{}' {what}", path.display()), &details);
    }

    fn retaining_failed(&self, context: &Context, error: &Error) {
        context.tell(
            "PS_BACKUP_FAILED",
            &format!("{} {}", self.paths.log.display(), error.code()),
            format!(
                "Old backups or archives of the log '{}' could not be compressed or removed: {}. They are as they were, \
                 and it is tried again after the next compaction",
                self.paths.name, error.message()
            ),
            &Details::of_log(&self.paths.name).text("reason", error.code().as_str()),
        );
    }
}

/// Compresses an old log beside its place and reads it back; gives the open file.
pub fn compress(files: &dyn FileSystem, old: &OldLog, temporary: &Path, sync: bool) -> Result<Box<dyn File>> {
    let Some(mut plain) = files.open_read(&old.path)? else {
        return Err(Error::gone(&old.path));
    };
    let held = create_held(files, temporary, &old.path)?;
    let mut encoder = GzEncoder::new(Target { file: held }, Compression::default());
    let mut wanted = Xxh3::new();
    each_piece(&mut *plain, |piece| {
        wanted.update(piece);
        encoder.write_all(piece).map_err(failure)
    })?;
    let mut held = encoder.finish().map_err(failure)?.file;
    if sync {
        held.sync_data()?;
    }
    let mut found = Xxh3::new();
    // Through the handle that holds the lock: some systems do not let others read a locked file.
    let mut written = Unzipped::new(held, temporary.to_owned());
    each_piece(&mut written, |piece| {
        found.update(piece);
        Ok(())
    })?;
    let held = written.into_file().ok_or_else(|| Error::internal("a compressed file got lost"))?;
    if found.digest() != wanted.digest() {
        return Err(Error::compressed_wrongly(&old.path));
    }
    Ok(held)
}

fn each_piece(file: &mut dyn File, mut visit: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut buffer = vec![0; COPY_BYTES];
    let mut offset = 0;
    loop {
        let read = file.read_at(&mut buffer, offset)?;
        if read == 0 {
            return Ok(());
        }
        visit(&buffer[..read])?;
        offset += read as u64;
    }
}

/// What a failed write of a compressed piece was.
fn failure(error: io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(ours) => ours,
        Err(other) => Error::internal(&format!("a piece could not be compressed: {other}")),
    }
}

struct Target {
    file: Box<dyn File>,
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.append(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
