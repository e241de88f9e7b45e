//! One state after a crash: is everything there, and does everything work again?
//!
//! ```text
//! disk after the crash ─> mirror whole? ─> open: state explained? ─> write, compact, edit, close
//!     ─> mirror, log and entries right? ─> open again ─> cut the power again ─> open again
//! ```
//!
//! Invariant: what is found wrong is told in one line; nothing is repaired here.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::model::{Effect, History, Model, Op, Status};
use super::play::{LogSpec, Play};
use crate::engine::json::{compact, elements, is_object};
use crate::engine::mirror::SMALL_MIRROR_BYTES;
use crate::engine::{FsyncMode, Members, Options};
use crate::vfs::simulated::{Call, Disk, Outcome, Random, SimulatedDisk};

/// Logs up to this size are read by the plain reader each time, larger ones now and then.
const PLAIN_READER_BYTES: usize = 16 << 10;

/// An instant at which a crash may come: during a call that changes something.
#[derive(Clone)]
pub struct Moment {
    /// The call.
    pub call: Call,
    /// The disk as it is when the power is cut during the call.
    pub disk: Disk,
    /// What was answered before the call.
    pub status: Vec<Status>,
    /// A mirror may be broken, by its editor.
    pub is_editing: bool,
    /// Operations before this one are durable, without a sync for each.
    pub spared: usize,
}

/// What a script set up.
#[derive(Clone)]
pub struct Setting {
    /// The data folder.
    pub folder: PathBuf,
    /// The logs.
    pub logs: Vec<LogSpec>,
    /// For all engines.
    pub options: Options,
    /// Bytes that must be in some file at any time (damaged lines).
    pub evidence: Vec<Vec<u8>>,
}

/// A machine that was off.
pub struct Crashed {
    /// Its disk.
    pub disk: Disk,
    /// When it comes back.
    pub now_ms: i64,
    /// What was called and answered before.
    pub history: History,
    /// How it ended.
    pub outcome: Outcome,
    /// A mirror may be broken, by its editor.
    pub is_editing: bool,
    /// Mirrors that a power cut before this crash had broken.
    pub broken: Vec<Arc<Vec<u8>>>,
}

/// What a check saw, for crashes during it.
pub struct Recovery {
    /// Mirrors that were broken when it began.
    pub broken: Vec<Arc<Vec<u8>>>,
    /// Each call that changed something.
    pub moments: Vec<Moment>,
    /// What was called.
    pub history: History,
}

/// A state's text with its members in one order.
fn ordered(text: &str, is_sorted: bool) -> String {
    if !is_sorted {
        return text.to_owned();
    }
    let mut members: Vec<String> = Members::of(text).map(|(key, value)| format!("{key}:{value}")).collect();
    members.sort();
    format!("{{{}}}", members.join(","))
}

enum Mirror {
    Missing,
    Whole(String),
    Broken(Arc<Vec<u8>>),
}

fn mirror(disk: &Disk, path: &Path) -> Mirror {
    match disk.content(path) {
        None => Mirror::Missing,
        Some(bytes) if is_object(&bytes) => {
            Mirror::Whole(compact(&String::from_utf8_lossy(&bytes)).into_owned())
        }
        Some(bytes) => Mirror::Broken(bytes),
    }
}

/// Of torn tails, the newest so many are kept.
const TORN_KEPT: usize = 3;

/// Checks a state; with `is_watched` also tells at which instants the recovery could be hit.
pub fn check(
    setting: &Setting,
    crashed: &Crashed,
    seed: u64,
    is_watched: bool,
) -> Result<Option<Recovery>, String> {
    let mut random = Random::new(seed);
    check_evidence(setting, &crashed.disk)?;
    let is_power_cut = !matches!(crashed.outcome, Outcome::Kill(_));
    for spec in setting.logs.iter().filter(|spec| spec.is_mirrored) {
        let path = setting.folder.join(format!("{}.json", spec.name));
        if let Mirror::Broken(bytes) = mirror(&crashed.disk, &path)
            && !crashed.is_editing
            && !(is_power_cut && bytes.len() <= SMALL_MIRROR_BYTES)
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
        // What was found there is durable now.
        play.record.lock().history = crashed.history.after(models.clone());
    }
    let moments: Arc<Mutex<Vec<Moment>>> = Arc::default();
    if is_watched {
        watch(&play, &moments);
    }
    let broken: Vec<Arc<Vec<u8>>> = broken_mirrors(setting, &crashed.disk);
    go_on(setting, &mut play, &mut models, &mut random)?;
    check_files(setting, &mut play, 0, &models, &mut random)?;
    check_leftovers(setting, &play.disk.disk())?;
    if !crashed.history.is_unknown {
        check_set_aside(setting, &play, &broken)?;
    }
    let recovery = is_watched.then(|| {
        play.disk.watch(None);
        let moments = std::mem::take(&mut *moments.lock());
        Recovery { broken, moments, history: play.record.lock().history.clone() }
    });
    check_again(setting, &mut play, &models, &mut random)?;
    Ok(recovery)
}

