//! What a transaction over several logs is about to append to each: `.progressive-storage/transaction`.
//!
//! ```text
//! {"version":1,"parts":[{"log":"coins","end":1234,"mark":"89abcdef01234567","size_bytes":99}, …]}
//! lines for coins, lines for …
//! 89abcdef                                 CRC-32 of all before
//! ```
//!
//! 1. The logs that it is about have nothing to be mended or synced.
//! 2. The intent is written and synced. With that the transaction is committed.
//! 3. Each log gets its lines, and is synced.
//! 4. The intent is emptied, without a sync.
//!
//! | what ended it                 | the intent | a log                      | then                                  |
//! |-------------------------------|------------|----------------------------|---------------------------------------|
//! | a crash before 2 is over      | no intent  | as before                  | it never happened                     |
//! | the same, before it is synced | whole      | as before                  | `unfinished`; synced before a log gets its lines |
//! | a crash or a failure in 3     | whole      | has its lines              | nothing                               |
//! | the same                      | whole      | ends at `end`, or has a part of its lines | `unfinished`: readers see the lines, the next write logs them first |
//! | a power cut after 4           | whole      | has its lines, maybe more behind them | nothing                    |
//! | the same, and a compaction    | whole      | is another before `end`    | nothing                               |
//! | a crash in 3, and then a program that takes no lock | whole | other lines at `end` | nothing: that log stays without it   |
//!
//! It is written in place, and what is not written whole is no intent, by its checksum. One that is whole and not understood
//! is of a newer version, and committed: it is an error for readers and writers alike, until that version has finished it. So
//! every version has a header with `version` in the first line and this checksum at the end.
//!
//! Invariant: while the lines of an intent may be missing in a log, it is not overwritten.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::data::name::LogName;
use crate::error::{Code, Error, Result};
use crate::files::log::bytes::read_all;
use crate::files::log::paths::create_folder;
use crate::vfs::{FileSystem, Missing, Stamp, Syncing};

/// See the header of this file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Of each log that it is about.
    pub parts: Vec<IntentPart>,
}

/// What one log is to get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntentPart {
    /// The log.
    pub log: LogName,
    /// Where it ends before.
    pub end: u64,
    /// Hash of the last bytes before that.
    pub mark: u64,
    /// What comes behind.
    pub lines: Vec<u8>,
}

/// The newest version that is known.
const VERSION: u32 = 1;
/// What is left of an intent that is over.
const OVER: &[u8] = b"\n";

#[derive(Serialize, Deserialize)]
struct Header {
    version: u32,
    parts: Vec<HeaderPart>,
}

#[derive(Serialize, Deserialize)]
struct HeaderPart {
    log: String,
    end: u64,
    mark: String,
    size_bytes: usize,
}

impl Intent {
    /// Where it is kept.
    pub fn path(data_folder: &Path) -> PathBuf {
        data_folder.join(".progressive-storage").join("transaction")
    }

    /// Stamp of the file; `None` also for who may not look into its folder, and so has no lock of it either.
    pub fn stamp(files: &dyn FileSystem, data_folder: &Path) -> Result<Option<Stamp>> {
        match files.stamp(&Self::path(data_folder)) {
            Err(error) if matches!(error.code(), Code::Eacces | Code::Eperm) => Ok(None),
            found => found,
        }
    }

    /// Reads the intent of a folder; `None` where there is none, or the last one is over.
    ///
    /// # Errors
    /// `ERR_FOLDER_VERSION` where a newer version wrote it, and the system's.
    pub fn read(files: &dyn FileSystem, data_folder: &Path) -> Result<Option<Self>> {
        let mut file = match files.open_read(&Self::path(data_folder)) {
            Ok(Some(file)) => file,
            Ok(None) => return Ok(None),
            // One that is over is no business of readers, who may not be allowed to open it.
            Err(error) => {
                let found = Self::stamp(files, data_folder)?;
                let is_over = found.is_none_or(|found| found.size_bytes <= OVER.len() as u64);
                return if is_over { Ok(None) } else { Err(error) };
            }
        };
        let bytes = read_all(&mut *file, u64::MAX)?;
        let Some(content) = whole(&bytes) else { return Ok(None) };
        let understood = Self::parse(content);
        let newer = || Error::folder_version(&Self::path(data_folder), &version_of(content));
        understood.map(Some).ok_or_else(newer)
    }

