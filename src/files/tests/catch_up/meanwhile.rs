//! What may happen while a compaction runs, or a mirror is written beside the calls.

use super::super::reference::Ordered;
use super::super::support::{Bench, LOG, MIRROR, check_rows, old_set_line, set_line};
use super::lagging::large;
use super::two::{AB, ABC, Row, Two, row};
use crate::store::answer::Answer;
use crate::store::request::Work;

/// What may happen between a job's work and the moment in which its result is taken.
const MEANWHILE: &[Row] = &[
    row("nothing", |_| {}, AB),
    row("this process appends", |two| two.first.set("c", "1"), ABC),
    row(
        "this process appends and deletes",
        |two| {
            two.first.set("c", "1");
            two.first.delete("a");
        },
        r#"{"b":1,"c":1}"#,
    ),
    row("the other appends", |two| two.other.set("c", "1"), ABC),
    row(
        "both append in turn",
        |two| {
            two.first.set("c", "0");
            two.other.set("d", "1");
            two.first.set("c", "1");
        },
        r#"{"a":1,"b":1,"c":1,"d":1}"#,
    ),
    row("the other compacts", |two| two.other.compact(), AB),
    row(
        "the other appends and compacts",
        |two| {
            two.other.set("c", "1");
            two.other.compact();
        },
        ABC,
    ),
    row("the old module appends", |two| two.bench.append(LOG, &old_set_line("c", "1")), ABC),
    row(
        "a line without its break arrives",
        |two| two.bench.append(LOG, old_set_line("c", "1").trim_ascii_end()),
        ABC,
    ),
    row(
        "damage arrives",
        |two| two.bench.append(LOG, &[b"{]\n".as_slice(), &set_line("c", "1")].concat()),
        ABC,
    ),
    row("a torn line arrives", |two| two.bench.append(LOG, b"{\"op\":"), AB),
    row("the mirror is edited", |two| two.bench.write(MIRROR, r#"{"a":1,"b":9}"#), r#"{"a":1,"b":9}"#),
    row(
        "the mirror is edited and an entry appended",
        |two| {
            two.bench.write(MIRROR, r#"{"a":1,"b":9}"#);
            two.first.set("c", "1");
        },
        r#"{"a":1,"b":9,"c":1}"#,
    ),
    row("the mirror is broken", |two| two.bench.write(MIRROR, "{\"a\""), AB),
    row("the mirror is removed", |two| two.bench.remove(MIRROR), AB),
    row(
        "the mirror is removed and an entry appended",
        |two| {
            two.bench.remove(MIRROR);
            two.first.set("c", "1");
        },
        ABC,
    ),
    row("the log is removed", |two| two.bench.remove(LOG), AB),
    row(
        "log and mirror are removed",
        |two| {
            two.bench.remove(LOG);
            two.bench.remove(MIRROR);
        },
        "{}",
    ),
    row(
        "the other compacts at the same time",
        |two| {
            two.other.set("c", "1");
            two.other.send(vec![Work::Compact]);
            let done = two.other.run_job_beside().expect("a compaction");
            two.first.set("d", "1");
            two.other.deliver(done);
            two.other.run_jobs();
        },
        r#"{"a":1,"b":1,"c":1,"d":1}"#,
    ),
];

/// When the job does its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum JobRuns {
    /// Before it happens.
    Before,
    /// After it.
    After,
}

/// Starts a job, lets something happen before it or after its work, and takes the result.
fn check_meanwhile(name: &str, row: &Row, start: impl FnOnce(&mut Two) -> Option<usize>, runs: JobRuns) {
    let mut two = Two::new();
    let call = start(&mut two);
    let done = if runs == JobRuns::Before { two.first.run_job_beside() } else { None };
    (row.happens)(&mut two);
    let Two { bench, mut first, mut other } = two;
    if let Some(done) = done {
        first.deliver(done);
    }
    first.run_jobs();
    if let Some(call) = call {
        let answer = first.answer(call).expect("an answer").expect("a compacted log");
        assert!(matches!(answer, Answer::Bool(true)), "{name}: {answer:?}");
        let log = bench.text(LOG);
        assert!(log.starts_with("{\"op\":\"CHECKPOINT\","), "{name}: {log}");
    }
    assert_eq!(first.state(), row.state, "{name}");
    assert_eq!(other.state(), row.state, "{name}: what the other sees");
    first.set("z", "1");
    let mut state = Ordered::parse(row.state).expect("a state");
    state.set("z", "1");
    while first.tick() {
        first.run_jobs();
    }
    bench.assert_files_hold(&state.text(), name);
    assert_eq!(other.state(), state.text(), "{name}: what the other sees at last");
    let leftovers: Vec<_> = bench.contents().into_keys().filter(|path| path.ends_with(".tmp")).collect();
    assert!(leftovers.is_empty(), "{name}: {leftovers:?}");
    first.crash();
    assert_eq!(bench.open().state(), state.text(), "{name}: after a crash");
}

#[test]
fn whatever_happens_during_a_compaction_nothing_is_lost() {
    let rows = [JobRuns::Before, JobRuns::After].into_iter().flat_map(|runs| {
        MEANWHILE.iter().map(move |row| (format!("{} (the job runs {runs:?})", row.name), (row, runs)))
    });
    check_rows(rows, |name, (row, runs)| {
        let start = |two: &mut Two| Some(two.first.send(vec![Work::Compact])[0]);
        check_meanwhile(name, row, start, runs);
    });
}

#[test]
fn whatever_happens_while_a_large_mirror_is_written_nothing_is_lost() {
    check_rows(MEANWHILE.iter().map(|row| (row.name.to_owned(), row)), |name, row| {
        let start = |two: &mut Two| {
            large(&mut two.first);
            two.other.state();
            assert!(two.first.tick(), "a mirror is due");
            // What happens is about small mirrors again.
            two.first.delete("big");
            None
        };
        check_meanwhile(name, row, start, JobRuns::Before);
    });
}

#[test]
fn a_second_compaction_waits_for_the_first_and_has_what_came_between() {
    let Two { bench, mut first, .. } = Two::new();
    let calls = [first.send(vec![Work::Compact])[0], first.send(vec![Work::Compact])[0]];
    let done = first.run_job_beside().expect("a compaction");
    first.set("c", "1");
    first.deliver(done);
    assert!(matches!(first.answer(calls[0]), Some(Ok(_))) && first.answer(calls[1]).is_none());
    first.run_jobs();
    assert!(matches!(first.answer(calls[1]), Some(Ok(_))));
    assert_eq!(bench.text(LOG).lines().count(), 1);
    bench.assert_files_hold(ABC, "after two compactions");
}

#[test]
fn what_arrives_during_a_compaction_may_be_large() {
    // Over a megabyte at each step, so that the tail is copied in several rounds.
    let Two { bench, mut first, mut other } = Two::new();
    let call = first.send(vec![Work::Compact])[0];
    let mut rounds = 0;
    while let Some(done) = first.run_job_beside() {
        if rounds < 3 {
            let value = format!("\"{}\"", "x".repeat(700_000));
            first.set(&format!("k{rounds}"), &value);
            other.set(&format!("l{rounds}"), &value);
        }
        rounds += 1;
        first.deliver(done);
    }
    assert!(rounds > 3, "the tail was copied beside");
    assert!(matches!(first.answer(call), Some(Ok(Answer::Bool(true)))));
    let state = first.state();
    assert_eq!(Ordered::parse(&state).map(|state| state.in_order().len()), Some(8));
    assert_eq!(bench.replayed(), state);
    assert_eq!(other.state(), state);
    assert_eq!(bench.text(LOG).lines().count(), 7, "a checkpoint and six entries");
}

#[test]
fn the_newest_three_backups_are_kept() {
    let bench = Bench::new();
    let mut session = bench.open();
    let mut logs = Vec::new();
    for value in 0..5 {
        session.set("a", &value.to_string());
        logs.push(bench.read(LOG).expect("a log"));
        session.compact();
    }
    assert_eq!(bench.numbered("logs/players.log.backup."), logs[2..]);
}
