//! What is set aside is kept: all damage, and the newest torn tails.

use super::super::support::{Bench, LOG};

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
