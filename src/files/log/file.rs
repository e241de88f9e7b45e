//! One log file: where it is, where it ends, appending to it, cutting it.
//!
//! ```text
//! ├──────────── whole lines ─────────────┤ end        torn tail (if any)
//! ```
//!
//! Invariant: `end` is the offset behind the last whole line. Nothing is appended while other bytes
//! stand behind `end`, and a failed append is cut off again, at the latest before the next one; where that
//! was not possible and another process has had the lock since, it counts as written.

use std::path::{Path, PathBuf};

use memchr::memmem;
use xxhash_rust::xxh3::xxh3_64;

use crate::data::name::{LogName, file_number, next_file_number};
use crate::error::{Code, Error, Result};
use crate::files::log::entry::{Entry, Lines, end_line};
use crate::files::log::lines::{BOM, Damage, LineReader};
use crate::files::mirror::record::{log_mark, read_full};
use crate::vfs::{File, FileSystem, Stamp};

/// Ending of a log that is being written anew without its damaged lines.
pub const MENDED_ENDING: &str = ".log.mended.tmp";
const TORN_KEPT_MAX: usize = 3;
const TAIL_BYTES: usize = 64;
const COPY_BYTES: usize = 1 << 20;

/// All files that belong to one log.
#[derive(Clone, Debug)]
pub struct LogPaths {
    /// Name of the log.
    pub name: LogName,
    /// The data folder.
    pub data_folder: PathBuf,
    /// `logs` in it.
    pub logs_folder: PathBuf,
    /// `.progressive-storage` in it.
    pub own_folder: PathBuf,
    /// `logs/NAME.log`.
    pub log: PathBuf,
    /// `NAME.json`.
    pub mirror: PathBuf,
    /// `.progressive-storage/NAME.mirror`.
    pub record: PathBuf,
}

impl LogPaths {
    /// The files of log `name` in `data_folder`.
    pub fn new(data_folder: &Path, name: &LogName) -> Self {
        let logs_folder = data_folder.join("logs");
        let own_folder = data_folder.join(".progressive-storage");
        Self {
            name: name.clone(),
            log: logs_folder.join(format!("{name}.log")),
            mirror: data_folder.join(format!("{name}.json")),
            record: own_folder.join(format!("{name}.mirror")),
            data_folder: data_folder.to_owned(),
            logs_folder,
            own_folder,
        }
    }

    /// `logs/NAME.log.KIND.N`.
    pub fn log_sibling(&self, kind: &str, number: i64) -> PathBuf {
        self.logs_folder.join(format!("{}.log.{kind}.{number}", self.name))
    }

    /// Makes the folders that are missing, durably.
    pub fn create_folders(&self, files: &dyn FileSystem, sync: bool) -> Result<()> {
        create_folder(files, &self.logs_folder, sync)?;
        create_folder(files, &self.own_folder, sync)
    }