/// Has each call that changes something noted as a moment.
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

fn check_evidence(setting: &Setting, disk: &Disk) -> Result<(), String> {
    let files = disk.contents(&setting.folder.join("logs"));
    let are_torn_pruned = files.iter().filter(|(name, _)| name.contains(".torn.")).count() >= TORN_KEPT;
    for evidence in &setting.evidence {
        if are_torn_pruned && !evidence.ends_with(b"}") {
            continue;
        }
        if !files.iter().any(|(_, content)| memchr::memmem::find(content, evidence).is_some()) {
            return Err(format!("evidence is gone: {}", String::from_utf8_lossy(evidence)));
        }
    }
    Ok(())
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
    if !crashed.history.is_unordered
        && setting.options.fsync == FsyncMode::Always
        && let Some(notice) = play.record.lock().notices.iter().find(|it| it.code == "PS_FOREIGN_EDIT")
    {
        return Err(format!("an edit is seen where nobody edited: {}", notice.message));
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
        let model = history.explain(log, &members).map_err(|expected| {
            let expected: Vec<String> = expected.iter().take(4).map(|text| shortened(text)).collect();
            format!(
                "'{}' cannot be explained\n  found    {}\n  expected {}",
                spec.name,
                shortened(&ordered(&state, history.is_unordered)),
                expected.join("\n        or ")
            )
        })?;
        models.push(model);
    }
    Ok(models)
}

/// A text with long runs of one letter left out.
fn shortened(text: &str) -> String {
    let mut short = String::new();
    let mut last = ('\0', 0);
    for character in text.chars() {
        last = if character == last.0 { (character, last.1 + 1) } else { (character, 1) };
        if last.1 <= 3 {
            short.push(character);
        }
    }
    short.chars().take(1500).collect()
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
        1 | 2 => {
            for log in logs.clone() {
                let call = play.compact(log);
                play.call(0, call);
                play.jobs(0);
            }
            let disk = play.disk.disk();
            let backups = disk.list(&setting.folder.join("logs")).unwrap_or_default();
            for spec in &setting.logs {
                let prefix = format!("{}.log.backup.", spec.name);
                let count = backups.iter().filter(|name| name.starts_with(&prefix)).count();
                if count > 3 {
                    return Err(format!("'{}' has {count} backups", spec.name));
                }
            }
            if let Some(Err(error)) = play.others().into_iter().find(Result::is_err) {
                return Err(format!("compaction fails: {error}"));
            }
        }
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
    if let Some(Op { log, effects }) = play.record.lock().history.ops.last() {
        for effect in effects {
            models[*log].apply(effect);
        }
    }
}

/// After a write: memory, mirror, log and entries say the same.
pub fn check_files(
    setting: &Setting,
    play: &mut Play,
    bot: usize,
    models: &[Model],
    random: &mut Random,
) -> Result<(), String> {
    let is_sorted = play.record.lock().history.is_unordered;
    for (log, spec) in setting.logs.iter().enumerate() {
        let state =
            play.state(bot, log).map_err(|error| format!("'{}' cannot be read: {error}", spec.name))?;
        let expected = models[log].text(is_sorted);
        if ordered(&state, is_sorted) != expected {
            return Err(format!(
                "'{}' is not what was written\n  found    {}\n  expected {}",
                spec.name,
                shortened(&state),
                shortened(&expected)
            ));
        }
        let disk = play.disk.disk();
        if spec.is_mirrored {
            match mirror(&disk, &play.mirror_path(log)) {
                Mirror::Whole(text) if text == state => {}
                Mirror::Whole(text) => {
                    return Err(format!(
                        "mirror '{}' is not current\n  found    {}\n  expected {}",
                        spec.name,
                        shortened(&text),
                        shortened(&state)
                    ));
                }
                Mirror::Missing => return Err(format!("mirror '{}' is missing after a write", spec.name)),
                Mirror::Broken(_) => return Err(format!("mirror '{}' is broken after a write", spec.name)),
            }
        }
        let content = disk.content(&play.log_path(log)).unwrap_or_default();
        if content.len() <= PLAIN_READER_BYTES || random.chance(5) {
            check_plain_reader(spec, &content, &state)?;
        }
        check_entries(spec, play, bot, log, is_sorted)?;
    }
    check_evidence(setting, &play.disk.disk())
}

