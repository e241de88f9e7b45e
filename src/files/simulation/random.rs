//! Long random runs: engines, faults, crashes, edits and a clock that jumps, compared with the plain model.
//!
//! ```text
//! life of a folder:  rounds of random steps ─ crash or end ─ check ─ rounds … (the same disk goes on)
//! ```
//!
//! A failing life prints `PS_SEED=…`. With that variable set, the test plays that life alone.
//!
//! Invariant: a life depends on its seed alone.

use super::check::{Crashed, Watch, check, check_again, explain, is_in_doubt};
use super::files::check_files;
use super::model::{History, Model, Status};
use super::output::{Output, print_notices, print_operations};
use super::play::{LogSpec, Play};
use super::scripts::cache_bytes;
use super::setting::Setting;
use crate::files::options::{MirrorMode, Options};
use crate::vfs::simulated::{Fault, FaultPlan, Outcome, Random, SimulatedDisk};
use crate::vfs::{FileSystem, monotonic_us};

const KEYS: [&str; 9] = ["ann", "bob", "7", "cid", "10", "dan", "eve", "\u{e9}\"\\", "games"];
/// Between two lines about how it goes.
const PRINT_US: u64 = 30_000_000;
const ROUNDS: usize = 12;
const STEPS_MAX: usize = 14;

/// What lives saw.
#[derive(Clone, Debug, Default)]
pub struct Lives {
    /// Lives that were played.
    pub lives: usize,
    /// States that were checked.
    pub states: usize,
    /// Calls of the file system that the engines made.
    pub calls: u64,
    /// Seeds that failed, and what.
    pub failures: Vec<String>,
}

impl Lives {
    /// Takes in those of another thread.
    pub fn add(&mut self, other: Self) {
        self.lives += other.lives;
        self.states += other.states;
        self.calls += other.calls;
        self.failures.extend(other.failures);
    }
}

struct Life {
    random: Random,
    setting: Setting,
    play: Play,
    states: usize,
    calls: u64,
    output: Output,
    /// Some keys end by themselves.
    has_endings: bool,
}

impl Life {
    fn new(seed: u64, output: Output) -> Self {
        let mut random = Random::new(seed);
        let mut logs = vec![LogSpec::mirrored("players")];
        if random.chance(50) {
            logs.push(LogSpec::plain("events"));
        }
        if random.chance(30) {
            logs.push(LogSpec::mirrored("tokens"));
        }
        let mirror = if random.chance(30) { MirrorMode::Close } else { MirrorMode::Follow };
        let setting = Setting {
            folder: "/srv/bot/data".into(),
            logs: logs.clone(),
            options: Options { mirror, cache_bytes: cache_bytes(seed), ..Options::default() },
            evidence: Vec::new(),
        };
        let disk = SimulatedDisk::new();
        let outsider = disk.outsider();
        outsider.create_dir("/srv".as_ref()).expect("the outsider's calls do not fail");
        outsider.sync_all();
        let history = History { before: vec![Model::default(); logs.len()], ..History::default() };
        let mut play = Play::new(disk, &setting.folder, logs, history);
        play.options = setting.options;
        Self { random, setting, play, states: 0, calls: 0, output, has_endings: seed.is_multiple_of(2) }
    }

