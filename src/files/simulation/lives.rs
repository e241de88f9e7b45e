//! The lives of logs that the scripts play; `scripts` is their list.
//!
//! Invariant: a life does the same each time it is played.

use super::play::Play;
use crate::files::options::{FsyncMode, MirrorMode};
use crate::vfs::FileSystem;

pub fn append(play: &mut Play) {
    for (number, size_bytes) in [30, 400, 900, 5000, 30].into_iter().enumerate() {
        let call = play.append(0, &format!("k{}", number % 3), size_bytes);
        play.call(0, call);
    }
    for _ in 0..3 {
        let calls = (0..4).map(|number| play.append(0, &format!("b{number}"), 60 + 300 * number)).collect();
        play.batch(0, calls);
    }
}

pub fn collection(play: &mut Play) {
    for key in ["ann", "7", "bob", "ann", "3"] {
        let call = play.set(0, key, 100);
        play.call(0, call);
    }
    let call = play.count(0, "games");
    play.call(0, call);
    let call = play.delete(0, "bob");
    play.call(0, call);
    let call = play.set_many(0, &["ann", "cid", "dan"], 250);
    play.call(0, call);
    let call = play.count(0, "games");
    play.call(0, call);
    let call = play.clear(0);
    play.call(0, call);
    let call = play.set(0, "eve", 2000);
    play.call(0, call);
}

pub fn batches(play: &mut Play) {
    for round in 0..4 {
        let calls = vec![
            play.set(0, "ann", 200),
            play.count(0, "games"),
            play.append(0, "bob", 700),
            play.set_many(0, &["ann", "cid"], 300),
            play.delete(0, if round % 2 == 0 { "bob" } else { "cid" }),
        ];
        play.batch(0, calls);
        play.disk.advance_ms(5);
    }
    let calls = vec![play.set(0, "ann", 50), play.clear(0), play.count(0, "games"), play.set(0, "ann", 60)];
    play.batch(0, calls);
}

pub fn several_logs(play: &mut Play) {
    for round in 0..4 {
        let mut calls = Vec::new();
        for log in 0..3 {
            calls.push(play.append(log, &format!("k{round}"), 100 + 300 * log));
        }
        calls.push(play.set(0, "ann", 50));
        play.batch(0, calls);
    }
    let call = play.compact(1);
    play.call(0, call);
    play.jobs(0);
    let calls = (0..3).map(|log| play.count(log, "n")).collect();
    play.batch(0, calls);
}

pub fn transactions(play: &mut Play) {
    play.transact(0, 60);
    let calls = vec![play.set(0, "ann", 80), play.set(1, "ann", 700)];
    play.batch(0, calls);
    play.transact(0, 900);
    for log in 0..2 {
        let call = play.compact(log);
        play.call(0, call);
        play.transact(0, 70);
        play.jobs(0);
    }
    let call = play.append(1, "bob", 90);
    play.call(0, call);
    play.transact(0, 40);
}

pub fn transactions_of_two(play: &mut Play) {
    for round in 0..3 {
        play.transact(round % 2, 80);
        let call = play.count(round % 2, "n");
        play.call((round + 1) % 2, call);
    }
    play.settle(0);
    play.kill(1);
    play.transact(1, 200);
    let finished = play.finish(0);
    drop(finished);
    play.transact(1, 50);
}

