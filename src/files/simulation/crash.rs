//! A crash at every call of every script, with every outcome, and again during the recovery, twice.
//!
//! ```text
//! script ─> moments (calls that change something) ─> outcomes of each ─> different disks ─> check
//!                                                                          └─> moments of the recovery ─> …
//! ```
//!
//! Invariant: each state that a script counts is another disk, or has other answers.

use std::collections::{BTreeSet, HashSet};
use std::str::FromStr;
use std::sync::Arc;

use parking_lot::Mutex;

use super::check::{Crashed, Moment, Recovery, Watch, check, watch};
use super::model::{History, Order, Status};
use super::output::print_operations;
use super::scripts::{SCRIPTS, Script};
use super::setting::Setting;
use crate::files::options::FsyncMode;
use crate::vfs::monotonic_us;
use crate::vfs::simulated::{CallKind, Outcome, Random};

/// A crash during a recovery from a crash during a recovery, and no further.
const DEPTH_MAX: usize = 2;
/// Of each kind of failure, the simplest cases are shown.
const FAILURES_SHOWN: usize = 2;
/// Scripts with fewer states are slow: their recoveries are not hit again.
const AGAIN_FROM: usize = 1000;
/// A machine comes back after a minute.
const OFF_MS: i64 = 60_000;

/// How thorough a run is.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Chooses the cases where not all are played.
    pub seed: u64,
    /// Random outcomes of each moment, besides those of the list.
    pub randoms: usize,
    /// So many of 1000 recoveries are hit again.
    pub again_in_1000: usize,
    /// States of one recovery that is hit.
    pub again_max: usize,
    /// Limits of the scripts, in percent.
    pub percent: usize,
}

impl Effort {
    /// For a test run.
    pub const SHORT: Self = Self { seed: 1, randoms: 24, again_in_1000: 5, again_max: 40, percent: 100 };
    /// For a long run.
    pub const LONG: Self = Self { seed: 1, randoms: 200, again_in_1000: 40, again_max: 64, percent: 400 };
}

/// What a run saw.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Disks that were checked.
    pub states: usize,
    /// Of those, during a recovery.
    pub again: usize,
    /// Calls that change something.
    pub moments: usize,
    /// What went wrong: the replay, and what.
    pub failures: Vec<String>,
}

impl Report {
    /// Takes in another one.
    pub fn add(&mut self, other: Self) {
        self.states += other.states;
        self.again += other.again;
        self.moments += other.moments;
        self.failures.extend(other.failures);
    }
}

struct Case {
    moments: Vec<usize>,
    outcomes: Vec<Outcome>,
}

impl Case {
    fn with(&self, moment: usize, outcome: Outcome) -> Self {
        let mut case = Self { moments: self.moments.clone(), outcomes: self.outcomes.clone() };
        case.moments.push(moment);
        case.outcomes.push(outcome);
        case
    }

    /// Chance in the check depends on the case alone, so that a replay does the same.
    fn seed(&self, seed: u64) -> u64 {
        let mut mixed = Random::new(seed);
        for moment in &self.moments {
            mixed = Random::new(mixed.draw() ^ *moment as u64);
        }
        mixed.draw()
    }

    fn replay(&self, script: &str, seed: u64) -> String {
        let moments: Vec<String> = self.moments.iter().map(ToString::to_string).collect();
        let outcomes: Vec<String> = self.outcomes.iter().map(ToString::to_string).collect();
        format!("PS_REPLAY={script}:{seed}:{}:{}", moments.join(","), outcomes.join(","))
    }
}

/// Plays a script once and notes each moment.
fn record(script: &Script) -> (Setting, Recovery) {
    let (setting, mut play) = script.stage();
    let script_name = script.name;
    let moments: Arc<Mutex<Vec<Moment>>> = Arc::default();
    watch(&play, &moments);
    script.play(&mut play);
    let status = play.record.lock().history.status.clone();
    let disk = play.disk.disk();
    let call = crate::vfs::simulated::Call {
        number: play.disk.calls() + 1,
        name: "end",
        path: setting.folder.clone(),
        kind: CallKind::Look,
    };
    play.disk.watch(None);
    let mut moments = std::mem::take(&mut *moments.lock());
    let spared = play.record.lock().spared;
    moments.push(Moment { call, disk, status, is_editing: false, spared });
    let history = play.record.lock().history.clone();
    if let Err(what) = history.check_counts() {
        panic!("{script_name} without a crash: {what}");
    }
    assert!(
        history.status.iter().all(|status| *status == Status::Acked),
        "{script_name} without a crash: {:?}",
        history.status
    );
    (setting, Recovery { broken: Vec::new(), moments, history })
}

fn outcomes(moment: &Moment, randoms: usize, seed: u64) -> Vec<Outcome> {
    let mut outcomes = Outcome::of_power_cut(&moment.disk, randoms, seed);
    outcomes.push(Outcome::Kill(None));
    if let CallKind::Write { size_bytes } = moment.call.kind {
        let cuts: BTreeSet<usize> = [0, 1, size_bytes / 2, size_bytes.saturating_sub(1)].into();
        outcomes.extend(cuts.into_iter().filter(|cut| *cut < size_bytes).map(|cut| Outcome::Kill(Some(cut))));
    }
    outcomes
}

