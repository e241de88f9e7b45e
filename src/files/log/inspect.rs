//! The lines of a log file for a person or a tool: where each stands, whether its checksum
//! is right, what it says. Any file with such lines: a log, a backup, what was set aside.
//!
//! Invariant: reads only, takes no lock, and gives whole lines; so it may read a log that is being
//! written, whose last line may then be unfinished.

use std::fmt::Write as _;
use std::path::Path;

use crate::data::entry_text::KeyChange;
use crate::data::json;
use crate::error::Result;
use crate::files::log::entry::Entry;
use crate::files::log::lines::{Damage, Line, LineBreak, LineKind, LineReader};
use crate::vfs::FileSystem;

/// About this much of the file is read in one go.
const PIECE_BYTES: u64 = 1 << 20;

/// Where to begin.
#[derive(Clone, Copy, Debug)]
pub struct LinePlace {
    /// Bytes before the line; the beginning of a line.
    pub offset: u64,
    /// 1 for the first line of the file.
    pub number: u64,
}

/// What is given of each line beside its place and state.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// The entry.
    pub entries: bool,
    /// The keys that it changes, in order.
    pub changes: bool,
}

/// Some lines from `place` on as JSON text, and the place behind them; `None` when there is no such file.
///
/// ```text
/// {"lines":[{"line":1,"offset":0,"sizeBytes":99,"isTerminated":true,"state":"checked","time":…,"entry":{…},
///  "changes":[["set",1],["expiring",1,ms],["deleted"]]},…],"next":{"offset":100,"line":2},"isEnd":true,"sizeBytes":100}
/// ```
///
/// `"until":ms` behind the changes: all keys that are over by then are removed.
///
/// # Errors
/// When the file cannot be read.
pub fn describe_lines(
    files: &dyn FileSystem,
    path: &Path,
    place: LinePlace,
    wanted: Wanted,
) -> Result<Option<String>> {
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
        push_line(&mut out, &line, wanted);
        offset = line.end();
        // The rest of a line has the same number.
        number = line.number + u64::from(line.ending == LineBreak::Whole);
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

fn push_line(out: &mut String, line: &Line, wanted: Wanted) {
    let _ = write!(
        out,
        "{{\"line\":{},\"offset\":{},\"sizeBytes\":{},\"isTerminated\":{}",
        line.number,
        line.offset,
        line.size_bytes(),
        line.is_terminated
    );
    match line.found {
        LineKind::Nothing => out.push_str(",\"state\":\"empty\""),
        LineKind::Entry(entry) => push_entry(out, &entry, wanted),
        LineKind::Invalid(reason) => {
            let damage = Damage::of(line, reason);
            let state = if line.is_torn() { "torn" } else { "damaged" };
            let _ = write!(out, ",\"state\":\"{state}\",\"reason\":{}", json::quote(&reason.to_string()));
            if let Some(key) = damage.key {
                let _ = write!(out, ",\"key\":{}", json::quote(&key));
            }
            if damage.is_checkpoint {
                out.push_str(",\"isCheckpoint\":true");
            }
            if let Some(entry) = line.damaged_entry() {
                push_content(out, &entry, Wanted { entries: false, ..wanted });
            }
        }
    }
    if line.ending == LineBreak::Missing && line.entry().is_none() {
        out.push_str(",\"isPartOfLine\":true");
    }
    out.push('}');
    if line.ending == LineBreak::Wrong {
        push_wrong_break(out, &line.wrong_break());
    }
}

fn push_wrong_break(out: &mut String, damage: &Damage) {
    let _ = write!(
        out,
        ",{{\"line\":{},\"offset\":{},\"sizeBytes\":{},\"isTerminated\":true,\"state\":\"damaged\",\"reason\":{},\
         \"isPartOfLine\":true}}",
        damage.line,
        damage.offset,
        damage.size_bytes,
        json::quote(&damage.reason.to_string())
    );
}

fn push_entry(out: &mut String, entry: &Entry, wanted: Wanted) {
    let state = if entry.has_crc() { "checked" } else { "plain" };
    let _ = write!(out, ",\"state\":\"{state}\"");
    if entry.is_end() {
        out.push_str(",\"endsOperation\":true");
        return;
    }
    push_content(out, entry, wanted);
    if entry.is_checkpoint() {
        out.push_str(",\"isCheckpoint\":true");
    }
    if entry.more > 0 {
        let _ = write!(out, ",\"more\":{}", entry.more);
    }
    if entry.edit.is_some() {
        out.push_str(",\"isEdit\":true");
    }
}

/// What a line says, as far as it is asked for.
fn push_content(out: &mut String, entry: &Entry, wanted: Wanted) {
    if let Some(time) = entry.time() {
        let _ = write!(out, ",\"time\":{time}");
    }
    if wanted.entries {
        let _ = write!(out, ",\"entry\":{}", entry.text());
    }
    if wanted.changes {
        out.push_str(",\"changes\":[");
        let mut comma = "";
        let mut until = None;
        entry.changes(|change| {
            let _ = match change {
                KeyChange::Set(key, value, None) => write!(out, "{comma}[{key},{value}]"),
                KeyChange::Set(key, value, Some(expires_ms)) => {
                    write!(out, "{comma}[{key},{value},{expires_ms}]")
                }
                KeyChange::Delete(key) => write!(out, "{comma}[{key}]"),
                KeyChange::Expire(until_ms) => {
                    until = Some(until_ms);
                    Ok(())
                }
            };
            if !matches!(change, KeyChange::Expire(_)) {
                comma = ",";
            }
        });
        out.push(']');
        if let Some(until_ms) = until {
            let _ = write!(out, ",\"until\":{until_ms}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::state::Member;
    use crate::files::log::encoder::Encoder;
    use crate::vfs::RealFileSystem;

    #[test]
    fn each_line_is_given_with_its_place_and_state() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let mut bytes = Vec::new();
        Encoder::new(&mut bytes).set(0, &Member::new("\"k\"", "1"), 0);
        let first = bytes.len();
        bytes.extend_from_slice(b"{\"op\":\"NOTE\"}\n\nx\"key\":\"u1\",\n{\"op\"");
        std::fs::write(&path, &bytes).unwrap();
        let files = RealFileSystem::new();
        let wanted = Wanted { entries: true, changes: true };
        let text =
            describe_lines(&files, &path, LinePlace { offset: 0, number: 1 }, wanted).unwrap().unwrap();
        for part in [
            "\"line\":1,\"offset\":0,",
            "\"state\":\"checked\",\"time\":\"1970-01-01T00:00:00.000Z\",\"entry\":{\"timestamp\":\"1970-01-01T00:00:00.000Z\",\"op\":\"SET\",\"key\":\"k\",\"value\":1},\"changes\":[[\"k\",1]]}",
            &format!(
                "\"line\":2,\"offset\":{first},\"sizeBytes\":13,\"isTerminated\":true,\"state\":\"plain\",\"entry\":{{\"op\":\"NOTE\"}},\"changes\":[]}}"
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
        let place = LinePlace { offset: first as u64, number: 2 };
        let second = describe_lines(&files, &path, place, Wanted::default()).unwrap().unwrap();
        assert!(!second.contains("NOTE") && !second.contains("changes"), "{second}");
        assert!(second.starts_with("{\"lines\":[{\"line\":2,"), "{second}");
        assert!(describe_lines(&files, &folder.path().join("none"), place, wanted).unwrap().is_none());
    }
}