    /// The numbers N of `logs/NAME.log.KIND.N`, oldest first.
    pub fn numbered(&self, files: &dyn FileSystem, kind: &str) -> Result<Vec<i64>> {
        let prefix = format!("{}.log.{kind}.", self.name);
        let names = files.list(&self.logs_folder)?;
        let mut numbers: Vec<i64> =
            names.iter().filter_map(|name| file_number(name.strip_prefix(&prefix)?)).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// A name `logs/NAME.log.KIND.N` that is not taken, N being the next number.
    pub fn free_sibling(&self, files: &dyn FileSystem, kind: &str) -> Result<PathBuf> {
        let newest = self.numbered(files, kind)?.last().copied();
        let number = next_file_number(newest, files.now_ms());
        free_name(files, number, |number| self.log_sibling(kind, number))
    }

    /// Removes all but the newest `kept` of `logs/NAME.log.KIND.N`.
    pub fn prune(&self, files: &dyn FileSystem, kind: &str, kept: usize) -> Result<()> {
        let numbers = self.numbered(files, kind)?;
        for number in numbers.iter().rev().skip(kept) {
            files.remove(&self.log_sibling(kind, *number))?;
        }
        Ok(())
    }
}

/// The first path of `name(number)`, `name(number + 1)`, … at which there is no file.
pub fn free_name(files: &dyn FileSystem, mut number: i64, name: impl Fn(i64) -> PathBuf) -> Result<PathBuf> {
    loop {
        let path = name(number);
        if files.stamp(&path)?.is_none() {
            return Ok(path);
        }
        number += 1;
    }
}

/// Makes a folder and those above it that are missing, each durable before the next.
pub fn create_folder(files: &dyn FileSystem, path: &Path, sync: bool) -> Result<()> {
    let made = match (files.create_dir(path), path.parent()) {
        (Err(error), Some(parent)) if error.is_not_found() => {
            create_folder(files, parent, sync)?;
            files.create_dir(path)?
        }
        (made, _) => made?,
    };
    match path.parent() {
        Some(parent) if made && sync => files.sync_dir(parent),
        _ => Ok(()),
    }
}

/// Makes a folder and all above it durable, as far as they can be opened: one that may not even be opened
/// is not one in which we, or a process like ours, made anything.
fn sync_parents(files: &dyn FileSystem, folder: &Path) -> Result<()> {
    for above in folder.ancestors().filter(|above| !above.as_os_str().is_empty()) {
        match files.sync_dir(above) {
            Err(error) if matches!(error.code(), Code::Eacces | Code::Eperm) => {}
            result => result?,
        }
    }
    Ok(())
}

/// What has to be mended in the file before something is appended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mending {
    /// Bytes behind the end that are to be kept aside and cut off.
    pub torn_bytes: u64,
    /// Lines that are to be set aside.
    pub damages: Vec<Damage>,
    /// Where a line break is missing between two entries.
    pub missing_breaks: Vec<u64>,
    /// The last entry lacks its line break.
    pub is_unterminated: bool,
    /// The file begins with a byte order mark, which other readers do not expect.
    pub has_bom: bool,
    /// What an append of ours that failed tried to write: a part of it may stand behind the end.
    pub failed_append: Vec<u8>,
    /// A sync failed: what it should have written may be lost although a later one succeeds.
    pub is_doubtful: bool,
}

impl Mending {
    /// True when lines are damaged, or not told from each other.
    pub fn has_wrong_lines(&self) -> bool {
        !self.damages.is_empty() || !self.missing_breaks.is_empty()
    }

    /// True when the log has to be written anew, maybe without some of its bytes.
    pub fn needs_rewrite(&self) -> bool {
        self.has_bom || self.is_doubtful || self.has_wrong_lines()
    }

    /// Where `offset` is in such a log.
    pub fn moved(&self, offset: u64) -> u64 {
        // One without bytes stands behind what is before it: there an END is put.
        let lines = self
            .damages
            .iter()
            .filter(|damage| damage.offset < offset || (damage.size_bytes == 0 && damage.offset == offset));
        // A damaged first line goes with the mark before it.
        let is_mark_by_itself = self.has_bom && self.damages.first().is_none_or(|damage| damage.offset > 0);
        let mark = if is_mark_by_itself && offset > 0 { BOM.len() as u64 } else { 0 };
        let breaks = self.missing_breaks.iter().filter(|at| **at <= offset).count();
        let ends = lines.clone().filter(|damage| damage.ends_operation).count();
        let added = (breaks + ends * end_line().len()) as u64;
        offset + added - mark - lines.map(Damage::dropped_bytes).sum::<u64>()
    }
}

/// How mending ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mended {
    /// There is nothing left to mend.
    Whole,
    /// Somebody who takes no lock has appended to what was to be cut off: the log must be read again.
    Outdated,
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
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a sync of its own that may be owed")]
pub struct LogFile {
    handle: Option<Box<dyn File>>,
    /// Open to read as long as the log is the one that is known: should it lose its name, what others have appended
    /// to it is still there. Not on Windows, where an open file may be in the way of others.
    witness: Option<Box<dyn File>>,
    pub(crate) stamp: Option<Stamp>,
    pub(crate) end: u64,
    /// The last bytes before `end`.
    pub(crate) tail: Vec<u8>,
    /// Lines before `end`.
    pub(crate) lines: u64,
    pub(crate) mending: Mending,
    /// Another process has had the lock since an append failed that could not be undone.
    is_failure_shared: bool,
    pub(crate) is_folder_unsynced: bool,
    are_parents_synced: bool,
    /// How long the last sync took, until somebody asks.
    sync_us: Option<u64>,
    /// Lines before the end may not be on disk: those of `fsync: 'interval'`, and those that another process
    /// wrote and may not have lived to sync.
    pub is_unsynced: bool,
    /// Among them may be an edit that only the mirror has besides.
    pub has_unsynced_edit: bool,
}

