//! A copy of a data folder as it is at one moment, while it is in use.
//!
//! ```text
//! under the lock    begin: link backups and archives, open all else, note where each file ends
//! beside            run:   copy up to there, sync, read back, check every line
//! ```
//!
//! A log only grows behind the noted end, and a mirror or log that is replaced keeps its content for who has it open. So
//! the copy is what a power cut at that moment would have left, and is opened like that.
//!
//! Invariant: nothing is changed in the data folder, and nothing outside of the folder that was given.

use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::Xxh3;

use crate::data::json::quote;
use crate::data::name::LogName;
use crate::error::{Error, Result};
use crate::files::log::lines::{LineKind, LineReader};
use crate::files::log::paths::{LogPaths, create_folder};
use crate::files::past::old_logs::old_logs;
use crate::files::temporary::Pace;
use crate::files::transaction::intent::Intent;
use crate::store::answer::Answer;
use crate::vfs::{File, FileSystem, Syncing};

const PIECE_BYTES: usize = 1 << 20;

/// See the header of this file.
pub struct FolderCopy {
    target: PathBuf,
    syncing: Syncing,
    parts: Vec<Part>,
    logs: Vec<CopiedLog>,
}

/// A file that is copied.
struct Part {
    path: PathBuf,
    file: Box<dyn File>,
    size_bytes: u64,
    target: PathBuf,
}

/// What the caller hears of a log.
struct CopiedLog {
    copy: LogPaths,
    entries: u64,
    damaged_lines: u64,
    size_bytes: u64,
    old_logs: usize,
}

impl FolderCopy {
    /// Of these logs of the data folder, into the folder `target`, which is there and empty. The lock is held, so that
    /// no batch is half written.
    pub fn begin(
        files: &dyn FileSystem,
        data_folder: &Path,
        names: &[LogName],
        target: PathBuf,
        syncing: Syncing,
    ) -> Result<Self> {
        let mut copy = Self { target, syncing, parts: Vec::new(), logs: Vec::new() };
        for name in names {
            copy.add(files, &LogPaths::new(data_folder, name))?;
        }
        if !copy.logs.is_empty() {
            // What a log may lack of a transaction is known only from there.
            let intent = Intent::path(&copy.target);
            copy.open(files, Intent::path(data_folder), intent)?;
        }
        Ok(copy)
    }

    fn add(&mut self, files: &dyn FileSystem, paths: &LogPaths) -> Result<()> {
        let copy = LogPaths::new(&self.target, &paths.name);
        let old_logs = old_logs(files, paths)?;
        let is_there = |path: &Path| Ok(files.stamp(path)?.is_some());
        if old_logs.is_empty() && !is_there(&paths.log)? && !is_there(&paths.mirror)? {
            return Ok(());
        }
        create_folder(files, &copy.logs_folder, Syncing::Off)?;
        create_folder(files, &copy.own_folder, Syncing::Off)?;
        for old in &old_logs {
            let path = old.found_path();
            let target = copy.logs_folder.join(path.file_name().unwrap_or_default());
            // Their content never changes, so one file may have both names. Another disk has no second name for it.
            if files.hard_link(&path, &target).is_err() {
                self.open(files, path, target)?;
            }
        }
        self.open(files, paths.log.clone(), copy.log.clone())?;
        self.open(files, paths.mirror.clone(), copy.mirror.clone())?;
        self.open(files, paths.record.clone(), copy.record.clone())?;
        let old_logs = old_logs.len();
        self.logs.push(CopiedLog { copy, entries: 0, damaged_lines: 0, size_bytes: 0, old_logs });
        Ok(())
    }

    fn open(&mut self, files: &dyn FileSystem, path: PathBuf, target: PathBuf) -> Result<()> {
        if let Some(file) = files.open_read(&path)? {
            let size_bytes = file.stamp()?.size_bytes;
            self.parts.push(Part { path, file, size_bytes, target });
        }
        Ok(())
    }

    /// Copies and checks; gives `{"logs":[{"name","entries","damagedLines","sizeBytes","oldLogs"}]}`.
    pub fn run(mut self, files: &dyn FileSystem) -> Result<Answer> {
        for part in &mut self.parts {
            part.copy(files, self.syncing)?;
        }
        for log in &mut self.logs {
            log.check(files)?;
        }
        if self.syncing.is_on() {
            if let Some(log) = self.logs.first() {
                files.sync_dir(&log.copy.logs_folder)?;
                files.sync_dir(&log.copy.own_folder)?;
            }
            files.sync_dir(&self.target)?;
        }
        let logs: Vec<String> = self.logs.iter().map(CopiedLog::describe).collect();
        Ok(Answer::Json(format!("{{\"logs\":[{}]}}", logs.join(","))))
    }
}

