//! One log file: where it is, where it ends, appending to it, cutting it.
//!
//! ```text
//! ├──────────── whole lines ─────────────┤ end        torn tail (if any)
//! ```
//!
//! Invariant: `end` is the offset behind the last whole line. Nothing is appended while other bytes
//! stand behind `end`, and a failed append is cut off again, at the latest before the next one; where that
//! was not possible and another process has held the lock since, it counts as written.

use crate::error::{Error, Result};
use crate::files::log::bytes::{TAIL_BYTES, contains, log_mark, mark_of, read_full, tail_of};
use crate::files::log::encoder::Lines;
use crate::files::log::mending::{Mended, Mending};
use crate::files::log::paths::{LogPaths, sync_parents};
use crate::files::log::rewrite::{Fresh, Placed, RewritePlan};
use crate::files::log::torn_tail::TornTail;
use crate::vfs::Syncing;
use crate::vfs::{File, FileSystem, Stamp};

/// How far a log was read.
pub struct Extent {
    /// Offset behind the last whole line.
    pub end: u64,
    /// Lines before that.
    pub lines: u64,
    /// What is wrong with the file.
    pub mending: Mending,
}

/// How an append ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The log ends with what was appended.
    Alone,
    /// A program that takes no lock wrote at the same time: the log must be read again.
    Interleaved,
    /// Another one wrote before, and what was appended was made without knowing that: it was cut off again.
    Outdated,
}

/// What of an append is synced before it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncOf {
    /// Nothing: `fsync: 'never'`.
    Nothing,
    /// What the barriers ask for.
    Barriers,
    /// All of it.
    All,
}

/// See the header of this file.
#[expect(clippy::struct_excessive_bools, reason = "each is a sync of its own that may be owed")]
pub struct LogFile {
    paths: LogPaths,
    handle: Option<Box<dyn File>>,
    /// Open to read as long as the log is the one that is known: should it lose its name, what others have appended
    /// to it is still there. Not on Windows, where an open file may be in the way of others.
    witness: Option<Box<dyn File>>,
    stamp: Option<Stamp>,
    end: u64,
    /// The last bytes before `end`.
    tail: Vec<u8>,
    /// Lines before `end`.
    lines: u64,
    mending: Mending,
    /// Another process has held the lock since an append failed that could not be undone.
    is_failure_shared: bool,
    is_folder_unsynced: bool,
    are_parents_synced: bool,
    /// How long the last sync took, until somebody asks.
    sync_us: Option<u64>,
    /// Lines before the end may not be on disk: those of `fsync: 'interval'`, and those that another process
    /// wrote and may not have lived to sync.
    is_unsynced: bool,
    /// Among them may be an edit that only the mirror has besides.
    has_unsynced_edit: bool,
}

impl LogFile {
    /// A log without a file.
    pub fn new(paths: LogPaths) -> Self {
        Self {
            paths,
            handle: None,
            witness: None,
            stamp: None,
            end: 0,
            tail: Vec::new(),
            lines: 0,
            mending: Mending::default(),
            is_failure_shared: false,
            is_folder_unsynced: false,
            are_parents_synced: false,
            sync_us: None,
            is_unsynced: false,
            has_unsynced_edit: false,
        }
    }

    /// A log that was read so far; `file` is open on it.
    pub fn at(paths: LogPaths, file: &mut dyn File, extent: Extent) -> Result<Self> {
        let Extent { end, lines, mending } = extent;
        let (stamp, tail) = known_of(file, end, mending.torn_bytes)?;
        Ok(Self {
            stamp: Some(stamp),
            end,
            tail,
            lines,
            mending,
            is_folder_unsynced: true,
            is_unsynced: true,
            ..Self::new(paths)
        })
    }

    /// Where the files of the log are.
    pub fn paths(&self) -> &LogPaths {
        &self.paths
    }

    /// Offset behind the last whole line.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Lines before the end.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// What to compare the file at the path with.
    pub fn stamp(&self) -> Option<Stamp> {
        self.stamp
    }

