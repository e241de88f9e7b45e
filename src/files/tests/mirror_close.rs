//! `mirror: 'close'`: changes alone write no mirror, and an edit of the old one counts as an edit of any other does.
//!
//! Invariant: a mirror comes to its place by one rename, which is what is counted here.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::support::{Bench, LOG, MIRROR, Session};
use crate::files::options::MirrorMode;
use crate::store::core::{Core, Finish, Renewal};
use crate::store::patience::WAIT_US_MAX;

fn closing() -> Bench {
    let mut bench = Bench::new();
    bench.options.mirror = MirrorMode::Close;
    bench
}

/// Counts the mirrors that come to their place from now on.
struct Mirrors(Arc<AtomicUsize>);

impl Mirrors {
    fn of(bench: &Bench) -> Self {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        bench.files.meddle(move |call, path| {
            if call == "rename" && path.ends_with(MIRROR) {
                counted.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        });
        Self(count)
    }

    /// How many since the last question.
    fn take(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }
}

fn flush(session: &mut Session) {
    session.run_jobs();
    let finish = Finish { left_us: WAIT_US_MAX, renewal: Renewal::All };
    Core::finish(&mut session.folder, finish).expect("a flush");
}

/// Does what is due until nothing is.
fn settle(session: &mut Session) {
    session.run_jobs();
    while session.tick() {
        session.run_jobs();
    }
}

fn large() -> String {
    format!("\"{}\"", "x".repeat(100_000))
}

#[test]
fn changes_write_no_mirror_and_flush_compaction_and_end_write_one() {
    for value in ["1".to_owned(), large()] {
        let bench = closing();
        let mirrors = Mirrors::of(&bench);
        let mut session = bench.open();
        let change = |session: &mut Session| {
            for key in ["a", "b", "c", "a"] {
                session.set(key, &value);
                assert_eq!(session.folder.next_due_ms(), None, "nothing is due");
                settle(session);
            }
            session.delete("c");
            session.append("d", "4");
            assert_eq!(mirrors.take(), 0);
        };
        let state = format!(r#"{{"a":{value},"b":{value},"d":4}}"#);

        change(&mut session);
        assert!(!bench.exists(MIRROR));
        flush(&mut session);
        assert_eq!(mirrors.take(), 1, "a flush");
        bench.assert_files_hold(&state, "after a flush");
        flush(&mut session);
        assert_eq!(mirrors.take(), 0, "it is current");

        change(&mut session);
        session.compact();
        settle(&mut session);
        assert_eq!(mirrors.take(), 1, "a compaction");
        bench.assert_files_hold(&state, "after a compaction");

        change(&mut session);
        session.end();
        assert_eq!(mirrors.take(), 1, "a clean end");
        bench.assert_files_hold(&state, "after a clean end");
    }
}

#[test]
fn where_mirrors_follow_the_same_changes_write_them() {
    let bench = Bench::new();
    let mirrors = Mirrors::of(&bench);
    let mut session = bench.open();
    for key in ["a", "b", "a"] {
        session.set(key, "1");
    }
    assert_eq!(mirrors.take(), 3);
    session.set("c", &large());
    settle(&mut session);
    assert_eq!(mirrors.take(), 1);
    session.end();
    assert_eq!(mirrors.take(), 0);
}

#[test]
fn a_flush_renews_what_a_killed_process_left() {
    let bench = closing();
    let mut session = bench.open();
    session.set("a", "1");
    flush(&mut session);
    session.set("a", "2");
    session.crash();
    assert_eq!(bench.text(MIRROR), "{\n  \"a\": 1\n}");
    let mut other = bench.open();
    assert_eq!(other.state(), r#"{"a":2}"#);
    flush(&mut other);
    bench.assert_files_hold(r#"{"a":2}"#, "after a flush that wrote nothing else");
    assert_eq!(bench.take_notices(), [""; 0], "nobody edited");
}

/// Two keys that a mirror shows, and what it does not show: one changed, one removed, one added.
fn with_old_mirror(bench: &Bench) -> Session {
    let mut session = bench.open();
    for key in ["a", "b", "c", "d"] {
        session.set(key, "1");
    }
    flush(&mut session);
    session.set("a", "2");
    session.delete("b");
    session.set("new", "2");
    session
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Running,
    AfterACrash,
    AfterAClose,
}

/// Ends the session or not, has `edit` change the mirror, and opens the folder again or not.
fn edited(bench: &Bench, session: Session, when: When, edit: impl FnOnce()) -> Session {
    match when {
        When::Running => {
            edit();
            return session;
        }
        When::AfterACrash => session.crash(),
        When::AfterAClose => session.end(),
    }
    edit();
    bench.open()
}

#[test]
fn an_edit_of_an_old_mirror_changes_what_the_person_changed() {
    for when in [When::Running, When::AfterACrash] {
        let bench = closing();
        let session = with_old_mirror(&bench);
        let mirrors = Mirrors::of(&bench);
        let mut session = edited(&bench, session, when, || {
            // It still shows a, b, c and d; the person changes c and adds e.
            bench.replace(MIRROR, r#"{"a": 1, "b": 1, "c": 5, "d": 1, "e": 6}"#);
        });
        let state = r#"{"a":2,"c":5,"d":1,"new":2,"e":6}"#;
        assert_eq!(session.state(), state, "{when:?}");
        assert_eq!(bench.take_notices(), ["PS_FOREIGN_EDIT"], "{when:?}");
        session.set("a", "3");
        settle(&mut session);
        assert_eq!(mirrors.take(), 0, "{when:?}: the person's file stays");
        let state = state.replace(r#""a":2"#, r#""a":3"#);
        assert_eq!(bench.replayed(), state, "{when:?}: the log");

        // Once more on the same old file, which the log knows now; and once after another crash.
        bench.replace(MIRROR, r#"{"a": 1, "b": 1, "c": 5, "d": 7, "e": 6}"#);
        let state = state.replace(r#""d":1"#, r#""d":7"#);
        assert_eq!(session.state(), state, "{when:?}: a second edit");
        session.set("z", "0");
        session.crash();
        let mut session = bench.open();
        bench.replace(MIRROR, r#"{"a": 1, "b": 1, "c": 5, "d": 7, "e": 8}"#);
        let state = state.replace(r#""e":6}"#, r#""e":8,"z":0}"#);
        assert_eq!(session.state(), state, "{when:?}: a third edit");
        session.set("z", "0");
        session.end();
        bench.assert_files_hold(&state, "at the end");
        assert_eq!(mirrors.take(), 1, "{when:?}: the end");
    }
}

#[test]
fn an_edit_after_a_close_is_one_of_a_current_mirror() {
    let bench = closing();
    let session = with_old_mirror(&bench);
    let mut session = edited(&bench, session, When::AfterAClose, || {
        assert_eq!(
            bench.text(MIRROR).split_whitespace().collect::<String>(),
            r#"{"a":2,"c":1,"d":1,"new":2}"#
        );
        bench.replace(MIRROR, r#"{"a": 2, "c": 5, "new": 2}"#);
    });
    assert_eq!(session.state(), r#"{"a":2,"c":5,"new":2}"#);
    session.set("a", "3");
    session.crash();
    assert_eq!(bench.open().state(), r#"{"a":3,"c":5,"new":2}"#);
    assert_eq!(bench.take_notices(), ["PS_FOREIGN_EDIT"]);
}

#[test]
fn an_edit_of_what_has_changed_since_is_named() {
    let bench = closing();
    let mut session = with_old_mirror(&bench);
    bench.replace(MIRROR, r#"{"a": 9, "b": 1, "c": 1, "d": 1}"#);
    assert_eq!(session.state(), r#"{"a":9,"c":1,"d":1,"new":2}"#);
    let notices = bench.take_whole_notices();
    let edit = notices.iter().find(|notice| notice.kind.code == "PS_FOREIGN_EDIT").expect("an edit");
    assert!(edit.payload.contains(r#""ambiguousKeys":["a"]"#), "{}", edit.payload);
}

#[test]
fn an_old_mirror_that_nobody_changed_is_no_edit() {
    for when in [When::Running, When::AfterACrash, When::AfterAClose] {
        let bench = closing();
        let session = with_old_mirror(&bench);
        let mut session = edited(&bench, session, when, || {
            // An editor that saves what it has opened: another file, the same text.
            bench.replace(MIRROR, bench.text(MIRROR));
        });
        assert_eq!(session.state(), r#"{"a":2,"c":1,"d":1,"new":2}"#, "{when:?}");
        session.set("a", "3");
        session.crash();
        bench.copy_all();
        assert_eq!(bench.open().state(), r#"{"a":3,"c":1,"d":1,"new":2}"#, "{when:?}");
        assert_eq!(bench.take_notices(), [""; 0], "{when:?}");
    }
}

#[test]
fn a_mirror_that_was_never_written_is_no_loss() {
    let bench = closing();
    let mut session = bench.open();
    session.set("a", "1");
    session.set("b", "1");
    // A person makes the file, with a key of their own: it says nothing of the others.
    bench.replace(MIRROR, r#"{"by-hand": 1}"#);
    assert_eq!(session.state(), r#"{"a":1,"b":1,"by-hand":1}"#);
    session.set("a", "2");
    session.crash();
    let session = bench.open();
    session.end();
    assert_eq!(bench.open().state(), r#"{"a":2,"b":1,"by-hand":1}"#);
}

#[test]
fn a_compaction_takes_an_edit_of_the_old_mirror_along() {
    let bench = closing();
    let mut session = with_old_mirror(&bench);
    bench.replace(MIRROR, r#"{"a": 1, "b": 1, "c": 5, "d": 1}"#);
    session.compact();
    let state = r#"{"a":2,"c":5,"d":1,"new":2}"#;
    bench.assert_files_hold(state, "after a compaction");
    session.crash();
    // Of the checkpoint alone nobody could say that this one is old.
    bench.replace(MIRROR, r#"{"a": 2, "c": 5, "d": 6, "new": 2}"#);
    assert_eq!(bench.open().state(), state.replace(r#""d":1"#, r#""d":6"#));
}

#[test]
fn a_broken_mirror_is_set_aside_when_the_next_one_is_written() {
    let bench = closing();
    let mut session = with_old_mirror(&bench);
    bench.replace(MIRROR, "{\"a\": 1, ");
    session.set("a", "3");
    settle(&mut session);
    assert_eq!(bench.take_notices(), ["PS_MIRROR_BROKEN"]);
    assert_eq!(bench.text(MIRROR), "{\"a\": 1, ", "the person may still mend it");
    session.end();
    bench.assert_files_hold(r#"{"a":3,"c":1,"d":1,"new":2}"#, "at the end");
    assert_eq!(bench.numbered("players.json.corrupt."), [b"{\"a\": 1, "]);
}

#[test]
fn a_log_that_was_lost_has_a_mirror_as_new_as_what_takes_its_place() {
    let bench = closing();
    let mut session = with_old_mirror(&bench);
    let mirrors = Mirrors::of(&bench);
    bench.remove(LOG);
    session.set("a", "3");
    settle(&mut session);
    assert_eq!(mirrors.take(), 1);
    let state = r#"{"a":3,"c":1,"d":1,"new":2}"#;
    bench.assert_files_hold(state, "after a loss");
    session.set("a", "4");
    settle(&mut session);
    assert_eq!(mirrors.take(), 0, "from here on as before");
    session.crash();
    bench.replace(MIRROR, r#"{"a": 3, "c": 1, "d": 5, "new": 2}"#);
    assert_eq!(bench.open().state(), r#"{"a":4,"c":1,"d":5,"new":2}"#);
}
