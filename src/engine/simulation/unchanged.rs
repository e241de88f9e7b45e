//! Writes that find nothing to change, where what they found is not on disk for certain.
//!
//! Invariant: what an acknowledged call found lasts as long as what an acknowledged call wrote.

use super::model::Status;
use super::play::Play;
use super::scripts::SCRIPTS;
use crate::engine::FsyncMode;
use crate::vfs::simulated::{Outcome, SimulatedDisk};

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
