//! The operating system's files and clock.
//!
//! Invariant: no call here decides anything; it passes on what the system says, with the name of
//! the system call and the path. Three exceptions, all bounded: an interrupted call is repeated, on Windows a file
//! that somebody else holds for a moment (a virus scanner, a search index, a backup) is tried again for a second, and
//! what is no regular file is refused. To open a FIFO would wait for its other end, so files are opened without
//! waiting; the type is read from the open file.

use std::fs;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::syncer::Syncer;
use super::{File, FileSystem, Stamp, SyncBeside};
use crate::error::{Error, Result};

/// The real file system.
pub struct RealFileSystem {
    started: Instant,
    syncer: Syncer,
}

impl RealFileSystem {
    /// The file system of this machine.
    #[must_use]
    pub fn new() -> Self {
        Self { started: Instant::now(), syncer: Syncer::default() }
    }
}

impl Default for RealFileSystem {
    fn default() -> Self {
        Self::new()
    }
}

struct RealFile {
    file: fs::File,
    path: PathBuf,
}

impl RealFile {
    fn fail(&self, syscall: &'static str) -> impl Fn(io::Error) -> Error {
        failed(syscall, &self.path)
    }

    /// Metadata of the open file, which has to be a regular one.
    fn metadata(&self) -> Result<fs::Metadata> {
        let metadata = self.file.metadata().map_err(self.fail("fstat"))?;
        only_a_file(&metadata, "open", &self.path)?;
        Ok(metadata)
    }

    /// The opened file, if it is a regular one.
    fn checked(file: fs::File, path: &Path) -> Result<Box<dyn File>> {
        let opened = Self { file, path: path.to_owned() };
        opened.metadata()?;
        Ok(Box::new(opened))
    }
}

/// Refuses what is no regular file. A folder passes: using it as a file says what it is.
fn only_a_file(metadata: &fs::Metadata, syscall: &'static str, path: &Path) -> Result<()> {
    let kind = metadata.file_type();
    if kind.is_file() || kind.is_dir() {
        return Ok(());
    }
    Err(Error::not_a_file(name_of_kind(kind), syscall, path))
}

#[cfg(unix)]
fn name_of_kind(kind: fs::FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    if kind.is_fifo() {
        "a FIFO (a named pipe)"
    } else if kind.is_socket() {
        "a socket"
    } else if kind.is_char_device() || kind.is_block_device() {
        "a device"
    } else {
        "a special file"
    }
}

#[cfg(not(unix))]
fn name_of_kind(_kind: fs::FileType) -> &'static str {
    "a special file"
}

/// How files are opened: without waiting for the other end of a FIFO.
fn opening() -> fs::OpenOptions {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "there is nothing to set"))]
    let mut options = fs::OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    options
}

/// An error of opening for writing; nobody reads from a FIFO and a socket cannot be opened, which the system tells by
/// a number that means many things.
fn not_opened(error: io::Error, path: &Path) -> Error {
    #[cfg(unix)]
    if error.raw_os_error() == Some(libc::ENXIO)
        && let Ok(metadata) = fs::metadata(path)
        && let Err(refused) = only_a_file(&metadata, "open", path)
    {
        return refused;
    }
    failed("open", path)(error)
}

fn failed(syscall: &'static str, path: &Path) -> impl Fn(io::Error) -> Error {
    move |error| Error::io(&told_of_a_folder(error, path), syscall, path)
}

/// Windows says "access denied" of a folder that is opened as a file; elsewhere the system says what it is.
fn told_of_a_folder(error: io::Error, path: &Path) -> io::Error {
    if cfg!(windows) && error.kind() == io::ErrorKind::PermissionDenied && path.is_dir() {
        return io::ErrorKind::IsADirectory.into();
    }
    error
}

/// How long another program's hold on a file is waited for.
const HELD_MS_MAX: u64 = 1000;

/// Numbers with which Windows refuses a file that another program has open in a way that excludes us: a
/// sharing violation, a lock violation. Elsewhere nobody's open file is in the way of others.
const HELD: &[i32] = if cfg!(windows) { &[32, 33] } else { &[] };
/// For replacing a file, Windows says "access denied" as well.
const HELD_OR_DENIED: &[i32] = if cfg!(windows) { &[5, 32, 33] } else { &[] };

/// Repeats for a second what fails with one of these numbers.
fn unless_refused<T>(refusals: &[i32], mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let started = Instant::now();
    loop {
        match attempt() {
            Err(error)
                if error.raw_os_error().is_some_and(|number| refusals.contains(&number))
                    && started.elapsed() < Duration::from_millis(HELD_MS_MAX) =>
            {
                std::thread::sleep(Duration::from_millis(10));
            }
            result => return result,
        }
    }
}

/// Turns "there is no such file" into `None`.
fn found<T>(result: io::Result<T>, syscall: &'static str, path: &Path) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(syscall, path)(error)),
    }
}