    fn key(&mut self) -> &'static str {
        KEYS[self.random.below(KEYS.len())]
    }

    fn size(&mut self) -> usize {
        match self.random.below(40) {
            0 => 40_000,
            1..4 => 6_000,
            4..12 => 900,
            _ => 30 + self.random.below(200),
        }
    }

    /// Makes some calls at once.
    fn batch(&mut self, bot: usize) {
        let mut calls = Vec::new();
        for _ in 0..=self.random.below(4) {
            let log = self.random.below(self.play.logs.len());
            let (key, other, size) = (self.key(), self.key(), self.size());
            let call = match self.random.below(20) {
                0..6 => self.play.set(log, key, size),
                6..10 => self.play.append(log, key, size),
                10..14 => self.play.count(log, "count"),
                14..16 => self.play.delete(log, key),
                16 if self.random.chance(40) => self.play.delete_many(log, &[key, "eve", "games"]),
                16 => self.play.set_many(log, &[key, other], size),
                17 => self.play.replace_keys(log, &[key, other], &[other, "eve"], size),
                18 if self.random.chance(30) => self.play.clear(log),
                18 if self.has_endings => {
                    let key = ["ending-1", "ending-2"][self.random.below(2)];
                    let ttl_ms = [500, 60_000, 40_000_000][self.random.below(3)];
                    self.play.set_ending(log, key, size, ttl_ms)
                }
                _ => self.play.compact(log),
            };
            calls.push(call);
        }
        self.play.batch(bot, calls);
    }

    /// Sets some keys and removes another, from what they have.
    fn update_many(&mut self, bot: usize) {
        let log = self.random.below(self.play.logs.len());
        let first = self.random.below(KEYS.len() - 3);
        let keys = &KEYS[first..first + 2 + self.random.below(2)];
        let size = self.size();
        self.play.update_many(bot, log, keys, size);
    }

    fn step(&mut self) {
        let bot = usize::from(self.random.chance(30));
        let step = self.random.below(30);
        if self.output.is_printed() {
            let calls = self.play.disk.calls();
            eprintln!(
                "  bot {bot}, step {step}, after {calls} calls, {} operations",
                self.play.record.lock().history.ops.len()
            );
        }
        match step {
            0..12 => self.batch(bot),
            12 => self.update_many(bot),
            13..15 => self.play.take(bot),
            15..17 => self.play.run(bot),
            17..19 => self.play.deliver(bot),
            19..21 => self.play.jobs(bot),
            21 => self.play.settle(bot),
            22 => {
                let ms = [1, 3, 30, 600, 2_000, 90_000][self.random.below(6)];
                self.play.wait(bot, ms);
            }
            23 => self.jump(),
            24 => {
                // A later check sees what a failed end leaves.
                let _ = self.play.finish(bot);
            }
            25 => self.play.kill(bot),
            26 if self.random.chance(60) => self.edit(),
            28 if self.random.chance(40) => {
                let log = self.random.below(self.play.logs.len());
                self.play.foreign_line(log, "foreign");
            }
            28 if self.random.chance(40) => {
                let lock = self.setting.folder.join(".progressive-storage/lock");
                self.play.disk.hold_lock(&lock, 300);
            }
            27 => {
                let log = self.random.below(self.play.logs.len());
                // Reading may fail while there is a fault. Another test checks that it changes nothing.
                let _ = self.play.state(bot, log);
            }
            _ => self.fault(),
        }
    }

    /// The clock of the day is set, forward or back.
    fn jump(&mut self) {
        let ms = i64::try_from(self.random.below(7_200_000)).unwrap_or(0) - 3_600_000;
        let ms = if self.random.chance(30) { ms * 1000 } else { ms };
        // What had ended and was not removed lives again when the clock goes back; the model does not know which.
        let ms = if self.has_endings { ms.abs() } else { ms };
        self.play.disk.set_now_ms(self.play.disk.now_ms() + ms);
    }

    /// A person edits a mirror, if there is a whole one.
    fn edit(&mut self) {
        let log = self.random.below(self.play.logs.len());
        let path = self.play.mirror_path(log);
        let is_whole = self.play.disk.disk().content(&path).is_some_and(|bytes| bytes.ends_with(b"}"));
        if self.play.logs[log].is_mirrored && is_whole {
            // Longer than a step of the files' times: two changes within one step look like one.
            self.play.disk.advance_ms(50);
            let key = ["edited-1", "edited-2", "edited-3"][self.random.below(3)];
            if self.random.chance(50) {
                self.play.edit(log, key);
            } else {
                self.play.edit_in_place(log, key);
            }
        }
    }

    /// Some of the next calls fail.
    fn fault(&mut self) {
        let plan = FaultPlan {
            first: self.play.disk.calls() + 1 + self.random.below(60) as u64,
            count: [1, 1, 1, 2, 5, 40][self.random.below(6)],
            fault: Fault::ALL[self.random.below(Fault::ALL.len())],
        };
        self.play.disk.set_fault(Some(plan));
    }

    /// Some steps, at the end of which the machine is off, or everything is settled.
    fn round(&mut self) -> Result<(), String> {
        let is_crashing = self.random.chance(60);
        if is_crashing {
            let at = self.play.disk.calls() + 1 + self.random.below(400) as u64;
            self.play.disk.set_off_at(Some(at));
        }
        for _ in 0..=self.random.below(STEPS_MAX) {
            // Nobody sees what happens to a machine that is off.
            if self.play.disk.is_off() {
                break;
            }
            let before = self.play.record.lock().history.status.clone();
            self.step();
            if self.play.disk.is_off() {
                self.forget_answers(&before);
            }
        }
        self.states += 1;
        if self.play.disk.is_off() || self.random.chance(30) { self.crash() } else { self.rest() }
    }

    /// Answers that came while the machine went off reached nobody.
    fn forget_answers(&self, before: &[Status]) {
        let history = &mut self.play.record.lock().history;
        for (number, status) in history.status.iter_mut().enumerate() {
            if before.get(number).is_none_or(|before| *before == Status::Open) {
                *status = Status::Open;
            }
        }
    }

    /// The power is cut, or all processes are killed.
    fn crash(&mut self) -> Result<(), String> {
        for bot in self.play.running() {
            self.play.kill(bot);
        }
        self.calls += self.play.disk.calls();
        if is_in_doubt(&self.play) {
            self.play.disk.outsider().sync_all();
        }
        let disk = self.play.disk.disk();
        let outcome = match self.random.below(6) {
            0 => Outcome::Kill(None),
            1 => Outcome::Lost,
            2 => Outcome::Kept,
            _ => {
                let outcomes = Outcome::of_power_cut(&disk, 20, self.random.draw());
                outcomes[self.random.below(outcomes.len())]
            }
        };
        let record = std::mem::take(&mut *self.play.record.lock());
        let history = record.history;
        history.check_counts()?;
        let now_ms = self.play.disk.now_ms() + 1000;
        let is_editing = record.is_editing;
        let crashed = Crashed {
            disk: outcome.of(&disk),
            now_ms,
            history: history.clone(),
            outcome,
            is_editing,
            broken: Vec::new(),
        };
        if self.output.is_printed() {
            eprintln!("  crash: {outcome}");
            print_operations(&history);
        }
        // On a copy: this disk stays as the crash left it.
        check(&self.setting, &crashed, self.random.draw(), Watch::Off)?;
        let machine = SimulatedDisk::with(crashed.disk, now_ms);
        self.play = Play::new(machine, &self.setting.folder, self.setting.logs.clone(), history);
        self.play.options = self.setting.options;
        let history = self.play.record.lock().history.clone();
        let models = explain(&self.setting, &mut self.play, 0, &history)?;
        let is_settled = !matches!(outcome, Outcome::Kill(_));
        if is_settled {
            self.start_anew(models);
        }
        // The engine sets a mirror that the power cut broke aside before a person edits it.
        for log in 0..self.setting.logs.len() {
            let call = self.play.count(log, "starts");
            self.play.call(0, call);
        }
        self.play.settle(0);
        self.confirm()
    }

    /// Without faults, once all is settled, memory, log and mirror agree.
    fn rest(&mut self) -> Result<(), String> {
        self.play.disk.set_fault(None);
        self.play.disk.set_off_at(None);
        self.play.settle(0);
        self.play.settle(1);
        self.confirm()
    }

    /// Finds out what became of the failed calls, and makes a write behind which everything is on disk.
    fn confirm(&mut self) -> Result<(), String> {
        let history = self.play.record.lock().history.clone();
        history.check_counts()?;
        let bot = usize::from(self.random.chance(30));
        for log in 0..self.setting.logs.len() {
            let call = self.play.count(log, "confirmed");
            self.play.call(bot, call);
            let status = *self.play.record.lock().history.status.last().unwrap_or(&Status::Open);
            if status != Status::Acked {
                return Err(format!("a write in peace: {status:?}"));
            }
        }
        for bot in self.play.running() {
            self.play.settle(bot);
        }
        let history = self.play.record.lock().history.clone();
        let models = explain(&self.setting, &mut self.play, bot, &history)?;
        let mut random = Random::new(self.random.draw());
        check_files(&self.setting, &mut self.play, bot, &models, &mut random)?;
        if self.random.chance(20) {
            let mut random = Random::new(self.random.draw());
            check_again(&self.setting, &mut self.play, &models, &mut random)?;
        }
        self.start_anew(models);
        Ok(())
    }

    /// Shows what led to a failure.
    fn show(&self) {
        print_operations(&self.play.record.lock().history);
        print_notices(&self.play);
        for call in self.play.disk.take_trace() {
            eprintln!("  {:5} {:10} {} {:?}", call.number, call.name, call.path.display(), call.kind);
        }
        for folder in ["/srv/bot/data", "/srv/bot/data/logs"] {
            for (name, content) in self.play.disk.disk().contents(folder.as_ref()) {
                eprintln!(
                    "  {folder}/{name} ({} bytes)\n{}",
                    content.len(),
                    String::from_utf8_lossy(&content)
                );
            }
        }
    }

    /// From here on, the states are `models` for certain.
    fn start_anew(&mut self, models: Vec<Model>) {
        let mut record = self.play.record.lock();
        record.history = record.history.after(models);
        record.others.clear();
    }
}

