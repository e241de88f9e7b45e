//! Compressing old logs: on systems that are stricter than ours, and when the process ends.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;

use super::support::{Bench, DEADLINE, call, flush, set_line, ticket};
use crate::error::Code;
use crate::store::backend::Backend;
use crate::store::request::Maintenance;
use crate::store::request::Work;

const LOOK: Work =
    Work::Maintain(Maintenance { threshold_bytes: 1 << 20, rotate_over_bytes: None, boundary_ms: None });

#[test]
fn what_is_compressed_is_read_back_through_the_handle_that_holds_its_lock() {
    let bench = Bench::new();
    for number in [1000, 2000] {
        bench.write(&format!("logs/players.log.backup.{number}"), set_line("a", "1"));
    }
    let mut session = bench.open();
    session.set("a", "2");
    session.send(vec![LOOK]);
    bench.files.take_opened();
    let done = session.run_job_beside().expect("the older one is compressed");
    assert_eq!(bench.files.take_opened(), 1, "Windows lets nobody else read a locked file");
    session.deliver(done);
    session.run_jobs();
    let compressed = bench.read("logs/players.log.backup.1000.gz").expect("a compressed file");
    let mut text = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&compressed[..]), &mut text).expect("whole");
    assert_eq!(text, set_line("a", "1"));
    assert!(!bench.exists("logs/players.log.backup.1000"));
}

#[test]
fn an_end_waits_for_the_file_that_is_being_compressed_and_for_no_other() {
    let mut bench = Bench::new();
    bench.options.retention.backups = 10;
    for number in 1..=5 {
        bench.write(&format!("logs/players.log.backup.{number}000"), set_line("a", "1"));
    }
    let writer = Arc::new(bench.start());
    let ((is_begun, begun), (go_on, wait)) = (channel(), channel::<()>());
    bench.files.meddle(move |call, path| {
        if call == "create_like" && path.extension().is_some_and(|it| it == "tmp") {
            let _ = is_begun.send(());
            let _ = wait.recv();
        }
        Ok(())
    });
    call(&writer, LOOK).expect("a look");
    begun.recv().expect("the first one is compressed");
    let ending = {
        let writer = Arc::clone(&writer);
        thread::spawn(move || writer.stop())
    };
    // Until it is heard that this is the end.
    while flush(&writer).err() != Some(Code::StorageClosed) {}
    drop(go_on);
    ending.join().expect("no panic").expect("an end");
    let names = bench.contents().into_keys().filter(|path| path.extension().is_some_and(|it| it == "gz"));
    assert_eq!(names.count(), 1);
}

#[test]
fn a_close_is_answered_once_nothing_is_under_way_and_a_flush_before() {
    let mut bench = Bench::new();
    bench.options.retention.backups = 10;
    for number in 1..=5 {
        bench.write(&format!("logs/players.log.backup.{number}000"), set_line("a", "1"));
    }
    let writer = bench.start();
    let ((is_begun, begun), (go_on, wait)) = (channel(), channel::<()>());
    bench.files.meddle(move |call, path| {
        if call == "create_like" && path.extension().is_some_and(|it| it == "tmp") {
            let _ = is_begun.send(());
            let _ = wait.recv();
        }
        Ok(())
    });
    call(&writer, LOOK).expect("a look");
    begun.recv().expect("the first one is compressed");
    let (closing, closed) = ticket();
    writer.close(closing);
    flush(&writer).expect("a flush waits for no compression");
    assert!(closed.try_recv().is_err(), "the worker is still at it");
    drop(go_on);
    closed.recv_timeout(DEADLINE).expect("an answer").expect("no failure");
    let compressed =
        || bench.contents().into_keys().filter(|path| path.extension().is_some_and(|it| it == "gz"));
    assert_eq!(compressed().count(), 1, "nothing more is begun for somebody who waits for the end");
    // Others may go on with the same writer.
    call(&writer, LOOK).expect("a look");
    begun.recv_timeout(DEADLINE).expect("the next one is compressed");
    writer.stop().expect("an end");
    assert!(compressed().count() > 1);
}