/// Nanoseconds since 1970; 0 where the file system keeps no such time.
fn modified_ns(metadata: &fs::Metadata) -> i64 {
    metadata.modified().map_or(0, nanoseconds)
}

fn nanoseconds(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |ns| -ns),
    }
}

/// What the superuser makes in somebody else's folder is given to the owner of its model: of the file that it
/// replaces, or of the folder. An administrator's command, or one start as root by mistake, would lock the
/// bot out of its own files otherwise. What cannot be given away stays as it is. Nothing that was reached through a
/// link is given away, which could be any file of the system.
#[cfg(unix)]
fn give_to_owner_of(model: &Path, file: &fs::File, path: &Path) {
    use std::os::unix::fs::{MetadataExt, fchown};
    let Ok(made) = file.metadata() else { return };
    if made.uid() != 0 {
        return;
    }
    let (Ok(model), Ok(here)) = (fs::metadata(model), fs::symlink_metadata(path)) else { return };
    let is_this = (here.dev(), here.ino()) == (made.dev(), made.ino());
    if model.uid() != 0 && is_this && (made.is_dir() || made.nlink() == 1) {
        let _ = fchown(file, Some(model.uid()), Some(model.gid()));
    }
}

#[cfg(not(unix))]
fn give_to_owner_of(_model: &Path, _file: &fs::File, _path: &Path) {}

/// The same for what replaces nothing.
fn give_to_owner_of_folder(file: &fs::File, path: &Path) {
    if let Some(folder) = path.parent() {
        give_to_owner_of(folder, file, path);
    }
}

#[cfg(unix)]
fn stamp_of(metadata: &fs::Metadata) -> Stamp {
    use std::os::unix::fs::MetadataExt;
    Stamp {
        id: metadata.ino(),
        size_bytes: metadata.len(),
        modified_ns: modified_ns(metadata),
        changed_ns: metadata.ctime().saturating_mul(1_000_000_000).saturating_add(metadata.ctime_nsec()),
    }
}

#[cfg(unix)]
fn stamp_at(path: &Path) -> Result<Option<Stamp>> {
    let Some(metadata) = found(fs::metadata(path), "stat", path)? else { return Ok(None) };
    only_a_file(&metadata, "stat", path)?;
    Ok(Some(stamp_of(&metadata)))
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "on Windows it takes a call more, which can fail")]
fn stamp_open(_file: &fs::File, metadata: &fs::Metadata) -> io::Result<Stamp> {
    Ok(stamp_of(metadata))
}

#[cfg(windows)]
fn stamp_at(path: &Path) -> Result<Option<Stamp>> {
    let opened = unless_refused(HELD, || fs::File::open(path));
    let stamped = opened.and_then(|file| stamp_open(&file, &file.metadata()?));
    found(stamped, "stat", path)
}

#[cfg(windows)]
fn stamp_open(file: &fs::File, metadata: &fs::Metadata) -> io::Result<Stamp> {
    let information = winapi_util::file::information(file)?;
    Ok(Stamp {
        id: information.file_index(),
        size_bytes: metadata.len(),
        modified_ns: modified_ns(metadata),
        changed_ns: 0,
    })
}

/// Opens a small file to read and write; its kind is not looked at.
fn open_in_place(path: &Path, create: bool) -> Result<Option<fs::File>> {
    let mut options = opening();
    options.read(true).write(true);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && create => {
            let made = options.create(true).open(path);
            found(made.inspect(|file| give_to_owner_of_folder(file, path)), "open", path)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(not_opened(error, path)),
        Ok(file) => Ok(Some(file)),
    }
}

