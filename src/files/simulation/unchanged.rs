//! Writes that find nothing to change, where the state they find is not on disk for certain.
//!
//! Invariant: what an acknowledged call found lasts as long as what an acknowledged call wrote.

use super::model::Status;
use super::play::Play;
use super::scripts::SCRIPTS;
use crate::files::options::FsyncMode;
use crate::vfs::simulated::{Fault, FaultPlan, Outcome, SimulatedDisk};

fn play() -> Play {
    let script = SCRIPTS.iter().find(|script| script.name == "append").expect("a script of that name");
    script.stage().1
}

#[test]
fn a_removal_that_finds_nothing_survives_a_power_cut() {
    let mut play = play();
    let call = play.set(0, "ann", 50);
    play.call(0, call);
    play.kill(0);
    // The next process removes the key, and dies before it has synced that.
    play.options.fsync = FsyncMode::Never;
    let call = play.delete(0, "ann");
    play.call(0, call);
    play.kill(0);
    play.options.fsync = FsyncMode::Always;
    let call = play.delete(0, "ann");
    play.call(0, call);
    assert_eq!(play.record.lock().history.status, [Status::Acked; 3]);
    let machine = SimulatedDisk::with(Outcome::Lost.of(&play.disk.disk()), play.disk.now_ms());
    let mut after = Play::new(machine, &play.folder, play.logs.clone(), play.record.lock().history.clone());
    assert_eq!(after.state(0, 0).expect("the log can be read"), "{}");
}

/// More calls than one operation makes.
const CALLS_MAX: u64 = 60;

/// One process has set `ann`; its removal of that failed from its `first` call on, and could not be cut off.
fn with_rejected_removal() -> Play {
    (1..CALLS_MAX)
        .find_map(|first| {
            let mut play = play();
            let call = play.set(0, "ann", 50);
            play.call(0, call);
            let first = play.disk.calls() + first;
            play.disk.set_fault(Some(FaultPlan { first, count: CALLS_MAX, fault: Fault::Io }));
            let call = play.delete(0, "ann");
            play.call(0, call);
            play.disk.set_fault(None);
            let log = play.disk.disk().content(&play.log_path(0)).unwrap_or_default();
            let is_left = String::from_utf8_lossy(&log).contains("DELETE");
            (is_left && play.record.lock().history.status[1] != Status::Acked).then_some(play)
        })
        .expect("a call whose failure leaves the line")
}

#[test]
fn a_removal_that_another_process_took_for_written_stays_whatever_fails_next() {
    for fault in [Fault::Io, Fault::LateWrite] {
        for first in 1..CALLS_MAX {
            let mut play = with_rejected_removal();
            let call = play.delete(0, "ann");
            play.call(1, call);
            assert_eq!(play.record.lock().history.status.last(), Some(&Status::Acked));
            let first = play.disk.calls() + first;
            play.disk.set_fault(Some(FaultPlan { first, count: 1, fault }));
            let call = play.count(0, "n");
            play.call(0, call);
            play.disk.set_fault(None);
            let call = play.set(0, "n", 50);
            play.call(0, call);
            assert_eq!(play.record.lock().history.status.last(), Some(&Status::Acked));
            let state = play.state(0, 0).expect("the log can be read");
            assert!(!state.contains("ann"), "{fault:?} at call {first}: {state}");
        }
    }
}
