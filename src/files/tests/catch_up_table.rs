//! Every row of the table in `catch_up.rs`: two processes on one folder, and the hands of a person, do
//! things to the files under a running engine. And what may happen while a compaction or a mirror is
//! under way.
//!
//! Each row begins with two sessions that both know `a` and `b`, each 1. Then something happens, and
//! the first session, which had no part in it, looks.

use std::io::ErrorKind;
use std::time::Duration;

use super::reference::Ordered;
use super::support::{
    Bench, LOG, MIRROR, RECORD, Session, append_text, check_rows, old_set_line, set_line, set_more_line,
};
use crate::error::Error;
use crate::store::request::Answer;
use crate::store::request::Work;

/// Two processes on one folder.
struct Two {
    bench: Bench,
    first: Session,
    other: Session,
}

/// Longer than any file system's clock needs to tell two moments apart.
const SETTLED: Duration = Duration::from_millis(25);

impl Two {
    fn new() -> Self {
        let bench = Bench::new();
        let (mut first, mut other) = (bench.open(), bench.open());
        first.set("a", "1");
        first.set("b", "1");
        assert_eq!(other.state(), AB);
        Self { bench, first, other }
    }
}

struct Row {
    name: &'static str,
    happens: fn(&mut Two),
    /// What the first session sees then.
    state: &'static str,
    notices: &'static [&'static str],
}

const AB: &str = r#"{"a":1,"b":1}"#;
const ABC: &str = r#"{"a":1,"b":1,"c":1}"#;
const EDIT: &[&str] = &["PS_FOREIGN_EDIT"];

fn row(name: &'static str, happens: fn(&mut Two), state: &'static str) -> Row {
    Row { name, happens, state, notices: &[] }
}

fn edit(name: &'static str, happens: fn(&mut Two), state: &'static str) -> Row {
    Row { name, happens, state, notices: EDIT }
}

fn lost(name: &'static str, happens: fn(&mut Two), state: &'static str) -> Row {
    Row { name, happens, state, notices: &["PS_LOG_LOST"] }
}