/// The process that holds a `flock` on the file, in the text of `/proc/locks`:
///
/// ```text
/// 1: FLOCK  ADVISORY  WRITE 1234 fd:00:7341 0 EOF         major:minor:inode
/// 1: -> FLOCK  ADVISORY  WRITE 99 fd:00:7341 0 EOF        this one waits
/// ```
///
/// Some file systems have other numbers of devices there than in `stat`; then nobody is named.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn holder_in(locks: &str, device: u64, inode: u64) -> Option<u32> {
    // As the kernel's `major` and `minor` take a number apart.
    let major = device >> 8 & 0xfff | device >> 32 & 0xffff_f000;
    let minor = device & 0xff | device >> 12 & 0xffff_ff00;
    let file = format!("{major:02x}:{minor:02x}:{inode}");
    locks.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace().skip(1);
        let is_held = words.next() == Some("FLOCK");
        let process = words.nth(2)?;
        (is_held && words.next() == Some(&file)).then(|| process.parse().ok()).flatten()
    })
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
        let file = options.open(path).map_err(|error| not_opened(error, path))?;
        let made = RealFile { file, path: path.to_owned() };
        if made.metadata()?.permissions().mode() & 0o777 != mode {
            made.file.set_permissions(fs::Permissions::from_mode(mode)).map_err(failed("fchmod", path))?;
        }
        give_to_owner_of(like, &made.file, path);
        Ok(Box::new(made))
    }

    fn open_in_place(&self, path: &Path, create: bool) -> Result<Option<Box<dyn File>>> {
        // What it is, is read by the first `stamp` or `overwrite`: a small mirror opens its record twice.
        Ok(open_in_place(path, create)?.map(|file| Box::new(RealFile { file, path: path.to_owned() }) as _))
    }

    #[cfg(unix)]
    fn open_lock(&self, path: &Path, create: bool) -> Result<Option<Box<dyn File>>> {
        use std::os::unix::fs::PermissionsExt;
        let Some(file) = open_in_place(path, create)? else { return Ok(None) };
        let opened = RealFile { file, path: path.to_owned() };
        let mode = opened.metadata()?.permissions().mode() & 0o777;
        // To take a lock, a handle to read is enough. So whoever may not write may not read it either.
        let readers = 0o444;
        let writers = (mode & 0o222) << 1;
        let for_writers = mode & !(readers & !writers);
        if mode != for_writers {
            // Another user's file, which is as that user wants it.
            let _ = opened.file.set_permissions(fs::Permissions::from_mode(for_writers));
        }
        Ok(Some(Box::new(opened)))
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn lock_holder(&self, path: &Path) -> Option<u32> {
        use std::os::unix::fs::MetadataExt;
        let file = fs::metadata(path).ok()?;
        holder_in(&fs::read_to_string("/proc/locks").ok()?, file.dev(), file.ino())
    }

    fn truncate(&self, path: &Path, size_bytes: u64, sync: bool) -> Result<()> {
        let file = opening().write(true).open(path).map_err(|error| not_opened(error, path))?;
        file.set_len(size_bytes).map_err(failed("ftruncate", path))?;
        if sync { file.sync_all().map_err(failed("fsync", path)) } else { Ok(()) }
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

    fn create_dir(&self, path: &Path) -> Result<bool> {
        match fs::create_dir(path) {
            Ok(()) => {
                if let Ok(folder) = fs::File::open(path) {
                    give_to_owner_of_folder(&folder, path);
                }
                Ok(true)
            }
            Err(_) if path.is_dir() => Ok(false),
            Err(error) => Err(Error::io(&error, "mkdir", path)),
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
            // Our own names are all UTF-8, so another name is none of ours.
            if let Ok(name) = item.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn sync_beside(&self, file: Box<dyn File>) -> Box<dyn SyncBeside> {
        self.syncer.ask(file)
    }

    fn now_ms(&self) -> i64 {
        nanoseconds(SystemTime::now()).div_euclid(1_000_000)
    }

    fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn monotonic_us(&self) -> u64 {
        // Two of these are part of each append, so not `as_micros`, which divides 128 bits.
        let elapsed = self.started.elapsed();
        elapsed.as_secs() * 1_000_000 + u64::from(elapsed.subsec_micros())
    }

    fn sleep_us(&self, duration_us: u64) {
        std::thread::sleep(Duration::from_micros(duration_us));
    }
}

impl File for RealFile {
    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        loop {
            #[cfg(unix)]
            let read = std::os::unix::fs::FileExt::read_at(&self.file, buffer, offset);
            #[cfg(windows)]
            let read = std::os::windows::fs::FileExt::seek_read(&self.file, buffer, offset);
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other.map_err(self.fail("read")),
            }
        }
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(self.fail("write"))
    }

    fn sync_data(&mut self) -> Result<()> {
        self.file.sync_data().map_err(self.fail("fdatasync"))
    }

    fn stamp(&self) -> Result<Stamp> {
        stamp_open(&self.file, &self.metadata()?).map_err(self.fail("fstat"))
    }

    fn try_lock(&mut self) -> Result<bool> {
        match self.file.try_lock() {
            Ok(()) => Ok(true),
            Err(fs::TryLockError::WouldBlock) => Ok(false),
            Err(fs::TryLockError::Error(error)) => Err(Error::io(&error, "flock", &self.path)),
        }
    }

    fn unlock(&mut self) -> Result<()> {
        self.file.unlock().map_err(self.fail("flock"))
    }

    fn overwrite(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.seek(SeekFrom::Start(0)).map_err(self.fail("lseek"))?;
        self.file.write_all(bytes).map_err(self.fail("write"))?;
        let size_bytes = bytes.len() as u64;
        if self.metadata()?.len() == size_bytes {
            return Ok(());
        }
        self.file.set_len(size_bytes).map_err(self.fail("ftruncate"))
    }
}

#[cfg(all(test, windows))]
mod tests {
    use super::*;
    use std::os::windows::fs::OpenOptionsExt;

    #[test]
    fn what_another_program_holds_is_tried_again_until_it_lets_go() {
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
        assert_eq!(files.stamp(&old).expect_err("held").code(), crate::error::Code::Ebusy);
        drop(held);
        fs::remove_dir_all(&folder).expect("an end");
    }
}
