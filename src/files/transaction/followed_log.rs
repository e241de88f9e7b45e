//! A log to read, with the lines behind it that it lacks of a transaction.
//!
//! ```text
//! ├── the log up to its end ──┤ line break │ lines ┤
//! ```
//!
//! Invariant: what is read of the log ends where it was known to end. Nothing is written.

use crate::error::{Error, Result};
use crate::vfs::{File, Stamp};

/// See the header of this file.
pub struct FollowedLog {
    log: Option<Box<dyn File>>,
    end: u64,
    /// Behind the end.
    behind: Vec<u8>,
}

impl FollowedLog {
    /// A log that ends there, if it is there at all, and these lines.
    pub fn new(log: Option<Box<dyn File>>, end: u64, lines: &[u8]) -> Self {
        // A line break too many is an empty line, which is passed over.
        Self { log, end, behind: [b"\n", lines].concat() }
    }

    /// Where it ends.
    pub fn end(&self) -> u64 {
        self.end + self.behind.len() as u64
    }
}

fn only_read() -> Error {
    Error::internal("a log that is read was to be changed")
}

impl File for FollowedLog {
    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        if offset < self.end {
            let Some(log) = &mut self.log else { return Ok(0) };
            let length = usize::try_from(self.end - offset).unwrap_or(usize::MAX).min(buffer.len());
            return log.read_at(&mut buffer[..length], offset);
        }
        let start = usize::try_from(offset - self.end).unwrap_or(usize::MAX);
        let left = self.behind.get(start..).unwrap_or_default();
        let length = left.len().min(buffer.len());
        buffer[..length].copy_from_slice(&left[..length]);
        Ok(length)
    }

    fn rewind(&mut self) -> Result<()> {
        self.log.as_mut().map_or(Ok(()), |log| log.rewind())
    }

    fn append(&mut self, _: &[u8]) -> Result<()> {
        Err(only_read())
    }

    fn sync_data(&mut self) -> Result<()> {
        Err(only_read())
    }

    fn stamp(&self) -> Result<Stamp> {
        let known = self.log.as_ref().map(|log| log.stamp()).transpose()?;
        let none = Stamp { id: 0, size_bytes: 0, modified_ns: 0, changed_ns: 0 };
        Ok(Stamp { size_bytes: self.end(), ..known.unwrap_or(none) })
    }

    fn try_lock(&mut self) -> Result<bool> {
        Err(only_read())
    }

    fn unlock(&mut self) -> Result<()> {
        Err(only_read())
    }

    fn overwrite(&mut self, _: &[u8]) -> Result<()> {
        Err(only_read())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::log::bytes::read_all;
    use crate::vfs::{FileSystem, RealFileSystem};

    #[test]
    fn it_is_the_log_up_to_its_end_and_the_lines() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("log");
        std::fs::write(&path, "first\nsecond\ntorn").expect("a log");
        let log = RealFileSystem::new().open_read(&path).expect("opened");
        let mut followed = FollowedLog::new(log, 13, b"third\n");
        assert_eq!(followed.end(), 20);
        assert_eq!(read_all(&mut followed, u64::MAX).expect("read"), b"first\nsecond\n\nthird\n");
        let mut byte = [0];
        assert_eq!(followed.read_at(&mut byte, 20), Ok(0));
        assert!(followed.append(b"x").is_err());
        let mut alone = FollowedLog::new(None, 0, b"third\n");
        assert_eq!(read_all(&mut alone, u64::MAX).expect("read"), b"\nthird\n");
    }
}
