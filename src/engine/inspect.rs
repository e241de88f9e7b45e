//! The lines of a log file as a person or a tool looks at them: where each stands, whether its checksum
//! is right, what it says. Any file with such lines: a log, a backup, what was set aside.
//!
//! Invariant: reads only, takes no lock, and hands on whole lines; so it may look at a log that is being
//! written, whose last line may then be unfinished.

use std::fmt::Write as _;
use std::path::Path;

use super::entry::Entry;
use super::json;
use super::lines::{Damage, Line, LineReader};
use crate::error::Result;
use crate::vfs::FileSystem;

/// About this much of the file is looked at in one go.
const PIECE_BYTES: u64 = 1 << 20;

/// Where to begin.
#[derive(Clone, Copy, Debug)]
pub struct LinePlace {
    /// Bytes before the line; the beginning of a line.
    pub offset: u64,
    /// 1 for the first line of the file.
    pub number: u64,
}

/// Some lines from `place` on as JSON text, and the place behind them; `None` when there is no such file.
///
/// ```text
/// {"lines":[{"line":1,"offset":0,"sizeBytes":99,"isTerminated":true,"state":"checked","entry":{…}},…],
///  "next":{"offset":100,"line":2},"isEnd":true,"sizeBytes":100}
/// ```
///
/// # Errors
/// When the file cannot be read.
pub fn describe_lines(files: &dyn FileSystem, path: &Path, place: LinePlace) -> Result<Option<String>> {
    let Some(mut file) = files.open_read(path)? else { return Ok(None) };
    let size_bytes = file.stamp()?.size_bytes;
    let mut out = String::from("{\"lines\":[");
    let LinePlace { mut offset, mut number } = place;
    let stop = offset.saturating_add(PIECE_BYTES);
    let mut is_end = true;
    let mut reader = LineReader::new(&mut *file, offset, size_bytes, number);
    while let Some(line) = reader.next_line()? {
        if offset > place.offset {
            out.push(',');
        }
        push_line(&mut out, &line);
        (offset, number) = (line.end(), line.number + 1);
        if offset >= stop {
            is_end = offset >= size_bytes;
            break;
        }
    }
    let _ = write!(
        out,
        "],\"next\":{{\"offset\":{offset},\"line\":{number}}},\"isEnd\":{is_end},\"sizeBytes\":{size_bytes}}}"
    );
    Ok(Some(out))
}

fn push_line(out: &mut String, line: &Line) {
    let _ = write!(
        out,
        "{{\"line\":{},\"offset\":{},\"sizeBytes\":{},\"isTerminated\":{}",
        line.number,
        line.offset,
        line.size_bytes(),
        line.is_terminated
    );
    match line.entry() {
        None => out.push_str(",\"state\":\"empty\""),
        Some(Ok(entry)) => push_entry(out, &entry),
        Some(Err(reason)) => {
            let damage = Damage::of(line, reason);
            let state = if line.is_terminated { "damaged" } else { "torn" };
            let _ = write!(out, ",\"state\":\"{state}\",\"reason\":{}", json::quote(&reason.to_string()));
            if let Some(key) = damage.key {
                let _ = write!(out, ",\"key\":{}", json::quote(&key));
            }
        }
    }
    out.push('}');
}

fn push_entry(out: &mut String, entry: &Entry) {
    let state = if entry.has_crc() { "checked" } else { "plain" };
    let _ = write!(out, ",\"state\":\"{state}\"");
    if entry.is_end() {
        out.push_str(",\"endsOperation\":true");
        return;
    }
    let _ = write!(out, ",\"entry\":{}", entry.text());
    if entry.more > 0 {
        let _ = write!(out, ",\"more\":{}", entry.more);
    }
    if entry.edit.is_some() {
        out.push_str(",\"isEdit\":true");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::entry::Encoder;
    use crate::vfs::RealFileSystem;

    #[test]
    fn each_line_is_told_with_its_place_and_state() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let mut bytes = Vec::new();
        Encoder::new(&mut bytes).set(0, "\"k\"", "1", 0);
        let first = bytes.len();
        bytes.extend_from_slice(b"{\"op\":\"NOTE\"}\n\nx\"key\":\"u1\",\n{\"op\"");
        std::fs::write(&path, &bytes).unwrap();
        let files = RealFileSystem::new();
        let text = describe_lines(&files, &path, LinePlace { offset: 0, number: 1 }).unwrap().unwrap();
        for part in [
            "\"line\":1,\"offset\":0,",
            "\"state\":\"checked\",\"entry\":{\"timestamp\":\"1970-01-01T00:00:00.000Z\",\"op\":\"SET\",\"key\":\"k\",\"value\":1}}",
            &format!(
                "\"line\":2,\"offset\":{first},\"sizeBytes\":13,\"isTerminated\":true,\"state\":\"plain\",\"entry\":{{\"op\":\"NOTE\"}}}}"
            ),
            "\"state\":\"empty\"}",
            "\"state\":\"damaged\",\"reason\":\"it is not a JSON object\",\"key\":\"u1\"}",
            "\"sizeBytes\":5,\"isTerminated\":false,\"state\":\"torn\"",
            &format!(
                "\"next\":{{\"offset\":{0},\"line\":6}},\"isEnd\":true,\"sizeBytes\":{0}}}",
                bytes.len()
            ),
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        let second =
            describe_lines(&files, &path, LinePlace { offset: first as u64, number: 2 }).unwrap().unwrap();
        assert!(second.starts_with("{\"lines\":[{\"line\":2,"), "{second}");
        assert!(
            describe_lines(&files, &folder.path().join("none"), LinePlace { offset: 0, number: 1 })
                .unwrap()
                .is_none()
        );
    }
}
