//! Writes that find nothing to change are acknowledged like others: what they found holds from then on.

use std::io::{Error as IoError, ErrorKind};

use super::reference::quoted;
use super::support::{Bench, LOG, MIRROR, Session};
use crate::error::{Code, Error};
use crate::store::collection;
use crate::store::request::Work;

/// Appends fail behind the write, and what they wrote cannot be cut off.
fn spoil_appends(bench: &Bench) {
    let log = bench.path(LOG);
    let known_bytes = bench.read(LOG).expect("a log").len();
    let mut is_spoilt = false;
    bench.files.meddle(move |call, path| {
        let is_grown = std::fs::read(&log).is_ok_and(|bytes| bytes.len() > known_bytes);
        let fails = match call {
            "stamp" => path == log && is_grown && !std::mem::replace(&mut is_spoilt, true),
            "truncate" => true,
            _ => false,
        };
        if fails {
            Err(Error::io(&IoError::from(ErrorKind::PermissionDenied), "ftruncate", path))
        } else {
            Ok(())
        }
    });
}

/// Two processes: the first has set `a`, and its next write was rejected and could not be cut off.
fn with_rejected(work: Work) -> (Bench, Session, Session) {
    let bench = Bench::new();
    let (mut session, other) = (bench.open(), bench.open());
    session.set("a", "1");
    spoil_appends(&bench);
    session.call(work).expect_err("the write is spoilt");
    bench.files.leave_alone();
    (bench, session, other)
}

#[test]
fn a_removal_that_finds_nothing_leaves_no_rejected_entry_behind_it() {
    type Remove = fn() -> Work;
    let removals: [(&str, Remove); 2] =
        [("delete", || collection::delete(quoted("b"))), ("clear", collection::clear)];
    for (name, remove) in removals {
        let bench = Bench::new();
        let mut session = bench.open();
        session.set("a", "1");
        session.delete("a");
        spoil_appends(&bench);
        session.call(collection::set(&quoted("b"), "2")).expect_err("the write is spoilt");
        assert_eq!(bench.replayed(), r#"{"b":2}"#, "{name}: it could not be cut off");
        assert_eq!(
            session.call(remove()).expect_err("it cannot be cut off yet").code(),
            Code::Eacces,
            "{name}"
        );
        bench.files.leave_alone();
        session.call(remove()).expect("nothing is there");
        assert_eq!(bench.replayed(), "{}", "{name}");
        assert_eq!(bench.open().state(), "{}", "{name}: to another process");
        session.set("c", "3");
        bench.assert_files_hold(r#"{"c":3}"#, name);
    }
}

#[test]
fn a_read_needs_no_cut() {
    let bench = Bench::new();
    let mut session = bench.open();
    session.set("a", "1");
    spoil_appends(&bench);
    session.call(collection::set(&quoted("b"), "2")).expect_err("the write is spoilt");
    assert_eq!(session.state(), r#"{"a":1}"#);
}

#[test]
fn a_removal_that_finds_nothing_because_of_an_edit_logs_the_edit() {
    let bench = Bench::new();
    let mut session = bench.open();
    session.set("a", "1");
    session.set("b", "2");
    bench.write(MIRROR, "{\n  \"b\": 2\n}");
    session.delete("a");
    assert_eq!(bench.replayed(), r#"{"b":2}"#);
    bench.assert_files_hold(r#"{"b":2}"#, "at the end");
}

#[test]
fn a_rejected_entry_that_another_process_took_for_written_is_not_cut_off_any_more() {
    let (bench, mut session, mut other) = with_rejected(collection::delete(quoted("a")));
    // To the other one the key is gone, and that is acknowledged.
    other.delete("a");
    assert_eq!(session.state(), "{}");
    session.set("b", "2");
    assert_eq!(other.state(), r#"{"b":2}"#);
    bench.assert_files_hold(r#"{"b":2}"#, "at the end");
}

#[test]
fn a_rejected_entry_is_cut_off_where_another_process_only_looked() {
    let (bench, mut session, mut other) = with_rejected(collection::set(&quoted("b"), "2"));
    assert_eq!(other.state(), r#"{"a":1,"b":2}"#);
    session.set("c", "3");
    assert_eq!(other.state(), r#"{"a":1,"c":3}"#);
    bench.assert_files_hold(r#"{"a":1,"c":3}"#, "at the end");
}
