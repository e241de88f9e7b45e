//! One state after a crash: is everything there, and does everything work again?
//!
//! ```text
//! disk after the crash ─> mirror whole? ─> open: state explained? ─> write, compact, edit, close
//!     ─> mirror, log and entries right? ─> open again ─> cut the power again ─> open again
//! ```
//!
//! Invariant: a check says in one line what is wrong, and repairs nothing.

use std::sync::Arc;

use parking_lot::Mutex;

use super::calls::BOTH;
use super::files::{
    Mirror, check_evidence, check_files, check_leftovers, check_set_aside, mirror, mismatch, ordered,
};
use super::model::{Effect, History, Model, Op, Order, Status};
use super::play::Play;
use super::setting::Setting;
use crate::data::json::{Members, quote};
use crate::files::options::FsyncMode;
use crate::vfs::simulated::{Call, Disk, Outcome, Random, SimulatedDisk};

/// An instant at which a crash may come: during a call that changes something.
#[derive(Clone)]
pub struct Moment {
    /// The call.
    pub call: Call,
    /// The disk as it is when the power is cut during the call.
    pub disk: Disk,
    /// The answers before the call.
    pub status: Vec<Status>,
    /// A mirror may be broken, by its editor.
    pub is_editing: bool,
    /// Operations before this one are durable, also where not each is synced.
    pub spared: usize,
}

/// A machine that was off.
pub struct Crashed {
    /// Its disk.
    pub disk: Disk,
    /// When it comes back.
    pub now_ms: i64,
    /// Calls and answers before.
    pub history: History,
    /// How it ended.
    pub outcome: Outcome,
    /// A mirror may be broken, by its editor.
    pub is_editing: bool,
    /// Mirrors that power cuts before this crash had broken.
    pub broken: Vec<Arc<Vec<u8>>>,
}

/// What a check notes, for crashes during it.
pub struct Recovery {
    /// Mirrors that were broken when it began, or when a recovery before it did.
    pub broken: Vec<Arc<Vec<u8>>>,
    /// Each call that changed something.
    pub moments: Vec<Moment>,
    /// What was called.
    pub history: History,
}

/// Whether a check notes the instants at which a crash could hit it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// It does.
    On,
    /// It does not.
    Off,
}

/// Checks a state. With `Watch::On` it returns the instants at which a crash could hit the recovery.
pub fn check(
    setting: &Setting,
    crashed: &Crashed,
    seed: u64,
    watched: Watch,
) -> Result<Option<Recovery>, String> {
    let mut random = Random::new(seed);
    check_evidence(setting, &crashed.disk)?;
    let is_power_cut = !matches!(crashed.outcome, Outcome::Kill(_));
    for spec in setting.logs.iter().filter(|spec| spec.is_mirrored) {
        let path = setting.folder.join(format!("{}.json", spec.name));
        if let Mirror::Broken(bytes) = mirror(&crashed.disk, &path)
            && !crashed.is_editing
            && !(is_power_cut && setting.options.fsync == FsyncMode::Never)
            && !crashed.broken.contains(&bytes)
        {
            return Err(format!("mirror '{}' is broken ({} bytes)", spec.name, bytes.len()));
        }
    }
    let machine = SimulatedDisk::with(crashed.disk.clone(), crashed.now_ms);
    let mut play = Play::new(machine, &setting.folder, setting.logs.clone(), crashed.history.clone());
    play.options = setting.options;
    let mut models = open_and_explain(setting, &mut play, crashed)?;
    if play.disk.disk().fingerprint() != crashed.disk.fingerprint() {
        return Err("reading changed files".to_owned());
    }
    if is_power_cut {
        // What the engine found there is durable now.
        play.record.lock().history = crashed.history.after(models.clone());
    }
    // An unfinished edit may be on disk or not, also where the process was killed meanwhile.
    play.record.lock().is_editing = crashed.is_editing && !is_power_cut;
    let moments: Arc<Mutex<Vec<Moment>>> = Arc::default();
    if watched == Watch::On {
        watch(&play, &moments);
    }
    let broken = broken_mirrors(setting, &crashed.disk);
    go_on(setting, &mut play, &mut models, &mut random)?;
    check_files(setting, &mut play, 0, &models, &mut random)?;
    check_leftovers(setting, &play.disk.disk())?;
    if !crashed.history.is_unknown {
        check_set_aside(setting, &play, &broken)?;
    }
    let recovery = (watched == Watch::On).then(|| {
        play.disk.watch(None);
        let moments = std::mem::take(&mut *moments.lock());
        // A mirror that was set aside comes back when a power cut undoes the rename.
        let broken = [&*crashed.broken, &*broken].concat();
        Recovery { broken, moments, history: play.record.lock().history.clone() }
    });
    check_again(setting, &mut play, &models, &mut random)?;
    Ok(recovery)
}

