//! How files are opened. To open a FIFO would wait for its other end, so files are opened without waiting, and their
//! kind is read from the open file.

use std::path::Path;
use std::{fs, io};

use super::failure::{failed, found};
#[cfg(unix)]
use super::kind::only_a_file;
use super::owner::give_to_owner_of_folder;
use crate::error::{Error, Result};
use crate::vfs::Missing;

/// Options that do not wait for the other end of a FIFO.
pub fn opening() -> fs::OpenOptions {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "there is nothing to set"))]
    let mut options = fs::OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    options
}

/// The error of opening for writing. For a FIFO that no program reads, and for a socket, the system gives a number that
/// means many things.
pub fn not_opened(error: io::Error, path: &Path) -> Error {
    #[cfg(unix)]
    if error.raw_os_error() == Some(libc::ENXIO)
        && let Ok(metadata) = fs::metadata(path)
        && let Err(refused) = only_a_file(&metadata, "open", path)
    {
        return refused;
    }
    failed("open", path)(error)
}

/// Opens a small file to read and write. It does not check what kind of file that is.
pub fn open_in_place(path: &Path, missing: Missing) -> Result<Option<fs::File>> {
    let mut options = opening();
    options.read(true).write(true);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => match missing {
            Missing::Create => {
                let made = options.create(true).open(path);
                found(made.inspect(|file| give_to_owner_of_folder(file, path)), "open", path)
            }
            Missing::Leave => Ok(None),
        },
        Err(error) => Err(not_opened(error, path)),
        Ok(file) => Ok(Some(file)),
    }
}