/// The other process at work.
fn rows_of_other_processes() -> Vec<Row> {
    vec![
        row("nothing", |_| {}, AB),
        row("the other appends", |two| two.other.set("c", "1"), ABC),
        row("the other appends an entry", |two| two.other.append("c", "1"), ABC),
        row("the other deletes", |two| two.other.delete("a"), r#"{"b":1}"#),
        row(
            "the other appends twice and deletes in one batch",
            |two| {
                let works = ["c", "d"].map(|key| Work::Append(append_text(key, "1")));
                two.other.send(works.into());
                two.other.delete("d");
            },
            ABC,
        ),
        row("the other compacts", |two| two.other.compact(), AB),
        row(
            "the other appends, compacts and appends",
            |two| {
                two.other.set("c", "0");
                two.other.compact();
                two.other.set("c", "1");
            },
            ABC,
        ),
        row(
            "the other compacts to the very size that the log had",
            |two| {
                let before = two.bench.text(LOG).len();
                two.other.compact();
                let after = two.bench.text(LOG).len();
                let empty = "{\"pad\":\"\"}\n".len();
                let pad = "x".repeat(before - after - empty);
                two.bench.append(LOG, format!("{{\"pad\":\"{pad}\"}}\n").as_bytes());
                assert_eq!(two.bench.text(LOG).len(), before);
            },
            AB,
        ),
        row(
            "the other ends and a third begins",
            |two| {
                let third = two.bench.open();
                two.other.set("c", "0");
                std::mem::replace(&mut two.other, third).end();
                two.other.set("c", "1");
            },
            ABC,
        ),
        row(
            "the other is killed and a third begins",
            |two| {
                let third = two.bench.open();
                two.other.set("c", "0");
                std::mem::replace(&mut two.other, third).crash();
                two.other.set("c", "1");
            },
            ABC,
        ),
        row(
            "the other takes an edit over",
            |two| {
                two.bench.write(MIRROR, r#"{"a":5,"b":1}"#);
                two.other.set("c", "1");
                two.bench.take_notices();
            },
            r#"{"a":5,"b":1,"c":1}"#,
        ),
        row(
            "the other takes an edit over and is killed before it writes the mirror",
            |two| {
                two.bench.write(MIRROR, r#"{"a":5,"b":1}"#);
                let (edited, record) = (two.bench.read(MIRROR), two.bench.read(RECORD));
                two.other.append("c", "1");
                two.bench.write(MIRROR, edited.expect("a mirror"));
                two.bench.write(RECORD, record.expect("a record"));
                two.bench.take_notices();
            },
            r#"{"a":5,"b":1,"c":1}"#,
        ),
        row(
            "the old module writes log and mirror",
            |two| {
                two.bench.append(LOG, &old_set_line("c", "1"));
                two.bench.write(MIRROR, "{\n  \"a\": 1,\n  \"b\": 1,\n  \"c\": 1\n}");
            },
            ABC,
        ),
        row("the old module writes the log only", |two| two.bench.append(LOG, &old_set_line("c", "1")), ABC),
        row(
            "the log only, without a line break",
            |two| two.bench.append(LOG, old_set_line("c", "1").trim_ascii_end()),
            ABC,
        ),
        row(
            "the log only, without a line break, then another line",
            |two| {
                two.bench.append(LOG, old_set_line("c", "0").trim_ascii_end());
                assert_eq!(two.first.state(), r#"{"a":1,"b":1,"c":0}"#);
                two.bench.append(LOG, b"\n");
                two.bench.append(LOG, &old_set_line("c", "1"));
            },
            ABC,
        ),
    ]
}

/// Damage that somebody does under the running process.
fn rows_of_damage() -> Vec<Row> {
    vec![
        Row {
            name: "a torn line behind the end",
            happens: |two| two.bench.append(LOG, b"{\"timestamp\":\"2026"),
            state: AB,
            notices: &["PS_TORN_TAIL"],
        },
        Row {
            name: "an unfinished operation behind the end",
            happens: |two| two.bench.append(LOG, &set_more_line("c", "1", 1)),
            state: AB,
            notices: &["PS_TORN_TAIL"],
        },
        Row {
            name: "a torn line that is finished later",
            happens: |two| {
                let line = set_line("c", "1");
                two.bench.append(LOG, &line[..30]);
                assert_eq!(two.first.state(), AB);
                two.bench.append(LOG, &line[30..]);
            },
            state: ABC,
            notices: &["PS_TORN_TAIL"],
        },
        Row {
            name: "a damaged line behind the end",
            happens: |two| two.bench.append(LOG, &[b"{]\n".as_slice(), &set_line("c", "1")].concat()),
            state: ABC,
            notices: &["PS_LOG_DAMAGED"],
        },
        Row {
            name: "a damaged line, then more",
            happens: |two| {
                two.bench.append(LOG, b"{]\n");
                assert_eq!(two.first.state(), AB);
                two.bench.append(LOG, &set_line("c", "1"));
            },
            state: ABC,
            notices: &["PS_LOG_DAMAGED"],
        },
        Row {
            name: "a damaged line that another process mends",
            happens: |two| {
                two.bench.append(LOG, b"{]\n");
                assert_eq!(two.first.state(), AB);
                two.other.set("c", "1");
                two.bench.take_notices();
            },
            state: ABC,
            notices: &[],
        },
        Row {
            name: "two lines glued together, the first of which was read",
            happens: |two| {
                two.bench.append(LOG, old_set_line("c", "1").trim_ascii_end());
                assert_eq!(two.first.state(), ABC);
                two.bench.append(LOG, &old_set_line("d", "1"));
            },
            state: r#"{"a":1,"b":1,"c":1,"d":1}"#,
            notices: &[],
        },
        Row {
            name: "a line of the log is damaged where it stands",
            happens: |two| {
                let log = two.bench.text(LOG).replace("\"key\":\"a\"", "\"key\":\"q\"");
                two.bench.remove(MIRROR);
                two.bench.write(LOG, log);
            },
            state: r#"{"b":1}"#,
            notices: &["PS_LOG_DAMAGED"],
        },
        Row {
            name: "a line of the log is damaged, and memory still has it",
            happens: |two| {
                let log = two.bench.text(LOG).replace("\"key\":\"a\"", "\"key\":\"q\"");
                two.bench.write(LOG, log);
            },
            state: AB,
            notices: &["PS_LOG_DAMAGED", "PS_LOG_LOST"],
        },
    ]
}

/// Files that go and come.
fn rows_of_files() -> Vec<Row> {
    vec![
        row("the mirror is removed", |two| two.bench.remove(MIRROR), AB),
        row(
            "the mirror is removed and written again by the other",
            |two| {
                two.bench.remove(MIRROR);
                two.other.set("c", "1");
            },
            ABC,
        ),
        row(
            "the mirror is touched",
            |two| two.bench.write(MIRROR, two.bench.read(MIRROR).expect("a mirror")),
            AB,
        ),
        row(
            "the mirror is replaced by a copy",
            |two| two.bench.replace(MIRROR, two.bench.read(MIRROR).expect("a mirror")),
            AB,
        ),
        row(
            "the mirror is laid out anew",
            |two| two.bench.write(MIRROR, "\u{feff}{\"b\" :1,\r\n\"a\": 1}\r\n"),
            AB,
        ),
        row(
            "the mirror goes and comes back",
            |two| {
                let mirror = two.bench.read(MIRROR).expect("a mirror");
                two.bench.remove(MIRROR);
                assert_eq!(two.first.state(), AB);
                two.bench.write(MIRROR, mirror);
            },
            AB,
        ),
        row("the record is removed", |two| two.bench.remove(RECORD), AB),
        row("the record is unreadable", |two| two.bench.write(RECORD, [0; 70]), AB),
        lost("the log is removed", |two| two.bench.remove(LOG), AB),
        lost("the log is emptied", |two| two.bench.write(LOG, ""), AB),
        lost(
            "the log is emptied, and another program goes on with it",
            |two| two.bench.write(LOG, old_set_line("b", "0")),
            AB,
        ),
        lost(
            "the log is cut",
            |two| {
                let log = two.bench.text(LOG);
                let first = log.split_inclusive('\n').next().expect("a line").to_owned();
                two.bench.write(LOG, first);
            },
            AB,
        ),
        lost(
            "the log is renamed and made anew, as by a rotation",
            |two| {
                let log = two.bench.read(LOG).expect("a log");
                two.bench.write("logs/players.log.1", log);
                two.bench.replace(LOG, "");
            },
            AB,
        ),
        lost(
            "the log is removed while the other has written more",
            |two| {
                two.other.set("c", "1");
                two.bench.remove(LOG);
            },
            ABC,
        ),
        lost(
            "the log is removed, another program begins one after that was noticed",
            |two| {
                two.bench.remove(LOG);
                assert_eq!(two.first.state(), AB);
                two.bench.write(LOG, old_set_line("c", "1"));
            },
            ABC,
        ),
        row(
            "the log is removed and the mirror edited",
            |two| {
                two.bench.remove(LOG);
                assert_eq!(two.first.state(), AB);
                two.bench.write(MIRROR, r#"{"a":1,"b":7}"#);
                assert_eq!(two.first.state(), r#"{"a":1,"b":7}"#);
                assert_eq!(two.bench.take_notices(), ["PS_FOREIGN_EDIT", "PS_LOG_LOST"]);
                two.bench.append(LOG, &old_set_line("c", "1"));
            },
            r#"{"a":1,"b":7,"c":1}"#,
        ),
        row(
            "log and mirror are removed",
            |two| {
                two.bench.remove(LOG);
                two.bench.remove(MIRROR);
            },
            "{}",
        ),
        row(
            "log and mirror are removed one after the other",
            |two| {
                two.bench.remove(LOG);
                assert_eq!(two.first.state(), AB);
                two.bench.take_notices();
                two.bench.remove(MIRROR);
            },
            "{}",
        ),
        row("the folder is removed", |two| two.bench.remove_folder(), "{}"),
        row(
            "the folder is removed and the other writes",
            |two| {
                two.bench.remove_folder();
                two.other.set("c", "1");
            },
            r#"{"c":1}"#,
        ),
        row(
            "an older log and its mirror are put back",
            |two| {
                let (log, mirror) = (two.bench.read(LOG), two.bench.read(MIRROR));
                two.other.set("c", "1");
                assert_eq!(two.first.state(), ABC);
                two.bench.replace(LOG, log.expect("a log"));
                two.bench.replace(MIRROR, mirror.expect("a mirror"));
            },
            AB,
        ),
        lost(
            "an older log is put back",
            |two| {
                let log = two.bench.read(LOG);
                two.other.set("c", "1");
                assert_eq!(two.first.state(), ABC);
                two.bench.write(LOG, log.expect("a log"));
            },
            ABC,
        ),
        row(
            "another log and its mirror are put there",
            |two| {
                two.bench.replace(LOG, set_line("x", "1").repeat(5));
                two.bench.replace(MIRROR, "{\"x\":1}");
            },
            r#"{"x":1}"#,
        ),
        Row {
            name: "the mirror is broken",
            happens: |two| two.bench.write(MIRROR, "{\"a\":"),
            state: AB,
            notices: &["PS_MIRROR_BROKEN"],
        },
        Row {
            name: "the mirror is broken, then whole again",
            happens: |two| {
                let mirror = two.bench.read(MIRROR).expect("a mirror");
                two.bench.write(MIRROR, "{\"a\":");
                assert_eq!(two.first.state(), AB);
                two.bench.write(MIRROR, mirror);
            },
            state: AB,
            notices: &["PS_MIRROR_BROKEN"],
        },
        Row {
            name: "the mirror is broken, then removed",
            happens: |two| {
                two.bench.write(MIRROR, "{\"a\":");
                assert_eq!(two.first.state(), AB);
                two.bench.remove(MIRROR);
            },
            state: AB,
            notices: &["PS_MIRROR_BROKEN"],
        },
    ]
}

/// Edits of the mirror.
fn rows_of_edits() -> Vec<Row> {
    vec![
        edit(
            "an edit in place",
            |two| two.bench.write(MIRROR, r#"{"b": 9, "d": [1, 2]}"#),
            r#"{"b":9,"d":[1,2]}"#,
        ),
        edit("an edit by another file", |two| two.bench.replace(MIRROR, r#"{"b": 9}"#), r#"{"b":9}"#),
        edit("an edit that removes all", |two| two.bench.write(MIRROR, "{}"), "{}"),
        edit(
            "an edit with two spellings of a key",
            |two| two.bench.write(MIRROR, r#"{"a":1,"b":5,"\u0062":6}"#),
            r#"{"a":1,"b":6}"#,
        ),
        edit(
            "an edit of prototypes and numbers",
            |two| two.bench.write(MIRROR, r#"{"a":1,"b":1,"__proto__":{"x":1},"10":1,"9":1}"#),
            r#"{"9":1,"10":1,"a":1,"b":1,"__proto__":{"x":1}}"#,
        ),
        edit(
            "an edit that is taken back in part",
            |two| {
                two.bench.write(MIRROR, r#"{"a":5,"b":5}"#);
                assert_eq!(two.first.state(), r#"{"a":5,"b":5}"#);
                two.bench.take_notices();
                two.bench.write(MIRROR, r#"{"a":5,"b":1}"#);
            },
            r#"{"a":5,"b":1}"#,
        ),
        row(
            "an edit that is taken back",
            |two| {
                two.bench.write(MIRROR, r#"{"a":5,"b":1}"#);
                assert_eq!(two.first.state(), r#"{"a":5,"b":1}"#);
                two.bench.take_notices();
                two.bench.write(MIRROR, AB);
            },
            AB,
        ),
        row(
            "an edit that nobody logged, and the mirror is removed",
            |two| {
                two.bench.write(MIRROR, r#"{"a":5,"b":1}"#);
                assert_eq!(two.first.state(), r#"{"a":5,"b":1}"#);
                two.bench.take_notices();
                two.bench.remove(MIRROR);
            },
            AB,
        ),
        edit(
            "an edit, and the old module appends to the log",
            |two| {
                two.bench.append(LOG, &old_set_line("c", "1"));
                two.bench.write(MIRROR, r#"{"a":5,"b":1}"#);
            },
            r#"{"a":5,"b":1,"c":1}"#,
        ),
        edit(
            "an edit, seen before the old module appends to the log",
            |two| {
                two.bench.write(MIRROR, r#"{"a":5,"b":1}"#);
                assert_eq!(two.first.state(), r#"{"a":5,"b":1}"#);
                two.bench.take_notices();
                two.bench.append(LOG, &old_set_line("c", "1"));
                // Nothing new to tell, so the row tells it itself.
                two.bench.write(MIRROR, r#"{"a":6,"b":1}"#);
            },
            r#"{"a":6,"b":1,"c":1}"#,
        ),
        edit(
            "an edit over what the other wrote",
            |two| {
                two.other.set("a", "2");
                two.bench.write(MIRROR, r#"{"a":2,"b":7}"#);
            },
            r#"{"a":2,"b":7}"#,
        ),
        edit(
            "an edit of what was there before the other wrote",
            |two| {
                two.other.set("a", "2");
                two.bench.write(MIRROR, r#"{"a":1,"b":1,"c":1}"#);
            },
            r#"{"a":2,"b":1,"c":1}"#,
        ),
        edit(
            "the same after a compaction: the backup has what was there",
            |two| {
                two.other.set("a", "2");
                two.other.compact();
                two.other.set("d", "1");
                two.bench.write(MIRROR, r#"{"a":1,"b":1,"c":1}"#);
            },
            r#"{"a":2,"b":1,"d":1,"c":1}"#,
        ),
        edit(
            "a file that is replaced as a whole",
            |two| {
                two.other.set("c", "1");
                two.bench.write(MIRROR, r#"{"a":7,"x":8,"y":9}"#);
            },
            r#"{"a":7,"x":8,"y":9}"#,
        ),
        edit(
            "an edit that takes back all that the other wrote",
            |two| {
                let before = two.bench.read(MIRROR).expect("a mirror");
                two.other.set("a", "2");
                two.bench.write(MIRROR, before);
            },
            AB,
        ),
        edit(
            "an edit that puts back what the other deleted",
            |two| {
                two.other.delete("a");
                two.bench.write(MIRROR, AB);
            },
            r#"{"b":1,"a":1}"#,
        ),
        edit(
            "an edit that takes back what the other wrote after it compacted",
            |two| {
                two.other.compact();
                two.other.set("a", "2");
                two.bench.write(MIRROR, AB);
            },
            AB,
        ),
        edit(
            "an edit to what the process itself wrote earlier",
            |two| {
                let before = two.bench.read(MIRROR).expect("a mirror");
                two.first.set("a", "2");
                two.bench.write(MIRROR, before);
            },
            AB,
        ),
        // It was told the first time.
        row(
            "the same edit a second time, after a call undid it",
            |two| {
                two.bench.write(MIRROR, r#"{"a":5,"b":1}"#);
                two.first.set("a", "6");
                two.bench.take_notices();
                two.bench.write(MIRROR, r#"{"a":5,"b":1}"#);
            },
            r#"{"a":5,"b":1}"#,
        ),
        edit(
            "the same edit a second time, after another process undid it",
            |two| {
                two.bench.write(MIRROR, r#"{"a":5,"b":1}"#);
                two.other.set("a", "6");
                two.bench.take_notices();
                two.bench.write(MIRROR, r#"{"a":5,"b":1}"#);
            },
            r#"{"a":5,"b":1}"#,
        ),
        edit(
            "an edit to an older content, seen half written",
            |two| {
                let before = two.bench.read(MIRROR).expect("a mirror");
                two.first.set("a", "2");
                two.bench.write(MIRROR, "");
                assert_eq!(two.first.state(), r#"{"a":2,"b":1}"#);
                two.bench.take_notices();
                two.bench.write(MIRROR, before);
            },
            AB,
        ),
        edit(
            "an edit to an older content, seen while the mirror was missing",
            |two| {
                let before = two.bench.read(MIRROR).expect("a mirror");
                two.first.set("a", "2");
                two.bench.remove(MIRROR);
                assert_eq!(two.first.state(), r#"{"a":2,"b":1}"#);
                two.bench.write(MIRROR, before);
            },
            AB,
        ),
        edit(
            "an edit over a compacted log",
            |two| {
                two.other.compact();
                two.bench.write(MIRROR, r#"{"a":1}"#);
            },
            r#"{"a":1}"#,
        ),
        edit(
            "an edit to older content over a log that this process compacted",
            |two| {
                let before = two.bench.read(MIRROR).expect("a mirror");
                two.first.set("a", "2");
                two.first.compact();
                two.bench.write(MIRROR, before);
            },
            AB,
        ),
    ]
}

fn check(name: &str, row: &Row, is_settled: bool) {
    let mut two = Two::new();
    if is_settled {
        std::thread::sleep(SETTLED);
        assert_eq!((two.first.state(), two.other.state()), (AB.to_owned(), AB.to_owned()), "{name}");
    }
    two.bench.take_notices();
    (row.happens)(&mut two);
    let Two { bench, mut first, mut other } = two;
    let before = bench.contents();
    assert_eq!(first.state(), row.state, "{name}: what the first sees");
    assert_eq!(bench.take_notices(), row.notices, "{name}: notices");
    assert_eq!(first.state(), row.state, "{name}: what the first sees again");
    assert_eq!(bench.contents(), before, "{name}: reading changes no file");
    first.set("z", "1");
    let mut state = Ordered::parse(row.state).expect("a state");
    state.set("z", "1");
    bench.assert_files_hold(&state.text(), name);
    assert_eq!(first.state(), state.text(), "{name}: after a write");
    assert_eq!(other.state(), state.text(), "{name}: what the other sees");
    other.set("y", "1");
    state.set("y", "1");
    assert_eq!(first.state(), state.text(), "{name}: after a write of the other");
    bench.assert_files_hold(&state.text(), name);
    other.end();
    assert_eq!(first.state(), state.text(), "{name}: after the end of the other");
    first.end();
    bench.take_notices();
    assert_eq!(bench.open().state(), state.text(), "{name}: after a clean end");
    assert_eq!(bench.take_notices(), [""; 0], "{name}: after a clean end");
}

fn check_all(rows: Vec<Row>) {
    let rows = rows.into_iter().flat_map(|row| {
        let row = std::rc::Rc::new(row);
        [false, true].map(|settled| (format!("{} (settled: {settled})", row.name), (row.clone(), settled)))
    });
    check_rows(rows, |name, (row, is_settled)| check(name, &row, is_settled));
}

#[test]
fn what_other_processes_write_is_seen() {
    check_all(rows_of_other_processes());
}

#[test]
fn damage_under_a_running_process_is_noticed() {
    check_all(rows_of_damage());
}

#[test]
fn files_may_go_and_come_under_a_running_process() {
    check_all(rows_of_files());
}

#[test]
fn edits_under_a_running_process_count() {
    check_all(rows_of_edits());
}

#[test]
fn nothing_is_read_while_nothing_changes() {
    let Two { bench, mut first, other: _other } = Two::new();
    std::thread::sleep(SETTLED);
    first.state();
    bench.files.take_opened();
    for _ in 0..3 {
        first.state();
    }
    assert_eq!(bench.files.take_opened(), 0);
}

/// What may happen between a job's work and the moment in which its result is taken.
fn meanwhile() -> Vec<Row> {
    let mut rows = vec![
        row("nothing", |_| {}, AB),
        row("this process appends", |two| two.first.set("c", "1"), ABC),
        row(
            "this process appends and deletes",
            |two| {
                two.first.set("c", "1");
                two.first.delete("a");
            },
            r#"{"b":1,"c":1}"#,
        ),
        row("the other appends", |two| two.other.set("c", "1"), ABC),
        row(
            "both append in turn",
            |two| {
                two.first.set("c", "0");
                two.other.set("d", "1");
                two.first.set("c", "1");
            },
            r#"{"a":1,"b":1,"c":1,"d":1}"#,
        ),
        row("the other compacts", |two| two.other.compact(), AB),
        row(
            "the other appends and compacts",
            |two| {
                two.other.set("c", "1");
                two.other.compact();
            },
            ABC,
        ),
        row("the old module appends", |two| two.bench.append(LOG, &old_set_line("c", "1")), ABC),
        row(
            "a line without its break arrives",
            |two| two.bench.append(LOG, old_set_line("c", "1").trim_ascii_end()),
            ABC,
        ),
        row(
            "damage arrives",
            |two| two.bench.append(LOG, &[b"{]\n".as_slice(), &set_line("c", "1")].concat()),
            ABC,
        ),
        row("a torn line arrives", |two| two.bench.append(LOG, b"{\"op\":"), AB),
        row("the mirror is edited", |two| two.bench.write(MIRROR, r#"{"a":1,"b":9}"#), r#"{"a":1,"b":9}"#),
        row(
            "the mirror is edited and an entry appended",
            |two| {
                two.bench.write(MIRROR, r#"{"a":1,"b":9}"#);
                two.first.set("c", "1");
            },
            r#"{"a":1,"b":9,"c":1}"#,
        ),
        row("the mirror is broken", |two| two.bench.write(MIRROR, "{\"a\""), AB),
        row("the mirror is removed", |two| two.bench.remove(MIRROR), AB),
        row(
            "the mirror is removed and an entry appended",
            |two| {
                two.bench.remove(MIRROR);
                two.first.set("c", "1");
            },
            ABC,
        ),
        row("the log is removed", |two| two.bench.remove(LOG), AB),
        row(
            "log and mirror are removed",
            |two| {
                two.bench.remove(LOG);
                two.bench.remove(MIRROR);
            },
            "{}",
        ),
    ];
    rows.push(row(
        "the other compacts at the same time",
        |two| {
            two.other.set("c", "1");
            two.other.send(vec![Work::Compact(None)]);
            let done = two.other.run_job_beside().expect("a compaction");
            two.first.set("d", "1");
            two.other.deliver(done);
            two.other.run_jobs();
        },
        r#"{"a":1,"b":1,"c":1,"d":1}"#,
    ));
    rows
}

/// Starts a job, lets something happen before it or after its work, and takes the result.
fn check_meanwhile(
    name: &str,
    row: &Row,
    start: impl FnOnce(&mut Two) -> Option<usize>,
    is_done_before: bool,
) {
    let mut two = Two::new();
    let call = start(&mut two);
    let done = if is_done_before { two.first.run_job_beside() } else { None };
    (row.happens)(&mut two);
    let Two { bench, mut first, mut other } = two;
    if let Some(done) = done {
        first.deliver(done);
    }
    first.run_jobs();
    if let Some(call) = call {
        let answer = first.answer(call).expect("an answer").expect("a compacted log");
        assert!(matches!(answer, Answer::Bool(true)), "{name}: {answer:?}");
        let log = bench.text(LOG);
        assert!(log.starts_with("{\"op\":\"CHECKPOINT\","), "{name}: {log}");
    }
    assert_eq!(first.state(), row.state, "{name}");
    assert_eq!(other.state(), row.state, "{name}: what the other sees");
    first.set("z", "1");
    let mut state = Ordered::parse(row.state).expect("a state");
    state.set("z", "1");
    while first.tick() {
        first.run_jobs();
    }
    bench.assert_files_hold(&state.text(), name);
    assert_eq!(other.state(), state.text(), "{name}: what the other sees at last");
    let leftovers: Vec<_> = bench.contents().into_keys().filter(|path| path.ends_with(".tmp")).collect();
    assert!(leftovers.is_empty(), "{name}: {leftovers:?}");
    first.crash();
    assert_eq!(bench.open().state(), state.text(), "{name}: after a crash");
}

#[test]
fn whatever_happens_during_a_compaction_nothing_is_lost() {
    let rows = [true, false].into_iter().flat_map(|is_done_before| {
        let named = move |row: Row| (format!("{} (work done before: {is_done_before})", row.name), row);
        meanwhile().into_iter().map(named).map(move |(name, row)| (name, (row, is_done_before)))
    });
    check_rows(rows, |name, (row, is_done_before)| {
        let start = |two: &mut Two| Some(two.first.send(vec![Work::Compact(None)])[0]);
        check_meanwhile(name, &row, start, is_done_before);
    });
}

#[test]
fn a_second_compaction_waits_for_the_first_and_has_what_came_between() {
    let Two { bench, mut first, .. } = Two::new();
    let calls = [first.send(vec![Work::Compact(None)])[0], first.send(vec![Work::Compact(None)])[0]];
    let done = first.run_job_beside().expect("a compaction");
    first.set("c", "1");
    first.deliver(done);
    assert!(matches!(first.answer(calls[0]), Some(Ok(_))) && first.answer(calls[1]).is_none());
    first.run_jobs();
    assert!(matches!(first.answer(calls[1]), Some(Ok(_))));
    assert_eq!(bench.text(LOG).lines().count(), 1);
    bench.assert_files_hold(ABC, "after two compactions");
}

#[test]
fn what_arrives_during_a_compaction_may_be_large() {
    // Over a megabyte at each step, so that the tail is copied in several rounds.
    let Two { bench, mut first, mut other } = Two::new();
    let call = first.send(vec![Work::Compact(None)])[0];
    let mut rounds = 0;
    while let Some(done) = first.run_job_beside() {
        if rounds < 3 {
            let value = format!("\"{}\"", "x".repeat(700_000));
            first.set(&format!("k{rounds}"), &value);
            other.set(&format!("l{rounds}"), &value);
        }
        rounds += 1;
        first.deliver(done);
    }
    assert!(rounds > 3, "the tail was copied beside");
    assert!(matches!(first.answer(call), Some(Ok(Answer::Bool(true)))));
    let state = first.state();
    assert_eq!(Ordered::parse(&state).map(|state| state.in_order().len()), Some(8));
    assert_eq!(bench.replayed(), state);
    assert_eq!(other.state(), state);
    assert_eq!(bench.text(LOG).lines().count(), 7, "a checkpoint and six entries");
}

#[test]
fn the_newest_three_backups_are_kept() {
    let bench = Bench::new();
    let mut session = bench.open();
    let mut logs = Vec::new();
    for value in 0..5 {
        session.set("a", &value.to_string());
        logs.push(bench.read(LOG).expect("a log"));
        session.compact();
    }
    assert_eq!(bench.numbered("logs/players.log.backup."), logs[2..]);
}

/// A key that makes every state a large one.
fn large(session: &mut Session) {
    session.set("big", &format!("\"{}\"", "x".repeat(70_000)));
}

#[test]
fn whatever_happens_while_a_large_mirror_is_written_nothing_is_lost() {
    check_rows(meanwhile().into_iter().map(|row| (row.name.to_owned(), row)), |name, row| {
        let start = |two: &mut Two| {
            large(&mut two.first);
            two.other.state();
            assert!(two.first.tick(), "a mirror is due");
            // What happens is about small mirrors again.
            two.first.delete("big");
            None
        };
        check_meanwhile(name, &row, start, true);
    });
}

#[test]
fn a_lost_log_costs_nothing_whichever_process_notices_first() {
    // Both know a large state; this process goes on, and its mirror is not written yet. Then the log is cut.
    for (name, is_known) in [("notices first", true), ("is the second", false)] {
        let Two { bench, mut first, mut other } = Two::new();
        large(&mut first);
        assert!(first.tick());
        first.run_jobs();
        other.state();
        first.set("a", "2");
        first.delete("b");
        bench.take_notices();
        bench.write(LOG, "");
        if is_known {
            first.state();
        }
        other.set("c", "3");
        let seen = Ordered::parse(&first.state()).expect("a state");
        assert_eq!(["a", "b", "c"].map(|key| seen.get(key)), [Some("2"), None, Some("3")], "{name}");
        first.set("d", "4");
        for session in [&mut first, &mut other] {
            let seen = Ordered::parse(&session.state()).expect("a state");
            assert_eq!(
                ["a", "b", "c", "d"].map(|key| seen.get(key)),
                [Some("2"), None, Some("3"), Some("4")],
                "{name}"
            );
        }
        assert_eq!(bench.replayed(), first.state(), "{name}");
    }
}

#[cfg(unix)]
#[test]
fn a_log_that_lost_its_name_is_still_read_by_who_knew_less() {
    // The other knows a large state; this process goes on alone. The log goes, and the other writes to the same key.
    let Two { bench, mut first, mut other } = Two::new();
    large(&mut first);
    assert!(first.tick());
    first.run_jobs();
    other.state();
    for value in ["2", "3"] {
        first.set("a", value);
    }
    bench.remove(LOG);
    let seen = Ordered::parse(&other.state()).expect("a state");
    assert_eq!(seen.get("a"), Some("3"));
    other.set("b", "7");
    for session in [&mut first, &mut other] {
        let seen = Ordered::parse(&session.state()).expect("a state");
        assert_eq!((seen.get("a"), seen.get("b")), (Some("3"), Some("7")));
    }
}

#[test]
fn a_log_that_is_written_over_in_place_is_not_taken_for_ours_by_its_end() {
    let Two { bench, mut first, .. } = Two::new();
    let older = bench.text(LOG);
    for value in 2..9 {
        first.set("a", &value.to_string());
    }
    let mut log = bench.text(LOG).into_bytes();
    // The first half is the older log, twice; the end is as it was.
    for (place, byte) in older.repeat(2).bytes().enumerate() {
        log[place] = byte;
    }
    bench.write(LOG, log);
    assert_eq!(first.state(), r#"{"a":8,"b":1}"#);
    first.set("z", "1");
    bench.assert_files_hold(r#"{"a":8,"b":1,"z":1}"#, "after a write");
}

#[test]
fn an_edit_of_a_mirror_that_lags_undoes_nothing() {
    // The mirror shows `a` as it was at first; meanwhile `a` has changed, and `b` is edited.
    let Two { bench, mut first, .. } = Two::new();
    large(&mut first);
    assert!(first.tick());
    first.run_jobs();
    let mirror = bench.text(MIRROR);
    first.set("a", "2");
    bench.write(MIRROR, mirror.replace("\"b\": 1", "\"b\": 7"));
    let seen = Ordered::parse(&first.state()).expect("a state");
    assert_eq!((seen.get("a"), seen.get("b")), (Some("2"), Some("7")));
}

#[test]
fn an_edit_to_what_is_there_already_is_over_when_it_was_seen() {
    // The mirror lags, and is edited to what `a` has become. Then `a` goes on, and `b` is edited.
    let Two { bench, mut first, .. } = Two::new();
    first.set("a", "2");
    large(&mut first);
    first.set("a", "3");
    let mirror = bench.text(MIRROR);
    bench.write(MIRROR, mirror.replace("\"a\": 2", "\"a\": 3"));
    assert_eq!(Ordered::parse(&first.state()).expect("a state").get("a"), Some("3"));
    first.set("a", "4");
    bench.write(MIRROR, mirror.replace("\"a\": 2", "\"a\": 3").replace("\"b\": 1", "\"b\": 7"));
    let seen = Ordered::parse(&first.state()).expect("a state");
    assert_eq!((seen.get("a"), seen.get("b")), (Some("4"), Some("7")));
}

#[test]
fn an_edit_of_a_lagging_mirror_of_another_process_undoes_nothing() {
    // The other wrote a mirror that this process has not seen, and then an entry beyond it.
    let Two { bench, mut first, mut other } = Two::new();
    large(&mut first);
    assert!(first.tick());
    first.run_jobs();
    other.set("a", "2");
    assert!(other.tick());
    other.run_jobs();
    let mirror = bench.text(MIRROR);
    assert!(mirror.contains("\"a\": 2"));
    other.set("a", "3");
    bench.write(MIRROR, mirror.replace("\"b\": 1", "\"b\": 7"));
    let seen = Ordered::parse(&first.state()).expect("a state");
    assert_eq!((seen.get("a"), seen.get("b")), (Some("3"), Some("7")));
}

#[test]
fn an_edit_over_one_that_another_process_logged_undoes_nothing() {
    // The other has logged the edit of `b`, and `b` went on; its mirror still holds the edit. Then `a` is edited.
    let Two { bench, mut first, mut other } = Two::new();
    other.set("c", "1");
    bench.write(MIRROR, r#"{"a":1,"b":5,"c":1}"#);
    large(&mut other);
    other.set("b", "6");
    assert_eq!(Ordered::parse(&first.state()).expect("a state").get("b"), Some("6"));
    bench.write(MIRROR, r#"{"a":7,"b":5,"c":1}"#);
    let seen = Ordered::parse(&first.state()).expect("a state");
    assert_eq!((seen.get("a"), seen.get("b")), (Some("7"), Some("6")));
}

#[test]
fn a_short_entry_behind_mended_damage_leaves_a_record_that_fits() {
    // An edit after a clean end counts, also one that leads back to what the log has seen before.
    let bench = Bench::new();
    bench.write(LOG, [set_line("a", "1"), set_line("a", "2"), b"this is damage\n".to_vec()].concat());
    let mut session = bench.open();
    session.call(Work::Append("{\"timestamp\":1".to_owned())).expect("an entry is appended");
    session.end();
    bench.write(MIRROR, r#"{"a":1}"#);
    assert_eq!(bench.open().state(), r#"{"a":1}"#);
}

#[test]
fn an_edit_behind_the_compaction_of_another_process_counts() {
    // It leads back to what the log showed once, so without the record it would pass for an old mirror.
    let bench = Bench::new();
    let (mut first, mut other) = (bench.open(), bench.open());
    other.set("a", "1");
    first.compact();
    bench.replace(MIRROR, "{\r\n}\n\n");
    assert_eq!((first.state().as_str(), other.state().as_str()), ("{}", "{}"));
}

#[test]
fn an_edit_that_leads_to_a_content_seen_before_counts() {
    let bench = Bench::new();
    bench.open().append("a", "1");
    // An old mirror, for both.
    bench.write(MIRROR, "{\r\n}\n\n");
    let (mut first, mut other) = (bench.open(), bench.open());
    assert_eq!((first.state().as_str(), other.state().as_str()), (r#"{"a":1}"#, r#"{"a":1}"#));
    // The first writes a mirror of the content that stood there before.
    first.append("\"", "1");
    first.delete("\"");
    bench.replace(MIRROR, "{\r\n}\n\n");
    assert_eq!((first.state().as_str(), other.state().as_str()), ("{}", "{}"));
}

#[test]
fn an_edit_of_a_mirror_that_no_record_names_any_more_is_told_from_what_others_wrote() {
    let Two { bench, mut first, mut other } = Two::new();
    other.set("a", "2");
    // A further mirror is announced and does not come, and the record of the last one is lost with it.
    let mut has_failed = false;
    bench.files.meddle(move |call, path| {
        let fails = (call == "rename" && path.ends_with(MIRROR)) || (has_failed && call == "open_in_place");
        has_failed |= fails;
        if fails { Err(Error::io(&ErrorKind::StorageFull.into(), "write", path)) } else { Ok(()) }
    });
    other.set("c", "3");
    other.delete("b");
    bench.files.leave_alone();
    bench.write(MIRROR, r#"{"a":2,"b":1,"d":4}"#);
    assert_eq!(first.state(), r#"{"a":2,"c":3,"d":4}"#);
    first.set("z", "1");
    bench.assert_files_hold(r#"{"a":2,"c":3,"d":4,"z":1}"#, "after a write");
    assert_eq!(other.state(), r#"{"a":2,"c":3,"d":4,"z":1}"#);
}