    /// What the next append mends first.
    pub fn mending(&self) -> &Mending {
        &self.mending
    }

    /// How long the last sync took, in microseconds; `None` when that was asked already.
    pub fn take_sync_us(&mut self) -> Option<u64> {
        self.sync_us.take()
    }

    /// Tells this log from another of the same length.
    pub fn mark(&self) -> u64 {
        mark_of(&self.tail)
    }

    /// Whether lines before the end may not be on disk.
    pub fn is_unsynced(&self) -> bool {
        self.is_unsynced
    }

    /// Whether among them may be an edit that only the mirror has besides.
    pub fn has_unsynced_edit(&self) -> bool {
        self.has_unsynced_edit
    }

    /// An edit that was found in a mirror is among the lines that were read.
    pub fn note_unsynced_edit(&mut self) {
        self.has_unsynced_edit = true;
    }

    /// All lines before the end were synced before the file came to its place.
    pub fn note_synced(&mut self) {
        self.is_unsynced = false;
    }

    /// Whether `file` begins with what we know: true when it only grew.
    pub fn is_beginning_of(&self, file: &mut dyn File) -> Result<bool> {
        Ok(log_mark(file, self.end)? == self.mark())
    }

    /// Opens the log as its own witness, once. Failing to costs nothing but that.
    pub fn keep_witness(&mut self, files: &dyn FileSystem) {
        if cfg!(windows) || self.witness.is_some() || self.stamp.is_none() {
            return;
        }
        let opened = files.open_read(&self.paths.log).ok().flatten();
        self.witness = opened.filter(|file| file.stamp().ok().map(|it| it.id) == self.stamp.map(|it| it.id));
    }

    /// The log that is known, whatever stands at its path.
    pub fn known_log(&mut self) -> Option<&mut (dyn File + 'static)> {
        let known = self.stamp?;
        let witness = self.witness.as_deref_mut()?;
        (witness.stamp().ok()?.id == known.id).then_some(witness)
    }

    /// The log that is known, whatever stands at its path, if it has more than is known.
    pub fn witness(&mut self) -> Option<&mut (dyn File + 'static)> {
        let known = self.stamp?;
        let witness = self.witness.as_deref_mut()?;
        let found = witness.stamp().ok()?;
        (found.id == known.id && found.size_bytes > self.end).then_some(witness)
    }

    /// Whether our last bytes stand anywhere in `file`: then it has all that we know, maybe without damaged lines.
    pub fn is_in(&self, file: &mut dyn File) -> Result<bool> {
        contains(file, &self.tail)
    }

    /// Takes over lines that another process appended, behind which there is nothing to mend: the log was read so far.
    pub fn advance(&mut self, file: &mut dyn File, extent: &Extent) -> Result<()> {
        let Extent { end, lines, mending } = extent;
        let (stamp, tail) = known_of(file, *end, 0)?;
        self.stamp = Some(stamp);
        self.tail = tail;
        self.end = *end;
        self.lines = *lines;
        self.mending = Mending {
            is_unterminated: mending.is_unterminated,
            is_doubtful: self.mending.is_doubtful,
            ..Mending::default()
        };
        self.is_failure_shared = false;
        self.sync_us = None;
        self.is_unsynced = true;
        Ok(())
    }

    /// Closes the file before another takes its place: Windows does not replace an open one on every file
    /// system. The next append opens it again.
    pub fn close(&mut self) {
        self.handle = None;
        self.witness = None;
    }

    /// Takes over what was read anew, keeping what is still to be synced.
    pub fn replace_by(&mut self, read: Self) {
        let is_doubtful = self.mending.is_doubtful;
        *self = Self { are_parents_synced: self.are_parents_synced, ..read };
        self.mending.is_doubtful |= is_doubtful && !self.tail.is_empty();
    }

