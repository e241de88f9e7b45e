//! What stands at a path: a regular file, or something else that the store refuses.

use std::fs;
use std::path::Path;

use crate::error::{Error, Result};

/// Refuses what is no regular file. A folder passes: the system itself says what it is, at its first use.
pub fn only_a_file(metadata: &fs::Metadata, syscall: &'static str, path: &Path) -> Result<()> {
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