impl LogFile {
    /// A log of `lines` lines that was read up to `end`; `file` is open on it.
    pub fn at(file: &mut dyn File, end: u64, lines: u64, mending: Mending) -> Result<Self> {
        let mut stamp = file.stamp()?;
        // What somebody who takes no lock has appended since it was read is not known yet.
        stamp.size_bytes = stamp.size_bytes.min(end + mending.torn_bytes);
        let tail = tail_of(file, end)?;
        Ok(Self {
            stamp: Some(stamp),
            end,
            tail,
            lines,
            mending,
            is_folder_unsynced: true,
            is_unsynced: true,
            ..Self::default()
        })
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
        xxh3_64(&self.tail)
    }

    /// Whether `file` begins with what we know: true when it only grew.
    pub fn is_beginning_of(&self, file: &mut dyn File) -> Result<bool> {
        Ok(log_mark(file, self.end)? == self.mark())
    }

    /// Opens the log as its own witness, once. Failing to costs nothing but that.
    pub fn keep_witness(&mut self, files: &dyn FileSystem, paths: &LogPaths) {
        if cfg!(windows) || self.witness.is_some() || self.stamp.is_none() {
            return;
        }
        let opened = files.open_read(&paths.log).ok().flatten();
        self.witness = opened.filter(|file| file.stamp().ok().map(|it| it.id) == self.stamp.map(|it| it.id));
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
        let finder = memmem::Finder::new(&self.tail);
        let mut buffer = vec![0; COPY_BYTES];
        let mut at = 0;
        loop {
            let read = read_full(file, &mut buffer, at)?;
            if finder.find(&buffer[..read]).is_some() {
                return Ok(true);
            }
            if read < buffer.len() {
                return Ok(false);
            }
            at += (read - TAIL_BYTES) as u64;
        }
    }

    /// Takes over lines that another process appended: the log now ends at `end`.
    pub fn advance(
        &mut self,
        file: &mut dyn File,
        end: u64,
        lines: u64,
        is_unterminated: bool,
    ) -> Result<()> {
        let mending =
            Mending { is_unterminated, is_doubtful: self.mending.is_doubtful, ..Mending::default() };
        let read = Self::at(file, end, lines, mending)?;
        *self = Self {
            handle: self.handle.take(),
            witness: self.witness.take(),
            has_unsynced_edit: self.has_unsynced_edit,
            is_folder_unsynced: self.is_folder_unsynced,
            are_parents_synced: self.are_parents_synced,
            ..read
        };
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

    /// Another process has had the lock since this one had it. What we failed to undo may be written to it: it
    /// may have logged, shown in a mirror or acknowledged something on the strength of it.
    pub fn others_were_here(&mut self) {
        self.is_failure_shared |= self.has_failed_append();
    }

    /// Somebody else has been there since. Where it is still our file, he may have taken over what we failed to
    /// sync, so the next write has all of the log synced anew.
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
        paths: &LogPaths,
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
        let Some(mut log) = files.open_read(&paths.log)? else { return Ok(false) };
        let mut behind = vec![0; left.len()];
        Ok(read_full(&mut *log, &mut behind, self.end)? == left.len() && behind == left)
    }

    /// Makes the file ready for appending: sets damage aside, cuts what is not in use. Where the log is
    /// written anew for that, it ends with `behind`.
    pub fn mend(
        &mut self,
        files: &dyn FileSystem,
        paths: &LogPaths,
        sync: bool,
        behind: &Lines,
    ) -> Result<Mended> {
        if self.mending.torn_bytes > 0 && self.set_torn_tail_aside(files, paths, sync)? == Mended::Outdated {
            return Ok(Mended::Outdated);
        }
        if self.mending.needs_rewrite() {
            self.write_anew(files, paths, sync, behind)?;
        }
        if self.has_failed_append() {
            let found = files.stamp(&paths.log)?;
            if self.has_only_failed_append_behind(files, paths, found)? {
                files.truncate(&paths.log, self.end, sync)?;
                self.stamp = files.stamp(&paths.log)?;
                self.mending.failed_append = Vec::new();
            } else {
                self.doubt_failed_append(found);
            }
        }
        Ok(Mended::Whole)
    }

