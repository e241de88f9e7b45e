//! Keys that end by themselves: what callers see, what the log says, and what a mirror means that shows such keys or lacks
//! them.
//!
//! Time is the bench's: `END_MS` after its beginning the keys that `expiring` sets are over.

use super::reference::{Ordered, quoted};
use super::support::{Bench, LOG, LogKind, MIRROR, RECORD, Session, check_rows};
use crate::data::change::Change;
use crate::data::json;
use crate::data::state::Member;
use crate::store::answer::Answer;
use crate::store::collection;
use crate::store::expiry::Expiry;
use crate::store::query::{Listed, Query, Rank, Top};
use crate::store::request::{Expected, Replace, Work};

/// How long keys live here.
const END_MS: i64 = 60_000;

fn expiring(session: &mut Session, key: &str, value: &str) {
    let work = collection::set_expiring(&quoted(key), value, Some(Expiry::After(END_MS)));
    session.call(work).expect("a key is set");
}

fn ask(session: &mut Session, query: Query) -> String {
    match session.call(Work::Read(query)).expect("an answer") {
        Answer::Json(text) => text,
        Answer::Texts(texts) => texts.joined(),
        Answer::Whole(cursor) => cursor.read_all().expect("the log can be read"),
        Answer::Bool(is_so) => is_so.to_string(),
        Answer::Number(number) => number.to_string(),
        Answer::Null => "null".to_owned(),
        Answer::Undefined => "undefined".to_owned(),
        other => panic!("{other:?}"),
    }
}

fn expires_at(session: &mut Session, key: &str) -> Option<i64> {
    ask(session, Query::ExpiresAt(quoted(key))).parse().ok()
}

fn update(session: &mut Session, key: &str, before: Option<&str>, value: &str, expiry: Option<Expiry>) {
    let expected = Expected::Values(vec![before.map(str::to_owned)]);
    let changes = Some(vec![Change::Set(Member::new(&quoted(key), value))]);
    let replace = Replace { keys: vec![quoted(key)], expected, changes, expiry, tries: 0 };
    let answer = session.call(Work::Replace(replace)).expect("an answer");
    assert!(matches!(answer, Answer::Undefined), "{answer:?}");
}

/// The operations that the log has, in order.
fn ops(bench: &Bench) -> Vec<String> {
    let of_line = |line: &str| {
        line.split("\"op\":\"").nth(1).and_then(|rest| rest.split('"').next().map(str::to_owned))
    };
    bench.text(LOG).lines().filter_map(of_line).collect()
}

/// The log as we read it, and the mirror. A reader that does not know expiries sees in the log what is over.
fn assert_holds(bench: &Bench, state: &str, when: &str) {
    let mirror = bench.text(MIRROR);
    let shown = Ordered::parse(&mirror).unwrap_or_else(|| panic!("{when}: the mirror is {mirror:?}"));
    assert_eq!(shown.text(), state, "{when}: the mirror");
    assert_eq!(bench.open_as("players", LogKind::Plain).state(), state, "{when}: the log");
}

