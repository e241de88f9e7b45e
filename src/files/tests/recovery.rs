//! Every row of the table in `replay.rs`, and what several of them together lead to: what is read, that
//! reading changes no file, what the next write makes of the files, and that all goes on after it.
//!
//! A row is a log in parts; what must become of each part follows from its kind alone:
//!
//! ```text
//! Good   stays          Unended  stays, and gets its line break      Mark  goes without a trace
//! Bad    to corrupt.N   Torn     to torn.N                       Wrong  to corrupt.N, and is a line break
//! End    to corrupt.N, and a line END is in its place            Garbage  to corrupt.N, a line of its own
//! Missing  nothing, and a line END is in its place
//! ```

use super::reference::{Json, Ordered, replay};
use super::support::{
    Bench, LOG, MIRROR, Session, TIME, append_text, check_rows, old_set_line, ours, set_line, set_more_line,
};
use crate::error::Code;
use crate::files::log::entry::{Encoder, end_line};
use crate::store::collection;
use crate::store::request::Answer;
use crate::store::request::Scope;
use crate::store::request::Work;

enum Part {
    Good(Vec<u8>),
    Unended(Vec<u8>),
    Bad(Vec<u8>),
    Torn(Vec<u8>),
    /// The last line of an operation, damaged.
    End(Vec<u8>),
    /// Before an entry, in its line.
    Garbage(Vec<u8>),
    /// Where the log should go on.
    Missing,
    /// In the place of a line break.
    Wrong(u8),
    Mark,
}

impl Part {
    fn is_wrong(&self) -> bool {
        matches!(self, Wrong(_))
    }
}

use Part::{Bad, End, Garbage, Good, Mark, Missing, Torn, Unended, Wrong};

const BOM: &[u8] = b"\xef\xbb\xbf";

struct Row {
    name: &'static str,
    /// `None`: there is no log.
    parts: Option<Vec<Part>>,
    /// What is read.
    state: &'static str,
}

impl Row {
    fn bytes_of(&self, wanted: impl Fn(&Part) -> Option<Vec<u8>>) -> Vec<u8> {
        self.parts.iter().flatten().filter_map(wanted).flatten().collect()
    }

    fn log(&self) -> Vec<u8> {
        self.bytes_of(|part| {
            Some(match part {
                Good(bytes) | Unended(bytes) | Bad(bytes) | End(bytes) | Torn(bytes) | Garbage(bytes) => {
                    bytes.clone()
                }
                Missing => Vec::new(),
                Wrong(byte) => vec![*byte],
                Mark => BOM.to_vec(),
            })
        })
    }

    /// The log after the next write, without that write.
    fn kept(&self) -> Vec<u8> {
        self.bytes_of(|part| match part {
            Good(bytes) => Some(bytes.clone()),
            Unended(bytes) => Some([bytes.as_slice(), b"\n"].concat()),
            Wrong(_) => Some(b"\n".to_vec()),
            End(_) | Missing => Some(end_line()),
            _ => None,
        })
    }

    fn set_aside(&self, wanted: impl Fn(&Part) -> Option<Vec<u8>>) -> Vec<Vec<u8>> {
        let bytes = self.bytes_of(wanted);
        if bytes.is_empty() { Vec::new() } else { vec![bytes] }
    }

    /// What each file `corrupt.N` holds.
    fn corrupt(&self) -> Vec<Vec<u8>> {
        self.set_aside(|part| match part {
            Bad(bytes) | End(bytes) | Garbage(bytes) => Some(with_break(bytes)),
            Wrong(byte) => Some(vec![*byte, b'\n']),
            _ => None,
        })
    }

    /// What each file `torn.N` holds.
    fn torn(&self) -> Vec<Vec<u8>> {
        self.set_aside(|part| if let Torn(bytes) = part { Some(bytes.clone()) } else { None })
    }