/// Plays one life. Returns how many states it checked, and how many calls it made.
fn live(seed: u64, output: Output) -> Result<(usize, u64), String> {
    let mut life = Life::new(seed, output);
    for round in 0..ROUNDS {
        if output.is_printed() {
            eprintln!("round {round}");
            life.play.disk.start_trace();
        }
        let ended = life.round();
        if output.is_printed() && ended.is_err() {
            life.show();
        }
        ended.map_err(|what| format!("round {round}: {what}"))?;
        life.play.disk.set_fault(None);
        life.play.disk.set_off_at(None);
    }
    Ok((life.states, life.calls + life.play.disk.calls()))
}

/// Plays lives, one after the other, until `is_enough` of their number.
#[must_use]
pub fn run(seed: u64, is_enough: impl Fn(usize) -> bool, output: Output) -> Lives {
    let started_us = monotonic_us();
    let mut printed_us = started_us;
    let mut lives = Lives::default();
    let mut seeds = Random::new(seed);
    while !is_enough(lives.lives) {
        let seed = seeds.draw() >> 16;
        lives.lives += 1;
        match live(seed, Output::Silent) {
            Ok((states, calls)) => {
                lives.states += states;
                lives.calls += calls;
            }
            Err(what) => lives.failures.push(format!("PS_SEED={seed}\n  {what}")),
        }
        if output.is_printed() && monotonic_us() - printed_us > PRINT_US {
            printed_us = monotonic_us();
            eprintln!(
                "random: {:5} s, {} lives, {} states, {} calls, {} failures",
                (monotonic_us() - started_us) / 1_000_000,
                lives.lives,
                lives.states,
                lives.calls,
                lives.failures.len()
            );
        }
    }
    lives
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_lives_lose_nothing() {
        const LIVES: usize = 500;

        if let Some(seed) = super::super::wanted_case() {
            if let Ok(seed) = seed.parse()
                && let Err(what) = live(seed, Output::Printed)
            {
                panic!("PS_SEED={seed}\n  {what}");
            }
            return;
        }
        let lives = run(1, |lives| lives == LIVES, Output::Silent);
        super::super::crash::show_failures(&lives.failures);
        eprintln!("random: {} lives, {} states, {} calls", lives.lives, lives.states, lives.calls);
        assert!(lives.failures.is_empty(), "{} of {} lives fail", lives.failures.len(), lives.lives);
    }
}