#[test]
fn what_is_over_is_no_answer_to_anybody() {
    let bench = Bench::new();
    let mut session = bench.open();
    session.set("a", "{\"n\":1}");
    expiring(&mut session, "b", "{\"n\":2}");
    let begun_ms = bench.files.wall_ms();
    let queries = || {
        let field = quoted("n");
        vec![
            Query::Get(quoted("b")),
            Query::Has(quoted("b")),
            Query::ExpiresAt(quoted("b")),
            Query::Size,
            Query::Keys,
            Query::Entries,
            Query::All,
            Query::Rebuild,
            Query::Top(Top { field: field.clone(), limit: 5, absent: None, listed: Listed::Values }),
            Query::Rank(Rank { key: quoted("a"), field: field.clone(), absent: None }),
            Query::Rank(Rank { key: quoted("b"), field, absent: None }),
        ]
    };
    let look =
        |session: &mut Session| queries().into_iter().map(|query| ask(session, query)).collect::<Vec<_>>();
    let living = look(&mut session);
    let end_ms: i64 = living[2].parse().expect("a time");
    assert!((begun_ms..=begun_ms + END_MS).contains(&end_ms), "{end_ms}");
    assert_eq!(living[3..5], ["2", "[\"a\",\"b\"]"]);
    assert_eq!(living[9], "{\"rank\":2,\"of\":2}");
    bench.files.set_clock_forward(end_ms - 1 - bench.files.wall_ms());
    assert_eq!(ask(&mut session, Query::Has(quoted("b"))), "true", "its last millisecond");
    let log = bench.text(LOG);
    bench.files.set_clock_forward(1000);
    let over = look(&mut session);
    assert_eq!(
        over,
        [
            "undefined",
            "false",
            "null",
            "1",
            "[\"a\"]",
            "[[\"a\",{\"n\":1}]]",
            "{\"a\":{\"n\":1}}",
            "{\"a\":{\"n\":1}}",
            "[{\"n\":1}]",
            "{\"rank\":1,\"of\":1}",
            "null"
        ]
    );
    assert_eq!(bench.text(LOG), log, "reading never writes");
    assert_eq!(look(&mut bench.open()), over, "another process");
    assert_eq!(ask(&mut session, Query::StateAt(begun_ms)), "{\"a\":{\"n\":1},\"b\":{\"n\":2}}", "as it was");
    assert_eq!(ask(&mut session, Query::StateAt(end_ms)), "{\"a\":{\"n\":1}}");
    // Nothing is there to be removed, so nothing is written.
    assert!(matches!(session.call(collection::delete(quoted("b"))), Ok(Answer::Bool(false))));
    assert_eq!(bench.text(LOG), log);
    session.set("c", "3");
    assert_eq!(ops(&bench), ["SET", "SET", "EXPIRE", "SET"]);
    assert_holds(&bench, "{\"a\":{\"n\":1},\"c\":3}", "behind the next write");
}

#[test]
fn however_many_end_at_once_one_line_says_so() {
    let bench = Bench::new();
    let mut session = bench.open();
    for number in 0..2000 {
        expiring(&mut session, &format!("k{number}"), "1");
    }
    session.set("stays", "1");
    bench.files.set_clock_forward(2 * END_MS);
    let before = bench.text(LOG).lines().count();
    session.set("next", "2");
    assert_eq!(bench.text(LOG).lines().count(), before + 2);
    assert_holds(&bench, "{\"stays\":1,\"next\":2}", "once they are over");
    assert_eq!(bench.open().state(), "{\"stays\":1,\"next\":2}");
    assert_eq!(bench.take_notices(), Vec::<&str>::new());
}

#[test]
fn a_change_in_place_keeps_the_time_and_a_set_clears_it() {
    let bench = Bench::new();
    let mut session = bench.open();
    expiring(&mut session, "a", "1");
    expiring(&mut session, "b", "1");
    let end_ms = expires_at(&mut session, "a").expect("a time");
    bench.files.set_clock_forward(1000);
    update(&mut session, "a", Some("1"), "2", None);
    assert_eq!(expires_at(&mut session, "a"), Some(end_ms));
    update(&mut session, "a", Some("2"), "3", Some(Expiry::At(end_ms + 5)));
    session.set("b", "2");
    assert_eq!((expires_at(&mut session, "a"), expires_at(&mut session, "b")), (Some(end_ms + 5), None));
    session.end();
    let mut session = bench.open();
    assert_eq!((expires_at(&mut session, "a"), expires_at(&mut session, "b")), (Some(end_ms + 5), None));
    session.compact();
    assert!(bench.text(LOG).contains("\"_expires\":{\"a\":"), "{}", bench.text(LOG));
    session.crash();
    let mut session = bench.open();
    assert_eq!((expires_at(&mut session, "a"), expires_at(&mut session, "b")), (Some(end_ms + 5), None));
    bench.files.set_clock_forward(2 * END_MS);
    // What is over is not there for `update`, and its time is not that of the next value.
    update(&mut session, "a", None, "9", None);
    assert_eq!((session.state().as_str(), expires_at(&mut session, "a")), ("{\"b\":2,\"a\":9}", None));
    assert_eq!(ops(&bench), ["CHECKPOINT", "EXPIRE", "SET"]);
}

#[test]
fn a_checkpoint_holds_nothing_that_is_over() {
    let bench = Bench::new();
    let mut session = bench.open();
    session.set("a", "1");
    expiring(&mut session, "b", "1");
    bench.files.set_clock_forward(2 * END_MS);
    session.compact();
    assert!(!bench.text(LOG).contains("\"b\""), "{}", bench.text(LOG));
    assert_holds(&bench, "{\"a\":1}", "compacted");
    let past = ask(&mut session, Query::History(quoted("b")));
    let ops: Vec<_> = json::elements(&past).map(|record| record.contains("\"op\":\"EXPIRE\"")).collect();
    assert_eq!(ops, [false, true], "{past}");
    assert!(past.contains("\"value\":1,\"expiresAt\":"), "{past}");
}

