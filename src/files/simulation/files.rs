//! What the files of a folder must say after a write that nothing disturbed.
//!
//! Invariant: nothing here changes a file, but with `mirror: 'close'` the end that writes the mirror.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use super::model::{Model, Order};
use super::play::{LogSpec, Play};
use super::setting::Setting;
use crate::data::json::Members;
use crate::data::json::{compact, elements, is_object};
use crate::files::options::MirrorMode;
use crate::vfs::simulated::{Disk, Random};

/// Logs up to this size are read by the plain reader each time, larger ones now and then.
const PLAIN_READER_BYTES: usize = 16 << 10;

/// How the literals of keys begin that end by themselves.
const ENDING: &str = "\"ending";

/// Of torn tails, the newest so many are kept.
const TORN_KEPT: usize = 3;

/// A state's text, its members sorted where their order is not known.
pub fn ordered(text: &str, order: Order) -> String {
    if order == Order::Known {
        return text.to_owned();
    }
    let mut members: Vec<String> = Members::of(text).map(|(key, value)| format!("{key}:{value}")).collect();
    members.sort();
    format!("{{{}}}", members.join(","))
}

/// What stands in the place of a mirror.
pub enum Mirror {
    Missing,
    Whole(String),
    Broken(Arc<Vec<u8>>),
}

/// Reads a mirror.
pub fn mirror(disk: &Disk, path: &Path) -> Mirror {
    match disk.content(path) {
        None => Mirror::Missing,
        Some(bytes) if is_object(&bytes) => {
            Mirror::Whole(compact(&String::from_utf8_lossy(&bytes)).into_owned())
        }
        Some(bytes) => Mirror::Broken(bytes),
    }
}

