//! Damage that somebody does to the log under a running process.

use super::super::support::{LOG, MIRROR, old_set_line, set_line, set_more_line};
use super::two::{AB, ABC, Row, check_all};

/// What happens to the log.
const DAMAGE: &[Row] = &[
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
];

#[test]
fn damage_under_a_running_process_is_noticed() {
    check_all(DAMAGE);
}