fn crashed(
    setting: &Setting,
    recovery: &Recovery,
    moment: &Moment,
    outcome: Outcome,
    now_ms: i64,
) -> Crashed {
    let is_synced_always = setting.options.fsync == FsyncMode::Always;
    let mut history = History { status: moment.status.clone(), ..recovery.history.clone() };
    let is_power_cut = !matches!(outcome, Outcome::Kill(_));
    if is_power_cut && !is_synced_always {
        // The last entries may be lost, and the rest may stand in another order.
        history.order = Order::Unknown;
        history.spared = Some(moment.spared);
        history.is_unknown = setting.options.fsync == FsyncMode::Never;
    }
    // Later operations were not called yet.
    history.ops.truncate(history.status.len());
    let broken = recovery.broken.clone();
    Crashed {
        disk: outcome.of(&moment.disk),
        now_ms,
        history,
        outcome,
        is_editing: moment.is_editing,
        broken,
    }
}

struct Run<'a> {
    script: &'a Script,
    setting: &'a Setting,
    effort: Effort,
    seen: HashSet<(u64, usize)>,
    random: Random,
    report: Report,
}

impl Run<'_> {
    fn all(&mut self, recovery: &Recovery, case: &Case, now_ms: i64, states_max: usize) {
        let mut todo = Vec::new();
        for (number, moment) in recovery.moments.iter().enumerate() {
            let seed = self.random.draw();
            todo.extend(outcomes(moment, self.effort.randoms, seed).into_iter().map(|it| (number, it)));
        }
        self.report.moments += if case.moments.is_empty() { recovery.moments.len() } else { 0 };
        // Above the limit: a sample.
        let mut done = 0;
        while done < states_max && !todo.is_empty() {
            let chosen =
                if todo.len() + done > states_max { self.random.below(todo.len()) } else { todo.len() - 1 };
            let (number, outcome) = todo.swap_remove(chosen);
            let moment = &recovery.moments[number];
            let crashed = crashed(self.setting, recovery, moment, outcome, now_ms);
            let answered = moment.status.iter().filter(|status| **status != Status::Open).count();
            let kind = usize::from(matches!(outcome, Outcome::Kill(_)));
            if !self.seen.insert((crashed.disk.fingerprint(), 2 * answered + kind)) {
                continue;
            }
            done += 1;
            self.one(&crashed, &case.with(number, outcome));
        }
    }

    fn one(&mut self, crashed: &Crashed, case: &Case) {
        self.report.states += 1;
        self.report.again += usize::from(case.moments.len() > 1);
        let is_hit_again = case.moments.len() <= DEPTH_MAX
            && self.script.states_max > AGAIN_FROM
            && (case.moments.len() == 2 || self.random.below(1000) < self.effort.again_in_1000);
        let watched = if is_hit_again { Watch::On } else { Watch::Off };
        match check(self.setting, crashed, case.seed(self.effort.seed), watched) {
            Err(what) => {
                let replay = case.replay(self.script.name, self.effort.seed);
                self.report.failures.push(format!("{replay}\n  {what}"));
            }
            Ok(Some(recovery)) => {
                let states_max = self.effort.again_max >> (3 * (case.moments.len() - 1));
                self.all(&recovery, case, crashed.now_ms + OFF_MS, states_max);
            }
            Ok(None) => {}
        }
    }
}

/// All crashes of a script.
#[must_use]
fn run(script: &Script, effort: Effort) -> Report {
    let (setting, recovery) = record(script);
    let now_ms = 1_795_446_000_000 + 3_600_000;
    let mut run = Run {
        script,
        setting: &setting,
        effort,
        seen: HashSet::new(),
        random: Random::new(effort.seed),
        report: Report::default(),
    };
    let case = Case { moments: Vec::new(), outcomes: Vec::new() };
    run.all(&recovery, &case, now_ms, script.states_max * effort.percent / 100);
    run.report
}

/// All crashes of all scripts whose name begins with `prefix`.
#[must_use]
pub fn run_all(effort: Effort, prefix: &str) -> Report {
    let mut total = Report::default();
    for script in SCRIPTS.iter().filter(|script| script.name.starts_with(prefix)) {
        let started_us = monotonic_us();
        let report = run(script, effort);
        eprintln!(
            "crash {:20} {:4} calls {:6} states ({:5} in a recovery) {:4} failures {:5} ms",
            script.name,
            report.moments,
            report.states,
            report.again,
            report.failures.len(),
            (monotonic_us() - started_us) / 1000
        );
        show_failures(&report.failures);
        total.add(report);
    }
    eprintln!("crash: {} states checked, {} of them in a recovery", total.states, total.again);
    total
}