#[test]
fn a_clock_that_is_set_back_lets_things_live_longer_and_brings_nothing_back() {
    let bench = Bench::new();
    let mut session = bench.open();
    expiring(&mut session, "a", "1");
    bench.files.set_clock_forward(2 * END_MS);
    session.set("b", "1");
    expiring(&mut session, "c", "1");
    bench.files.set_clock_forward(-4 * END_MS);
    assert_eq!(session.state(), "{\"b\":1,\"c\":1}", "what was removed stays so");
    session.crash();
    bench.remove(RECORD);
    let mut session = bench.open();
    assert_eq!(session.state(), "{\"b\":1,\"c\":1}");
    bench.files.set_clock_forward(5 * END_MS - 1000);
    assert_eq!(session.state(), "{\"b\":1,\"c\":1}", "not over yet, by the clock as it is");
    bench.files.set_clock_forward(2000);
    assert_eq!(session.state(), "{\"b\":1}");
    assert_eq!(bench.take_notices(), Vec::<&str>::new());
}

#[test]
fn memory_that_is_logged_again_keeps_the_times() {
    let bench = Bench::new();
    let mut session = bench.open();
    session.set("a", "1");
    expiring(&mut session, "b", "1");
    let end_ms = expires_at(&mut session, "b");
    bench.remove(LOG);
    session.set("c", "1");
    assert_eq!(expires_at(&mut session, "b"), end_ms);
    let mut other = bench.open();
    assert_eq!((other.state().as_str(), expires_at(&mut other, "b")), ("{\"a\":1,\"b\":1,\"c\":1}", end_ms));
    bench.files.set_clock_forward(2 * END_MS);
    bench.remove(LOG);
    session.set("d", "1");
    assert_holds(&bench, "{\"a\":1,\"c\":1,\"d\":1}", "lost once more, and over");
}

/// What others do to the files around the end of `ends`, which is in a log with `stays` and `more`.
struct Situation {
    name: &'static str,
    /// While `ends` lives.
    before: fn(&Bench),
    /// Once it is over.
    after: fn(&Bench),
    /// What the next process sees, and has behind its next write (with `new`).
    state: &'static str,
    is_edit: bool,
}

const NOTHING: fn(&Bench) = |_| {};

fn situations() -> Vec<Situation> {
    let mut all = without_edits();
    all.extend(edits_of_others());
    all.extend(edits_of_it());
    all
}

fn without_edits() -> Vec<Situation> {
    let whole = "{\"stays\":1,\"more\":1}";
    let row = |name, before, after| Situation { name, before, after, state: whole, is_edit: false };
    vec![
        row("nothing happens", NOTHING, NOTHING),
        row("the record is gone", NOTHING, |bench| bench.remove(RECORD)),
        row("the folder is copied", NOTHING, Bench::copy_all),
        row("the folder is copied without the record", NOTHING, |bench| {
            bench.remove(RECORD);
            bench.copy_all();
        }),
        row("the mirror is removed", NOTHING, |bench| bench.remove(MIRROR)),
        row("another process wrote a mirror without it, and the record is gone", NOTHING, |bench| {
            bench.remove(MIRROR);
            let mut other = bench.open();
            other.set("stays", "1");
            other.end();
            bench.remove(RECORD);
        }),
        row("the mirror is rendered anew without it", NOTHING, |bench| {
            bench.remove(RECORD);
            bench.write(MIRROR, "{\n  \"stays\": 1,\n  \"more\": 1\n}");
        }),
        row("the log went on, and the mirror of before came back", NOTHING, |bench| {
            let old = bench.read(MIRROR).expect("a mirror");
            let mut other = bench.open();
            other.set("more", "2");
            other.set("more", "1");
            other.crash();
            bench.remove(RECORD);
            bench.write(MIRROR, old);
        }),
    ]
}

