//! What is told of a slow disk and of a lock that another process holds: each time, and printed once.

use super::support::{Bench, LogKind};
use crate::files::options::FsyncMode;

fn told(bench: &Bench, code: &str) -> Vec<bool> {
    let all = bench.take_whole_notices();
    all.iter().filter(|notice| notice.kind.code == code).map(|notice| notice.is_printed).collect()
}

#[test]
fn a_sync_of_a_second_is_slow() {
    let mut bench = Bench::new();
    bench.options.fsync = FsyncMode::Always;
    let mut session = bench.open_as("coins", LogKind::Plain);
    session.set("a", "1");
    assert!(told(&bench, "PS_SLOW_SYNC").is_empty());
    bench.files.slow_down(300);
    session.set("a", "2");
    assert!(told(&bench, "PS_SLOW_SYNC").is_empty());
    bench.files.slow_down(1000);
    session.set("a", "3");
    session.set("a", "4");
    assert_eq!(told(&bench, "PS_SLOW_SYNC"), [true, false]);
}

#[test]
fn a_lock_that_is_waited_for_for_a_second_is_told() {
    let bench = Bench::new();
    let mut session = bench.open_as("coins", LogKind::Plain);
    session.set("a", "1");
    assert!(told(&bench, "PS_LOCK_WAIT").is_empty());
    bench.files.slow_down(1000);
    session.set("a", "2");
    session.set("a", "3");
    assert_eq!(told(&bench, "PS_LOCK_WAIT"), [true, false]);
}