    /// True when an append of ours failed and could not be undone yet.
    pub fn has_failed_append(&self) -> bool {
        !self.mending.failed_append.is_empty()
    }

    /// Another process has held the lock since this one did. It may have taken what we failed to undo for written: it
    /// may have logged, shown in a mirror or acknowledged something that follows from it.
    pub fn lock_was_others(&mut self) {
        self.is_failure_shared |= self.has_failed_append();
    }

    /// Somebody else has been there since. Where it still is our file, they may have taken over what we failed to
    /// sync, so the next write syncs all of the log anew.
    pub fn doubt_failed_append(&mut self, found: Option<Stamp>) {
        self.mending.failed_append = Vec::new();
        self.is_failure_shared = false;
        self.mending.is_doubtful |= found.is_some() && found.map(|it| it.id) == self.stamp.map(|it| it.id);
        self.handle = None;
    }

    /// True when an append of ours failed, nobody else has been there since, and nothing but a part of it stands
    /// behind the end. Anything else was written since, by a program to which it is a part of the log.
    pub fn has_only_failed_append_behind(
        &self,
        files: &dyn FileSystem,
        found: Option<Stamp>,
    ) -> Result<bool> {
        let (Some(known), Some(found)) = (self.stamp, found) else { return Ok(false) };
        let attempted = &self.mending.failed_append;
        let left_bytes = found.size_bytes.checked_sub(self.end).and_then(|bytes| usize::try_from(bytes).ok());
        let Some(left) = left_bytes.and_then(|bytes| attempted.get(..bytes)) else { return Ok(false) };
        if attempted.is_empty() || found.id != known.id {
            return Ok(false);
        }
        if left.is_empty() || self.is_failure_shared {
            return Ok(left.is_empty());
        }
        let Some(mut log) = files.open_read(&self.paths.log)? else { return Ok(false) };
        let mut behind = vec![0; left.len()];
        Ok(read_full(&mut *log, &mut behind, self.end)? == left.len() && behind == left)
    }

    /// Makes the file ready for appending: sets damage aside, cuts what is not in use. Where the log is
    /// written anew for that, it ends with `behind`.
    pub fn mend(&mut self, files: &dyn FileSystem, syncing: Syncing, behind: &Lines) -> Result<Mended> {
        if self.mending.torn_bytes > 0 && self.set_torn_tail_aside(files, syncing)? == Mended::Outdated {
            return Ok(Mended::Outdated);
        }
        if self.mending.needs_rewrite() {
            self.write_anew(files, syncing, behind)?;
        }
        if self.has_failed_append() {
            let found = files.stamp(&self.paths.log)?;
            if self.has_only_failed_append_behind(files, found)? {
                files.truncate(&self.paths.log, self.end, syncing)?;
                self.stamp = files.stamp(&self.paths.log)?;
                self.mending.failed_append = Vec::new();
            } else {
                self.doubt_failed_append(found);
            }
        }
        Ok(Mended::Whole)
    }

    /// Replaces the log by a new file with its good lines and `behind`; the damaged ones go to
    /// `NAME.log.corrupt.N`. What others append meanwhile is behind them, not known yet.
    fn write_anew(&mut self, files: &dyn FileSystem, syncing: Syncing, behind: &Lines) -> Result<()> {
        let Some(log) = files.open_read(&self.paths.log)? else { return Ok(()) };
        let plan = RewritePlan::of(&self.mending, self.end, self.lines);
        let fresh = Fresh::write(files, &self.paths, &plan, behind, syncing, log)?;
        self.close();
        let placed = fresh.place(files, &self.paths, syncing)?;
        // The log is in its place, whatever became of what others appended in the last instant.
        self.take_rewritten(files, &plan, behind, &placed).and(placed.rescued)
    }

