//! Logs that are lost, or that another program writes over, where memory knows more than the files.

use super::super::reference::Ordered;
use super::super::support::LOG;
use super::lagging::large;
use super::two::Two;

#[test]
fn a_lost_log_costs_nothing_whichever_process_notices_first() {
    // Both know a large state; this process goes on, and its mirror is not written yet. Then the log is cut.
    for (name, is_known) in [("notices first", true), ("is the second", false)] {
        let Two { bench, mut first, mut other } = Two::with_all_in_memory();
        large(&mut first);
        assert!(first.tick());
        first.run_jobs();
        other.state();
        first.set("a", "2");
        first.delete("b");
        bench.take_notices();
        bench.write(LOG, "");
        if is_known {
            first.state();
        }
        other.set("c", "3");
        let seen = Ordered::parse(&first.state()).expect("a state");
        assert_eq!(["a", "b", "c"].map(|key| seen.get(key)), [Some("2"), None, Some("3")], "{name}");
        first.set("d", "4");
        for session in [&mut first, &mut other] {
            let seen = Ordered::parse(&session.state()).expect("a state");
            assert_eq!(
                ["a", "b", "c", "d"].map(|key| seen.get(key)),
                [Some("2"), None, Some("3"), Some("4")],
                "{name}"
            );
        }
        assert_eq!(bench.replayed(), first.state(), "{name}");
    }
}

#[cfg(unix)]
#[test]
fn a_log_that_lost_its_name_is_still_read_by_who_knew_less() {
    // The other knows a large state; this process goes on alone. The log goes, and the other writes to the same key.
    let Two { bench, mut first, mut other } = Two::new();
    large(&mut first);
    assert!(first.tick());
    first.run_jobs();
    other.state();
    for value in ["2", "3"] {
        first.set("a", value);
    }
    bench.remove(LOG);
    let seen = Ordered::parse(&other.state()).expect("a state");
    assert_eq!(seen.get("a"), Some("3"));
    other.set("b", "7");
    for session in [&mut first, &mut other] {
        let seen = Ordered::parse(&session.state()).expect("a state");
        assert_eq!((seen.get("a"), seen.get("b")), (Some("3"), Some("7")));
    }
}

#[test]
fn a_log_that_is_written_over_in_place_is_not_taken_for_ours_by_its_end() {
    let Two { bench, mut first, .. } = Two::new();
    let older = bench.text(LOG);
    for value in 2..9 {
        first.set("a", &value.to_string());
    }
    let mut log = bench.text(LOG).into_bytes();
    // The first half is the older log, twice; the end is as it was.
    for (place, byte) in older.repeat(2).bytes().enumerate() {
        log[place] = byte;
    }
    bench.write(LOG, log);
    assert_eq!(first.state(), r#"{"a":8,"b":1}"#);
    first.set("z", "1");
    bench.assert_files_hold(r#"{"a":8,"b":1,"z":1}"#, "after a write");
}