fn edits_of_others() -> Vec<Situation> {
    vec![
        Situation {
            name: "somebody edits another key",
            before: NOTHING,
            after: |bench| bench.write(MIRROR, "{\"stays\":1,\"ends\":1,\"more\":5}"),
            state: "{\"stays\":1,\"more\":5}",
            is_edit: true,
        },
        Situation {
            name: "somebody edits another key, and the record is gone",
            before: NOTHING,
            after: |bench| {
                bench.remove(RECORD);
                bench.write(MIRROR, "{\"stays\":1,\"ends\":1,\"more\":5}");
            },
            state: "{\"stays\":1,\"more\":5}",
            is_edit: true,
        },
        Situation {
            name: "somebody edits another key in a mirror of before, once it is removed",
            before: NOTHING,
            after: |bench| {
                let mut other = bench.open();
                other.set("more", "2");
                other.end();
                bench.write(MIRROR, "{\"stays\":5,\"ends\":1,\"more\":1}");
            },
            state: "{\"stays\":5,\"more\":2}",
            is_edit: true,
        },
    ]
}

fn edits_of_it() -> Vec<Situation> {
    let whole = "{\"stays\":1,\"more\":1}";
    vec![
        Situation {
            name: "somebody edits it while it lives",
            before: |bench| bench.write(MIRROR, "{\"stays\":1,\"ends\":7,\"more\":1}"),
            after: NOTHING,
            state: whole,
            is_edit: false,
        },
        Situation {
            name: "somebody edits it while it lives, and that is logged",
            before: |bench| {
                bench.write(MIRROR, "{\"stays\":1,\"ends\":7,\"more\":1}");
                let mut other = bench.open();
                let before = expires_at(&mut other, "ends");
                assert!(before.is_some(), "an edit keeps the time");
                other.set("more", "1");
                assert_eq!(ask(&mut other, Query::Get(quoted("ends"))), "7");
                assert_eq!(expires_at(&mut other, "ends"), before);
                other.end();
                bench.take_notices();
            },
            after: NOTHING,
            state: whole,
            is_edit: false,
        },
        Situation {
            name: "somebody removes it while it lives",
            before: |bench| bench.write(MIRROR, "{\"stays\":1,\"more\":1}"),
            after: NOTHING,
            state: whole,
            is_edit: false,
        },
        Situation {
            name: "somebody sets the key by hand, once it is removed",
            before: NOTHING,
            after: |bench| {
                let mut other = bench.open();
                other.set("more", "1");
                other.end();
                bench.write(MIRROR, "{\"stays\":1,\"more\":1,\"ends\":\"again\"}");
            },
            state: "{\"stays\":1,\"more\":1,\"ends\":\"again\"}",
            is_edit: true,
        },
    ]
}

#[test]
fn a_mirror_that_shows_or_lacks_what_is_over_is_no_edit() {
    let ways = [("a clean end", true), ("a crash", false)];
    let rows = ways.into_iter().flat_map(|(end, is_clean)| {
        situations().into_iter().map(move |row| (format!("{end}: {}", row.name), (is_clean, row)))
    });
    check_rows(rows, |name, (is_clean, row)| {
        let bench = Bench::new();
        let mut session = bench.open();
        session.set("stays", "1");
        expiring(&mut session, "ends", "1");
        session.set("more", "1");
        if is_clean {
            session.end();
        } else {
            session.crash();
        }
        (row.before)(&bench);
        bench.files.set_clock_forward(2 * END_MS);
        (row.after)(&bench);
        bench.take_notices();
        let mut session = bench.open();
        assert_eq!(session.state(), row.state, "{name}");
        let notices = bench.take_notices();
        assert_eq!(notices.contains(&"PS_FOREIGN_EDIT"), row.is_edit, "{name}: {notices:?}");
        session.set("new", "1");
        let behind = format!("{},\"new\":1}}", &row.state[..row.state.len() - 1]);
        assert_holds(&bench, &behind, name);
        session.crash();
        assert_eq!(bench.open().state(), behind, "{name}: the next process");
    });
}

/// The same under a process that runs on.
#[test]
fn a_running_process_takes_no_key_that_is_over_for_an_edit() {
    check_rows(situations().into_iter().map(|row| (row.name.to_owned(), row)), |name, row| {
        let bench = Bench::new();
        let mut session = bench.open();
        session.set("stays", "1");
        expiring(&mut session, "ends", "1");
        session.set("more", "1");
        (row.before)(&bench);
        bench.files.set_clock_forward(2 * END_MS);
        (row.after)(&bench);
        bench.take_notices();
        assert_eq!(session.state(), row.state, "{name}");
        let notices = bench.take_notices();
        assert_eq!(notices.contains(&"PS_FOREIGN_EDIT"), row.is_edit, "{name}: {notices:?}");
        session.set("new", "1");
        let behind = format!("{},\"new\":1}}", &row.state[..row.state.len() - 1]);
        assert_holds(&bench, &behind, name);
    });
}