    fn notices(&self) -> Vec<&'static str> {
        let is_damaged = self.first_damage().is_some();
        let damaged = is_damaged.then_some("PS_LOG_DAMAGED");
        damaged.into_iter().chain(self.torn().iter().map(|_| "PS_TORN_TAIL")).collect()
    }

    /// Line and offset of the first damage.
    fn first_damage(&self) -> Option<(usize, usize)> {
        let mut before = Vec::new();
        for part in self.parts.iter().flatten() {
            match part {
                Bad(_) | End(_) | Wrong(_) | Garbage(_) | Missing => {
                    if matches!(part, Missing) && before.last() != Some(&b'\n') {
                        // What is missing begins with the break of the line before it.
                        return Some((lines_of(&before) + 2, before.len()));
                    }
                    return Some((lines_of(&before) + 1, before.len()));
                }
                Good(bytes) | Unended(bytes) | Torn(bytes) => before.extend_from_slice(bytes),
                Mark => before.extend_from_slice(BOM),
            }
        }
        None
    }

    /// The first key that the damage names.
    fn damaged_key(&self) -> Option<String> {
        if self
            .parts
            .iter()
            .flatten()
            .find(|part| matches!(part, Bad(_) | End(_) | Wrong(_) | Garbage(_) | Missing))?
            .is_wrong()
        {
            return None;
        }
        let damage = String::from_utf8_lossy(&self.corrupt().concat()).into_owned();
        let (_, rest) = damage.split_once("\"key\":\"")?;
        rest.split_once('"').map(|(key, _)| key.to_owned())
    }

    /// The entries as callers see them.
    fn entries(&self) -> Vec<Json> {
        let kept = String::from_utf8(self.kept()).expect("good lines are UTF-8");
        let lines = kept.lines().filter(|line| !line.trim().is_empty() && !line.contains("\"_end\""));
        lines.map(|line| without_own(Json::parse(line).expect("good lines are JSON"))).collect()
    }
}

fn without_own(entry: Json) -> Json {
    match entry {
        Json::Object(mut members) => {
            members.retain(|(name, _)| !["_crc", "_edit", "_more"].contains(&name.as_str()));
            Json::Object(members)
        }
        other => other,
    }
}

