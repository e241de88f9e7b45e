//! What the system's failures become, and which of them are retried.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// The error of a system call on `path`.
pub fn failed(syscall: &'static str, path: &Path) -> impl Fn(io::Error) -> Error {
    move |error| Error::io(&naming_folders(error, path), syscall, path)
}

/// Windows says "access denied" when a folder is opened as a file. Other systems say that it is a folder.
fn naming_folders(error: io::Error, path: &Path) -> io::Error {
    if cfg!(windows) && error.kind() == io::ErrorKind::PermissionDenied && path.is_dir() {
        return io::ErrorKind::IsADirectory.into();
    }
    error
}

/// How long a call waits for another program to close a file.
const HELD_MS_MAX: u64 = 1000;

/// The numbers with which Windows refuses a file that another program holds open for itself alone: a sharing
/// violation, a lock violation. On other systems an open file is in nobody's way.
pub const HELD: &[i32] = if cfg!(windows) { &[32, 33] } else { &[] };
/// Where a file is replaced, Windows may say "access denied" as well.
pub const HELD_OR_DENIED: &[i32] = if cfg!(windows) { &[5, 32, 33] } else { &[] };

/// Retries for a second what fails with one of these numbers.
pub fn unless_refused<T>(refusals: &[i32], mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
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
pub fn found<T>(result: io::Result<T>, syscall: &'static str, path: &Path) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(syscall, path)(error)),
    }
}