    /// Moves the bytes behind the end to `NAME.log.torn.N`, unless somebody has appended to them since.
    fn set_torn_tail_aside(
        &mut self,
        files: &dyn FileSystem,
        paths: &LogPaths,
        sync: bool,
    ) -> Result<Mended> {
        let aside = paths.free_sibling(files, "torn")?;
        let torn_end = self.end + self.mending.torn_bytes;
        let cut = self.keep_torn_tail(files, paths, sync, &aside).and_then(|()| {
            // The last look comes just before the cut: no system call does both at once.
            let is_as_read = files.stamp(&paths.log)?.is_none_or(|found| found.size_bytes == torn_end);
            if is_as_read {
                files.truncate(&paths.log, self.end, sync)?;
            }
            Ok(is_as_read)
        });
        if cut != Ok(true) {
            // Each further try keeps it again, so one that is still in the log is not kept beside it.
            let found = files.stamp(&paths.log);
            if found.is_ok_and(|found| found.is_some_and(|found| found.size_bytes > self.end)) {
                let _ = files.remove(&aside);
            }
            return cut.map(|_| Mended::Outdated);
        }
        self.mending.torn_bytes = 0;
        // One too many does no harm.
        let _ = paths.prune(files, "torn", TORN_KEPT_MAX);
        self.stamp = files.stamp(&paths.log)?;
        Ok(Mended::Whole)
    }

