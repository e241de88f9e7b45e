//! What another process writes is seen, and nothing is read while nothing changes.

use super::super::support::{LOG, MIRROR, RECORD, append_text, old_set_line};
use super::two::{AB, ABC, Row, SETTLED, Two, check_all, row};
use crate::store::request::Work;

/// The other process at work.
const AT_WORK: &[Row] = &[
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
];

#[test]
fn what_other_processes_write_is_seen() {
    check_all(AT_WORK);
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
