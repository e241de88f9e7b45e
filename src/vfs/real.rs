//! The operating system's files and clocks.
//!
//! Invariant: no call here decides anything. It passes on what the system says, with the system call and the path. There
//! are three exceptions, all bounded:
//!
//! 1. An interrupted read is repeated.
//! 2. On Windows, a file that another program holds for a moment (a virus scanner, a search index, a backup) is retried
//!    for a second.
//! 3. What is no regular file is refused.

mod failure;
mod file;
mod kind;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod lock_holder;
mod open;
mod owner;
mod stamp;

use super::syncing::Syncing;
use std::path::Path;
use std::{fs, io};

#[cfg(unix)]
use super::FreedBeside;
use super::syncer::Syncer;
use super::{File, FileSystem, Missing, Stamp, SyncBeside, clock};
use crate::error::{Error, Result};
use failure::{HELD, HELD_OR_DENIED, failed, found, unless_refused};
use file::RealFile;
#[cfg(any(target_os = "linux", target_os = "android"))]
use lock_holder::lock_holder;
use open::{not_opened, open_in_place, opening};
use owner::{give_to_owner_of, give_to_owner_of_folder};
use stamp::stamp_at;

/// The file system of this machine.
#[derive(Default)]
pub struct RealFileSystem {
    syncer: Syncer,
}

impl RealFileSystem {
    /// Its syncing thread starts with the first file.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl FileSystem for RealFileSystem {
    fn stamp(&self, path: &Path) -> Result<Option<Stamp>> {
        stamp_at(path)
    }

    fn open_read(&self, path: &Path) -> Result<Option<Box<dyn File>>> {
        match unless_refused(HELD, || opening().read(true).open(path)) {
            Ok(file) => RealFile::checked(file, path).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(not_opened(error, path)),
        }
    }

    fn open_append(&self, path: &Path) -> Result<(Box<dyn File>, bool)> {
        let mut options = opening();
        options.append(true).read(true);
        match unless_refused(HELD, || options.open(path)) {
            Ok(file) => Ok((RealFile::checked(file, path)?, false)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let file = options.create(true).open(path).map_err(|error| not_opened(error, path))?;
                give_to_owner_of_folder(&file, path);
                Ok((RealFile::checked(file, path)?, true))
            }
            Err(error) => Err(not_opened(error, path)),
        }
    }