    fn take_rewritten(
        &mut self,
        files: &dyn FileSystem,
        plan: &RewritePlan,
        behind: &Lines,
        placed: &Placed,
    ) -> Result<()> {
        let is_terminated = placed.is_terminated;
        // The name is made durable by the next sync, before anything is acknowledged.
        self.is_folder_unsynced = true;
        self.end = plan.end() + u64::from(is_terminated) + behind.bytes.len() as u64;
        self.lines = plan.lines() + behind.count;
        self.mending.was_written_anew();
        self.mending.is_unterminated &= !is_terminated;
        self.stamp = files.stamp(&self.paths.log)?;
        if let Some(stamp) = &mut self.stamp {
            // What others have appended is not known yet.
            stamp.size_bytes = stamp.size_bytes.min(self.end);
        }
        if let Some(mut mended) = files.open_read(&self.paths.log)? {
            self.tail = tail_of(&mut *mended, self.end)?;
        }
        Ok(())
    }

    /// Moves the bytes behind the end to `NAME.log.torn.N`, unless somebody has appended to them since.
    fn set_torn_tail_aside(&mut self, files: &dyn FileSystem, syncing: Syncing) -> Result<Mended> {
        let tail = TornTail { end: self.end, bytes: self.mending.torn_bytes };
        if tail.set_aside(files, &self.paths, syncing)? == Mended::Outdated {
            return Ok(Mended::Outdated);
        }
        self.mending.torn_bytes = 0;
        self.stamp = files.stamp(&self.paths.log)?;
        Ok(Mended::Whole)
    }

    /// Appends whole lines and syncs them. On failure the log is as before.
    pub fn append(&mut self, files: &dyn FileSystem, lines: &Lines, sync: SyncOf) -> Result<Appended> {
        let is_all = sync == SyncOf::All;
        if self.mend(files, is_all.into(), &Lines::default())? == Mended::Outdated {
            return Err(Error::log_replaced(&self.paths.log, "its torn tail was set aside"));
        }
        let bytes = &lines.bytes;
        match self.append_and_sync(files, lines, sync) {
            Ok(stamp) => {
                if std::mem::take(&mut self.mending.is_unterminated) {
                    self.end += 1;
                    self.tail.push(b'\n');
                }
                if self.is_behind_others(files, bytes, stamp.size_bytes)? {
                    return Ok(Appended::Outdated);
                }
                self.end += bytes.len() as u64;
                self.lines += lines.count;
                self.stamp = Some(stamp);
                self.is_unsynced = !is_all;
                self.has_unsynced_edit &= !is_all;
                self.tail.extend_from_slice(&bytes[bytes.len().saturating_sub(TAIL_BYTES)..]);
                self.tail.drain(..self.tail.len().saturating_sub(TAIL_BYTES));
                if stamp.size_bytes == self.end {
                    return Ok(Appended::Alone);
                }
                // The file is not what it should be, and is to be read again.
                self.stamp = Some(Stamp { size_bytes: self.end, ..stamp });
                Ok(Appended::Interleaved)
            }
            Err(error) => {
                let line_break: &[u8] = if self.mending.is_unterminated { b"\n" } else { b"" };
                self.mending.failed_append = [line_break, bytes].concat();
                self.is_failure_shared = false;
                // Where this fails too, the next append tries again before anything else.
                if self.mend(files, is_all.into(), &Lines::default()).is_err() {
                    self.handle = None;
                }
                Err(error)
            }
        }
    }

    /// Whether somebody else's lines stand between the end and what was just appended, which then is cut off again: it
    /// was made from a state that was not the newest. Where yet other lines stand behind it, it stays.
    fn is_behind_others(&self, files: &dyn FileSystem, bytes: &[u8], file_end: u64) -> Result<bool> {
        let ours_at = file_end.saturating_sub(bytes.len() as u64);
        if ours_at <= self.end {
            return Ok(false);
        }
        let Some(mut log) = files.open_read(&self.paths.log)? else { return Ok(false) };
        let mut holds_ours = |at| {
            let mut found = vec![0; bytes.len()];
            Ok::<_, Error>(read_full(&mut *log, &mut found, at)? == bytes.len() && found == bytes)
        };
        if holds_ours(self.end)? || !holds_ours(ours_at)? {
            return Ok(false);
        }
        // The last check comes just before the cut.
        let is_last = files.stamp(&self.paths.log)?.is_some_and(|found| found.size_bytes == file_end);
        if is_last {
            files.truncate(&self.paths.log, ours_at, Syncing::On)?;
        }
        Ok(is_last)
    }