/// What two states differ in.
pub fn mismatch(found: &str, expected: &str) -> String {
    let members = |text| -> BTreeMap<String, String> {
        Members::of(text).map(|(key, value)| (key.to_owned(), shortened(value))).collect()
    };
    let (found_members, expected_members) = (members(found), members(expected));
    let keys: BTreeSet<&String> = found_members.keys().chain(expected_members.keys()).collect();
    let mut lines = String::new();
    for key in keys {
        let text =
            |members: &BTreeMap<String, String>| members.get(key).map_or("nothing", |text| text).to_owned();
        let (found, expected) = (text(&found_members), text(&expected_members));
        if found != expected {
            // Writing to a String cannot fail.
            let _ = write!(lines, "\n  {key}: found {found}, expected {expected}");
        }
    }
    if lines.is_empty() {
        return format!("\n  order: found {}, expected {}", shortened(found), shortened(expected));
    }
    lines
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

/// Damaged bytes are in one of the files at any time.
pub fn check_evidence(setting: &Setting, disk: &Disk) -> Result<(), String> {
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

/// After a write: memory, mirror, log and entries say the same. With `mirror: 'close'` a mirror is old until a clean end,
/// so that comes before in half of the cases.
pub fn check_files(
    setting: &Setting,
    play: &mut Play,
    bot: usize,
    models: &[Model],
    random: &mut Random,
) -> Result<(), String> {
    let order = play.record.lock().history.order;
    let has_current_mirrors = match setting.options.mirror {
        MirrorMode::Follow => true,
        MirrorMode::Close => random.chance(50),
    };
    if setting.options.mirror == MirrorMode::Close && has_current_mirrors {
        play.finish(bot).map_err(|error| format!("a clean end: {error}"))?;
    }
    for (log, spec) in setting.logs.iter().enumerate() {
        let state =
            play.state(bot, log).map_err(|error| format!("'{}' cannot be read: {error}", spec.name))?;
        let now_ms = play.disk.now_ms();
        let expected = models[log].text(order, now_ms);
        if ordered(&state, order) != expected {
            let found = ordered(&state, order);
            return Err(format!("'{}' is not what was written{}", spec.name, mismatch(&found, &expected)));
        }
        let disk = play.disk.disk();
        if spec.is_mirrored && has_current_mirrors {
            match mirror(&disk, &play.mirror_path(log)) {
                Mirror::Whole(text) if without_ended(&text, &state) == state => {}
                Mirror::Whole(text) => {
                    return Err(format!("mirror '{}' is not current{}", spec.name, mismatch(&text, &state)));
                }
                Mirror::Missing => return Err(format!("mirror '{}' is missing after a write", spec.name)),
                Mirror::Broken(_) => return Err(format!("mirror '{}' is broken after a write", spec.name)),
            }
        }
        let content = disk.content(&play.log_path(log)).unwrap_or_default();
        if content.len() <= PLAIN_READER_BYTES || random.chance(5) {
            check_plain_reader(spec, &content, &state, now_ms)?;
        }
        check_entries(spec, play, bot, log, order)?;
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

/// What a mirror shows without keys that have ended since it was written.
fn without_ended(shown: &str, state: &str) -> String {
    let has = |key: &str| Members::of(state).any(|(known, _)| known == key);
    let kept = Members::of(shown).filter(|(key, _)| !key.starts_with(ENDING) || has(key));
    let kept: Vec<String> = kept.map(|(key, value)| format!("{key}:{value}")).collect();
    format!("{{{}}}", kept.join(","))
}

/// The log as a plain reader sees it: it ignores checksums, and knows when keys end. The old module does not, and sees them
/// until they are removed.
fn check_plain_reader(spec: &LogSpec, content: &[u8], state: &str, now_ms: i64) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("a plain reader cannot read '{}': {what}", spec.name));
    let Ok(text) = std::str::from_utf8(content) else { return wrong("not UTF-8") };
    let mut replayed = serde_json::Map::new();
    let mut ends_ms: BTreeMap<String, i64> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let Ok(entry) = serde_json::from_str::<serde_json::Value>(line) else { return wrong(line) };
        match (entry["op"].as_str(), entry["key"].as_str()) {
            (Some("SET"), Some(key)) => {
                replayed.insert(key.to_owned(), entry["value"].clone());
                ends_ms.remove(key);
                entry["_expires"].as_i64().map(|end_ms| ends_ms.insert(key.to_owned(), end_ms));
            }
            (Some("DELETE"), Some(key)) => {
                replayed.remove(key);
                ends_ms.remove(key);
            }
            (Some(op @ ("SET" | "CHECKPOINT")), _) => {
                let members = &entry[if op == "SET" { "data" } else { "state" }];
                for (key, value) in members.as_object().into_iter().flatten() {
                    replayed.insert(key.clone(), value.clone());
                    ends_ms.remove(key);
                    entry["_expires"][key].as_i64().map(|end_ms| ends_ms.insert(key.clone(), end_ms));
                }
            }
            (Some("EXPIRE"), _) => {
                let until_ms = entry["_until"].as_i64().unwrap_or(0);
                replayed.retain(|key, _| ends_ms.get(key).is_none_or(|end_ms| *end_ms > until_ms));
                ends_ms.retain(|_, end_ms| *end_ms > until_ms);
            }
            _ => {}
        }
    }
    replayed.retain(|key, _| ends_ms.get(key).is_none_or(|end_ms| *end_ms > now_ms));
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
    order: Order,
) -> Result<(), String> {
    let text = play.entries(bot, log).map_err(|error| format!("entries of '{}': {error}", spec.name))?;
    let mut last = 0;
    for entry in elements(&text).filter(|entry| !entry.contains("\"CHECKPOINT\"")) {
        let Some((_, rest)) = entry.split_once("{\"n\":") else { continue };
        let number = rest.split(',').next().and_then(|digits| digits.parse::<usize>().ok()).unwrap_or(0);
        if number < last && order == Order::Known {
            return Err(format!("entry {number} of '{}' stands behind {last}", spec.name));
        }
        last = number;
    }
    Ok(())
}

/// A mirror that was broken is kept: where none has taken its place yet, in that.
pub fn check_set_aside(setting: &Setting, play: &Play, broken: &[Arc<Vec<u8>>]) -> Result<(), String> {
    let files = play.disk.disk().contents(&setting.folder);
    let is_kept = |name: &str| match setting.options.mirror {
        MirrorMode::Follow => name.contains(".json.corrupt."),
        MirrorMode::Close => name.contains(".json"),
    };
    for bytes in broken {
        if !files.iter().any(|(name, content)| is_kept(name) && content == bytes) {
            return Err(format!("a broken mirror of {} bytes was not set aside", bytes.len()));
        }
    }
    Ok(())
}
