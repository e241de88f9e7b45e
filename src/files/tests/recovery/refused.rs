//! With `onCorruption: 'refuse'`, a damaged log refuses every call and nothing changes.

use super::super::support::{Bench, LOG, LogKind, append_text, check_rows, set_line};
use super::rows::{flipped, named};
use super::salvaged::{Next, assert_reads, write_next};
use crate::error::Code;
use crate::store::collection;
use crate::store::query::Query;
use crate::store::request::Work;

#[test]
fn rows_without_damage_are_no_reason_to_refuse() {
    check_rows(named().filter(|(_, row)| row.first_damage().is_none()), |name, row| {
        let bench = row.bench().refusing();
        let mut session = bench.open();
        assert_reads(&bench, &mut session, &row, name);
        let state = write_next(&bench, &mut session, &row, Next::Set, name);
        assert_eq!(bench.numbered("logs/players.log.torn."), row.torn(), "{name}");
        bench.assert_files_hold(&state, name);
        session.crash();
        assert_eq!(bench.open().state(), state, "{name}");
    });
}

#[test]
fn rows_with_damage_are_refused_and_nothing_changes() {
    let calls: [(&str, fn() -> Work); 9] = [
        ("read", || Work::Read(Query::All)),
        ("entries", || Work::Read(Query::LogEntries)),
        ("cursor", || Work::Read(Query::LogCursor)),
        ("rebuild", || Work::Read(Query::Rebuild)),
        ("get", || Work::Read(Query::Get("\"none\"".to_owned()))),
        ("append", || Work::Append(append_text("z", "1"))),
        ("set", || collection::set("\"z\"", "1")),
        ("clear", collection::clear),
        ("compact", || Work::Compact),
    ];
    check_rows(named().filter(|(_, row)| row.first_damage().is_some()), |name, row| {
        let (line, offset) = row.first_damage().expect("damage");
        let bench = row.bench().refusing();
        let before = bench.contents();
        let mut session = bench.open();
        for (call, work) in calls {
            let error = session.call(work()).expect_err("a refusal");
            assert_eq!(error.code(), Code::LogCorrupt, "{name}: {call}");
            for part in [format!("line {line} "), format!("byte {offset} "), "players.log".to_owned()] {
                assert!(error.message().contains(&part), "{name}: {call}: {part:?} in {}", error.message());
            }
            if let Some(key) = row.damaged_key() {
                let named = format!("key '{key}'");
                assert!(error.message().contains(&named), "{name}: {call}: {}", error.message());
            }
            assert_eq!(bench.contents(), before, "{name}: {call} changed a file");
        }
        session.end();
        assert_eq!(bench.contents(), before, "{name}: the end changed a file");
    });
}

#[test]
fn a_log_that_was_mended_is_no_longer_refused_and_others_never_were() {
    let bench = Bench::new().refusing();
    bench.write(LOG, [set_line("a", "1"), flipped("c")].concat());
    let mut session = bench.open();
    assert_eq!(session.try_state(), Err(Code::LogCorrupt));
    let mut other = bench.open_as("tokens", LogKind::Collection);
    other.set("k", "1");
    assert_eq!(other.state(), r#"{"k":1}"#);
    bench.write(LOG, set_line("a", "1"));
    session.set("b", "2");
    assert_eq!(session.state(), r#"{"a":1,"b":2}"#);
}

#[test]
fn damage_that_comes_while_the_process_runs_is_refused_too() {
    let bench = Bench::new().refusing();
    let mut session = bench.open();
    session.set("a", "1");
    bench.append(LOG, &flipped("c"));
    assert_eq!(session.try_state(), Err(Code::LogCorrupt));
    let before = bench.contents();
    assert_eq!(session.call(collection::set("\"b\"", "2")).expect_err("a refusal").code(), Code::LogCorrupt);
    assert_eq!(bench.read(LOG), before.get(&bench.path(LOG)).map(|(bytes, _)| bytes.clone()));
}
