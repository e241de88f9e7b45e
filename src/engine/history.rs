//! What a log and the old logs that it left behind tell of the past: every recorded value of a key, and the state as
//! it was at a point in time. Read beside the writer.
//!
//! ```text
//! backup 1   CHECKPOINT a b c d
//! backup 2              CHECKPOINT c' d e f          c' d: appended while it was compacted, so in both
//! log                              CHECKPOINT g h
//! ```
//!
//! Invariant: memory does not grow with the logs, only with what is asked for: one key's records, or one state.

use std::collections::HashSet;

use memchr::memmem;
use xxhash_rust::xxh3::xxh3_64;

use super::entry::{Change, Entry};
use super::json::{self, quote};
use super::lines::LineReader;
use super::old_logs::OldLog;
use super::state::{Member, State};
use super::text::{TextBuilder, TextKind, Texts, object_of};
use super::time::iso;
use crate::error::{Error, Result};
use crate::vfs::{File, FileSystem};

/// A log and its past.
pub struct Past {
    /// The old logs, oldest first.
    pub old: Vec<OldLog>,
    /// The log, if there is one, and its end.
    pub log: Option<Box<dyn File>>,
    /// Offset behind its last whole line.
    pub end: u64,
    /// Its file's name, for people.
    pub name: String,
}

struct Source {
    name: String,
    file: Box<dyn File>,
    end: u64,
}

impl Past {
    /// Calls `visit` with each file, oldest first.
    fn for_each(self, files: &dyn FileSystem, mut visit: impl FnMut(Source) -> Result<()>) -> Result<()> {
        for old in &self.old {
            // One that is gone by now was one too many.
            if let Some(file) = old.open(files)? {
                let path = old.found_path();
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                visit(Source { name, file, end: u64::MAX })?;
            }
        }
        match self.log {
            Some(file) => visit(Source { name: self.name, file, end: self.end }),
            None => Ok(()),
        }
    }

    /// Every recorded value of a key literal, in the order in which the entries took effect.
    pub fn of_key(self, files: &dyn FileSystem, key: &str) -> Result<Texts> {
        let mut records = TextBuilder::new(TextKind::Array);
        let (mut entries_before, mut values_before) = (HashSet::new(), HashSet::new());
        self.for_each(files, |mut source| {
            let (mut entries, mut values) = (HashSet::new(), HashSet::new());
            let finder = memmem::Finder::new(key);
            let mut reader = LineReader::new(&mut *source.file, 0, source.end, 1);
            while let Some(line) = reader.next_line()? {
                let Some(Ok(entry)) = line.entry() else { continue };
                // Only lines of ours are known to spell the key as we do.
                if entry.has_crc() && finder.find(line.bytes).is_none() {
                    continue;
                }
                let Some(value) = value_of(&entry, key) else { continue };
                let value_hash = value.as_ref().map(|text| xxh3_64(text.as_bytes()));
                let entry_hash = xxh3_64(entry.text().as_bytes());
                let is_checkpoint = entry.op() == "\"CHECKPOINT\"";
                // A checkpoint is news only where what it says is not recorded already.
                let is_known = if is_checkpoint {
                    values_before.contains(&value_hash) || values.contains(&value_hash)
                } else {
                    entries_before.contains(&entry_hash)
                };
                entries.insert(entry_hash);
                values.insert(value_hash);
                if !is_known {
                    let source_name = quote(&source.name);
                    let value = value.map(|text| format!(",\"value\":{text}")).unwrap_or_default();
                    let edit = if entry.edit.is_some() { ",\"isExternalEdit\":true" } else { "" };
                    records.push(&[
                        "{\"timestamp\":",
                        entry.time().unwrap_or("null"),
                        ",\"op\":",
                        entry.op(),
                        &value,
                        ",\"source\":",
                        &source_name,
                        edit,
                        "}",
                    ]);
                }
            }
            (entries_before, values_before) = (entries, values);
            Ok(())
        })?;
        Ok(records.finish())
    }

    /// The state as it was at `at_ms`, the entries of that millisecond included.
    pub fn state_at(self, files: &dyn FileSystem, at_ms: i64) -> Result<Texts> {
        let log_name = self.name.clone();
        let mut state = State::default();
        let (mut is_reached, mut oldest_ms) = (true, None);
        self.for_each(files, |mut source| {
            let beginning = beginning_of(&mut source)?;
            if beginning.at_ms.is_some_and(|begins_ms| begins_ms > at_ms) {
                if oldest_ms.is_none() && beginning.is_checkpoint {
                    // What was before it is not told by any file.
                    is_reached = false;
                }
                oldest_ms = oldest_ms.or(beginning.at_ms);
                return Ok(());
            }
            oldest_ms = oldest_ms.or(beginning.at_ms);
            // A later file that begins before that time tells all that an earlier one does, and more.
            state = replay_until(&mut source, at_ms)?;
            is_reached = true;
            Ok(())
        })?;
        if !is_reached {
            return Err(Error::new(
                "ERR_NO_HISTORY",
                format!(
                    "The state of '{log_name}' at {} is not known: the oldest record that is left is of {}. Keep more \
                     backups or archives to look further back",
                    iso(at_ms),
                    iso(oldest_ms.unwrap_or_default())
                ),
            ));
        }
        Ok(object_of(state.iter()))
    }
}

/// What an entry makes of a key: `None` when it does not touch it, `Some(None)` when it removes it.
#[expect(clippy::option_option, reason = "not touched, removed, and set are three things")]
fn value_of(entry: &Entry, key: &str) -> Option<Option<String>> {
    let mut found = None;
    entry.changes(|change| match change {
        Change::Set(changed, value) if changed == key => found = Some(Some(value.to_owned())),
        Change::Delete(changed) if changed == key => found = Some(None),
        _ => {}
    });
    found
}

struct Beginning {
    /// Time of the first entry that has one.
    at_ms: Option<i64>,
    /// The first entry is a checkpoint.
    is_checkpoint: bool,
}

fn beginning_of(source: &mut Source) -> Result<Beginning> {
    let mut beginning = Beginning { at_ms: None, is_checkpoint: false };
    let mut is_first = true;
    for_each_entry_again(source, &mut |entry| {
        if std::mem::take(&mut is_first) {
            beginning.is_checkpoint = entry.op() == "\"CHECKPOINT\"";
        }
        beginning.at_ms = entry.time().and_then(json::time_ms);
        beginning.at_ms.is_none()
    })?;
    Ok(beginning)
}

fn replay_until(source: &mut Source, at_ms: i64) -> Result<State> {
    let mut state = State::default();
    for_each_entry_again(source, &mut |entry| {
        // An entry without a time belongs to the one before it.
        if entry.time().and_then(json::time_ms).is_some_and(|entry_ms| entry_ms > at_ms) {
            return false;
        }
        entry.changes(|change| match change {
            Change::Set(key, value) => state.set(Member::new(key, value)),
            Change::Delete(key) => {
                state.remove(key);
            }
        });
        true
    })?;
    Ok(state)
}

/// Calls `visit` with the valid entries from the beginning, until it says false.
fn for_each_entry_again(source: &mut Source, visit: &mut dyn FnMut(&Entry) -> bool) -> Result<()> {
    source.file.rewind()?;
    let mut reader = LineReader::new(&mut *source.file, 0, source.end, 1);
    while let Some(line) = reader.next_line()? {
        if let Some(Ok(entry)) = line.entry()
            && !visit(&entry)
        {
            break;
        }
    }
    Ok(())
}
