//! A process dies at each call of a transaction while another one, which has all in memory, lives on: it never shows half
//! of the transaction, in whatever order it reads, and what it writes then keeps it whole.
//!
//! Invariant: the one that lives reads nothing between the death and the check.

use super::calls::BOTH;
use super::model::History;
use super::play::{LogSpec, Play};
use crate::data::json::{Members, quote};
use crate::vfs::FileSystem;
use crate::vfs::simulated::SimulatedDisk;

fn both_in(play: &mut Play, bot: usize, log: usize) -> Option<String> {
    let state = play.state(bot, log).expect("it can be read");
    let found = Members::of(&state).find(|(key, _)| *key == quote(BOTH));
    found.map(|(_, value)| value.to_owned())
}

/// A machine with two processes that know both logs.
fn two_bots(is_first: bool) -> Play {
    let logs = vec![LogSpec::mirrored("players"), LogSpec::mirrored("coins")];
    let folder = std::path::Path::new("/srv/bot/data");
    let disk = SimulatedDisk::new();
    disk.outsider().create_dir(std::path::Path::new("/srv")).expect("a folder");
    let mut play = Play::new(disk, folder, logs, History::default());
    if !is_first {
        play.transact(0, 60);
        play.settle(0);
    }
    for log in [0, 1, 0, 1] {
        for bot in [1, 0] {
            both_in(&mut play, bot, log);
        }
    }
    play
}

/// What the one that lives sees, and writes. `order`: which log it reads first.
fn check(mut play: Play, order: [usize; 2], at: u64) {
    let seen = order.map(|log| both_in(&mut play, 1, log));
    assert_eq!(seen[0], seen[1], "half of a transaction, read in the order {order:?}, at call {at}");
    let last = order[1];
    let call = play.set(last, "after", 50);
    play.call(1, call);
    let call = play.compact(last);
    play.call(1, call);
    play.settle(1);
    assert_eq!(both_in(&mut play, 1, 0), seen[0], "after a write and a compaction, at call {at}");
    assert_eq!(both_in(&mut play, 1, 1), seen[0], "after a write and a compaction, at call {at}");
    play.kill(1);
    for log in 0..2 {
        assert_eq!(both_in(&mut play, 2, log), seen[0], "after a start, at call {at}");
    }
    // The next transaction is not kept from its work.
    play.transact(2, 90);
    assert_ne!(both_in(&mut play, 2, 0), seen[0], "at call {at}");
    assert_eq!(both_in(&mut play, 2, 0), both_in(&mut play, 2, 1), "at call {at}");
}

#[test]
fn who_lives_on_never_sees_half_of_a_transaction() {
    let mut halves = 0;
    for (is_first, order) in [(true, [0, 1]), (true, [1, 0]), (false, [0, 1]), (false, [1, 0])] {
        let mut play = two_bots(is_first);
        let before = play.disk.calls();
        play.transact(0, 80);
        let calls = play.disk.calls() - before;
        for at in 1..=calls {
            let mut play = two_bots(is_first);
            if !play.die_in_transaction(0, at) {
                // This one only looks at an open file.
                continue;
            }
            let on_disk = [0, 1].map(|log| play.disk.disk().content(&play.log_path(log)).unwrap_or_default());
            let transactions = on_disk.map(|log| String::from_utf8_lossy(&log).matches("\"both\"").count());
            halves += usize::from(transactions[0] != transactions[1]);
            check(play, order, at);
        }
    }
    assert!(halves > 8, "only {halves} deaths between the logs");
}
