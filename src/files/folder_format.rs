//! The number of a folder's format: the file `.progressive-storage/format`, a decimal number and a line break.
//!
//! | the file                     | the folder                                              |
//! |------------------------------|---------------------------------------------------------|
//! | none                         | has format 1, which is the one that is written here     |
//! | a number up to `FORMAT`      | the same                                                |
//! | anything else                | is of a newer version: nothing is read and nothing changes |
//!
//! Format 1 needs no file, so nothing here writes one. A version whose folder an older one would read as other data, or would
//! take something away from, writes its greater number and syncs it, under the lock between processes, before anything else:
//! an older process checks the file whenever another one has held the lock, so it writes nothing afterwards.
//!
//! Invariant: `check` succeeds only where the file was seen to be as known since the last `doubt`.

use std::path::{Path, PathBuf};

use crate::error::{Code, Error, Result};
use crate::files::log::bytes::read_all;
use crate::vfs::FileSystem;

/// The newest format that is known.
const FORMAT: u32 = 1;

const BYTES_MAX: u64 = 64;

/// See the header of this file.
pub struct FolderFormat {
    path: PathBuf,
    is_known: bool,
}

impl FolderFormat {
    /// That of a folder whose own folder of the store this is; it is in doubt.
    pub fn new(own_folder: &Path) -> Self {
        Self { path: own_folder.join("format"), is_known: false }
    }

    /// Another process may have written the file.
    pub fn doubt(&mut self) {
        self.is_known = false;
    }

    /// Reads the file, where it is in doubt. Who may not look into the store's own folder has no lock of it either, and
    /// reads the data.
    ///
    /// # Errors
    /// `ERR_FOLDER_VERSION`, and the system's where the file is there and cannot be read.
    pub fn check(&mut self, files: &dyn FileSystem) -> Result<()> {
        if !self.is_known {
            self.read(files)?;
            self.is_known = true;
        }
        Ok(())
    }

    fn read(&self, files: &dyn FileSystem) -> Result<()> {
        let mut file = match files.open_read(&self.path) {
            Ok(Some(file)) => file,
            Ok(None) => return Ok(()),
            Err(error) if matches!(error.code(), Code::Eacces | Code::Eperm) => {
                let is_there = files.stamp(&self.path).is_ok_and(|found| found.is_some());
                return if is_there { Err(error) } else { Ok(()) };
            }
            Err(error) => return Err(error),
        };
        let bytes = read_all(&mut *file, BYTES_MAX)?;
        let text = String::from_utf8_lossy(&bytes);
        let found = text.trim();
        match found.parse::<u32>() {
            Ok(1..=FORMAT) => Ok(()),
            _ => Err(Error::folder_version(&self.path, found)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vfs::RealFileSystem;

    #[test]
    fn what_is_not_known_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut format = FolderFormat::new(folder.path());
        let mut checked = || format.check(&RealFileSystem::new()).map_err(|error| error.code());
        assert_eq!(checked(), Ok(()), "no file");
        std::fs::write(folder.path().join("format"), "2\n").expect("written");
        assert_eq!(checked(), Ok(()), "it is not in doubt");
        for (text, is_known) in [
            ("1\n", true),
            ("1", true),
            ("2\n", false),
            ("4294967296\n", false),
            ("0\n", false),
            ("", false),
            ("one\n", false),
            ("{\"format\":1}\n", false),
        ] {
            std::fs::write(folder.path().join("format"), text).expect("written");
            format.doubt();
            let checked = format.check(&RealFileSystem::new()).map_err(|error| error.code());
            assert_eq!(checked, if is_known { Ok(()) } else { Err(Code::FolderVersion) }, "{text:?}");
        }
    }
}