    fn append_and_sync(&mut self, files: &dyn FileSystem, lines: &Lines, sync: SyncOf) -> Result<Stamp> {
        let is_all = sync == SyncOf::All;
        if self.handle.is_none() {
            self.paths.create_folders(files, is_all.into())?;
            let (handle, is_new) = files.open_append(&self.paths.log)?;
            self.is_folder_unsynced |= is_new;
            if self.stamp.is_none() {
                self.stamp = Some(handle.stamp()?);
            }
            self.handle = Some(handle);
        }
        let Some(handle) = &mut self.handle else { return Err(Error::internal("the log is not open")) };
        if self.mending.is_unterminated {
            handle.append(b"\n")?;
            // Were it lost in a power cut and what follows kept, the last line would hang together with that.
            if sync != SyncOf::Nothing {
                handle.sync_data()?;
            }
        }
        let mut written = 0;
        for barrier in lines.barriers.iter().filter(|_| sync != SyncOf::Nothing) {
            handle.append(&lines.bytes[written..*barrier])?;
            handle.sync_data()?;
            written = *barrier;
        }
        handle.append(&lines.bytes[written..])?;
        if is_all {
            let started_us = files.monotonic_us();
            handle.sync_data()?;
            self.sync_us = Some(files.monotonic_us().saturating_sub(started_us));
        }
        let written_id = handle.stamp()?.id;
        if is_all {
            self.sync_folder(files)?;
        }
        match files.stamp(&self.paths.log)? {
            Some(stamp) if stamp.id == written_id => Ok(stamp),
            _ => Err(Error::log_replaced(&self.paths.log, "it was written")),
        }
    }

    /// Syncs what was appended without a sync.
    ///
    /// # Errors
    /// Once it failed, a further sync of the same file proves nothing: then the log is written anew, which
    /// needs the lock between processes.
    pub fn sync(&mut self, files: &dyn FileSystem) -> Result<()> {
        if self.mending.is_doubtful {
            self.mend(files, Syncing::On, &Lines::default())?;
        } else {
            let started_us = files.monotonic_us();
            let synced = match &mut self.handle {
                Some(handle) => handle.sync_data(),
                None => files.open_append(&self.paths.log).and_then(|(mut log, _)| log.sync_data()),
            };
            self.mending.is_doubtful = synced.is_err();
            synced?;
            self.sync_us = Some(files.monotonic_us().saturating_sub(started_us));
        }
        self.sync_folder(files)?;
        self.is_unsynced = false;
        self.has_unsynced_edit = false;
        Ok(())
    }

    /// Makes the file's name durable, and those of its folders: that they are there does not mean that
    /// whoever made them lived to sync them.
    pub fn sync_folder(&mut self, files: &dyn FileSystem) -> Result<()> {
        if self.is_folder_unsynced {
            files.sync_dir(&self.paths.logs_folder)?;
            if !self.are_parents_synced {
                sync_parents(files, &self.paths.data_folder)?;
                self.are_parents_synced = true;
            }
            self.is_folder_unsynced = false;
        }
        Ok(())
    }
}

/// Stamp and last bytes of a log that was read up to `end` and `torn_bytes` behind it.
fn known_of(file: &mut dyn File, end: u64, torn_bytes: u64) -> Result<(Stamp, Vec<u8>)> {
    let mut stamp = file.stamp()?;
    // What another program has appended since it was read is not known yet.
    stamp.size_bytes = stamp.size_bytes.min(end + torn_bytes);
    Ok((stamp, tail_of(file, end)?))
}