/// Notes each call that changes something as a moment.
pub fn watch(play: &Play, moments: &Arc<Mutex<Vec<Moment>>>) {
    let (record, moments) = (Arc::clone(&play.record), Arc::clone(moments));
    play.disk.watch(Some(Box::new(move |disk, call| {
        let record = record.lock();
        moments.lock().push(Moment {
            call: call.clone(),
            disk: disk.clone(),
            status: record.history.status.clone(),
            is_editing: record.is_editing,
            spared: record.spared,
        });
    })));
}

fn broken_mirrors(setting: &Setting, disk: &Disk) -> Vec<Arc<Vec<u8>>> {
    let paths = setting.logs.iter().filter(|spec| spec.is_mirrored);
    paths
        .filter_map(|spec| match mirror(disk, &setting.folder.join(format!("{}.json", spec.name))) {
            Mirror::Broken(bytes) => Some(bytes),
            _ => None,
        })
        .collect()
}

/// Opens all logs: the state of each must be one that the history explains.
fn open_and_explain(setting: &Setting, play: &mut Play, crashed: &Crashed) -> Result<Vec<Model>, String> {
    let models = explain(setting, play, 0, &crashed.history)?;
    if play.moved_reads > 0 {
        return Err("a value was not where the state says".to_owned());
    }
    if crashed.history.order == Order::Known
        && setting.options.fsync == FsyncMode::Always
        && let Some(notice) = play.record.lock().notices.iter().find(|it| it.kind.code == "PS_FOREIGN_EDIT")
    {
        return Err(format!("an edit was seen, and nobody edited: {}", notice.message));
    }
    Ok(models)
}

/// Which of the states that the history allows each log has.
pub fn explain(
    setting: &Setting,
    play: &mut Play,
    bot: usize,
    history: &History,
) -> Result<Vec<Model>, String> {
    let mut models = Vec::new();
    for (log, spec) in setting.logs.iter().enumerate() {
        let state =
            play.state(bot, log).map_err(|error| format!("'{}' cannot be opened: {error}", spec.name))?;
        let members: Vec<(&str, &str)> = Members::of(&state).collect();
        if history.is_unknown {
            models.push(Model::of(&members));
            continue;
        }
        let model = history.explain(log, &members, play.disk.now_ms()).map_err(|expected| {
            let found = ordered(&state, history.order);
            let nearest = expected.iter().map(|text| mismatch(&found, text)).min_by_key(String::len);
            format!("'{}' cannot be explained{}", spec.name, nearest.unwrap_or_default())
        })?;
        models.push(model);
    }
    check_both(setting, play, bot, history)?;
    Ok(models)
}

/// A transaction is in both logs or in none.
fn check_both(setting: &Setting, play: &mut Play, bot: usize, history: &History) -> Result<(), String> {
    let both = quote(BOTH);
    if history.is_unknown || setting.logs.len() < 2 {
        return Ok(());
    }
    let mut value_in = |log| {
        let state = play.state(bot, log).map_err(|error| error.to_string())?;
        Ok::<_, String>(Members::of(&state).find(|(key, _)| *key == both).map(|(_, value)| value.to_owned()))
    };
    let (first, second) = (value_in(0)?, value_in(1)?);
    if first != second {
        let start = |value: Option<String>| value.map(|value| value.chars().take(12).collect::<String>());
        return Err(format!("half of a transaction: {:?} and {:?}", start(first), start(second)));
    }
    Ok(())
}

