//! Edits of a mirror that lags behind the log, or that another process wrote: they undo nothing.

use std::io::ErrorKind;

use super::super::reference::Ordered;
use super::super::support::{Bench, LOG, MIRROR, Session, set_line};
use super::two::Two;
use crate::error::Error;
use crate::store::request::Work;

/// Sets a key that makes every state a large one, so that its mirror is written beside the calls.
pub fn large(session: &mut Session) {
    session.set("big", &format!("\"{}\"", "x".repeat(70_000)));
}

#[test]
fn an_edit_of_a_mirror_that_lags_undoes_nothing() {
    // The mirror shows `a` as it was at first; meanwhile `a` has changed, and `b` is edited.
    let Two { bench, mut first, .. } = Two::new();
    large(&mut first);
    assert!(first.tick());
    first.run_jobs();
    let mirror = bench.text(MIRROR);
    first.set("a", "2");
    bench.write(MIRROR, mirror.replace("\"b\": 1", "\"b\": 7"));
    let seen = Ordered::parse(&first.state()).expect("a state");
    assert_eq!((seen.get("a"), seen.get("b")), (Some("2"), Some("7")));
}

#[test]
fn an_edit_to_what_is_there_already_is_over_when_it_was_seen() {
    // The mirror lags, and is edited to what `a` has become. Then `a` goes on, and `b` is edited.
    let Two { bench, mut first, .. } = Two::new();
    first.set("a", "2");
    large(&mut first);
    first.set("a", "3");
    let mirror = bench.text(MIRROR);
    bench.write(MIRROR, mirror.replace("\"a\": 2", "\"a\": 3"));
    assert_eq!(Ordered::parse(&first.state()).expect("a state").get("a"), Some("3"));
    first.set("a", "4");
    bench.write(MIRROR, mirror.replace("\"a\": 2", "\"a\": 3").replace("\"b\": 1", "\"b\": 7"));
    let seen = Ordered::parse(&first.state()).expect("a state");
    assert_eq!((seen.get("a"), seen.get("b")), (Some("4"), Some("7")));
}

#[test]
fn an_edit_of_a_lagging_mirror_of_another_process_undoes_nothing() {
    // The other wrote a mirror that this process has not seen, and then an entry beyond it.
    let Two { bench, mut first, mut other } = Two::new();
    large(&mut first);
    assert!(first.tick());
    first.run_jobs();
    other.set("a", "2");
    assert!(other.tick());
    other.run_jobs();
    let mirror = bench.text(MIRROR);
    assert!(mirror.contains("\"a\": 2"));
    other.set("a", "3");
    bench.write(MIRROR, mirror.replace("\"b\": 1", "\"b\": 7"));
    let seen = Ordered::parse(&first.state()).expect("a state");
    assert_eq!((seen.get("a"), seen.get("b")), (Some("3"), Some("7")));
}

#[test]
fn an_edit_over_one_that_another_process_logged_undoes_nothing() {
    // The other has logged the edit of `b`, and `b` went on; its mirror still holds the edit. Then `a` is edited.
    let Two { bench, mut first, mut other } = Two::new();
    other.set("c", "1");
    bench.write(MIRROR, r#"{"a":1,"b":5,"c":1}"#);
    large(&mut other);
    other.set("b", "6");
    assert_eq!(Ordered::parse(&first.state()).expect("a state").get("b"), Some("6"));
    bench.write(MIRROR, r#"{"a":7,"b":5,"c":1}"#);
    let seen = Ordered::parse(&first.state()).expect("a state");
    assert_eq!((seen.get("a"), seen.get("b")), (Some("7"), Some("6")));
}

#[test]
fn a_short_entry_behind_mended_damage_leaves_a_record_that_fits() {
    // An edit after a clean end counts, also one that leads back to what the log has seen before.
    let bench = Bench::new();
    bench.write(LOG, [set_line("a", "1"), set_line("a", "2"), b"this is damage\n".to_vec()].concat());
    let mut session = bench.open();
    session.call(Work::Append("{\"timestamp\":1".to_owned())).expect("an entry is appended");
    session.end();
    bench.write(MIRROR, r#"{"a":1}"#);
    assert_eq!(bench.open().state(), r#"{"a":1}"#);
}

#[test]
fn an_edit_behind_the_compaction_of_another_process_counts() {
    // It leads back to what the log showed once, so without the record it would pass for an old mirror.
    let bench = Bench::new();
    let (mut first, mut other) = (bench.open(), bench.open());
    other.set("a", "1");
    first.compact();
    bench.replace(MIRROR, "{\r\n}\n\n");
    assert_eq!((first.state().as_str(), other.state().as_str()), ("{}", "{}"));
}

#[test]
fn an_edit_that_leads_to_a_content_seen_before_counts() {
    let bench = Bench::new();
    bench.open().append("a", "1");
    // An old mirror, for both.
    bench.write(MIRROR, "{\r\n}\n\n");
    let (mut first, mut other) = (bench.open(), bench.open());
    assert_eq!((first.state().as_str(), other.state().as_str()), (r#"{"a":1}"#, r#"{"a":1}"#));
    // The first writes a mirror of the content that stood there before.
    first.append("\"", "1");
    first.delete("\"");
    bench.replace(MIRROR, "{\r\n}\n\n");
    assert_eq!((first.state().as_str(), other.state().as_str()), ("{}", "{}"));
}

#[test]
fn an_edit_of_a_mirror_that_no_record_names_any_more_is_told_from_what_others_wrote() {
    let Two { bench, mut first, mut other } = Two::new();
    other.set("a", "2");
    // A further mirror is announced and does not come, and the record of the last one is lost with it.
    let mut has_failed = false;
    bench.files.meddle(move |call, path| {
        let fails = (call == "rename" && path.ends_with(MIRROR)) || (has_failed && call == "open_in_place");
        has_failed |= fails;
        if fails { Err(Error::io(&ErrorKind::StorageFull.into(), "write", path)) } else { Ok(()) }
    });
    other.set("c", "3");
    other.delete("b");
    bench.files.leave_alone();
    bench.write(MIRROR, r#"{"a":2,"b":1,"d":4}"#);
    assert_eq!(first.state(), r#"{"a":2,"c":3,"d":4}"#);
    first.set("z", "1");
    bench.assert_files_hold(r#"{"a":2,"c":3,"d":4,"z":1}"#, "after a write");
    assert_eq!(other.state(), r#"{"a":2,"c":3,"d":4,"z":1}"#);
}
