//! Writes that were cut at any byte.

use super::super::reference::replay;
use super::super::support::{Bench, LOG, LogKind, MIRROR, set_line};
use super::salvaged::with;
use crate::store::collection;

#[test]
fn a_line_may_be_cut_anywhere() {
    let (first, last) = (set_line("a", "1"), set_line("b", "{\"text\":\"é\"}"));
    for cut in 1..=last.len() {
        let bench = Bench::new();
        let rest = &last[..last.len() - cut];
        bench.write(LOG, [first.as_slice(), rest].concat());
        let state = if cut == 1 { r#"{"a":1,"b":{"text":"é"}}"# } else { r#"{"a":1}"# };
        let mut session = bench.open();
        assert_eq!(session.state(), state, "{cut} bytes cut");
        session.set("z", "1");
        bench.assert_files_hold(&with(state, "z", "1"), "after a cut");
        let torn = bench.numbered("logs/players.log.torn.");
        let expected: &[&[u8]] = if cut == 1 || rest.is_empty() { &[] } else { &[rest] };
        assert_eq!(torn, expected, "{cut} bytes cut");
    }
}

#[test]
fn an_operation_of_several_lines_may_be_cut_anywhere() {
    let bench = Bench::new();
    let mut session = bench.open_as("players", LogKind::Plain);
    session.set("a", "1");
    session.set("b", "2");
    let before = bench.read(LOG).expect("a log").len();
    session.call(collection::clear()).expect("a clear");
    session.crash();
    let log = bench.read(LOG).expect("a log");
    for end in before..=log.len() {
        bench.write(LOG, &log[..end]);
        // The break of the last line says nothing that the line does not.
        let state = if end + 1 >= log.len() { "{}" } else { r#"{"a":1,"b":2}"# };
        assert_eq!(bench.open_as("players", LogKind::Plain).state(), state, "cut at {end} of {}", log.len());
    }
}

/// Old data that does not fit into one line is taken over in several; the mirror still has what is not in the log then.
#[test]
fn a_takeover_of_old_data_may_be_cut_anywhere() {
    let value = format!("\"{}\"", "x".repeat(700_000));
    let members: Vec<String> = ["a", "b", "c", "d"].iter().map(|key| format!("\"{key}\":{value}")).collect();
    let old_data = format!("{{{}}}", members.join(","));
    let bench = Bench::new();
    bench.write(MIRROR, &old_data);
    let mut session = bench.open();
    session.set("z", "1");
    session.crash();
    let log = bench.read(LOG).expect("a log");
    let ends: Vec<usize> =
        log.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
    assert!(ends.len() >= 4, "{} lines", ends.len());
    let mut cuts = vec![ends[0] / 2];
    cuts.extend(ends[..3].iter().flat_map(|end| [*end - 1, *end, *end + 3, *end + 30]));
    for cut in cuts {
        let bench = Bench::new();
        bench.write(MIRROR, &old_data);
        bench.write(LOG, &log[..cut]);
        let mut session = bench.open();
        assert!(session.state() == old_data, "cut at {cut} of {}: something is lost", log.len());
        session.set("z", "1");
        let expected = with(&old_data, "z", "1");
        assert!(session.state() == expected, "cut at {cut}: after a write");
        session.end();
        assert!(replay(&bench.read(LOG).expect("a log")).text() == expected, "cut at {cut}: the log");
    }
}