pub fn groups(play: &mut Play) {
    let keys: Vec<String> = (0..12).map(|number| format!("player-{number}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let call = play.set_many(0, &keys, 150);
    play.call(0, call);
    let call = play.replace_keys(0, &keys[..6], &keys[3..9], 220);
    play.call(0, call);
    let calls = vec![
        play.replace_keys(0, &keys[2..9], &keys[..4], 300),
        play.set(0, "ann", 40),
        play.replace_keys(0, &keys[..3], &keys[1..7], 180),
    ];
    play.batch(0, calls);
    let call = play.clear(0);
    play.call(0, call);
    let call = play.replace_keys(0, &[], &keys, 90);
    play.call(0, call);
}

pub fn several_keys(play: &mut Play) {
    let call = play.set_many(0, &["ann", "bob", "7"], 120);
    play.call(0, call);
    play.update_many(0, 0, &["ann", "bob"], 90);
    play.update_many(0, 0, &["bob", "cid", "7"], 200);
    let calls = vec![
        play.set(0, "ann", 40),
        play.delete_many(0, &["ann", "nobody", "bob"]),
        play.set_many(0, &["bob", "dan"], 60),
    ];
    play.batch(0, calls);
    play.update_many(0, 0, &["dan", "eve", "bob"], 150);
    let call = play.delete_many(0, &["eve", "cid", "bob"]);
    play.call(0, call);
}

/// Keys that end: while the bot runs, at a compaction, and only after the crash (an hour is over then).
pub fn expiry(play: &mut Play) {
    let calls = vec![
        play.set(0, "ann", 60),
        play.set_ending(0, "ending-1", 100, 5_000),
        play.set_ending(0, "ending-2", 80, 1_800_000),
        play.set_ending(0, "ending-3", 80, 90_000_000),
    ];
    play.batch(0, calls);
    play.wait(0, 10_000);
    let call = play.set(0, "bob", 50);
    play.call(0, call);
    let calls = vec![play.set_ending(0, "ending-1", 70, 20_000), play.set(0, "ending-2", 90)];
    play.batch(1, calls);
    play.wait(0, 30_000);
    let call = play.compact(0);
    play.call(0, call);
    play.jobs(0);
    let calls = vec![play.set_ending(0, "ending-1", 40, 60_000), play.delete(0, "ending-3")];
    play.batch(0, calls);
    play.wait(0, 120_000);
    let _ = play.finish(0);
    let call = play.count(0, "games");
    play.call(1, call);
}

/// Edits by hand of a mirror that shows what has ended since.
pub fn expiry_edits(play: &mut Play) {
    let calls = vec![
        play.set(0, "ann", 60),
        play.set_ending(0, "ending-1", 100, 5_000),
        play.set_ending(0, "ending-2", 80, 90_000_000),
    ];
    play.batch(0, calls);
    play.wait(0, 10_000);
    play.edit(0, "edited");
    let call = play.set(0, "bob", 50);
    play.call(0, call);
    let call = play.set_ending(0, "ending-1", 40, 5_000);
    play.call(0, call);
    play.wait(0, 10_000);
    play.edit_in_place(0, "edited-2");
    let call = play.count(0, "games");
    play.call(1, call);
}

pub fn compaction(play: &mut Play) {
    for round in 0..2 {
        for number in 0..3 {
            let call = play.set(0, &format!("k{number}"), 150);
            play.call(0, call);
        }
        let call = play.compact(0);
        play.call(0, call);
        play.take(0);
        let call = play.set(0, "meanwhile", 300);
        play.call(0, call);
        play.run(0);
        let calls = vec![play.count(0, "games"), play.append(0, "late", 600), play.delete(0, "k1")];
        play.batch(0, calls);
        play.deliver(0);
        play.jobs(0);
        let call = play.count(0, "games");
        play.call(0, call);
        if round == 0 {
            // Twice in a row: nothing changed since.
            let calls = vec![play.compact(0), play.compact(0)];
            play.batch(0, calls);
            play.jobs(0);
        }
    }
}

pub fn compaction_plain(play: &mut Play) {
    for round in 0..3 {
        for number in 0..3 {
            let call = play.append(0, &format!("k{number}"), 200);
            play.call(0, call);
        }
        let call = play.compact(0);
        play.call(0, call);
        play.work(0);
        let call = play.append(0, &format!("late{round}"), 500);
        play.call(0, call);
        play.deliver(0);
        play.jobs(0);
    }
}

/// Rotations and compactions, a day apart: old logs are archived, compressed, and removed as too many.
pub fn old_logs(play: &mut Play) {
    const DAY_MS: u64 = 86_400_000;
    for round in 0..4 {
        let call = play.count(0, "games");
        play.call(0, call);
        play.disk.advance_ms(DAY_MS + 5);
        // Rotated, compacted, rotated, …; those of the days before are compressed or one too many.
        let call = if round % 2 == 0 { play.maintain(0, Some(i64::MAX)) } else { play.compact(0) };
        play.call(0, call);
        play.jobs(0);
        let call = play.set(0, "ann", 40);
        play.call(0, call);
        play.jobs(0);
    }
    let call = play.maintain(0, None);
    play.call(0, call);
    play.jobs(0);
}

/// More compactions than backups are kept.
pub fn backups(play: &mut Play) {
    for _ in 0..6 {
        let call = play.count(0, "games");
        play.call(0, call);
        let call = play.compact(0);
        play.call(0, call);
        play.jobs(0);
        play.disk.advance_ms(3);
    }
    let call = play.set(0, "ann", 40);
    play.call(0, call);
}

pub fn large_mirror(play: &mut Play) {
    let keys: Vec<String> = (0..12).map(|number| format!("p{number}")).collect();
    for keys in keys.chunks(4) {
        let calls = keys.iter().map(|key| play.set(0, key, 6000)).collect();
        play.batch(0, calls);
        play.settle(0);
    }
    for key in ["p1", "p3"] {
        let call = play.set(0, key, 6500);
        play.call(0, call);
    }
    play.wait(0, 600);
    play.work(0);
    let call = play.set(0, "p2", 300);
    play.call(0, call);
    play.deliver(0);
    play.settle(0);
    // Small again.
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let call = play.replace_keys(0, &keys[..8], &["p9"], 100);
    play.call(0, call);
    let call = play.set(0, "p2", 100);
    play.call(0, call);
    play.settle(0);
}

pub fn large_compaction(play: &mut Play) {
    for half in 0..2 {
        let calls = (0..7).map(|number| play.set(0, &format!("p{}", 7 * half + number), 5500)).collect();
        play.batch(0, calls);
    }
    let call = play.compact(0);
    play.call(0, call);
    play.take(0);
    let call = play.set(0, "p1", 5000);
    play.call(0, call);
    play.run(0);
    play.wait(0, 700);
    let call = play.set(0, "p2", 200);
    play.call(0, call);
    play.deliver(0);
    play.settle(0);
    let call = play.delete(0, "p3");
    play.call(0, call);
    let call = play.compact(0);
    play.call(0, call);
    play.settle(0);
    let call = play.count(0, "games");
    play.call(0, call);
    // The checks see what a failed end leaves.
    let _ = play.finish(0);
}

pub fn finish(play: &mut Play) {
    for _ in 0..3 {
        let calls = vec![play.set(0, "ann", 200), play.append(1, "x", 100)];
        play.batch(0, calls);
        let _ = play.finish(0);
        play.kill(0);
        play.disk.advance_ms(1000);
        let call = play.count(0, "games");
        play.call(0, call);
        let _ = play.finish(0);
        let call = play.append(1, "y", 100);
        play.call(0, call);
        let _ = play.finish(0);
        play.kill(0);
    }
}

pub fn restarts(play: &mut Play) {
    for round in 0..5 {
        let call = play.set(0, &format!("k{}", round % 2), 300);
        play.call(0, call);
        if round % 2 == 0 {
            let call = play.compact(0);
            play.call(0, call);
            play.work(0);
        }
        play.kill(0);
        play.disk.advance_ms(if round == 3 { 2 } else { 700_000 });
        let call = play.count(0, "games");
        play.call(0, call);
    }
}

pub fn two_processes(play: &mut Play) {
    for round in 0..3 {
        let call = play.set(0, "ann", 200);
        play.call(0, call);
        let calls = vec![play.count(0, "games"), play.append(1, "e", 80)];
        play.batch(1, calls);
        let call = play.count(0, "games");
        play.call(0, call);
        let call = play.compact(round % 2);
        play.call(round % 2, call);
        play.work(round % 2);
        let calls = vec![play.count(0, "games"), play.append(1, "f", 300)];
        play.batch(1 - round % 2, calls);
        if round == 1 {
            // Both compact the same log.
            let call = play.compact(1);
            play.call(0, call);
            play.work(0);
        }
        play.deliver(0);
        play.deliver(1);
        play.jobs(0);
        play.jobs(1);
        let call = play.count(0, "games");
        play.call(round % 2, call);
    }
    let _ = play.finish(0);
    let call = play.append(1, "g", 40);
    play.call(1, call);
    let _ = play.finish(1);
}

pub fn edits(play: &mut Play) {
    let calls = vec![play.set(0, "ann", 100), play.set(0, "bob", 100)];
    play.batch(0, calls);
    play.disk.advance_ms(100);
    play.edit(0, "edited-1");
    let call = play.count(0, "games");
    play.call(0, call);
    play.disk.advance_ms(100);
    play.edit_in_place(0, "edited-2");
    let call = play.compact(0);
    play.call(0, call);
    play.take(0);
    play.disk.advance_ms(100);
    play.edit(0, "edited-3");
    play.run(0);
    play.deliver(0);
    play.jobs(0);
    let call = play.count(0, "games");
    play.call(0, call);
    play.disk.advance_ms(100);
    play.edit(0, "edited-4");
    let _ = play.finish(0);
    play.kill(0);
    play.disk.advance_ms(100);
    // While nothing runs, after a clean end.
    play.edit(0, "edited-5");
    let call = play.set(0, "ann", 60);
    play.call(0, call);
    play.kill(0);
    // While nothing runs, after a kill.
    play.edit_in_place(0, "edited-6");
    let call = play.set(0, "bob", 60);
    play.call(0, call);
    play.settle(0);
}

/// A large mirror is old for a while; edits are made on the old one.
pub fn edits_large(play: &mut Play) {
    for half in 0..2 {
        let calls = (0..7).map(|number| play.set(0, &format!("p{}", 7 * half + number), 5500)).collect();
        play.batch(0, calls);
    }
    play.settle(0);
    for round in 0..2 {
        let call = play.set(0, "p1", 300 + round);
        play.call(0, call);
        play.disk.advance_ms(50);
        play.edit(0, &format!("edited-{round}"));
        let call = play.count(0, "games");
        play.call(0, call);
        play.wait(0, 700);
        play.work(0);
        let call = play.set(0, "p2", 200);
        play.call(0, call);
        play.deliver(0);
        if round == 0 {
            play.settle(0);
            let call = play.compact(0);
            play.call(0, call);
        } else {
            play.kill(0);
            play.disk.advance_ms(50);
            play.edit_in_place(0, "edited-2");
            let call = play.set(0, "p3", 200);
            play.call(0, call);
        }
        play.settle(0);
    }
    let _ = play.finish(0);
}

/// With `mirror: 'close'` a mirror is old until the end of its process; edits are made on the old one.
pub fn edits_of_old(play: &mut Play) {
    let calls = (0..5).map(|number| play.set(0, &format!("k{number}"), 100)).collect();
    play.batch(0, calls);
    let _ = play.finish(0);
    for round in 0..2 {
        let calls = vec![play.set(0, "k1", 60 + round), play.delete(0, "k2"), play.count(0, "games")];
        play.batch(0, calls);
        play.disk.advance_ms(100);
        // While it runs, twice: the second one is made on the first.
        play.edit(0, "edited-1");
        let call = play.count(0, "games");
        play.call(0, call);
        play.disk.advance_ms(100);
        play.edit_in_place(0, "edited-2");
        let call = play.set(0, "k2", 70);
        play.call(0, call);
        play.kill(0);
        play.disk.advance_ms(100);
        // After a kill, while nothing runs.
        play.edit(0, "edited-3");
        let call = play.count(0, "games");
        play.call(0, call);
        let _ = play.finish(0);
        play.kill(0);
        play.disk.advance_ms(100);
        // After a clean end.
        play.edit_in_place(0, "edited-4");
        let call = play.count(0, "games");
        play.call(0, call);
        if round == 0 {
            let call = play.compact(0);
            play.call(0, call);
            play.jobs(0);
        }
    }
    play.disk.advance_ms(100);
    play.edit(0, "edited-5");
    let call = play.set(0, "k3", 80);
    play.call(0, call);
}

pub fn mirror_lost(play: &mut Play) {
    let calls = vec![play.set(0, "ann", 100), play.set(0, "bob", 100)];
    play.batch(0, calls);
    let (outsider, path) = (play.disk.outsider(), play.mirror_path(0));
    play.disk.advance_ms(50);
    // Where nothing could be written before, there is no file to remove or to replace.
    let _ = outsider.remove(&path);
    let call = play.count(0, "games");
    play.call(0, call);
    play.disk.advance_ms(50);
    let _ = outsider.remove(&path);
    let call = play.compact(0);
    play.call(0, call);
    play.jobs(0);
    play.disk.advance_ms(50);
    play.record.lock().is_editing = true;
    let _ = outsider.replace(&path, b"{\"ann\": 7,");
    let call = play.count(0, "games");
    play.call(0, call);
    outsider.sync_all();
    // With `mirror: 'close'` the broken one stays until the next one is written.
    play.record.lock().is_editing = play.options.mirror == MirrorMode::Close;
    let call = play.set(0, "cid", 100);
    play.call(0, call);
    let _ = play.finish(0);
    play.record.lock().is_editing = false;
}

pub fn first_start(play: &mut Play) {
    let call = play.set(0, "ann", 100);
    play.call(0, call);
    let calls = vec![play.count(0, "games"), play.set(0, "new", 300)];
    play.batch(0, calls);
    let call = play.compact(0);
    play.call(0, call);
    play.settle(0);
    let call = play.count(0, "games");
    play.call(0, call);
    let _ = play.finish(0);
}

pub fn mending(play: &mut Play) {
    let call = play.set(0, "ann", 100);
    play.call(0, call);
    let call = play.count(0, "games");
    play.call(0, call);
    let call = play.compact(0);
    play.call(0, call);
    play.settle(0);
    let call = play.count(0, "games");
    play.call(0, call);
}

pub fn damaged_compaction(play: &mut Play) {
    let call = play.compact(0);
    play.call(0, call);
    play.work(0);
    let call = play.append(0, "late", 100);
    play.call(0, call);
    play.deliver(0);
    play.jobs(0);
    let call = play.append(0, "later", 100);
    play.call(0, call);
}

pub fn interval(play: &mut Play) {
    for round in 0..4 {
        for number in 0..3 {
            let calls = vec![play.set(0, &format!("k{number}"), 150), play.append(1, "x", 300)];
            play.batch(0, calls);
            play.wait(0, 200);
            play.jobs(0);
        }
        if round % 2 == 0 {
            play.wait(0, 1000);
            play.settle(0);
            spare_if_synced(play);
        }
        let call = play.count(0, "games");
        play.call(0, call);
        if round == 1 {
            let call = play.compact(0);
            play.call(0, call);
            play.jobs(0);
        }
    }
    let _ = play.finish(0);
    spare_if_synced(play);
}

/// With an interval, a sync has just been.
fn spare_if_synced(play: &mut Play) {
    if play.options.fsync != FsyncMode::Never {
        play.spare();
    }
}

pub fn huge_tail(play: &mut Play) {
    let calls = (0..3).map(|number| play.append(0, &format!("k{number}"), 400_000)).collect();
    play.batch(0, calls);
    let call = play.compact(0);
    play.call(0, call);
    play.work(0);
    let calls = (0..3).map(|number| play.append(0, &format!("m{number}"), 400_000)).collect();
    play.batch(0, calls);
    play.deliver(0);
    play.work(0);
    let call = play.append(0, "late", 100);
    play.call(0, call);
    play.deliver(0);
    play.jobs(0);
    let call = play.append(0, "later", 100);
    play.call(0, call);
}