    fn parse(content: &[u8]) -> Option<Self> {
        let header_end = memchr::memchr(b'\n', content)?;
        let header: Header = serde_json::from_slice(&content[..header_end]).ok()?;
        if header.version != VERSION {
            return None;
        }
        let mut rest = &content[header_end + 1..];
        let mut parts = Vec::with_capacity(header.parts.len());
        for HeaderPart { log, end, mark, size_bytes } in header.parts {
            let (lines, others) = rest.split_at_checked(size_bytes)?;
            let mark = u64::from_str_radix(&mark, 16).ok()?;
            parts.push(IntentPart { log: LogName::new(&log).ok()?, end, mark, lines: lines.to_vec() });
            rest = others;
        }
        rest.is_empty().then_some(Self { parts })
    }

    /// Writes the intent. Once this is over, the transaction is committed. Where it fails, it may be there all the same:
    /// see `take_back`.
    pub fn write(&self, files: &dyn FileSystem, data_folder: &Path, syncing: Syncing) -> Result<()> {
        let parts = self.parts.iter().map(|part| HeaderPart {
            log: part.log.as_str().to_owned(),
            end: part.end,
            mark: format!("{:016x}", part.mark),
            size_bytes: part.lines.len(),
        });
        let header = Header { version: VERSION, parts: parts.collect() };
        let mut bytes = serde_json::to_vec(&header).unwrap_or_default();
        bytes.push(b'\n');
        for part in &self.parts {
            bytes.extend_from_slice(&part.lines);
        }
        bytes.extend_from_slice(&checksum_of(&bytes));
        bytes.push(b'\n');
        let path = Self::path(data_folder);
        let folder = path.parent().unwrap_or(data_folder);
        create_folder(files, folder, syncing)?;
        let is_new = files.stamp(&path)?.is_none();
        let opened = files.open_in_place(&path, Missing::Create)?;
        let mut file = match opened {
            Some(file) => file,
            // Somebody has just removed the folder.
            None => files.create(&path)?,
        };
        file.overwrite(&bytes)?;
        if syncing.is_on() {
            file.sync_data()?;
            if is_new {
                files.sync_dir(folder)?;
            }
        }
        Ok(())
    }

    /// Makes one that was found durable, before a log gets its lines: who wrote it may not have lived to sync it, and a power
    /// cut would leave half of the transaction.
    pub fn make_durable(files: &dyn FileSystem, data_folder: &Path) -> Result<()> {
        let path = Self::path(data_folder);
        if let Some(mut file) = files.open_in_place(&path, Missing::Leave)? {
            file.sync_data()?;
            files.sync_dir(path.parent().unwrap_or(data_folder))?;
            files.sync_dir(data_folder)?;
        }
        Ok(())
    }

    /// Empties it: all logs have their lines, on disk.
    pub fn clear(files: &dyn FileSystem, data_folder: &Path) -> Result<()> {
        match files.open_in_place(&Self::path(data_folder), Missing::Leave)? {
            Some(mut file) => file.overwrite(OVER),
            None => Ok(()),
        }
    }

    /// Takes back one that could not be written: it must not be found later. Another one that is there stays.
    pub fn take_back(&self, files: &dyn FileSystem, data_folder: &Path) -> Result<()> {
        if Self::read(files, data_folder)?.as_ref() != Some(self) {
            return Ok(());
        }
        let path = Self::path(data_folder);
        files.remove(&path)?;
        match path.parent() {
            Some(folder) if files.stamp(folder).is_ok() => files.sync_dir(folder),
            _ => Ok(()),
        }
    }
}

/// The bytes before the checksum, where it is theirs: the intent was written to its end.
fn whole(bytes: &[u8]) -> Option<&[u8]> {
    let (content, checksum) = bytes.strip_suffix(b"\n")?.split_last_chunk::<8>()?;
    (!content.is_empty() && *checksum == checksum_of(content)).then_some(content)
}

