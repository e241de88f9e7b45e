//! What a log lacks of a transaction that is committed: the lines that come next.
//!
//! Invariant: where a log has other lines behind the place of these, it lacks nothing: it went on without them, or has
//! them already.

use std::path::Path;

use crate::data::entry_text::KeyChange;
use crate::data::state::{Kept, Member, State};
use crate::error::Result;
use crate::files::log::bytes::{log_mark, read_full};
use crate::files::log::encoder::Lines;
use crate::files::log::entry::Entry;
use crate::files::transaction::intent::IntentPart;
use crate::vfs::{File, FileSystem};

/// See the header of this file.
pub struct Unfinished {
    lines: Lines,
}

impl Unfinished {
    /// What the log at this path lacks of a part of an intent.
    pub fn of(files: &dyn FileSystem, part: &IntentPart, log_path: &Path) -> Result<Option<Self>> {
        let unfinished = || Some(Self::of_lines(part.lines.clone()));
        let Some(mut log) = files.open_read(log_path)? else {
            return Ok(if part.end == 0 { unfinished() } else { None });
        };
        let size_bytes = log.stamp()?.size_bytes;
        if size_bytes < part.end || log_mark(&mut *log, part.end)? != part.mark {
            return Ok(None);
        }
        Ok(if is_lacking(&mut *log, part, size_bytes)? { unfinished() } else { None })
    }

    /// These lines.
    pub fn of_lines(bytes: Vec<u8>) -> Self {
        let mut lines = Lines::default();
        let mut end = 0;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            if Entry::decode(line).is_ok_and(|entry| entry.is_end()) {
                lines.barriers.push(end);
            }
            end += line.len();
            lines.count += 1;
        }
        // Nothing behind them may reach the disk before they do: it would look as if the log went on without them.
        lines.barriers.push(end);
        lines.bytes = bytes;
        Self { lines }
    }

    /// To be appended before anything else.
    pub fn lines(&self) -> &Lines {
        &self.lines
    }

    /// Changes a state as they do, except for the keys of which something newer is known.
    pub fn apply<V: Kept>(&self, state: &mut State<V>, has_newer: impl Fn(&str) -> bool) {
        for line in self.lines.bytes.split(|byte| *byte == b'\n') {
            let Ok(entry) = Entry::decode(line) else { continue };
            entry.changes(|change| match change {
                KeyChange::Set(key, value, expires_ms) if !has_newer(key) => {
                    state.set(Member::expiring(key, value, expires_ms));
                }
                KeyChange::Delete(key) if !has_newer(key) => {
                    state.remove(key);
                }
                KeyChange::Expire(until_ms) => state.expire(until_ms),
                KeyChange::Set(..) | KeyChange::Delete(_) => {}
            });
        }
    }
}

/// Whether behind `part.end` there is nothing, or no whole line but of these.
fn is_lacking(log: &mut dyn File, part: &IntentPart, size_bytes: u64) -> Result<bool> {
    let length = size_bytes - part.end;
    // A line break that a crash left out comes first; and a torn line with what replaced it is no longer than twice.
    let limit = 2 * part.lines.len() as u64 + 1;
    let mut behind = vec![0; usize::try_from(length.min(limit)).unwrap_or(usize::MAX)];
    let read = read_full(log, &mut behind, part.end)?;
    behind.truncate(read);
    let behind = behind.strip_prefix(b"\n").unwrap_or(&behind);
    if behind.starts_with(&part.lines) || length > limit {
        return Ok(false);
    }
    let is_ours = |line: &[u8]| part.lines.split(|byte| *byte == b'\n').any(|ours| ours == line);
    let mut lines = behind.split(|byte| *byte == b'\n');
    Ok(lines.all(|line| line.is_empty() || is_ours(line) || Entry::decode(line).is_err()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::name::LogName;
    use crate::vfs::RealFileSystem;

    const LINES: &[u8] = b"{\"op\":\"SET\",\"key\":\"a\",\"value\":1}\n{\"op\":\"DELETE\",\"key\":\"b\"}\n";

    fn lacks(log: Option<&[u8]>, end: u64, mark_of: &[u8]) -> bool {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("coins.log");
        if let Some(bytes) = log {
            std::fs::write(&path, bytes).expect("a log");
        }
        let mark = crate::files::log::bytes::mark_of(mark_of);
        let part =
            IntentPart { log: LogName::new("coins").expect("a name"), end, mark, lines: LINES.to_vec() };
        Unfinished::of(&RealFileSystem::new(), &part, &path).expect("read").is_some()
    }

    #[test]
    fn a_log_lacks_what_it_has_not_or_only_in_part() {
        let before = b"{\"op\":\"SET\",\"key\":\"z\",\"value\":0}\n";
        let end = before.len() as u64;
        let with = |rest: &[u8]| [&before[..], rest].concat();
        assert!(lacks(Some(before), end, before));
        assert!(lacks(None, 0, b""));
        assert!(lacks(Some(b""), 0, b""));
        for cut in 0..LINES.len() {
            assert!(lacks(Some(&with(&LINES[..cut])), end, before), "{cut} bytes of it");
        }
        assert!(lacks(Some(&with(&vec![0; LINES.len()])), end, before), "a hole");
        assert!(!lacks(Some(&with(LINES)), end, before));
        assert!(!lacks(Some(&with(&[LINES, before].concat())), end, before));
        assert!(!lacks(Some(&with(before)), end, before), "it went on without");
        assert!(!lacks(Some(&with(&before.repeat(9))), end, before));
        assert!(!lacks(Some(before), end, b"another log"));
        assert!(!lacks(Some(&before[..4]), end, before));
        assert!(!lacks(None, end, before));
    }

    #[test]
    fn what_is_lacking_counts_but_over_something_newer() {
        let mut state = State::from_object("{\"a\":0,\"b\":2,\"c\":3}");
        Unfinished::of_lines(LINES.to_vec()).apply(&mut state, |key| key == "\"b\"");
        let values = |key: &str| state.get(key).map(|member| member.value().to_owned());
        assert_eq!(values("\"a\"").as_deref(), Some("1"));
        assert_eq!(values("\"b\"").as_deref(), Some("2"));
        let lines = Unfinished::of_lines(LINES.to_vec());
        assert_eq!((lines.lines().count, &lines.lines().barriers[..]), (2, &[LINES.len()][..]));
    }
}