impl Part {
    fn copy(&mut self, files: &dyn FileSystem, syncing: Syncing) -> Result<()> {
        let mut copy = files.create_like(&self.target, &self.path)?;
        let pace = Pace::beside(syncing);
        let (copied, wanted) = for_each_piece(&mut *self.file, self.size_bytes, |piece| {
            copy.append(piece)?;
            pace.rest(files, &mut *copy)
        })?;
        if copied < self.size_bytes {
            return Err(Error::changed_while_copied(&self.path));
        }
        if syncing.is_on() {
            copy.sync_data()?;
        }
        let (_, found) = for_each_piece(&mut *copy, u64::MAX, |_| Ok(()))?;
        if found == wanted { Ok(()) } else { Err(Error::copied_wrongly(&self.target)) }
    }
}

/// Visits the first `size_bytes` of a file; gives how many there were, and their hash.
fn for_each_piece(
    file: &mut dyn File,
    size_bytes: u64,
    mut visit: impl FnMut(&[u8]) -> Result<()>,
) -> Result<(u64, u64)> {
    let (mut buffer, mut hash, mut offset) = (vec![0; PIECE_BYTES], Xxh3::new(), 0);
    while offset < size_bytes {
        let wanted = usize::try_from(size_bytes - offset).unwrap_or(usize::MAX).min(PIECE_BYTES);
        let read = file.read_at(&mut buffer[..wanted], offset)?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
        visit(&buffer[..read])?;
        offset += read as u64;
    }
    Ok((offset, hash.digest()))
}

impl CopiedLog {
    fn check(&mut self, files: &dyn FileSystem) -> Result<()> {
        let Some(mut file) = files.open_read(&self.copy.log)? else { return Ok(()) };
        self.size_bytes = file.stamp()?.size_bytes;
        let mut reader = LineReader::new(&mut *file, 0, self.size_bytes, 1);
        while let Some(line) = reader.next_line()? {
            match line.found {
                LineKind::Entry(_) => self.entries += 1,
                LineKind::Invalid(_) if !line.is_torn() => self.damaged_lines += 1,
                LineKind::Invalid(_) | LineKind::Nothing => {}
            }
        }
        Ok(())
    }

    fn describe(&self) -> String {
        format!(
            "{{\"name\":{},\"entries\":{},\"damagedLines\":{},\"sizeBytes\":{},\"oldLogs\":{}}}",
            quote(self.copy.name.as_str()),
            self.entries,
            self.damaged_lines,
            self.size_bytes,
            self.old_logs
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use crate::vfs::RealFileSystem;

    struct Scene {
        folder: tempfile::TempDir,
        files: RealFileSystem,
        log: PathBuf,
    }

    impl Scene {
        fn new() -> Self {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let files = RealFileSystem::new();
            let paths = LogPaths::new(&folder.path().join("data"), &LogName::new("players").expect("a name"));
            paths.create_folders(&files, Syncing::Off).expect("folders");
            let mut log = files.create(&paths.log).expect("a log");
            log.append(b"{\"op\":\"SET\",\"key\":\"a\",\"value\":1}\n").expect("written");
            files.create_dir(&folder.path().join("copy")).expect("a folder");
            Self { log: paths.log, files, folder }
        }

        fn begin(&self) -> FolderCopy {
            let names = [LogName::new("players").expect("a name")];
            let [data, copy] = ["data", "copy"].map(|name| self.folder.path().join(name));
            FolderCopy::begin(&self.files, &data, &names, copy, Syncing::On).expect("begun")
        }
    }

    #[test]
    fn a_log_is_copied_as_far_as_it_was_when_the_copy_began() {
        let scene = Scene::new();
        let copy = scene.begin();
        let (mut log, _) = scene.files.open_append(&scene.log).expect("opened");
        log.append(b"{\"op\":\"DELETE\",\"key\":\"a\"}\n").expect("written");
        let answer = copy.run(&scene.files).expect("copied");
        let Answer::Json(text) = answer else { panic!("no answer") };
        assert!(text.contains("\"entries\":1,\"damagedLines\":0,\"sizeBytes\":33,"), "{text}");
    }

    #[test]
    fn a_log_that_is_cut_short_meanwhile_is_no_copy() {
        let scene = Scene::new();
        let copy = scene.begin();
        scene.files.truncate(&scene.log, 5, Syncing::Off).expect("cut");
        let code = copy.run(&scene.files).map(|_| ()).map_err(|error| error.code());
        assert_eq!(code, Err(Code::LogReplaced));
    }
}
