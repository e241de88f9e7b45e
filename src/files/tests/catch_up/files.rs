//! Files that go and come under a running process.

use super::super::support::{LOG, MIRROR, RECORD, old_set_line, set_line};
use super::two::{AB, ABC, Row, check_all, lost, row};

/// What happens to the files.
const FILES: &[Row] = &[
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
];

#[test]
fn files_may_go_and_come_under_a_running_process() {
    check_all(FILES);
}