    /// Appends whole lines and syncs them. On failure the log is as before.
    pub fn append(
        &mut self,
        files: &dyn FileSystem,
        paths: &LogPaths,
        lines: &Lines,
        sync: SyncOf,
    ) -> Result<Appended> {
        let is_all = sync == SyncOf::All;
        if self.mend(files, paths, is_all, &Lines::default())? == Mended::Outdated {
            return Err(Error::log_replaced(&paths.log, "its torn tail was set aside"));
        }
        let bytes = &lines.bytes;
        match self.append_and_sync(files, paths, lines, sync) {
            Ok(stamp) => {
                if std::mem::take(&mut self.mending.is_unterminated) {
                    self.end += 1;
                    self.tail.push(b'\n');
                }
                if self.is_behind_others(files, paths, bytes, stamp.size_bytes)? {
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
                if self.mend(files, paths, is_all, &Lines::default()).is_err() {
                    self.handle = None;
                }
                Err(error)
            }
        }
    }

    /// Whether somebody else's lines stand between the end and what was just appended, which then is cut off again: it
    /// was made from a state that was not the newest. Where yet other lines stand behind it, it stays.
    fn is_behind_others(
        &self,
        files: &dyn FileSystem,
        paths: &LogPaths,
        bytes: &[u8],
        file_end: u64,
    ) -> Result<bool> {
        let ours_at = file_end.saturating_sub(bytes.len() as u64);
        if ours_at <= self.end {
            return Ok(false);
        }
        let Some(mut log) = files.open_read(&paths.log)? else { return Ok(false) };
        let mut holds_ours = |at| {
            let mut found = vec![0; bytes.len()];
            Ok::<_, Error>(read_full(&mut *log, &mut found, at)? == bytes.len() && found == bytes)
        };
        if holds_ours(self.end)? || !holds_ours(ours_at)? {
            return Ok(false);
        }
        // The last look comes just before the cut.
        let is_last = files.stamp(&paths.log)?.is_some_and(|found| found.size_bytes == file_end);
        if is_last {
            files.truncate(&paths.log, ours_at, true)?;
        }
        Ok(is_last)
    }

    fn append_and_sync(
        &mut self,
        files: &dyn FileSystem,
        paths: &LogPaths,
        lines: &Lines,
        sync: SyncOf,
    ) -> Result<Stamp> {
        let is_all = sync == SyncOf::All;
        if self.handle.is_none() {
            paths.create_folders(files, is_all)?;
            let (handle, is_new) = files.open_append(&paths.log)?;
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
            self.sync_folder(files, paths)?;
        }
        match files.stamp(&paths.log)? {
            Some(stamp) if stamp.id == written_id => Ok(stamp),
            _ => Err(Error::log_replaced(&paths.log, "it was written")),
        }
    }

    /// Syncs what was appended without a sync.
    ///
    /// # Errors
    /// Once it failed, a further sync of the same file proves nothing: then the log is written anew, which
    /// needs the lock between processes.
    pub fn sync(&mut self, files: &dyn FileSystem, paths: &LogPaths) -> Result<()> {
        if self.mending.is_doubtful {
            self.mend(files, paths, true, &Lines::default())?;
        } else {
            let started_us = files.monotonic_us();
            let synced = match &mut self.handle {
                Some(handle) => handle.sync_data(),
                None => files.open_append(&paths.log).and_then(|(mut log, _)| log.sync_data()),
            };
            self.mending.is_doubtful = synced.is_err();
            synced?;
            self.sync_us = Some(files.monotonic_us().saturating_sub(started_us));
        }
        self.sync_folder(files, paths)?;
        self.is_unsynced = false;
        self.has_unsynced_edit = false;
        Ok(())
    }

    /// Makes the file's name durable, and those of its folders: that they are there does not mean that
    /// whoever made them lived to sync them.
    pub fn sync_folder(&mut self, files: &dyn FileSystem, paths: &LogPaths) -> Result<()> {
        if self.is_folder_unsynced {
            files.sync_dir(&paths.logs_folder)?;
            if !self.are_parents_synced {
                sync_parents(files, &paths.data_folder)?;
                self.are_parents_synced = true;
            }
            self.is_folder_unsynced = false;
        }
        Ok(())
    }

    /// Writes the bytes behind the end to `aside`.
    fn keep_torn_tail(
        &self,
        files: &dyn FileSystem,
        paths: &LogPaths,
        sync: bool,
        aside: &Path,
    ) -> Result<()> {
        let Some(mut log) = files.open_read(&paths.log)? else { return Ok(()) };
        let mut kept = files.create_like(aside, &paths.log)?;
        let torn_end = self.end + self.mending.torn_bytes;
        let content_end = end_of_content(&mut *log, self.end, torn_end)?;
        copy_range(&mut *log, &mut *kept, self.end, content_end)?;
        if content_end < torn_end {
            // Zeros that were never written take no room on the disk, and need none here.
            files.truncate(aside, self.mending.torn_bytes, false)?;
        }
        if sync {
            kept.sync_data()?;
            files.sync_dir(&paths.logs_folder)?;
        }
        Ok(())
    }
}

/// The last bytes before `end`.
pub fn tail_of(file: &mut dyn File, end: u64) -> Result<Vec<u8>> {
    let mut tail = vec![0; usize::try_from(end).unwrap_or(usize::MAX).min(TAIL_BYTES)];
    let start = end - tail.len() as u64;
    let read = read_full(file, &mut tail, start)?;
    tail.truncate(read);
    Ok(tail)
}

/// Offset behind the last byte before `end` that is not zero; `start` where all are.
fn end_of_content(file: &mut dyn File, start: u64, end: u64) -> Result<u64> {
    let mut buffer = vec![0; COPY_BYTES];
    let (mut at, mut content_end) = (start, start);
    while at < end {
        let wanted = usize::try_from(end - at).unwrap_or(usize::MAX).min(COPY_BYTES);
        let read = read_full(file, &mut buffer[..wanted], at)?;
        if read == 0 {
            break;
        }
        if let Some(last) = buffer[..read].iter().rposition(|byte| *byte != 0) {
            content_end = at + last as u64 + 1;
        }
        at += read as u64;
    }
    Ok(content_end)
}

/// Copies the bytes from `start` to `end`.
pub fn copy_range(from: &mut dyn File, to: &mut dyn File, start: u64, end: u64) -> Result<()> {
    let mut buffer = vec![0; COPY_BYTES];
    let mut at = start;
    while at < end {
        let wanted = usize::try_from(end - at).unwrap_or(usize::MAX).min(COPY_BYTES);
        let read = read_full(from, &mut buffer[..wanted], at)?;
        if read == 0 {
            break;
        }
        to.append(&buffer[..read])?;
        at += read as u64;
    }
    Ok(())
}

/// Calls `visit` with each entry before `end`, skipping damaged lines and ends of operations.
pub fn for_each_entry(file: &mut dyn File, end: u64, mut visit: impl FnMut(&Entry)) -> Result<()> {
    let mut reader = LineReader::new(file, 0, end, 1);
    while let Some(line) = reader.next_line()? {
        if let Some(entry) = line.entry().filter(|entry| !entry.is_end()) {
            visit(&entry);
        }
    }
    Ok(())
}
