//! Edits of the mirror under a running process.

use super::super::support::{LOG, MIRROR, old_set_line};
use super::two::{AB, Row, check_all, edit, row};

/// What a person, or another program, makes of the mirror.
const EDITS: &[Row] = &[
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
];

#[test]
fn edits_under_a_running_process_count() {
    check_all(EDITS);
}
