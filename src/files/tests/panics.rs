//! A panic on any of the threads: whoever waits is told, and the next call works.

use std::path::Path;
use std::sync::mpsc::{Receiver, channel};

use super::reference::quoted;
use super::support::{Bench, DEADLINE, call, flush};
use crate::error::Code;
use crate::store::backend::Backend;
use crate::store::collection;
use crate::store::request::Work;

/// Panics at the next call of this name on a file whose name begins like this; tells that it did.
fn panic_once(bench: &Bench, name: &'static str, begins: &'static str) -> Receiver<()> {
    let (said, heard) = channel();
    let mut is_over = false;
    bench.files.meddle(move |call, path| {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        if !is_over && call == name && file.starts_with(begins) {
            is_over = true;
            let _ = said.send(());
            panic!("a panic that a test wants");
        }
        Ok(())
    });
    heard
}

#[test]
fn a_compaction_that_panics_is_answered_and_holds_nothing_up() {
    let bench = Bench::new();
    let writer = bench.start();
    call(&writer, collection::set(&quoted("a"), "1")).expect("written");
    let panicked = panic_once(&bench, "create_like", ".players.log.");
    assert_eq!(call(&writer, Work::Compact).expect_err("a panic"), Code::Internal);
    panicked.recv_timeout(DEADLINE).expect("a panic");
    flush(&writer).expect("an end");
    call(&writer, Work::Compact).expect("compacted");
    writer.stop().expect("an end");
    bench.assert_files_hold(r#"{"a":1}"#, "at the end");
}

#[test]
fn a_large_mirror_that_panics_holds_nothing_up() {
    let bench = Bench::new();
    let writer = bench.start();
    let large = format!("\"{}\"", "x".repeat(100_000));
    call(&writer, collection::set(&quoted("a"), &large)).expect("written");
    let panicked = panic_once(&bench, "create_like", ".players.json.");
    bench.files.put_forward(10_000);
    call(&writer, Work::Read(crate::store::query::Query::LogSize)).expect("a look");
    panicked.recv_timeout(DEADLINE).expect("a panic");
    flush(&writer).expect("an end");
    writer.stop().expect("an end");
    bench.assert_files_hold(&format!(r#"{{"a":{large}}}"#), "at the end");
}

#[test]
fn a_panic_while_a_result_is_taken_holds_nothing_up() {
    let bench = Bench::new();
    let writer = bench.start();
    call(&writer, collection::set(&quoted("a"), "1")).expect("written");
    // The worker is behind its own calls by then, and the writer looks at the log.
    let mut is_worker_at_it = false;
    let mut is_over = false;
    bench.files.meddle(move |call, path| {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        is_worker_at_it |= call == "create_like" && file.starts_with(".players.log.");
        if is_worker_at_it && !is_over && call == "stamp" && file == "players.log" {
            is_over = true;
            panic!("a panic that a test wants");
        }
        Ok(())
    });
    assert_eq!(call(&writer, Work::Compact).expect_err("a panic"), Code::Internal);
    flush(&writer).expect("an end");
    call(&writer, Work::Compact).expect("compacted");
    writer.stop().expect("an end");
    bench.assert_files_hold(r#"{"a":1}"#, "at the end");
}

fn is_locked(path: &Path) -> bool {
    std::fs::File::open(path).expect("a lock").try_lock().is_err()
}

#[test]
fn a_flush_that_panics_gives_the_lock_back() {
    let bench = Bench::new();
    let writer = bench.start();
    // A small mirror, so that nothing is due that would give the lock back later.
    call(&writer, collection::set(&quoted("a"), "1")).expect("written");
    let (lock, mut is_armed) = (bench.path(".progressive-storage/lock"), true);
    bench.files.meddle(move |call, path| {
        // Behind the lock the log is looked at.
        if is_armed && call == "stamp" && path.ends_with("players.log") && is_locked(&lock) {
            is_armed = false;
            panic!("a panic that a test wants");
        }
        Ok(())
    });
    assert_eq!(flush(&writer).expect_err("a panic"), Code::Internal);
    // So that a lock that nobody gives back is not waited for at length.
    bench.files.slow_down(1000);
    let mut other = bench.open();
    other.call(collection::set(&quoted("b"), "2")).expect("another process writes");
    other.crash();
    bench.files.slow_down(0);
    flush(&writer).expect("an end");
    writer.stop().expect("an end");
    bench.assert_files_hold(r#"{"a":1,"b":2}"#, "at the end");
}