/// What the header says, for a person.
fn version_of(content: &[u8]) -> String {
    let header = content.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let header: Option<serde_json::Value> = serde_json::from_slice(header).ok();
    header.and_then(|header| header.get("version").map(ToString::to_string)).unwrap_or_default()
}

fn checksum_of(bytes: &[u8]) -> [u8; 8] {
    let mut text = [0; 8];
    text.copy_from_slice(format!("{:08x}", crc32fast::hash(bytes)).as_bytes());
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vfs::RealFileSystem;

    fn intent() -> Intent {
        let part = |log: &str, end, lines: &str| IntentPart {
            log: LogName::new(log).expect("a name"),
            end,
            mark: 7,
            lines: lines.as_bytes().to_vec(),
        };
        Intent { parts: vec![part("coins", 12, "{\"a\":1}\n"), part("items", 0, "{}\n{}\n")] }
    }

    #[test]
    fn what_was_written_is_read_and_what_is_not_whole_is_nothing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (files, data) = (RealFileSystem::new(), folder.path());
        assert!(Intent::read(&files, data).expect("read").is_none());
        intent().write(&files, data, Syncing::On).expect("written");
        let read = Intent::read(&files, data).expect("read").expect("an intent");
        let seen: Vec<_> = read.parts.iter().map(|part| (part.log.as_str(), part.end, part.mark)).collect();
        assert_eq!(seen, [("coins", 12, 7), ("items", 0, 7)]);
        assert_eq!(read.parts[1].lines, b"{}\n{}\n");
        let bytes = std::fs::read(Intent::path(data)).expect("its bytes");
        for cut in 0..bytes.len() {
            assert!(whole(&bytes[..cut]).is_none(), "cut to {cut} bytes");
        }
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert!(whole(&flipped).is_none(), "the byte {at} is another");
        }
        let longer = [&bytes[..], b"rest of an older one\n"].concat();
        assert!(whole(&longer).is_none());
        assert!(whole(b"00000000\n").is_none(), "the checksum of nothing");
    }

    #[test]
    fn one_of_a_newer_version_is_an_error_and_stays() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (files, data) = (RealFileSystem::new(), folder.path());
        intent().write(&files, data, Syncing::Off).expect("written");
        let ours = std::fs::read_to_string(Intent::path(data)).expect("its text");
        let content = &ours[..ours.len() - 9];
        let other_parts = content.replace("\"end\"", "\"from\"");
        for changed in [content.replace("\"version\":1", "\"version\":2"), other_parts, "new\n".to_owned()] {
            let newer = [changed.as_bytes(), &checksum_of(changed.as_bytes()), b"\n"].concat();
            std::fs::write(Intent::path(data), &newer).expect("written");
            let error = Intent::read(&files, data).expect_err("it is not understood");
            assert_eq!(error.code(), Code::FolderVersion, "{changed}");
            assert!(intent().take_back(&files, data).is_err());
            assert_eq!(std::fs::read(Intent::path(data)).expect("its bytes"), newer);
            // Cut short, it was never committed.
            std::fs::write(Intent::path(data), &newer[..newer.len() - 1]).expect("cut");
            assert!(Intent::read(&files, data).expect("read").is_none());
        }
    }

    #[test]
    fn one_that_is_over_is_none_and_the_next_takes_its_place() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (files, data) = (RealFileSystem::new(), folder.path());
        Intent::clear(&files, data).expect("nothing to do");
        intent().write(&files, data, Syncing::Off).expect("written");
        Intent::clear(&files, data).expect("emptied");
        assert!(Intent::read(&files, data).expect("read").is_none());
        intent().write(&files, data, Syncing::On).expect("written");
        assert!(Intent::read(&files, data).expect("read").is_some());
        let other = Intent { parts: Vec::new() };
        other.take_back(&files, data).expect("it is not there");
        assert!(Intent::read(&files, data).expect("read").is_some());
        intent().take_back(&files, data).expect("taken back");
        assert!(Intent::read(&files, data).expect("read").is_none());
    }
}
