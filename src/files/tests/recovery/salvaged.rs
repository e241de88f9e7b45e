//! What the next write makes of a damaged log, whichever write it is; and that all goes on after it.

use super::super::reference::{Json, Ordered, replay};
use super::super::support::{Bench, LOG, LogKind, MIRROR, Session, check_rows};
use super::log_in_parts::Row;
use super::rows::named;

/// The ways in which the next write may come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next {
    Set,
    Append,
    Compact,
}

pub fn with(state: &str, key: &str, value: &str) -> String {
    let mut state = Ordered::parse(state).expect("a state");
    state.set(key, value);
    state.text()
}

pub fn assert_reads(bench: &Bench, session: &mut Session, row: &Row, when: &str) {
    let before = bench.contents();
    for _ in 0..2 {
        assert_eq!(session.state(), row.state, "{when}");
        let entries = session.entries();
        let entries: Vec<Json> = entries.iter().map(|text| Json::parse(text).expect("JSON")).collect();
        assert_eq!(entries, row.entries(), "{when}: entries");
    }
    assert_eq!(bench.take_notices(), row.notices(), "{when}: notices");
    assert_eq!(bench.contents(), before, "{when}: reading changes no file");
}

pub fn write_next(bench: &Bench, session: &mut Session, row: &Row, next: Next, when: &str) -> String {
    let (kept, state) = (row.kept(), with(row.state, "z", "1"));
    match next {
        Next::Set => session.set("z", "1"),
        Next::Append => session.append("z", "1"),
        Next::Compact => {
            session.compact();
            let backups = bench.numbered("logs/players.log.backup.");
            let expected: &[&[u8]] = if row.has_log() { &[kept.trim_ascii_end()] } else { &[] };
            let found: Vec<&[u8]> = backups.iter().map(|backup| backup.trim_ascii_end()).collect();
            assert_eq!(found, expected, "{when}: the backup");
            let log = bench.text(LOG);
            assert!(log.starts_with("{\"op\":\"CHECKPOINT\",\"state\":{"), "{when}: {log}");
            assert_eq!(log.lines().count(), 1, "{when}");
            session.set("z", "1");
        }
    }
    let log = bench.read(LOG).expect("a log");
    assert_eq!(replay(&log).text(), state, "{when}: the log");
    if next != Next::Compact {
        assert!(log.starts_with(&kept), "{when}: what is good stays as it is");
        let line = std::str::from_utf8(&log[kept.len()..]).expect("UTF-8");
        let is_one = line.lines().count() == 1 || (kept.is_empty() && line.starts_with('\n'));
        assert!(is_one && line.contains("\"key\":\"z\""), "{when}: {line:?}");
    }
    state
}

/// What comes first after the start.
#[derive(Clone, Copy, Debug, PartialEq)]
enum First {
    Read,
    Write,
}

fn assert_salvages(row: &Row, kind: LogKind, first: First, next: Next) {
    let bench = row.bench();
    let when = format!("{} ({kind:?}, {first:?}, {next:?})", row.name);
    let mut session = bench.open_as("players", kind);
    if first == First::Read {
        assert_reads(&bench, &mut session, row, &when);
    }
    let state = write_next(&bench, &mut session, row, next, &when);
    if first == First::Write {
        assert_eq!(bench.take_notices(), row.notices(), "{when}: notices");
    }
    assert_eq!(bench.numbered("logs/players.log.corrupt."), row.corrupt(), "{when}: damage is kept");
    assert_eq!(bench.numbered("logs/players.log.torn."), row.torn(), "{when}: the torn tail is kept");
    assert_eq!(session.state(), state, "{when}");
    if kind == LogKind::Collection {
        bench.assert_files_hold(&state, &when);
    } else {
        assert!(!bench.exists(MIRROR), "{when}: no mirror was asked for");
    }
    session.crash();

    // All goes on, as if nothing had been.
    let mut session = bench.open_as("players", kind);
    assert_eq!(session.state(), state, "{when}: after a crash");
    session.append("y", "2");
    session.set("z", "3");
    let state = with(&with(&state, "y", "2"), "z", "3");
    assert_eq!(bench.replayed(), state, "{when}: the log after a crash");
    session.end();
    let mut session = bench.open_as("players", kind);
    assert_eq!(session.state(), state, "{when}: after a clean end");
    assert_eq!(bench.take_notices(), [""; 0], "{when}: nothing is reported again");
    let leftovers: Vec<_> = bench.contents().into_keys().filter(|path| path.ends_with(".tmp")).collect();
    assert!(leftovers.is_empty(), "{when}: {leftovers:?}");
}

#[test]
fn every_row_is_salvaged() {
    check_rows(named(), |_, row| {
        for next in [Next::Set, Next::Append, Next::Compact] {
            assert_salvages(&row, LogKind::Plain, First::Read, next);
            assert_salvages(&row, LogKind::Collection, First::Read, next);
            assert_salvages(&row, LogKind::Collection, First::Write, next);
        }
    });
}