/// After the first write of a process, no temporary file of a dead one is there.
pub fn check_leftovers(setting: &Setting, disk: &Disk) -> Result<(), String> {
    for folder in [setting.folder.clone(), setting.folder.join("logs")] {
        let names = disk.list(&folder).unwrap_or_default();
        if let Some(left) = names.iter().find(|name| name.strip_suffix(".tmp").is_some()) {
            return Err(format!("'{left}' was left behind"));
        }
    }
    Ok(())
}

/// The log as the old module reads it, which knows nothing of checksums.
fn check_plain_reader(spec: &LogSpec, content: &[u8], state: &str) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("the old module cannot read '{}': {what}", spec.name));
    let Ok(text) = std::str::from_utf8(content) else { return wrong("not UTF-8") };
    let mut replayed = serde_json::Map::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let Ok(entry) = serde_json::from_str::<serde_json::Value>(line) else { return wrong(line) };
        match (entry["op"].as_str(), entry["key"].as_str()) {
            (Some("SET"), Some(key)) => {
                replayed.insert(key.to_owned(), entry["value"].clone());
            }
            (Some("DELETE"), Some(key)) => {
                replayed.remove(key);
            }
            (Some("SET"), None) => replayed.extend(entry["data"].as_object().cloned().unwrap_or_default()),
            (Some("CHECKPOINT"), _) => {
                replayed.extend(entry["state"].as_object().cloned().unwrap_or_default());
            }
            _ => {}
        }
    }
    let expected: serde_json::Value = serde_json::from_str(state).unwrap_or_default();
    if expected != serde_json::Value::Object(replayed) {
        return wrong("it comes to another state");
    }
    Ok(())
}

/// Entries stand in the order in which they were called.
fn check_entries(
    spec: &LogSpec,
    play: &mut Play,
    bot: usize,
    log: usize,
    is_sorted: bool,
) -> Result<(), String> {
    let text = play.entries(bot, log).map_err(|error| format!("entries of '{}': {error}", spec.name))?;
    let mut last = 0;
    for entry in elements(&text).filter(|entry| !entry.contains("\"CHECKPOINT\"")) {
        let Some((_, rest)) = entry.split_once("{\"n\":") else { continue };
        let number = rest.split(',').next().and_then(|digits| digits.parse::<usize>().ok()).unwrap_or(0);
        if number < last && !is_sorted {
            return Err(format!("entry {number} of '{}' stands behind {last}", spec.name));
        }
        last = number;
    }
    Ok(())
}

fn check_set_aside(setting: &Setting, play: &Play, broken: &[Arc<Vec<u8>>]) -> Result<(), String> {
    let files = play.disk.disk().contents(&setting.folder);
    for bytes in broken {
        if !files.iter().any(|(name, content)| name.contains(".json.corrupt.") && content == bytes) {
            return Err(format!("a broken mirror of {} bytes was not set aside", bytes.len()));
        }
    }
    Ok(())
}

/// A further start, and one after a power cut that keeps only what is durable: all is there.
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
        let is_sorted = play.record.lock().history.is_unordered;
        for (log, spec) in setting.logs.iter().enumerate() {
            let state = again.state(0, log);
            let state = state.map_err(|error| format!("'{}' cannot be opened again: {error}", spec.name))?;
            let expected = models[log].text(is_sorted);
            if ordered(&state, is_sorted) != expected {
                return Err(format!(
                    "'{}' is another after {what} ({outcome})\n  found    {}\n  expected {}",
                    spec.name,
                    shortened(&state),
                    shortened(&expected)
                ));
            }
        }
    }
    Ok(())
}

/// A sync failed, what it should have written could not be cut off, and the process that knew of it is
/// dead: nobody can know any more that those bytes are in doubt. A limit that the documents name.
pub fn is_in_doubt(play: &Play) -> bool {
    let disk = play.disk.disk();
    (0..play.logs.len()).any(|log| disk.is_in_doubt(&play.log_path(log)))
}

/// Applies an effect to the model of a log; for scripts that set up old data.
pub fn set(model: &mut Model, key: &str, value: &str) {
    model.apply(&Effect::Set(key.to_owned(), value.to_owned()));
}
