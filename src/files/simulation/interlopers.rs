//! A writer that takes no lock comes before each call of a script: a person edits a mirror, the old module appends a
//! line. What it wrote counts, and so does everything that was acknowledged.
//!
//! A failing case prints `PS_REPLAY=script:kind:call`.
//!
//! Invariant: interlopers write keys of their own, so it does not matter when the engine sees them.

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use super::check::{apply_last, check_again, explain};
use super::crash::{Report, show_failures};
use super::files::check_files;
use super::model::{Effect, Op, Order, Status};
use super::output::{Output, print_calls, print_notices};
use super::play::Play;
use super::scripts::{SCRIPTS, Script};
use super::setting::Setting;
use crate::data::json::compact;
use crate::data::state::Member;
use crate::data::state::State;
use crate::error::Result;
use crate::files::mirror::content::small_text;
use crate::vfs::FileSystem;
use crate::vfs::simulated::{Call, Process, Random};

/// What an interloper does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Sets a key in the mirror: new file, rename.
    Edit,
    /// Sets a key in the mirror, writing over the file.
    EditInPlace,
    /// Appends a line to the log.
    Line,
}

const KINDS: [Kind; 3] = [Kind::Edit, Kind::EditInPlace, Kind::Line];

/// Scripts in which nothing removes what an interloper wrote.
const PLAYED: [&str; 15] = [
    "several-logs",
    "compaction",
    "compaction-plain",
    "backups",
    "large-compaction",
    "finish",
    "restarts",
    "two-processes",
    "torn",
    "damaged",
    "damaged-plain",
    "close-compaction",
    "close-finish",
    "close-restarts",
    "close-two-processes",
];

/// What the interloper writes.
const KEY: &str = "\"interloper\"";
const VALUE: &str = "\"was here\"";

/// Lets the interloper come before call `at`. The flag says whether there was a file to write to.
fn send(play: &Play, kind: Kind, at: u64) -> Arc<Mutex<bool>> {
    let outsider = play.disk.outsider();
    let path = if kind == Kind::Line { play.log_path(0) } else { play.mirror_path(0) };
    let has_file = kind == Kind::Line || play.logs[0].is_mirrored;
    let has_come = Arc::new(Mutex::new(false));
    let (flag, record) = (Arc::clone(&has_come), Arc::clone(&play.record));
    let interloper = move || {
        let Some(content) = outsider.content(&path).filter(|_| has_file) else { return };
        if write(&outsider, kind, &path, &content).is_ok() {
            let history = &mut record.lock().history;
            history.order = Order::Unknown;
            history.ops.push(Op {
                log: 0,
                effects: vec![Effect::Set(KEY.to_owned(), VALUE.to_owned())],
                at_ms: 0,
            });
            history.status.push(Status::Acked);
            *flag.lock() = true;
        }
    };
    play.disk.interrupt_at(at, Box::new(interloper));
    has_come
}

fn write(outsider: &Process, kind: Kind, path: &Path, content: &[u8]) -> Result<()> {
    if kind == Kind::Line {
        // What becomes of a line that hangs on a torn one is not the question here.
        let before = if content.is_empty() || content.ends_with(b"\n") { "" } else { "\n" };
        let line = format!("{before}{{\"op\":\"SET\",\"key\":{KEY},\"value\":{VALUE}}}\n");
        return outsider.open_append(path).and_then(|(mut file, _)| file.append(line.as_bytes()));
    }
    let mut state = State::from_object(&compact(&String::from_utf8_lossy(content)));
    state.set(Member::new(KEY, VALUE));
    let text = small_text(state.iter(), usize::MAX).unwrap_or_default();
    match kind {
        Kind::Edit => outsider.replace(path, text.as_bytes()),
        _ => outsider.write(path, text.as_bytes()),
    }
}

fn case(script: &Script, kind: Kind, at: u64, output: Output) -> std::result::Result<bool, String> {
    let (setting, mut play) = script.stage();
    let has_come = send(&play, kind, at);
    if output.is_printed() {
        play.disk.start_trace();
    }
    script.play(&mut play);
    if output.is_printed() {
        print_calls(&play, at, |number| number == at);
        print_notices(&play);
    }
    if !*has_come.lock() {
        return Ok(false);
    }
    after(&setting, &mut play, at).map(|()| true)
}

