//! Events of a slow disk, a lock that another process holds, and a mirror that costs much: each is printed once.

use std::sync::Arc;

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

#[test]
fn a_mirror_that_takes_much_of_the_time_is_told_once_an_hour() {
    let bench = Bench::new();
    let mut session = bench.open();
    // Writing a mirror takes two seconds, and the next one waits nine times as long.
    let files = Arc::downgrade(&bench.files);
    bench.files.meddle(move |call, path| {
        if call == "create_like" && path.to_string_lossy().contains(".players.json.") {
            files.upgrade().expect("the bench is there").put_forward(2000);
        }
        Ok(())
    });
    let large = format!("\"{}\"", "x".repeat(100_000));
    session.set("large", &large);
    let mut count = 100;
    let mut write = |times: u64, rest_ms: u64| {
        for _ in 0..times {
            count += 1;
            session.set("count", &count.to_string());
            bench.files.put_forward(rest_ms);
            while session.tick() {
                session.run_jobs();
            }
        }
    };
    write(3, 0);
    assert!(told(&bench, "PS_MIRROR_COSTLY").is_empty(), "not before a minute has passed");
    write(10, 0);
    let all = bench.take_whole_notices();
    let notice = all.iter().find(|notice| notice.kind.code == "PS_MIRROR_COSTLY").expect("a notice");
    assert!(notice.is_printed && notice.message.contains("mirror: 'close'"), "{}", notice.message);
    let size_bytes = bench.read("players.json").expect("a mirror").len();
    assert!(notice.payload.contains(&format!("\"sizeBytes\":{size_bytes}")), "{}", notice.payload);
    assert!(notice.payload.contains("\"log\":\"players\""), "{}", notice.payload);
    write(20, 0);
    assert!(told(&bench, "PS_MIRROR_COSTLY").is_empty(), "once an hour");
    bench.files.put_forward(3_600_000);
    write(10, 0);
    assert_eq!(told(&bench, "PS_MIRROR_COSTLY"), [false]);
    write(10, 600_000);
    assert!(told(&bench, "PS_MIRROR_COSTLY").is_empty(), "seldom is cheap");
}
