//! Every call of every script fails, once or for a while, in every way. The caller gets the right code or the call
//! succeeds, memory and disk agree, and all works again once the cause is gone.
//!
//! A failing case prints `PS_REPLAY=script:fault:call:count`, with the number of the first call that
//! failed (reads count too) and how many failed in a row.
//!
//! Invariant: a case is the script alone, without chance, until the fault ends.

use super::check::{apply_last, check_again, explain, is_in_doubt};
use super::crash::{Report, show_failures};
use super::files::check_files;
use super::model::Status;
use super::output::{Output, print_calls, print_notices, print_operations};
use super::play::{Call, Play};
use super::scripts::{SCRIPTS, Script};
use super::setting::Setting;
use crate::error::Code;
use crate::vfs::monotonic_us;
use crate::vfs::simulated::{Fault, FaultPlan, Random};

/// It fails once, again when the engine mends, or until the script ends.
const COUNTS: [u64; 4] = [1, 2, 7, 1_000_000];

/// Scripts in which processes die, or several run.
const DEADLY: [&str; 11] = [
    "finish",
    "restarts",
    "edits",
    "two-processes",
    "transactions-two",
    "expiry",
    "expiry-edits",
    "close-finish",
    "close-restarts",
    "close-edits",
    "close-two-processes",
];

/// It removes all keys: where a process takes failed calls over from the file, more than one explanation fits.
const CLEARING: &str = "batches";

/// Codes that a call may fail with besides the one of the fault.
const OTHER_CODES: [Code; 1] = [Code::LogReplaced];

fn case(script: &Script, plan: FaultPlan, output: Output) -> Result<bool, String> {
    let (setting, mut play) = script.stage();
    play.disk.set_fault(Some(plan));
    if output.is_printed() {
        play.disk.start_trace();
    }
    script.play(&mut play);
    let was_hit = play.disk.has_failed();
    play.disk.set_fault(None);
    if output.is_printed() {
        print_calls(&play, plan.first, |number| (plan.first..plan.first + plan.count).contains(&number));
        print_operations(&play.record.lock().history);
        print_notices(&play);
    }
    if !was_hit {
        return Ok(false);
    }
    after(&setting, &mut play, plan, script.name).map(|()| true)
}

fn after(setting: &Setting, play: &mut Play, plan: FaultPlan, script: &str) -> Result<(), String> {
    let mut random = Random::new(plan.first);
    let history = play.record.lock().history.clone();
    for status in &history.status {
        match status {
            Status::Open => return Err("a call was not answered".to_owned()),
            Status::Failed(code) if *code != plan.fault.code() && !OTHER_CODES.contains(code) => {
                return Err(format!("a call fails with {code} instead of {}", plan.fault.code()));
            }
            _ => {}
        }
    }
    history.check_counts()?;
    let mut bots = if play.running().is_empty() { vec![0] } else { play.running() };
    let bot = bots[random.below(bots.len())];
    if script != CLEARING && random.chance(50) {
        // Another process writes before the one whose call failed checks the files again.
        let other = 1 - bot;
        for log in 0..setting.logs.len() {
            let call = play.set(log, "other", 60);
            acked(play, other, call)?;
        }
        if !bots.contains(&other) {
            bots.push(other);
        }
    }
    let history = play.record.lock().history.clone();
    for bot in &bots {
        play.settle(*bot);
    }
    // The engine mends a single failure at once: nothing of a failed call is left.
    let expected = if plan.count == 1 { history.without_failed() } else { history };
    let mut models = explain(setting, play, bot, &expected)?;
    if play.moved_reads > 0 {
        return Err("a value was not where the state says".to_owned());
    }
    for log in 0..setting.logs.len() {
        let call = play.set(log, "after", 60);
        acked(play, bot, call)?;
        apply_last(play, &mut models);
    }
    for bot in &bots {
        play.settle(*bot);
    }
    check_files(setting, play, bot, &models, &mut random)?;
    if is_in_doubt(play) && !DEADLY.contains(&script) {
        return Err("bytes whose sync failed are still there".to_owned());
    }
    check_again(setting, play, &models, &mut random)
}

/// A call that must succeed: nothing fails any more.
fn acked(play: &mut Play, bot: usize, call: Call) -> Result<(), String> {
    play.call(bot, call);
    match play.record.lock().history.status.last() {
        Some(Status::Acked) => Ok(()),
        status => Err(format!("a write after the fault: {status:?}")),
    }
}

/// Calls that a script makes when nothing fails.
fn calls(script: &Script) -> u64 {
    let (_, mut play) = script.stage();
    script.play(&mut play);
    play.disk.calls()
}

/// All faults of all scripts whose name begins with `prefix`; of 100 cases, `percent` are played.
#[must_use]
pub fn run_all(prefix: &str, seed: u64, percent: usize) -> Report {
    let mut total = Report::default();
    let mut random = Random::new(seed);
    for script in SCRIPTS.iter().filter(|script| script.name.starts_with(prefix)) {
        if script.states_max < 1000 {
            continue;
        }
        let started_us = monotonic_us();
        let mut report = Report::default();
        let calls = calls(script);
        for first in 1..=calls {
            for fault in Fault::ALL {
                for count in COUNTS {
                    if !random.chance(percent) {
                        continue;
                    }
                    match case(script, FaultPlan { first, count, fault }, Output::Silent) {
                        Ok(was_hit) => report.states += usize::from(was_hit),
                        Err(what) => {
                            report.states += 1;
                            let replay = format!("PS_REPLAY={}:{fault:?}:{first}:{count}", script.name);
                            report.failures.push(format!("{replay}\n  {what}"));
                        }
                    }
                }
            }
        }
        eprintln!(
            "fault {:20} {calls:4} calls {:6} cases {:4} failures {:5} ms",
            script.name,
            report.states,
            report.failures.len(),
            (monotonic_us() - started_us) / 1000
        );
        show_failures(&report.failures);
        total.add(report);
    }
    eprintln!("fault: {} cases checked", total.states);
    total
}

/// Plays one case: `script:fault:call:count`.
///
/// # Panics
/// When the text names no case, and when the case fails.
pub fn replay(text: &str) {
    let parts: Vec<&str> = text.split(':').collect();
    let [name, fault, first, count] = parts[..] else { panic!("PS_REPLAY is script:fault:call:count") };
    let script = SCRIPTS.iter().find(|script| script.name == name).expect("a script of that name");
    let fault = Fault::ALL.into_iter().find(|known| format!("{known:?}") == fault).expect("a fault");
    let first = first.parse().expect("a number of a call");
    let count = count.parse().expect("a count");
    if let Err(what) = case(script, FaultPlan { first, count, fault }, Output::Printed) {
        panic!("{text}\n  {what}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_may_fail_and_nothing_acknowledged_is_lost() {
        if let Some(case) = super::super::wanted_case() {
            let is_mine = Fault::ALL.iter().any(|fault| case.contains(&format!(":{fault:?}:")));
            if is_mine {
                replay(&case);
            }
            return;
        }
        let prefix = std::env::var("PS_SCRIPT").unwrap_or_default();
        let report = run_all(&prefix, 1, if prefix.is_empty() { 20 } else { 100 });
        assert!(report.failures.is_empty(), "{} of {} cases fail", report.failures.len(), report.states);
    }
}