fn after(setting: &Setting, play: &mut Play, at: u64) -> std::result::Result<(), String> {
    let mut random = Random::new(at);
    let bot = play.running().first().copied().unwrap_or(0);
    for log in 0..setting.logs.len() {
        let call = play.count(log, "after");
        play.call(bot, call);
    }
    for bot in play.running() {
        play.settle(bot);
    }
    let history = play.record.lock().history.clone();
    if let Some(status) = history.status.iter().find(|status| **status != Status::Acked) {
        return Err(format!("a call was not done: {status:?}"));
    }
    history.check_counts()?;
    let mut models = explain(setting, play, bot, &history)?;
    for log in 0..setting.logs.len() {
        let call = play.count(log, "after");
        play.call(bot, call);
        apply_last(play, &mut models);
    }
    for bot in play.running() {
        play.settle(bot);
    }
    check_files(setting, play, bot, &models, &mut random)?;
    check_again(setting, play, &models, &mut random)
}

/// Interlopers at every call of the scripts whose name begins with `prefix`.
#[must_use]
pub fn run_all(prefix: &str) -> Report {
    let mut total = Report::default();
    for script in SCRIPTS.iter().filter(|it| PLAYED.contains(&it.name) && it.name.starts_with(prefix)) {
        let (_, mut play) = script.stage();
        play.disk.start_trace();
        script.play(&mut play);
        let mut report = Report::default();
        let trace = play.disk.take_trace();
        for (place, call) in trace.iter().enumerate() {
            let at = call.number;
            // An edit between the last check of a mirror and the rename over it goes unseen: no system call does
            // both at once.
            let is_edit_gap = call.name == "rename" && call.path == play.mirror_path(0);
            // The same between the last check of a torn tail and its cut.
            let is_cut = |call: &Call| call.name == "ftruncate" && call.path == play.log_path(0);
            let is_line_gap = trace[place..].iter().take(2).any(is_cut);
            let is_gap = |kind| if kind == Kind::Line { is_line_gap } else { is_edit_gap };
            for kind in KINDS.into_iter().filter(|kind| !is_gap(*kind)) {
                match case(script, kind, at, Output::Silent) {
                    Ok(has_come) => report.states += usize::from(has_come),
                    Err(what) => {
                        report.states += 1;
                        let before = format!("before {} {}", call.name, call.path.display());
                        report
                            .failures
                            .push(format!("PS_REPLAY={}:{kind:?}:{at}\n  {before}: {what}", script.name));
                    }
                }
            }
        }
        eprintln!(
            "interlopers {:20} {:6} cases {:4} failures",
            script.name,
            report.states,
            report.failures.len()
        );
        show_failures(&report.failures);
        total.add(report);
    }
    eprintln!("interlopers: {} cases checked", total.states);
    total
}

/// Plays one case: `script:kind:call`.
///
/// # Panics
/// When the text names no case, and when the case fails.
pub fn replay(text: &str) {
    let parts: Vec<&str> = text.split(':').collect();
    let [name, kind, at] = parts[..] else { panic!("PS_REPLAY is script:kind:call") };
    let script = SCRIPTS.iter().find(|script| script.name == name).expect("a script of that name");
    let kind = KINDS.into_iter().find(|known| format!("{known:?}") == kind).expect("a kind");
    if let Err(what) = case(script, kind, at.parse().expect("a number of a call"), Output::Printed) {
        panic!("{text}\n  {what}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_takes_no_lock_is_noticed_and_undoes_nothing() {
        if let Some(case) = super::super::wanted_case() {
            let is_mine = KINDS.iter().any(|kind| case.contains(&format!(":{kind:?}:")));
            if is_mine {
                replay(&case);
            }
            return;
        }
        let prefix = std::env::var("PS_SCRIPT").unwrap_or_default();
        let report = run_all(&prefix);
        assert!(report.failures.is_empty(), "{} of {} cases fail", report.failures.len(), report.states);
    }
}