fn lines_of(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

/// Each line that is set aside has a line break.
fn with_break(line: &[u8]) -> Vec<u8> {
    [line.strip_suffix(b"\n").unwrap_or(line), b"\n"].concat()
}

fn checkpoint_more(key: &str, value: &str, more: u64) -> Vec<u8> {
    let mut line = Vec::new();
    let member = format!("\"{key}\":{value}");
    Encoder::new(&mut line).checkpoint(0, std::iter::once(member.as_str()), more);
    line
}

fn cut_checkpoint() -> Vec<u8> {
    let line = checkpoint_more("lost", "{\"coins\":100}", 0);
    line[..line.len() - 20].to_vec()
}

fn cut_old_checkpoint() -> Vec<u8> {
    b"{\"op\":\"CHECKPOINT\",\"state\":{\"a\":1,\"b\":{\"coins\":1".to_vec()
}

fn flip_checkpoint(mut line: Vec<u8>) -> Vec<u8> {
    let at = line.windows(7).position(|bytes| bytes == b"\"state\"").expect("a state") + 12;
    line[at] ^= 2;
    line
}

fn line_cut_behind_value() -> Vec<u8> {
    let value = String::from_utf8(unended(set_line("inner", "1"))).expect("UTF-8");
    let mut line = old_set_line("outer", &value);
    line.truncate(line.len() - 2);
    line.push(b'\n');
    line
}

fn row(name: &'static str, parts: Vec<Part>, state: &'static str) -> Row {
    Row { name, parts: Some(parts), state }
}

/// A line with one bit of its value flipped.
fn flipped(key: &str) -> Vec<u8> {
    flip(set_line(key, "1"))
}

/// The same in an operation that goes on.
fn flipped_more(key: &str, more: u64) -> Vec<u8> {
    flip(set_more_line(key, "1", more))
}

fn flip(mut line: Vec<u8>) -> Vec<u8> {
    let at = line.windows(7).position(|bytes| bytes == b"\"value\"").expect("a value") + 8;
    line[at] ^= 2;
    line
}

fn unended(mut line: Vec<u8>) -> Vec<u8> {
    assert_eq!(line.pop(), Some(b'\n'));
    line
}

/// The beginning of a line.
fn torn() -> Vec<u8> {
    let line = set_line("t", "{\"coins\":100}");
    line[..line.len() / 2].to_vec()
}

fn rows() -> Vec<Row> {
    let a = || set_line("a", "1");
    let b = || set_line("b", "2");
    let mut rows = whole_rows();
    rows.extend(salvage_rows());
    rows.extend(checkpoint_rows());
    rows.extend([
        // Damage.
        row("a flipped bit in the middle", vec![Good(a()), Bad(flipped("c")), Good(b())], r#"{"a":1,"b":2}"#),
        row("a flipped bit in the first line", vec![Bad(flipped("c")), Good(b())], r#"{"b":2}"#),
        row("a flipped bit in the last line", vec![Good(a()), Bad(flipped("c"))], r#"{"a":1}"#),
        row("damage is all there is", vec![Bad(flipped("c"))], "{}"),
        row(
            "damage in two places",
            vec![Bad(flipped("c")), Good(a()), Bad(flipped("d")), Good(b())],
            r#"{"a":1,"b":2}"#,
        ),
        row(
            "two damaged lines beside each other",
            vec![Good(a()), Bad(flipped("c")), Bad(flipped("d")), Good(b())],
            r#"{"a":1,"b":2}"#,
        ),
        row("a line that is no JSON", vec![Good(a()), Bad(b"what is this\n".to_vec())], r#"{"a":1}"#),
        row("a line that is another JSON value", vec![Bad(b"[1]\n".to_vec()), Good(a())], r#"{"a":1}"#),
        row(
            "a line cut in its middle",
            vec![Good(a()), Bad([torn(), b"\n".to_vec()].concat())],
            r#"{"a":1}"#,
        ),
        row(
            "two lines without the break between them",
            vec![Good(a()), Unended(unended(b())), Good(set_line("c", "3")), Good(set_line("d", "4"))],
            r#"{"a":1,"b":2,"c":3,"d":4}"#,
        ),
        row(
            "three lines without the breaks between them, and damage",
            vec![
                Unended(unended(a())),
                Unended(unended(b())),
                Good(set_line("c", "3")),
                Bad(flipped("d")),
                Unended(unended(a())),
                Good(b()),
            ],
            r#"{"a":1,"b":2,"c":3}"#,
        ),
        row(
            "another byte in the place of a line break",
            vec![Good(a()), Good(unended(b())), Wrong(b'x'), Good(set_line("c", "3"))],
            r#"{"a":1,"b":2,"c":3}"#,
        ),
        row(
            "zeros in the place of a line break, and a torn tail behind them",
            vec![Good(a()), Good(unended(b())), Wrong(0), Torn([vec![0; 9], torn()].concat())],
            r#"{"a":1,"b":2}"#,
        ),
        row(
            "another byte in the place of the last line break",
            vec![Good(a()), Good(unended(b())), Wrong(b'x')],
            r#"{"a":1,"b":2}"#,
        ),
        row(
            "damage behind a whole line, in its line",
            vec![Good(unended(a())), Wrong(b' '), Bad(flipped("c")), Good(b())],
            r#"{"a":1,"b":2}"#,
        ),
        row("a line that is not UTF-8", vec![Bad(b"{\"a\":\"\xff\"}\n".to_vec()), Good(b())], r#"{"b":2}"#),
        row("a line of zeros", vec![Good(a()), Bad([vec![0; 100], b"\n".to_vec()].concat())], r#"{"a":1}"#),
        row(
            "damage that is longer than a read",
            vec![Good(a()), Bad(long_line()), Good(b())],
            r#"{"a":1,"b":2}"#,
        ),
        // Torn tails.
        row("a torn tail", vec![Good(a()), Torn(torn())], r#"{"a":1}"#),
        row("a torn tail is all there is", vec![Torn(torn())], "{}"),
        row("a tail of zeros", vec![Good(a()), Torn(vec![0; 4096])], r#"{"a":1}"#),
        row(
            "a whole line and zeros in the place of its break",
            vec![Good(a()), Unended(unended(b())), Torn(vec![0; 300])],
            r#"{"a":1,"b":2}"#,
        ),
        row("a torn line and zeros", vec![Good(a()), Torn([torn(), vec![0; 9]].concat())], r#"{"a":1}"#),
        row("a torn tail that is no UTF-8", vec![Good(a()), Torn(b"{\"a\":\"\xc3".to_vec())], r#"{"a":1}"#),
        row(
            "a torn tail that is longer than a read",
            vec![Good(a()), Torn(unended(long_line()))],
            r#"{"a":1}"#,
        ),
        row(
            "a last line without its break, damaged",
            vec![Good(a()), Torn(unended(flipped("c")))],
            r#"{"a":1}"#,
        ),
        // Operations of several lines.
        row("an unfinished operation", vec![Good(a()), Torn(set_more_line("c", "3", 1))], r#"{"a":1}"#),
        row("an unfinished operation is all there is", vec![Torn(set_more_line("c", "3", 1))], "{}"),
        row(
            "an unfinished operation of two lines",
            vec![Good(a()), Torn([set_more_line("a", "3", 2), set_more_line("c", "3", 1)].concat())],
            r#"{"a":1}"#,
        ),
        row(
            "an unfinished operation without its last break",
            vec![Good(a()), Torn(unended(set_more_line("c", "3", 1)))],
            r#"{"a":1}"#,
        ),
        row(
            "an unfinished operation with a torn line",
            vec![Good(a()), Torn([set_more_line("c", "3", 1), torn()].concat())],
            r#"{"a":1}"#,
        ),
        row(
            "an unfinished operation behind a whole one",
            vec![Good([set_more_line("a", "1", 1), b()].concat()), Torn(set_more_line("b", "3", 1))],
            r#"{"a":1,"b":2}"#,
        ),
        row(
            "an unfinished operation with a damaged line",
            vec![Good(a()), Torn([set_more_line("c", "3", 2), flipped_more("d", 1)].concat())],
            r#"{"a":1}"#,
        ),
        row(
            "an operation whose last line is damaged",
            vec![Good(set_more_line("a", "1", 1)), End(flipped("c"))],
            r#"{"a":1}"#,
        ),
        row(
            "an operation with a damaged line in its middle",
            vec![Good(set_more_line("a", "1", 2)), Bad(flipped_more("c", 1)), Good(b())],
            r#"{"a":1,"b":2}"#,
        ),
        row(
            "an operation whose first line is damaged",
            vec![Bad(flipped_more("c", 1)), Good(b())],
            r#"{"b":2}"#,
        ),
        // Several of these.
        row("damage, then a torn tail", vec![Bad(flipped("c")), Good(a()), Torn(torn())], r#"{"a":1}"#),
        row("damage just before a torn tail", vec![Good(a()), Bad(flipped("c")), Torn(torn())], r#"{"a":1}"#),
        row("damage and a torn tail, nothing else", vec![Bad(flipped("c")), Torn(torn())], "{}"),
        row(
            "damage, then an unfinished operation",
            vec![Good(a()), Bad(flipped("c")), Good(b()), Torn(set_more_line("a", "3", 1))],
            r#"{"a":1,"b":2}"#,
        ),
        row(
            "damage, then an entry without its line break",
            vec![Bad(flipped("c")), Unended(unended(a()))],
            r#"{"a":1}"#,
        ),
        row(
            "damage and empty lines",
            vec![Good(b"\n".to_vec()), Bad(flipped("c")), Good(b"\n\n".to_vec())],
            "{}",
        ),
        row(
            "a byte order mark, damage and a torn tail",
            vec![Mark, Good(a()), Bad(flipped("c")), Torn(torn())],
            r#"{"a":1}"#,
        ),
        row(
            "a byte order mark and an unfinished operation",
            vec![Torn([BOM, &set_more_line("a", "1", 1)].concat())],
            "{}",
        ),
        row("a byte order mark and a torn tail", vec![Torn([BOM, &torn()].concat())], "{}"),
        row(
            "a byte order mark and a damaged first line",
            vec![Bad([BOM, &flipped("c")].concat()), Good(a())],
            r#"{"a":1}"#,
        ),
        row("a byte order mark and damage, nothing else", vec![Bad([BOM, &flipped("c")].concat())], "{}"),
    ]);
    rows
}

/// Entries behind garbage on one line.
fn salvage_rows() -> Vec<Row> {
    let a = || set_line("a", "1");
    let b = || set_line("b", "2");
    vec![
        row(
            "zeros before a line of ours",
            vec![Good(a()), Garbage(vec![0; 4096]), Good(b())],
            r#"{"a":1,"b":2}"#,
        ),
        row(
            "a torn line of the old module, and the next one appended to it",
            vec![Good(old_set_line("a", "1")), Garbage(torn()), Good(old_set_line("b", "2"))],
            r#"{"a":1,"b":2}"#,
        ),
        row(
            "the same twice, at the end without a line break",
            vec![
                Garbage(torn()),
                Unended(unended(old_set_line("a", "1"))),
                Garbage(torn()),
                Unended(unended(b())),
            ],
            r#"{"a":1,"b":2}"#,
        ),
        row(
            "lines of the old module without the breaks between them",
            vec![
                Unended(unended(old_set_line("a", "1"))),
                Unended(unended(old_set_line("c", "3"))),
                Good(old_set_line("b", "2")),
            ],
            r#"{"a":1,"c":3,"b":2}"#,
        ),
        row(
            "a value that looks like an entry, at the end of a damaged line",
            vec![Good(a()), Bad(line_cut_behind_value())],
            r#"{"a":1}"#,
        ),
        row(
            "zeros before the first line of an unfinished operation",
            vec![Good(a()), Torn([vec![0; 9], set_more_line("c", "3", 1)].concat())],
            r#"{"a":1}"#,
        ),
        row(
            "zeros within an operation",
            vec![
                Good(set_more_line("a", "1", 2)),
                Garbage(vec![0; 9]),
                Good(set_more_line("c", "3", 1)),
                Good(b()),
            ],
            r#"{"a":1,"c":3,"b":2}"#,
        ),
    ]
}

/// Checkpoints that were cut short.
fn checkpoint_rows() -> Vec<Row> {
    let a = || set_line("a", "1");
    let b = || set_line("b", "2");
    vec![
        row("a checkpoint that was cut short", vec![Bad(cut_checkpoint())], "{}"),
        row("a checkpoint of the old module that was cut short", vec![Bad(cut_old_checkpoint())], "{}"),
        row(
            "a checkpoint that was cut short behind entries",
            vec![Good(a()), Bad(cut_checkpoint())],
            r#"{"a":1}"#,
        ),
        row(
            "a checkpoint that was cut short, and entries",
            vec![Garbage(cut_checkpoint()), Good(b())],
            r#"{"b":2}"#,
        ),
        row(
            "a checkpoint of which lines are missing",
            vec![Good(checkpoint_more("a", "1", 2)), Good(checkpoint_more("b", "2", 1)), Missing],
            r#"{"a":1,"b":2}"#,
        ),
        row(
            "a checkpoint of which lines are missing, without the last break",
            vec![Unended(unended(checkpoint_more("a", "1", 2))), Missing],
            r#"{"a":1}"#,
        ),
        row(
            "a checkpoint of which one line is cut short and others are missing",
            vec![Good(checkpoint_more("a", "1", 2)), End(cut_checkpoint())],
            r#"{"a":1}"#,
        ),
        row(
            "a checkpoint of which hardly anything of the second line is left",
            vec![Good(checkpoint_more("a", "1", 2)), End(b"{\"o".to_vec())],
            r#"{"a":1}"#,
        ),
        row(
            "a checkpoint with a damaged line in its middle",
            vec![
                Good(checkpoint_more("a", "1", 2)),
                Bad(flip_checkpoint(checkpoint_more("c", "3", 1))),
                Good(end_line()),
            ],
            r#"{"a":1}"#,
        ),
    ]
}

/// Logs in which nothing is lost.
fn whole_rows() -> Vec<Row> {
    let a = || set_line("a", "1");
    let delete = || ours(&format!("{{\"timestamp\":\"{TIME}\",\"op\":\"DELETE\",\"key\":\"a\"}}"));
    let spaced = b" { \"op\" : \"SET\", \"key\" : \"b\", \"value\" : { \"x\" : [ 1 ] } } \n".to_vec();
    vec![
        Row { name: "no log", parts: None, state: "{}" },
        row("an empty log", vec![], "{}"),
        row("valid lines", vec![Good(a()), Good(set_line("b", "2"))], r#"{"a":1,"b":2}"#),
        row(
            "valid lines of the old module",
            vec![Good(old_set_line("a", "1")), Good(spaced)],
            r#"{"a":1,"b":{"x":[1]}}"#,
        ),
        row("a valid last line without its break", vec![Good(a()), Unended(unended(delete()))], "{}"),
        row("one line without its break", vec![Unended(unended(a()))], r#"{"a":1}"#),
        row(
            "a last line of the old module without its break",
            vec![Good(a()), Unended(unended(old_set_line("b", "2")))],
            r#"{"a":1,"b":2}"#,
        ),
        row("empty lines", vec![Good(b"\n \t\n".to_vec()), Good(a()), Good(b"\n\n".to_vec())], r#"{"a":1}"#),
        row("an empty last line without its break", vec![Good(a()), Unended(b"  ".to_vec())], r#"{"a":1}"#),
        row("line breaks of Windows", vec![Good([unended(a()), b"\r\n".to_vec()].concat())], r#"{"a":1}"#),
        row(
            "entries that change nothing",
            vec![Good(b"{\"op\":\"NOTE\",\"key\":\"a\"}\n{}\n".to_vec())],
            "{}",
        ),
        row(
            "an operation of two lines",
            vec![Good([set_more_line("a", "1", 1), set_line("b", "2")].concat())],
            r#"{"a":1,"b":2}"#,
        ),
        row("a byte order mark", vec![Mark, Good(a())], r#"{"a":1}"#),
        row("a byte order mark is all there is", vec![Mark], "{}"),
        row(
            "a byte order mark and an entry without its break",
            vec![Mark, Unended(unended(a()))],
            r#"{"a":1}"#,
        ),
    ]
}

/// A damaged line of over a megabyte, which is what is read at once.
fn long_line() -> Vec<u8> {
    let mut line = set_line("long", &format!("\"{}\"", "x".repeat(1_200_000)));
    line[600_000] = b'y';
    line
}

/// The ways in which the next write may come.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Next {
    Set,
    Append,
    Compact,
}

fn bench_with(row: &Row) -> Bench {
    let bench = Bench::new();
    if row.parts.is_some() {
        bench.write(LOG, row.log());
    }
    bench
}

fn with(state: &str, key: &str, value: &str) -> String {
    let mut state = Ordered::parse(state).expect("a state");
    state.set(key, value);
    state.text()
}

fn assert_reads(bench: &Bench, session: &mut Session, row: &Row, when: &str) {
    let before = bench.contents();
    for _ in 0..2 {
        assert_eq!(session.state(), row.state, "{when}");
        let entries = session.entries();
        let entries: Vec<Json> = entries.iter().map(|text| Json::parse(text).expect("JSON")).collect();
        assert_eq!(entries, row.entries(), "{when}: entries");
    }
    assert_eq!(bench.take_notices(), row.notices(), "{when}: notices");
    assert_eq!(bench.contents(), before, "{when}: reading changes no file");
}

fn write_next(bench: &Bench, session: &mut Session, row: &Row, next: Next, when: &str) -> String {
    let (kept, state) = (row.kept(), with(row.state, "z", "1"));
    match next {
        Next::Set => session.set("z", "1"),
        Next::Append => session.append("z", "1"),
        Next::Compact => {
            session.compact();
            let backups = bench.numbered("logs/players.log.backup.");
            let expected: &[&[u8]] = if row.parts.is_some() { &[kept.trim_ascii_end()] } else { &[] };
            let found: Vec<&[u8]> = backups.iter().map(|backup| backup.trim_ascii_end()).collect();
            assert_eq!(found, expected, "{when}: the backup");
            let log = bench.text(LOG);
            assert!(log.starts_with("{\"op\":\"CHECKPOINT\",\"state\":{"), "{when}: {log}");
            assert_eq!(log.lines().count(), 1, "{when}");
            session.set("z", "1");
        }
    }
    let log = bench.read(LOG).expect("a log");
    assert_eq!(replay(&log).text(), state, "{when}: the log");
    if next != Next::Compact {
        assert!(log.starts_with(&kept), "{when}: what is good stays as it is");
        let line = std::str::from_utf8(&log[kept.len()..]).expect("UTF-8");
        let is_one = line.lines().count() == 1 || (kept.is_empty() && line.starts_with('\n'));
        assert!(is_one && line.contains("\"key\":\"z\""), "{when}: {line:?}");
    }
    state
}

fn assert_salvages(row: &Row, is_collection: bool, looks_first: bool, next: Next) {
    let bench = bench_with(row);
    let when = format!("{} (collection: {is_collection}, looks first: {looks_first}, {next:?})", row.name);
    let mut session = bench.open_as("players", is_collection);
    if looks_first {
        assert_reads(&bench, &mut session, row, &when);
    }
    let state = write_next(&bench, &mut session, row, next, &when);
    if !looks_first {
        assert_eq!(bench.take_notices(), row.notices(), "{when}: notices");
    }
    assert_eq!(bench.numbered("logs/players.log.corrupt."), row.corrupt(), "{when}: damage is kept");
    assert_eq!(bench.numbered("logs/players.log.torn."), row.torn(), "{when}: the torn tail is kept");
    assert_eq!(session.state(), state, "{when}");
    if is_collection {
        bench.assert_files_hold(&state, &when);
    } else {
        assert!(!bench.exists(MIRROR), "{when}: no mirror was asked for");
    }
    session.crash();

    // All goes on, as if nothing had been.
    let mut session = bench.open_as("players", is_collection);
    assert_eq!(session.state(), state, "{when}: after a crash");
    session.append("y", "2");
    session.set("z", "3");
    let state = with(&with(&state, "y", "2"), "z", "3");
    assert_eq!(bench.replayed(), state, "{when}: the log after a crash");
    session.end();
    let mut session = bench.open_as("players", is_collection);
    assert_eq!(session.state(), state, "{when}: after a clean end");
    assert_eq!(bench.take_notices(), [""; 0], "{when}: nothing is reported again");
    let leftovers: Vec<_> = bench.contents().into_keys().filter(|path| path.ends_with(".tmp")).collect();
    assert!(leftovers.is_empty(), "{when}: {leftovers:?}");
}

/// All rows, by name.
fn named(rows: Vec<Row>) -> impl Iterator<Item = (String, Row)> {
    rows.into_iter().map(|row| (row.name.to_owned(), row))
}

#[test]
fn every_row_is_salvaged() {
    check_rows(named(rows()), |_, row| {
        for next in [Next::Set, Next::Append, Next::Compact] {
            assert_salvages(&row, false, true, next);
            assert_salvages(&row, true, true, next);
            assert_salvages(&row, true, false, next);
        }
    });
}

#[test]
fn rows_without_damage_are_no_reason_to_refuse() {
    check_rows(named(rows()).filter(|(_, row)| row.first_damage().is_none()), |name, row| {
        let bench = bench_with(&row).refusing();
        let mut session = bench.open();
        assert_reads(&bench, &mut session, &row, name);
        let state = write_next(&bench, &mut session, &row, Next::Set, name);
        assert_eq!(bench.numbered("logs/players.log.torn."), row.torn(), "{name}");
        bench.assert_files_hold(&state, name);
        session.crash();
        assert_eq!(bench.open().state(), state, "{name}");
    });
}

#[test]
fn rows_with_damage_are_refused_and_nothing_changes() {
    let calls: [(&str, fn() -> Work); 9] = [
        ("read", || crate::store::collection::whole()),
        ("entries", || Work::Entries),
        ("cursor", || Work::Cursor),
        ("rebuild", || Work::Rebuild),
        ("get", || Work::Read(Scope::Keys, Box::new(|_| Answer::Undefined))),
        ("append", || Work::Append(append_text("z", "1"))),
        ("set", || collection::set("\"z\"", "1")),
        ("clear", collection::clear),
        ("compact", || Work::Compact(None)),
    ];
    check_rows(named(rows()).filter(|(_, row)| row.first_damage().is_some()), |name, row| {
        let (line, offset) = row.first_damage().expect("damage");
        let bench = bench_with(&row).refusing();
        let before = bench.contents();
        let mut session = bench.open();
        for (call, work) in calls {
            let error = session.call(work()).expect_err("a refusal");
            assert_eq!(error.code(), Code::LogCorrupt, "{name}: {call}");
            for part in [format!("line {line} "), format!("byte {offset} "), "players.log".to_owned()] {
                assert!(error.message().contains(&part), "{name}: {call}: {part:?} in {}", error.message());
            }
            if let Some(key) = row.damaged_key() {
                let named = format!("key '{key}'");
                assert!(error.message().contains(&named), "{name}: {call}: {}", error.message());
            }
            assert_eq!(bench.contents(), before, "{name}: {call} changed a file");
        }
        session.end();
        assert_eq!(bench.contents(), before, "{name}: the end changed a file");
    });
}

#[test]
fn a_log_that_was_mended_is_no_longer_refused_and_others_never_were() {
    let bench = Bench::new().refusing();
    bench.write(LOG, [set_line("a", "1"), flipped("c")].concat());
    let mut session = bench.open();
    assert_eq!(session.try_state(), Err(Code::LogCorrupt));
    let mut other = bench.open_as("tokens", true);
    other.set("k", "1");
    assert_eq!(other.state(), r#"{"k":1}"#);
    bench.write(LOG, set_line("a", "1"));
    session.set("b", "2");
    assert_eq!(session.state(), r#"{"a":1,"b":2}"#);
}

#[test]
fn damage_that_comes_while_the_process_runs_is_refused_too() {
    let bench = Bench::new().refusing();
    let mut session = bench.open();
    session.set("a", "1");
    bench.append(LOG, &flipped("c"));
    assert_eq!(session.try_state(), Err(Code::LogCorrupt));
    let before = bench.contents();
    assert_eq!(session.call(collection::set("\"b\"", "2")).expect_err("a refusal").code(), Code::LogCorrupt);
    assert_eq!(bench.read(LOG), before.get(&bench.path(LOG)).map(|(bytes, _)| bytes.clone()));
}

#[test]
fn a_line_may_be_cut_anywhere() {
    let (first, last) = (set_line("a", "1"), set_line("b", "{\"text\":\"é\"}"));
    for cut in 1..=last.len() {
        let bench = Bench::new();
        let rest = &last[..last.len() - cut];
        bench.write(LOG, [first.as_slice(), rest].concat());
        let state = if cut == 1 { r#"{"a":1,"b":{"text":"é"}}"# } else { r#"{"a":1}"# };
        let mut session = bench.open();
        assert_eq!(session.state(), state, "{cut} bytes cut");
        session.set("z", "1");
        bench.assert_files_hold(&with(state, "z", "1"), "after a cut");
        let torn = bench.numbered("logs/players.log.torn.");
        let expected: &[&[u8]] = if cut == 1 || rest.is_empty() { &[] } else { &[rest] };
        assert_eq!(torn, expected, "{cut} bytes cut");
    }
}

#[test]
fn an_operation_of_several_lines_may_be_cut_anywhere() {
    let bench = Bench::new();
    let mut session = bench.open_as("players", false);
    session.set("a", "1");
    session.set("b", "2");
    let before = bench.read(LOG).expect("a log").len();
    session.call(collection::clear()).expect("a clear");
    session.crash();
    let log = bench.read(LOG).expect("a log");
    for end in before..=log.len() {
        bench.write(LOG, &log[..end]);
        // The break of the last line says nothing that the line does not.
        let state = if end + 1 >= log.len() { "{}" } else { r#"{"a":1,"b":2}"# };
        assert_eq!(bench.open_as("players", false).state(), state, "cut at {end} of {}", log.len());
    }
}

#[test]
fn the_newest_three_torn_tails_are_kept() {
    let bench = Bench::new();
    for number in 0..5 {
        bench.append(LOG, format!("torn {number}").as_bytes());
        bench.open().set("a", &number.to_string());
    }
    let kept = bench.numbered("logs/players.log.torn.");
    assert_eq!(kept, [b"torn 2", b"torn 3", b"torn 4"]);
    bench.assert_files_hold(r#"{"a":4}"#, "after five torn tails");
}

#[test]
fn all_damage_is_kept() {
    let bench = Bench::new();
    let mut session = bench.open();
    for number in 0..5 {
        bench.append(LOG, format!("damage {number}\n").as_bytes());
        session.set("a", &number.to_string());
    }
    let kept = bench.numbered("logs/players.log.corrupt.");
    assert_eq!(kept, (0..5).map(|n| format!("damage {n}\n").into_bytes()).collect::<Vec<_>>());
    bench.assert_files_hold(r#"{"a":4}"#, "after damage five times");
}

/// Old data that does not fit into one line is taken over in several; the mirror still has what is not in the log then.
#[test]
fn a_takeover_of_old_data_may_be_cut_anywhere() {
    let value = format!("\"{}\"", "x".repeat(700_000));
    let members: Vec<String> = ["a", "b", "c", "d"].iter().map(|key| format!("\"{key}\":{value}")).collect();
    let old_data = format!("{{{}}}", members.join(","));
    let bench = Bench::new();
    bench.write(MIRROR, &old_data);
    let mut session = bench.open();
    session.set("z", "1");
    session.crash();
    let log = bench.read(LOG).expect("a log");
    let ends: Vec<usize> =
        log.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
    assert!(ends.len() >= 4, "{} lines", ends.len());
    let mut cuts = vec![ends[0] / 2];
    cuts.extend(ends[..3].iter().flat_map(|end| [*end - 1, *end, *end + 3, *end + 30]));
    for cut in cuts {
        let bench = Bench::new();
        bench.write(MIRROR, &old_data);
        bench.write(LOG, &log[..cut]);
        let mut session = bench.open();
        assert!(session.state() == old_data, "cut at {cut} of {}: something is lost", log.len());
        session.set("z", "1");
        let expected = with(&old_data, "z", "1");
        assert!(session.state() == expected, "cut at {cut}: after a write");
        session.end();
        assert!(replay(&bench.read(LOG).expect("a log")).text() == expected, "cut at {cut}: the log");
    }
}