/// Prints the simplest failures of each kind.
pub fn show_failures(failures: &[String]) {
    let kind = |failure: &str| -> String {
        let what = failure.lines().nth(1).unwrap_or(failure);
        what.chars().filter(|character| !character.is_ascii_digit()).take(60).collect()
    };
    let mut sorted: Vec<(String, &String)> =
        failures.iter().map(|failure| (kind(failure), failure)).collect();
    sorted.sort_by_key(|(kind, failure)| (kind.clone(), failure.lines().next().map_or(0, str::len)));
    for kinds in sorted.chunk_by(|one, other| one.0 == other.0) {
        eprintln!("  {} times:", kinds.len());
        for (_, failure) in
            kinds.iter().take(if std::env::var("PS_ALL").is_ok() { usize::MAX } else { FAILURES_SHOWN })
        {
            eprintln!("  {failure}");
        }
    }
}

/// Plays one case: `script:seed:moment:outcome`.
///
/// # Panics
/// When the text names no case, and when the case fails.
pub fn replay(text: &str) {
    let parts: Vec<&str> = text.splitn(4, ':').collect();
    let [name, seed, moments, outcomes] = parts[..] else {
        panic!("PS_REPLAY is script:seed:moment:outcome")
    };
    let script = SCRIPTS.iter().find(|script| script.name == name).expect("a script of that name");
    let seed: u64 = seed.parse().expect("a seed");
    let (setting, mut recovery) = record(script);
    let mut now_ms = 1_795_446_000_000 + 3_600_000;
    let mut case = Case { moments: Vec::new(), outcomes: Vec::new() };
    let count = moments.split(',').count();
    for (number, (moment, outcome)) in moments.split(',').zip(outcomes.split(',')).enumerate() {
        let at: usize = moment.parse().expect("a number of a moment");
        let outcome = Outcome::from_str(outcome).expect("an outcome");
        for (number, moment) in recovery.moments.iter().enumerate().take(at + 1) {
            eprintln!(
                "{number:4} {:10} {} {:?}",
                moment.call.name,
                moment.call.path.display(),
                moment.call.kind
            );
        }
        let moment = recovery.moments[at].clone();
        for (number, change) in moment.disk.pending().iter().enumerate() {
            eprintln!("     pending {number}: {change:?}");
        }
        let crashed = crashed(&setting, &recovery, &moment, outcome, now_ms);
        eprintln!("     crash: {outcome}");
        show(&crashed);
        case = case.with(at, outcome);
        match check(&setting, &crashed, case.seed(seed), Watch::On) {
            Err(what) => panic!("{text}\n  {what}"),
            Ok(Some(next)) => recovery = next,
            Ok(None) => {}
        }
        now_ms += OFF_MS;
        eprintln!("     recovery {} of {count} is right", number + 1);
    }
}

fn show(crashed: &Crashed) {
    for folder in ["/srv/bot/data", "/srv/bot/data/logs", "/srv/bot/data/.progressive-storage"] {
        for (name, content) in crashed.disk.contents(folder.as_ref()) {
            let text: String =
                String::from_utf8_lossy(&content).replace('\0', "·").chars().take(3000).collect();
            eprintln!("  {folder}/{name} ({} bytes)\n{text}", content.len());
        }
    }
    print_operations(&crashed.history);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_crash_at_every_call_loses_nothing() {
        if let Some(case) = super::super::wanted_case() {
            let is_mine = case.split(':').nth(1).is_some_and(|seed| seed.parse::<u64>().is_ok());
            if is_mine {
                replay(&case);
            }
            return;
        }
        let prefix = std::env::var("PS_SCRIPT").unwrap_or_default();
        let report = run_all(Effort::SHORT, &prefix);
        assert!(report.failures.is_empty(), "{} of {} states fail", report.failures.len(), report.states);
        assert!(report.states > 100_000 || !prefix.is_empty(), "only {} states", report.states);
    }

    /// A process is killed when it has written an intent, and the next one meets a power cut at each of its calls.
    #[test]
    fn an_intent_that_its_process_did_not_live_to_sync_leaves_no_half() {
        let script = SCRIPTS.iter().find(|script| script.name == "transactions").expect("a script");
        let (setting, recovery) = record(script);
        let mut states = 0;
        for (number, moment) in recovery.moments.iter().enumerate() {
            let is_writing = matches!(moment.call.kind, CallKind::Write { size_bytes: 2.. });
            if !is_writing || !moment.call.path.ends_with("transaction") {
                continue;
            }
            let killed = crashed(&setting, &recovery, moment, Outcome::Kill(None), 1_795_449_600_000);
            let case = Case { moments: vec![number], outcomes: vec![Outcome::Kill(None)] };
            let after = check(&setting, &killed, case.seed(1), Watch::On).expect("a kill loses nothing");
            let after = after.expect("it is watched");
            for (again, moment) in after.moments.iter().enumerate() {
                for outcome in Outcome::of_power_cut(&moment.disk, 0, 1) {
                    states += 1;
                    let cut = crashed(&setting, &after, moment, outcome, killed.now_ms + OFF_MS);
                    let case = case.with(again, outcome);
                    if let Err(what) = check(&setting, &cut, case.seed(1), Watch::Off) {
                        panic!("{}\n  {what}", case.replay(script.name, 1));
                    }
                }
            }
        }
        assert!(states > 1000, "only {states} states");
    }
}