/// Compacts all logs: it works, and no more backups are kept than should be.
fn compact_all(setting: &Setting, play: &mut Play) -> Result<(), String> {
    for log in 0..setting.logs.len() {
        let call = play.compact(log);
        play.call(0, call);
        play.jobs(0);
    }
    let names = play.disk.disk().list(&setting.folder.join("logs")).unwrap_or_default();
    for spec in &setting.logs {
        let prefix = format!("{}.log.backup.", spec.name);
        let count = names.iter().filter(|name| name.starts_with(&prefix)).count();
        if count > 3 {
            return Err(format!("'{}' has {count} backups", spec.name));
        }
    }
    match play.others().into_iter().find(Result::is_err) {
        Some(Err(error)) => Err(format!("compaction fails: {error}")),
        _ => Ok(()),
    }
}

/// What a bot does after a start, in several ways.
fn go_on(
    setting: &Setting,
    play: &mut Play,
    models: &mut [Model],
    random: &mut Random,
) -> Result<(), String> {
    let logs = 0..setting.logs.len();
    let way = random.below(8);
    match way {
        0 => {
            play.kill(0);
            play.open(0);
        }
        1 | 2 => compact_all(setting, play)?,
        3 => {
            for log in logs.clone().filter(|log| setting.logs[*log].is_mirrored) {
                if matches!(mirror(&play.disk.disk(), &play.mirror_path(log)), Mirror::Whole(_)) {
                    play.edit(log, "edited-after");
                    apply_last(play, models);
                }
            }
        }
        _ => {}
    }
    for log in logs.clone() {
        let call = match random.below(3) {
            0 => play.append(log, "after", 40),
            1 => play.set(log, "after", 700),
            _ => play.count(log, "count"),
        };
        play.call(0, call);
        let status = *play.record.lock().history.status.last().unwrap_or(&Status::Open);
        if status != Status::Acked {
            return Err(format!("a write after the crash: {status:?}"));
        }
        apply_last(play, models);
    }
    if way == 4 {
        play.finish(0).map_err(|error| format!("closing fails: {error}"))?;
    } else {
        play.settle(0);
    }
    Ok(())
}

pub fn apply_last(play: &Play, models: &mut [Model]) {
    if let Some(Op { log, effects, at_ms }) = play.record.lock().history.ops.last() {
        for effect in effects {
            models[*log].apply(effect, *at_ms);
        }
    }
}

/// All is there after one more start, and after a power cut that keeps only what is durable.
pub fn check_again(
    setting: &Setting,
    play: &mut Play,
    models: &[Model],
    random: &mut Random,
) -> Result<(), String> {
    for bot in play.running() {
        play.kill(bot);
    }
    let disk = play.disk.disk();
    let chance = Outcome::Random(random.draw());
    let mut ends = vec![("a start", Outcome::Kill(None))];
    if setting.options.fsync == FsyncMode::Always && !is_in_doubt(play) {
        ends.extend([("a power cut", Outcome::Lost), ("a power cut by chance", chance)]);
    }
    for (what, outcome) in ends {
        let now_ms = play.disk.now_ms();
        let machine = SimulatedDisk::with(outcome.of(&disk), now_ms);
        let mut again = Play::new(machine, &setting.folder, setting.logs.clone(), History::default());
        again.options = setting.options;
        let order = play.record.lock().history.order;
        for (log, spec) in setting.logs.iter().enumerate() {
            let state = again.state(0, log);
            let state = state.map_err(|error| format!("'{}' cannot be opened again: {error}", spec.name))?;
            let expected = models[log].text(order, again.disk.now_ms());
            if ordered(&state, order) != expected {
                let found = ordered(&state, order);
                return Err(format!(
                    "'{}' is another after {what} ({outcome}){}",
                    spec.name,
                    mismatch(&found, &expected)
                ));
            }
        }
    }
    Ok(())
}

/// A sync failed, its bytes could not be cut off, and the process that knew of it is dead. No process can know that
/// those bytes are in doubt. The documents name this limit.
pub fn is_in_doubt(play: &Play) -> bool {
    let disk = play.disk.disk();
    (0..play.logs.len()).any(|log| disk.is_in_doubt(&play.log_path(log)))
}

/// Applies an effect to the model of a log; for scripts that set up old data.
pub fn set(model: &mut Model, key: &str, value: &str) {
    model.apply(&Effect::Set(key.to_owned(), value.to_owned()), 0);
}
