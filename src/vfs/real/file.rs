//! An open file of the operating system.
//!
//! Invariant: no call decides anything. It passes on what the system says, with the system call and the path; only an
//! interrupted read is repeated, and what is no regular file is refused.

use std::fs;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::failure::failed;
use super::kind::only_a_file;
use super::stamp::stamp_open;
use crate::error::{Error, Result};
use crate::vfs::{File, Stamp};

/// An open file of the operating system.
pub struct RealFile {
    file: fs::File,
    path: PathBuf,
}

impl RealFile {
    fn fail(&self, syscall: &'static str) -> impl Fn(io::Error) -> Error {
        failed(syscall, &self.path)
    }

    /// Metadata of the open file; an error when it is no regular one.
    pub fn metadata(&self) -> Result<fs::Metadata> {
        let metadata = self.file.metadata().map_err(self.fail("fstat"))?;
        only_a_file(&metadata, "open", &self.path)?;
        Ok(metadata)
    }

    /// An opened file of any kind.
    pub fn new(file: fs::File, path: &Path) -> Self {
        Self { file, path: path.to_owned() }
    }

    /// An opened file; an error when it is no regular one.
    pub fn checked(file: fs::File, path: &Path) -> Result<Box<dyn File>> {
        let opened = Self::new(file, path);
        opened.metadata()?;
        Ok(Box::new(opened))
    }

    /// Sets the bits that say who may do what.
    #[cfg(unix)]
    pub fn set_mode(&self, mode: u32) -> Result<()> {
        use std::os::unix::fs::PermissionsExt;
        self.file.set_permissions(fs::Permissions::from_mode(mode)).map_err(self.fail("fchmod"))
    }

    /// Those bits.
    #[cfg(unix)]
    pub fn mode(&self) -> Result<u32> {
        use std::os::unix::fs::PermissionsExt;
        Ok(self.metadata()?.permissions().mode() & 0o777)
    }

    /// The system's handle.
    #[cfg(unix)]
    pub fn handle(&self) -> &fs::File {
        &self.file
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