    fn create(&self, path: &Path) -> Result<Box<dyn File>> {
        let file = opening()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)
            .map_err(|error| not_opened(error, path))?;
        give_to_owner_of_folder(&file, path);
        RealFile::checked(file, path)
    }

    #[cfg(unix)]
    fn create_like(&self, path: &Path, like: &Path) -> Result<Box<dyn File>> {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        let Some(model) = found(fs::metadata(like), "stat", like)? else { return self.create(path) };
        let mode = model.permissions().mode() & 0o777;
        let mut options = opening();
        options.read(true).write(true).create(true).truncate(true).mode(mode);
        let made = RealFile::new(options.open(path).map_err(|error| not_opened(error, path))?, path);
        if made.mode()? != mode {
            made.set_mode(mode)?;
        }
        give_to_owner_of(like, made.handle(), path);
        Ok(Box::new(made))
    }

    fn open_in_place(&self, path: &Path, missing: Missing) -> Result<Option<Box<dyn File>>> {
        // The first `stamp` or `overwrite` checks its kind: a small mirror opens its record twice.
        Ok(open_in_place(path, missing)?.map(|file| Box::new(RealFile::new(file, path)) as _))
    }

    #[cfg(unix)]
    fn open_lock(&self, path: &Path, missing: Missing) -> Result<Option<Box<dyn File>>> {
        let Some(file) = open_in_place(path, missing)? else { return Ok(None) };
        let opened = RealFile::new(file, path);
        let mode = opened.mode()?;
        // A handle to read is enough to take a lock. So users who may not write may not read either.
        let readers = 0o444;
        let writers = (mode & 0o222) << 1;
        let for_writers = mode & !(readers & !writers);
        if mode != for_writers {
            // It fails for another user's file, which stays as that user wants it.
            let _ = opened.set_mode(for_writers);
        }
        Ok(Some(Box::new(opened)))
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn lock_holder(&self, path: &Path) -> Option<u32> {
        lock_holder(path)
    }

    fn truncate(&self, path: &Path, size_bytes: u64, syncing: Syncing) -> Result<()> {
        let file = opening().write(true).open(path).map_err(|error| not_opened(error, path))?;
        file.set_len(size_bytes).map_err(failed("ftruncate", path))?;
        if syncing.is_on() { file.sync_all().map_err(failed("fsync", path)) } else { Ok(()) }
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        unless_refused(HELD_OR_DENIED, || fs::rename(from, to)).map_err(failed("rename", to))
    }

    fn hard_link(&self, from: &Path, to: &Path) -> Result<()> {
        fs::hard_link(from, to).map_err(failed("link", to))
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<()> {
        fs::copy(from, to).map_err(failed("copyfile", to))?;
        // Windows flushes only what was opened for writing.
        let file = fs::OpenOptions::new().write(true).open(to).map_err(failed("open", to))?;
        give_to_owner_of(from, &file, to);
        file.sync_all().map_err(failed("fsync", to))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        found(unless_refused(HELD, || fs::remove_file(path)), "unlink", path).map(|_| ())
    }

    /// Windows frees blocks when a name goes, whoever has the file open, and may refuse to rename over an open one.
    #[cfg(unix)]
    fn free_beside(&self, path: &Path) -> Option<FreedBeside> {
        const LARGE_BYTES: u64 = 4 << 20;
        let is_large = |metadata: &fs::Metadata| metadata.is_file() && metadata.len() >= LARGE_BYTES;
        fs::symlink_metadata(path).ok().filter(is_large)?;
        opening().read(true).open(path).ok().map(FreedBeside::new)
    }

    fn create_dir(&self, path: &Path) -> Result<bool> {
        loop {
            let error = match fs::create_dir(path) {
                Ok(()) => {
                    if let Ok(folder) = fs::File::open(path) {
                        give_to_owner_of_folder(&folder, path);
                    }
                    return Ok(true);
                }
                Err(_) if path.is_dir() => return Ok(false),
                Err(error) => error,
            };
            // What was there when we tried was removed before we looked: try again.
            let is_gone =
                fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
            if error.kind() != io::ErrorKind::AlreadyExists || !is_gone {
                return Err(Error::io(&error, "mkdir", path));
            }
        }
    }

    #[cfg(unix)]
    fn sync_dir(&self, path: &Path) -> Result<()> {
        let folder = fs::File::open(path).map_err(failed("open", path))?;
        match folder.sync_all() {
            // Some file systems (network shares, FUSE) cannot sync a folder.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) =>
            {
                Ok(())
            }
            other => other.map_err(failed("fsync", path)),
        }
    }

    #[cfg(not(unix))]
    fn sync_dir(&self, _path: &Path) -> Result<()> {
        // Windows has no such call: NTFS journals its folders.
        Ok(())
    }

    fn list(&self, path: &Path) -> Result<Vec<String>> {
        let Some(folder) = found(fs::read_dir(path), "scandir", path)? else { return Ok(Vec::new()) };
        let mut names = Vec::new();
        for item in folder {
            let item = item.map_err(failed("scandir", path))?;
            // Our names are UTF-8: a name that is not is none of ours.
            if let Ok(name) = item.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn sync_beside(&self, file: Box<dyn File>) -> Box<dyn SyncBeside> {
        self.syncer.start(file)
    }

    fn now_ms(&self) -> i64 {
        clock::now_ms()
    }

    fn monotonic_ms(&self) -> u64 {
        clock::monotonic_us() / 1000
    }

    fn monotonic_us(&self) -> u64 {
        clock::monotonic_us()
    }

    fn sleep_us(&self, duration_us: u64) {
        clock::sleep_us(duration_us);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::error::Code;

    /// The system says that the folder is there, and when we look it is not.
    #[test]
    fn a_folder_that_somebody_removes_meanwhile_is_made_again() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("made");
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        let _ = fs::remove_dir(&path);
                        let _ = fs::create_dir(&path);
                    }
                });
            }
            let files = RealFileSystem::new();
            let results: Vec<_> = (0..20_000).map(|_| files.create_dir(&path)).collect();
            is_over.store(true, Ordering::Relaxed);
            assert_eq!(results.into_iter().find_map(Result::err), None);
        });
    }

    #[test]
    fn what_is_no_folder_is_an_error_that_says_so() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("taken");
        fs::write(&path, "").expect("a file");
        let refused = RealFileSystem::new().create_dir(&path).expect_err("a file is there");
        assert_eq!((refused.code(), refused.path()), (Code::Eexist, path.to_str()));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_nowhere_is_an_error_too() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path().join("nowhere"), &path).expect("a link");
        assert_eq!(
            RealFileSystem::new().create_dir(&path).expect_err("a link is there").code(),
            Code::Eexist
        );
    }
}

#[cfg(all(test, windows))]
mod held_files {
    use std::os::windows::fs::OpenOptionsExt;
    use std::time::Duration;

    use super::*;
    use crate::error::Code;

    #[test]
    fn what_another_program_holds_is_retried_until_it_lets_go() {
        let folder = std::env::temp_dir().join(format!("held-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let (old, new) = (folder.join("old"), folder.join("new"));
        let files = RealFileSystem::new();
        type Act = fn(&RealFileSystem, &Path, &Path) -> Result<()>;
        let acts: [(&str, Act); 4] = [
            ("rename over", |files, old, new| files.rename(new, old)),
            ("append", |files, old, _| files.open_append(old)?.0.append(b"more")),
            ("stamp", |files, old, _| files.stamp(old).map(|_| ())),
            ("remove", |files, old, _| files.remove(old)),
        ];
        for (name, act) in acts {
            fs::write(&old, "old").expect("a file");
            fs::write(&new, "new").expect("a file");
            // Shared with nobody, as some scanners do.
            let held = fs::OpenOptions::new().read(true).share_mode(0).open(&old).expect("held");
            let (said, heard) = std::sync::mpsc::channel::<()>();
            let letting_go = std::thread::spawn(move || {
                heard.recv().expect("a word");
                std::thread::sleep(Duration::from_millis(100));
                drop(held);
            });
            said.send(()).expect("a listener");
            act(&files, &old, &new).unwrap_or_else(|error| panic!("{name}: {error}"));
            letting_go.join().expect("an end");
        }
        // Held for good: an error that says so.
        fs::write(&old, "old").expect("a file");
        let held = fs::OpenOptions::new().read(true).share_mode(0).open(&old).expect("held");
        assert_eq!(files.stamp(&old).expect_err("held").code(), Code::Ebusy);
        drop(held);
        fs::remove_dir_all(&folder).expect("an end");
    }
}
