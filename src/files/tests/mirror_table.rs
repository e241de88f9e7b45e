//! Every row of the table in `reconcile.rs`, as the product of all that may be found at a start: what there is
//! of the mirror, what there is of the log, and how the process before ended.
//!
//! The history is always the same: `a`, `b`, `c` become 1, then `a` becomes 2. The clean column holds
//! where the record of a clean end is there and fits; the crash column after a crash, and where the
//! record is missing or unreadable.

use xxhash_rust::xxh3::xxh3_64;

use super::reference::Ordered;
use super::support::{
    Bench, LOG, MIRROR, RECORD, Session, TIME, check_rows, old_set_line, ours, set_line, set_more_line,
};
use crate::files::log::encoder::end_line;
use crate::store::request::Work;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mirror {
    Missing,
    /// As the process left it.
    Ours,
    /// The same content, laid out by somebody else.
    OtherLayout,
    /// As it was before the last change.
    Stale,
    /// `b` is 9, `c` is gone, `d` is new.
    Edited,
    /// An object without keys.
    Empty,
    Broken,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Log {
    Missing,
    Whole,
    /// With the beginning of a further entry behind its end.
    Torn,
    /// Within its last entry, which was acknowledged.
    Cut,
    /// In the line that sets `b`.
    Damaged,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Clean,
    /// Clean, then the folder was copied: other files, other times.
    CleanCopied,
    Crash,
    /// A copy of a folder without our own files, or the old module's data.
    RecordMissing,
    RecordGarbage,
}

/// A state, and whether a foreign edit is reported.
type Expected = (&'static str, bool);

const S1: &str = r#"{"a":1,"b":1,"c":1}"#;
const S2: &str = r#"{"a":2,"b":1,"c":1}"#;
const EDITED: &str = r#"{"a":2,"b":9,"d":4}"#;
/// Less than half of the small file's keys are as they were anywhere. After a crash nobody knows for certain what the
/// last mirror was where another file has its place, so nothing is removed, and `c` stays.
const EDITED_WITH_C: &str = r#"{"a":2,"b":9,"c":1,"d":4}"#;
const WITHOUT_B: &str = r#"{"a":2,"c":1}"#;
const B_BACK: &str = r#"{"a":2,"c":1,"b":1}"#;

/// Mirror, log, clean column, crash column.
const ROWS: [(Mirror, Log, Expected, Expected); 35] = [
    (Mirror::Missing, Log::Missing, ("{}", false), ("{}", false)),
    (Mirror::Missing, Log::Whole, (S2, false), (S2, false)),
    (Mirror::Missing, Log::Torn, (S2, false), (S2, false)),
    (Mirror::Missing, Log::Cut, (S1, false), (S1, false)),
    (Mirror::Missing, Log::Damaged, (WITHOUT_B, false), (WITHOUT_B, false)),
    (Mirror::Ours, Log::Missing, (S2, true), (S2, true)),
    (Mirror::Ours, Log::Whole, (S2, false), (S2, false)),
    (Mirror::Ours, Log::Torn, (S2, false), (S2, false)),
    (Mirror::Ours, Log::Cut, (S2, true), (S2, true)),
    (Mirror::Ours, Log::Damaged, (B_BACK, true), (B_BACK, true)),
    (Mirror::OtherLayout, Log::Missing, (S2, true), (S2, true)),
    (Mirror::OtherLayout, Log::Whole, (S2, false), (S2, false)),
    (Mirror::OtherLayout, Log::Torn, (S2, false), (S2, false)),
    (Mirror::OtherLayout, Log::Cut, (S2, true), (S2, true)),
    (Mirror::OtherLayout, Log::Damaged, (B_BACK, true), (B_BACK, true)),
    (Mirror::Stale, Log::Missing, (S1, true), (S1, true)),
    (Mirror::Stale, Log::Whole, (S1, true), (S2, false)),
    (Mirror::Stale, Log::Torn, (S1, true), (S2, false)),
    (Mirror::Stale, Log::Cut, (S1, false), (S1, false)),
    (Mirror::Stale, Log::Damaged, (B_BACK, true), (B_BACK, true)),
    (Mirror::Edited, Log::Missing, (EDITED, true), (EDITED, true)),
    (Mirror::Edited, Log::Whole, (EDITED, true), (EDITED, true)),
    (Mirror::Edited, Log::Torn, (EDITED, true), (EDITED, true)),
    // Without its last entry the log ends nowhere near the mirror; nearest is where `c` was not there yet.
    (
        Mirror::Edited,
        Log::Cut,
        (r#"{"a":2,"b":9,"c":1,"d":4}"#, true),
        (r#"{"a":2,"b":9,"c":1,"d":4}"#, true),
    ),
    (Mirror::Edited, Log::Damaged, (EDITED, true), (EDITED, true)),
    (Mirror::Empty, Log::Missing, ("{}", false), ("{}", false)),
    (Mirror::Empty, Log::Whole, ("{}", true), (S2, false)),
    (Mirror::Empty, Log::Torn, ("{}", true), (S2, false)),
    (Mirror::Empty, Log::Cut, (S1, false), (S1, false)),
    (Mirror::Empty, Log::Damaged, ("{}", true), (WITHOUT_B, false)),
    (Mirror::Broken, Log::Missing, ("{}", false), ("{}", false)),
    (Mirror::Broken, Log::Whole, (S2, false), (S2, false)),
    (Mirror::Broken, Log::Torn, (S2, false), (S2, false)),
    (Mirror::Broken, Log::Cut, (S1, false), (S1, false)),
    (Mirror::Broken, Log::Damaged, (WITHOUT_B, false), (WITHOUT_B, false)),
];

const ENDS: [End; 5] = [End::Clean, End::CleanCopied, End::Crash, End::RecordMissing, End::RecordGarbage];
const BROKEN: &[u8] = b"{\"a\":2,\"b\":";

/// How large the states are. Beyond 64 KiB mirrors follow in the background.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Size {
    Small,
    Large,
}

/// What comes first after the start.
#[derive(Clone, Copy, Debug, PartialEq)]
enum First {
    Read,
    Write,
    Compact,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    mirror: Mirror,
    log: Log,
    end: End,
    size: Size,
    first: First,
    expected: Expected,
}

impl Case {
    /// A state of the table, in the case's size.
    fn sized(&self, state: &str) -> String {
        let mut sized = Ordered::default();
        if self.size == Size::Large && state != "{}" {
            sized.set("big", &big());
        }
        for (key, value) in Ordered::parse(state).expect("a state").in_order() {
            sized.set(key, value);
        }
        sized.text()
    }

    /// Lets a process of before live and end, then does to the files what the case says.
    fn prepare(&self) -> Bench {
        let bench = Bench::new();
        let mut session = bench.open();
        if self.size == Size::Large {
            session.set("big", &big());
        }
        for key in ["a", "b", "c"] {
            session.set(key, "1");
        }
        bring_mirror_up(&mut session);
        let stale = bench.text(MIRROR);
        session.set("a", "2");
        bring_mirror_up(&mut session);
        match self.end {
            End::Clean | End::CleanCopied => session.end(),
            _ => session.crash(),
        }
        bench.assert_files_hold(&self.sized(S2), "before");
        let end = bench.text(LOG).len();
        match self.log {
            Log::Missing => bench.remove(LOG),
            Log::Whole => {}
            Log::Torn => bench.append(LOG, b"{\"timestamp\":\"2026-01-0"),
            Log::Cut => bench.replace(LOG, &bench.text(LOG)[..end - 30]),
            Log::Damaged => {
                let damaged =
                    bench.text(LOG).replace("\"key\":\"b\",\"value\":1", "\"key\":\"b\",\"value\":3");
                bench.replace(LOG, damaged);
            }
        }
        match self.mirror {
            Mirror::Missing => bench.remove(MIRROR),
            Mirror::Ours => {}
            Mirror::OtherLayout => bench.replace(MIRROR, format!("\u{feff} {}\r\n", self.sized(S2))),
            Mirror::Stale => bench.replace(MIRROR, stale),
            Mirror::Edited => bench.replace(MIRROR, self.sized(EDITED)),
            Mirror::Empty => bench.replace(MIRROR, "{}"),
            Mirror::Broken => bench.replace(MIRROR, BROKEN),
        }
        match self.end {
            End::Clean | End::Crash => {}
            End::CleanCopied => bench.copy_all(),
            End::RecordMissing => bench.remove(RECORD),
            End::RecordGarbage => bench.replace(RECORD, "{\"version\":1,\"log_end\":-5,\"mirr"),
        }
        bench.take_notices();
        bench
    }

    fn notices(&self) -> Vec<&'static str> {
        let mut codes = Vec::new();
        let is_recovered = self.log == Log::Damaged && self.expected.0 == B_BACK;
        codes.extend((self.expected.1 && !is_recovered).then_some("PS_FOREIGN_EDIT"));
        codes.extend((self.log == Log::Damaged).then_some("PS_LOG_DAMAGED"));
        codes.extend((self.mirror == Mirror::Broken).then_some("PS_MIRROR_BROKEN"));
        codes.extend((self.expected.1 && is_recovered).then_some("PS_RECOVERED_FROM_MIRROR"));
        codes.extend(matches!(self.log, Log::Torn | Log::Cut).then_some("PS_TORN_TAIL"));
        codes
    }

    fn check(&self, when: &str) {
        let bench = self.prepare();
        let state = self.sized(self.expected.0);
        let before = bench.contents();
        let mut session = bench.open();
        if self.first == First::Read {
            assert_eq!(session.state(), state, "{when}: what is read");
            assert_eq!(bench.take_notices(), self.notices(), "{when}: notices");
            assert_eq!(session.state(), state, "{when}: what is read again");
            assert_eq!(bench.contents(), before, "{when}: reading changes no file");
        }
        if self.first == First::Compact {
            session.compact();
            assert_eq!(bench.replayed(), state, "{when}: the compacted log");
        }
        session.set("z", "1");
        let mut state = Ordered::parse(&state).expect("a state");
        state.set("z", "1");
        let state = state.text();
        assert_eq!(session.state(), state, "{when}: after a write");
        if self.first != First::Read {
            assert_eq!(bench.take_notices(), self.notices(), "{when}: notices");
        }
        if self.first != First::Compact {
            let log = bench.text(LOG);
            let is_edit = self.notices().contains(&"PS_FOREIGN_EDIT");
            assert_eq!(log.contains("\"_edit\":"), is_edit, "{when}: the edit is logged");
            assert!(
                !self.expected.1 || is_edit || log.contains("\"_memory\":"),
                "{when}: or what it has more"
            );
            let is_old_data = self.expected.1 && self.log == Log::Missing;
            assert_eq!(log.starts_with("{\"op\":\"CHECKPOINT\""), is_old_data, "{when}: {log}");
        }
        assert_eq!(bench.replayed(), state, "{when}: the log after a write");
        bring_mirror_up(&mut session);
        bench.assert_files_hold(&state, when);
        let set_aside: &[&[u8]] = if self.mirror == Mirror::Broken { &[BROKEN] } else { &[] };
        assert_eq!(bench.numbered("players.json.corrupt."), set_aside, "{when}: a broken mirror is kept");
        session.crash();

        let mut session = bench.open();
        assert_eq!(session.state(), state, "{when}: after a crash");
        session.set("y", "1");
        session.end();
        let mut state = Ordered::parse(&state).expect("a state");
        state.set("y", "1");
        assert_eq!(bench.open().state(), state.text(), "{when}: after a clean end");
        bench.assert_files_hold(&state.text(), when);
        assert_eq!(bench.take_notices(), [""; 0], "{when}: nothing is reported again");
    }
}

fn big() -> String {
    format!("\"{}\"", "x".repeat(70_000))
}

/// Large mirrors are written when it is time.
fn bring_mirror_up(session: &mut Session) {
    while session.tick() {
        session.run_jobs();
    }
}

#[test]
fn every_start_leads_to_what_the_table_says() {
    let mut cases = Vec::new();
    for (mirror, log, clean, crash) in ROWS {
        for end in ENDS {
            let of_end = if matches!(end, End::Clean | End::CleanCopied) { clean } else { crash };
            for size in [Size::Small, Size::Large] {
                let is_clean = matches!(end, End::Clean | End::CleanCopied);
                let expected = match (mirror, log) {
                    _ if is_clean || size == Size::Large => of_end,
                    (Mirror::Edited, Log::Whole | Log::Torn) => (EDITED_WITH_C, true),
                    (Mirror::Edited, Log::Damaged) => (r#"{"a":2,"c":1,"b":9,"d":4}"#, true),
                    _ => of_end,
                };
                for first in [First::Read, First::Write, First::Compact] {
                    let case = Case { mirror, log, end, size, first, expected };
                    let name = format!("mirror {mirror:?}, log {log:?}, {end:?}, {size:?}, first {first:?}");
                    cases.push((name, case));
                }
            }
        }
    }
    check_rows(cases, |name, case| case.check(name));
}

#[test]
fn the_table_has_all_rows() {
    for (number, (mirror, log, ..)) in ROWS.iter().enumerate() {
        assert!(!ROWS[..number].iter().any(|(m, l, ..)| (m, l) == (mirror, log)), "{mirror:?} {log:?} twice");
    }
}

#[test]
fn whatever_is_no_object_is_a_broken_mirror() {
    let broken: [&[u8]; 9] =
        [b"", b" \n", b"[]", b"null", b"7", b"{\"a\":1", b"{\"a\":1}}", b"{\"a\":\"\xff\"}", &[0; 512]];
    let rows = broken.map(|bytes| (format!("{:?}", String::from_utf8_lossy(bytes)), bytes));
    check_rows(rows, |name, bytes| {
        let bench = Bench::new();
        let mut session = bench.open();
        session.set("a", "1");
        session.end();
        bench.write(MIRROR, bytes);
        let mut session = bench.open();
        assert_eq!(session.state(), r#"{"a":1}"#, "{name}");
        assert_eq!(bench.take_notices(), ["PS_MIRROR_BROKEN"], "{name}");
        assert_eq!(bench.read(MIRROR).as_deref(), Some(bytes), "{name}: reading changes no file");
        session.set("b", "2");
        assert_eq!(bench.numbered("players.json.corrupt."), [bytes], "{name}");
        bench.assert_files_hold(r#"{"a":1,"b":2}"#, name);
    });
}

#[test]
fn a_mirror_that_lags_behind_a_crash_is_old_wherever_it_stands() {
    // The mirror stops at each position in turn; the log goes on. With and without a record.
    let steps = 12;
    let rows = (0..steps).flat_map(|stop| {
        [true, false].map(|record| (format!("mirror of step {stop}, record {record}"), (stop, record)))
    });
    check_rows(rows, |name, (stop, has_record)| {
        let bench = Bench::new();
        let mut session = bench.open();
        let (mut mirror, mut record) = (None, None);
        for step in 0..steps {
            session.set(["a", "b", "c"][step % 3], &(step / 5).to_string());
            if step % 4 == 3 {
                session.delete("b");
            }
            if step == stop {
                (mirror, record) = (bench.read(MIRROR), bench.read(RECORD));
            }
        }
        let state = session.state();
        session.crash();
        bench.replace(MIRROR, mirror.expect("a mirror"));
        if has_record {
            bench.replace(RECORD, record.expect("a record"));
        } else {
            bench.remove(RECORD);
        }
        let mut session = bench.open();
        assert_eq!(session.state(), state, "{name}");
        assert_eq!(bench.take_notices(), [""; 0], "{name}");
        session.set("z", "1");
        let mut state = Ordered::parse(&state).expect("a state");
        state.set("z", "1");
        bench.assert_files_hold(&state.text(), name);
    });
}

#[test]
fn a_mirror_that_lags_behind_a_compaction_is_old_too() {
    // Compacted, then two more entries; the mirror comes from before each of them, as after a power cut.
    for stop in 0..3 {
        let bench = Bench::new();
        let mut session = bench.open();
        for (key, value) in [("a", "1"), ("b", "1"), ("a", "2")] {
            session.set(key, value);
        }
        session.compact();
        let mut mirrors = vec![bench.read(MIRROR)];
        for value in ["3", "4"] {
            session.set("a", value);
            mirrors.push(bench.read(MIRROR));
        }
        session.crash();
        bench.replace(MIRROR, mirrors[stop].as_ref().expect("a mirror"));
        bench.remove(RECORD);
        let mut session = bench.open();
        assert_eq!(session.state(), r#"{"a":4,"b":1}"#, "mirror of step {stop}");
        assert_eq!(bench.take_notices(), [""; 0], "mirror of step {stop}");
    }
}

#[test]
fn first_start_on_old_data_takes_over_what_the_log_never_saw() {
    let bench = Bench::new();
    bench.write(LOG, [old_set_line("p1", "1"), old_set_line("p1", "2")].concat());
    bench.write(MIRROR, "{\n  \"p0\": {\"n\": [1, 2]},\n  \"p1\": 1\n}");
    let mut session = bench.open();
    let state = r#"{"p1":2,"p0":{"n":[1,2]}}"#;
    assert_eq!(session.state(), state);
    assert_eq!(bench.take_notices(), ["PS_FOREIGN_EDIT"]);
    session.set("p2", "1");
    bench.assert_files_hold(r#"{"p1":2,"p0":{"n":[1,2]},"p2":1}"#, "after the first write");
    session.crash();

    // Either file alone is enough now.
    let mirror = bench.read(MIRROR).expect("a mirror");
    bench.remove(MIRROR);
    bench.remove(RECORD);
    assert_eq!(bench.open().state(), r#"{"p1":2,"p0":{"n":[1,2]},"p2":1}"#);
    bench.write(MIRROR, mirror);
    bench.remove(LOG);
    assert_eq!(bench.open().state(), r#"{"p1":2,"p0":{"n":[1,2]},"p2":1}"#);
}

#[test]
fn old_data_without_a_log_begins_one_with_a_checkpoint() {
    let bench = Bench::new();
    bench.write(MIRROR, r#"{"b": {"x": 1.50}, "7": null, "a": "\u0041"}"#);
    let mut session = bench.open();
    assert_eq!(session.state(), r#"{"7":null,"b":{"x":1.50},"a":"\u0041"}"#);
    assert!(!bench.exists("logs") && !bench.exists(".progressive-storage"), "reading makes no folder");
    session.delete("b");
    let log = bench.text(LOG);
    assert!(log.starts_with("{\"op\":\"CHECKPOINT\",\"state\":{\"7\":null,\"b\":"), "{log}");
    assert_eq!(log.lines().count(), 2, "{log}");
    session.crash();
    assert_eq!(bench.open().state(), r#"{"7":null,"a":"\u0041"}"#);
}

#[test]
fn a_record_of_another_log_says_nothing() {
    // The folder was restored from a backup, all but our own files.
    let bench = Bench::new();
    let mut session = bench.open();
    session.set("a", "1");
    let (log, mirror) = (bench.read(LOG).expect("a log"), bench.read(MIRROR).expect("a mirror"));
    session.set("a", "2");
    session.set("b", "1");
    session.end();
    bench.replace(LOG, [log, set_line("c", "1")].concat());
    bench.replace(MIRROR, mirror);
    let mut session = bench.open();
    assert_eq!(session.state(), r#"{"a":1,"c":1}"#);
    assert_eq!(bench.take_notices(), [""; 0], "the mirror is merely old");
}

#[test]
fn a_line_that_sets_nothing_is_no_position_of_its_own() {
    let bench = Bench::new();
    let note = format!("{{\"timestamp\":\"{TIME}\",\"op\":\"NOTE\"}}\n").into_bytes();
    bench.write(LOG, [old_set_line("a", "1"), note.clone(), old_set_line("a", "2"), note].concat());
    bench.write(MIRROR, r#"{"a":1}"#);
    assert_eq!(bench.open().state(), r#"{"a":2}"#);
    bench.write(MIRROR, r#"{"a":2,"b":3}"#);
    assert_eq!(bench.open().state(), r#"{"a":2,"b":3}"#);
}

#[test]
fn an_old_mirror_is_recognised_where_it_shows_an_operation_of_several_lines() {
    // The mirror stopped at b = 2, was edited (c), which was logged, and is edited again (e) after a crash.
    let edit = ours(&format!(
        "{{\"timestamp\":\"{TIME}\",\"op\":\"SET\",\"key\":\"c\",\"value\":1,\"_edit\":\"0000000000000abc-old\"}}"
    ));
    let log = [set_line("a", "1"), set_more_line("b", "2", 1), end_line(), set_line("b", "3"), edit];
    let bench = Bench::new();
    bench.write(LOG, log.concat());
    bench.write(MIRROR, r#"{"a":1,"b":2,"c":1,"e":5}"#);
    let mut session = bench.open();
    assert_eq!(session.state(), r#"{"a":1,"b":3,"c":1,"e":5}"#);
    session.set("z", "1");
    bench.assert_files_hold(r#"{"a":1,"b":3,"c":1,"e":5,"z":1}"#, "after a write");
}

#[test]
fn an_edited_mirror_that_comes_back_is_told_by_the_hash_that_its_edit_was_logged_with() {
    // `c` was edited, then `e`; both were logged, and a power cut took the second file.
    let edited = r#"{"a":1,"b":2,"c":1}"#;
    let edit = |key: &str, hash: u64| {
        let line =
            format!(r#"{{"timestamp":"{TIME}","op":"SET","key":"{key}","value":1,"_edit":"{hash:016x}"}}"#);
        ours(&line)
    };
    let log = [
        set_line("a", "1"),
        set_line("b", "2"),
        set_line("b", "3"),
        edit("c", xxh3_64(edited.as_bytes())),
        edit("e", 0xabc),
    ];
    let bench = Bench::new();
    bench.write(LOG, log.concat());
    bench.write(MIRROR, edited);
    let mut session = bench.open();
    assert_eq!(session.state(), r#"{"a":1,"b":3,"c":1,"e":1}"#);
    assert_eq!(bench.take_notices(), [""; 0], "the mirror is merely old");
    session.set("z", "1");
    bench.assert_files_hold(r#"{"a":1,"b":3,"c":1,"e":1,"z":1}"#, "after a write");
}

#[test]
fn an_edit_back_to_one_that_was_logged_before_the_log_was_written_anew_is_an_edit() {
    type Renew = fn(&Bench, &mut Session);
    let renewals: [(&str, Renew); 2] = [
        ("a compaction", |_, session| session.compact()),
        ("mended damage", |bench, session| {
            let log = bench.read(LOG).expect("a log");
            bench.replace(
                LOG,
                [b"damage that is longer than a line of this log".repeat(9), vec![b'\n'], log].concat(),
            );
            session.set("a", "1");
        }),
    ];
    for (name, renew) in renewals {
        let bench = Bench::new();
        let (mut session, mut other) = (bench.open(), bench.open());
        session.set("a", "1");
        let edited = "{\n  \"a\": 1,\n  \"b\": 2\n}";
        bench.write(MIRROR, edited);
        other.set("c", "3");
        assert_eq!(session.state(), r#"{"a":1,"b":2,"c":3}"#, "{name}");
        renew(&bench, &mut session);
        bench.write(MIRROR, edited);
        assert_eq!(session.state(), r#"{"a":1,"b":2}"#, "{name}");
        session.set("d", "4");
        bench.assert_files_hold(r#"{"a":1,"b":2,"d":4}"#, name);
    }
}

#[test]
fn a_compaction_over_a_torn_tail_and_an_old_mirror_undoes_nothing() {
    let bench = Bench::new();
    let mut session = bench.open();
    session.set("a", "1");
    session.crash();
    bench.append(LOG, b"{");
    bench.write(MIRROR, "{}");
    let (mut session, mut other) = (bench.open(), bench.open());
    assert_eq!((session.state(), other.state()), (r#"{"a":1}"#.to_owned(), r#"{"a":1}"#.to_owned()));
    session.send(vec![Work::Compact]);
    let done = session.run_job_beside().expect("a compaction");
    other.set("b", "2");
    session.deliver(done);
    session.run_jobs();
    assert_eq!(session.state(), r#"{"a":1,"b":2}"#);
    bench.assert_files_hold(r#"{"a":1,"b":2}"#, "after it");
}

#[test]
fn an_edit_after_a_crash_counts_in_full_also_where_another_one_was_logged_before() {
    let bench = Bench::new();
    let mut session = bench.open();
    session.set("a", "1");
    bench.write(MIRROR, r#"{"a":1,"b":2}"#);
    session.set("a", "3");
    session.crash();
    bench.write(MIRROR, r#"{"b":2,"d":4}"#);
    let mut session = bench.open();
    assert_eq!(session.state(), r#"{"b":2,"d":4}"#);
    session.set("z", "1");
    bench.assert_files_hold(r#"{"b":2,"d":4,"z":1}"#, "after a write");
}

#[test]
fn a_backup_is_no_reason_to_drop_what_only_the_mirror_still_has() {
    // The log does not go on from its backup any more: emptied, zeros, its checkpoint damaged, begun anew.
    let zeros = vec![0; 300];
    let cases: [(&str, &dyn Fn(&[u8]) -> Vec<u8>); 4] = [
        ("emptied", &|_| Vec::new()),
        ("zeros", &|_| zeros.clone()),
        ("damaged", &|log| log.iter().map(|byte| if *byte == b'1' { b'7' } else { *byte }).collect()),
        ("begun anew", &|_| set_line("d", "1")),
    ];
    for (name, spoil) in cases {
        for is_edited in [false, true] {
            let bench = Bench::new();
            let mut session = bench.open();
            for key in ["a", "b", "c"] {
                session.set(key, "1");
            }
            session.compact();
            session.crash();
            bench.write(LOG, spoil(&bench.read(LOG).expect("a log")));
            if is_edited {
                bench.write(MIRROR, r#"{"a":1,"b":1,"c":1,"e":5}"#);
            }
            let mut session = bench.open();
            let seen = Ordered::parse(&session.state()).expect("a state");
            for key in ["a", "b", "c"] {
                assert_eq!(seen.get(key), Some("1"), "{name}, edited: {is_edited}: {key}");
            }
            assert_eq!(seen.get("e"), is_edited.then_some("5"), "{name}");
            session.set("z", "1");
            for text in [bench.replayed(), bench.text(MIRROR)] {
                let found = Ordered::parse(&text).expect("a state");
                assert_eq!(
                    (found.get("a"), found.get("z")),
                    (Some("1"), Some("1")),
                    "{name}, edited: {is_edited}"
                );
            }
        }
    }
}

/// After a crash, with damage, nothing is certain of what the file was made from, so its edit removes nothing. That goes for a
/// further edit of it, too, as long as the first one is not logged.
#[test]
fn a_further_edit_of_a_file_of_unknown_origin_removes_only_what_that_file_had() {
    for (name, second, expected) in [
        ("more", r#"{"a":1,"x":1,"y":2,"z":3,"w":4}"#, r#"{"count":1,"a":1,"x":1,"y":2,"z":3,"w":4}"#),
        ("less", r#"{"y":2,"z":3}"#, r#"{"count":1,"y":2,"z":3}"#),
        ("other", r#"{"a":1,"x":5,"y":2,"z":3,"count":2}"#, r#"{"count":2,"a":1,"x":5,"y":2,"z":3}"#),
    ] {
        let bench = Bench::new();
        bench.append(LOG, &set_line("count", "1"));
        bench.append(LOG, b"damage\n");
        bench.append(LOG, &set_line("a", "1"));
        bench.write(MIRROR, r#"{"a":1,"x":1,"y":2,"z":3}"#);
        let mut session = bench.open();
        assert_eq!(session.state(), r#"{"count":1,"a":1,"x":1,"y":2,"z":3}"#, "{name}");
        bench.write(MIRROR, second);
        assert_eq!(session.state(), expected, "{name}");
        session.set("last", "1");
        let last = expected.replace('}', r#","last":1}"#);
        bench.assert_files_hold(&last, name);
    }
}
