//! What a log and the old logs that it left behind say of the past: every recorded value of a key, and the state as
//! it was at a point in time. Read beside the writer.
//!
//! ```text
//! backup 1   CHECKPOINT a b c d
//! backup 2              CHECKPOINT c' d e f          c' d: appended while it was compacted, so in both
//! log                              CHECKPOINT g h
//! ```
//!
//! A key's records in two files after each other are compared to find what is in both: the checkpoint must show what the
//! file before shows, up to the lines that were copied. So an entry that happens to equal one before the compaction is
//! given too.
//!
//! Invariant: memory does not grow with the logs, only with what is asked for: one key's records, or one state.

use std::ops::Range;

use memchr::memmem;

use crate::data::entry_text::shown_of;
use crate::data::json::{self, quote};
use crate::data::state::{Member, State};
use crate::data::text::{TextBuilder, TextKind, Texts, object_of};
use crate::data::time::iso;
use crate::error::{Error, Result};
use crate::files::log::bytes::hash_of;
use crate::files::log::entry::Entry;
use crate::files::log::lines::LineReader;
use crate::files::past::old_logs::OldLog;
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
        let mut before: Option<Vec<KeyRecord>> = None;
        self.for_each(files, |mut source| {
            let found = records_of(&mut source, key)?;
            let news = before.as_ref().map_or(0..0, |before| found.known_from(before));
            let mut value = before.as_ref().and_then(|before| before.last()).and_then(|last| last.value_hash);
            for (number, record) in found.records.iter().enumerate() {
                // A checkpoint is news only where it says another value than the one that was recorded last.
                let is_known = news.contains(&number)
                    || (record.is_checkpoint
                        && (number > 0 || before.is_some())
                        && record.value_hash == value);
                value = record.value_hash;
                if !is_known {
                    records.push(&[&record.text]);
                }
            }
            before = Some(found.records);
            Ok(())
        })?;
        Ok(records.finish())
    }

    /// The state as it was at `at_ms`: behind the last entry that is not of a later time. An entry before that one
    /// counts, whatever its time: the clock may have been wrong for a while.
    pub fn state_at(self, files: &dyn FileSystem, at_ms: i64) -> Result<Texts> {
        let log_name = self.name.clone();
        let mut state = None;
        let mut oldest = None;
        self.for_each(files, |mut source| {
            let reach = reach_of(&mut source, at_ms)?;
            if reach.entries > 0 {
                // A later file has all that an earlier one has, and more.
                state = Some(replay_first(&mut source, reach.entries)?);
            }
            oldest.get_or_insert(reach);
            Ok(())
        })?;
        match (state, oldest) {
            (Some(state), _) => Ok(object_of(state.live(at_ms))),
            // No file says what was before the oldest checkpoint.
            (None, Some(Reach { is_checkpoint: true, begins_ms, .. })) => {
                Err(Error::no_history(log_name, iso(at_ms), iso(begins_ms.unwrap_or_default())))
            }
            (None, _) => Ok(object_of(State::default().iter())),
        }
    }
}

/// One record of a key.
struct KeyRecord {
    /// Of the entry.
    entry_hash: u64,
    /// Of the value and its expiry; `None` where the key is removed.
    value_hash: Option<u64>,
    time_ms: Option<i64>,
    is_checkpoint: bool,
    /// As callers see it.
    text: String,
}

/// The records of a key in a file.
struct KeyRecords {
    records: Vec<KeyRecord>,
    /// The file begins with a checkpoint.
    is_compacted: bool,
    /// Its time.
    compacted_ms: Option<i64>,
}

impl KeyRecords {
    /// Which records repeat what the file before says. A compacted log begins with a checkpoint of the file before,
    /// up to some line of it, and goes on with a copy of the lines behind that. Where a crash came between the backup's
    /// name and the new log, both files are the same log.
    fn known_from(&self, before: &[KeyRecord]) -> Range<usize> {
        if !self.is_compacted {
            let mut pairs = before.iter().zip(&self.records);
            let goes_on = before.len() <= self.records.len()
                && pairs.all(|(one, other)| one.entry_hash == other.entry_hash);
            return 0..if goes_on { before.len() } else { 0 };
        }
        let first = usize::from(self.records.first().is_some_and(|record| record.is_checkpoint));
        let own = &self.records[first..];
        let checkpoint = self.records[..first].first().and_then(|record| record.value_hash);
        let is_copy = |copied: usize| {
            let (older, copies) = before.split_at(before.len() - copied);
            let shown = older.last().and_then(|record| record.value_hash);
            let is_same = copies.iter().zip(own).all(|(one, other)| one.entry_hash == other.entry_hash);
            // Lines behind the checkpoint are not older than it, unless the clock was wrong.
            let is_later =
                copies.iter().all(|record| record.time_ms >= self.compacted_ms || record.time_ms.is_none());
            is_same && is_later && shown == checkpoint
        };
        let copied = (0..=before.len().min(own.len())).rev().find(|copied| is_copy(*copied));
        copied.map_or(0..0, |copied| 0..first + copied)
    }
}

fn records_of(source: &mut Source, key: &str) -> Result<KeyRecords> {
    let finder = memmem::Finder::new(key);
    let mut found = KeyRecords { records: Vec::new(), is_compacted: false, compacted_ms: None };
    let name = quote(&source.name);
    let mut is_first = true;
    let mut member: Option<Member> = None;
    let mut reader = LineReader::new(&mut *source.file, 0, source.end, 1);
    while let Some(line) = reader.next_line()? {
        let Some(entry) = line.entry() else { continue };
        if std::mem::take(&mut is_first) && entry.is_checkpoint() {
            found.is_compacted = true;
            found.compacted_ms = entry.time().and_then(json::time_ms);
        }
        if entry.spells_keys() && finder.find(line.bytes).is_none() {
            continue;
        }
        let Some(change) = change_of(&entry, key, member.as_ref()) else { continue };
        member = change;
        let time = entry.time();
        let shown = member.as_ref().map(shown_of).unwrap_or_default();
        let edit = if entry.edit.is_some() { ",\"isExternalEdit\":true" } else { "" };
        found.records.push(KeyRecord {
            entry_hash: hash_of(entry.text().as_bytes()),
            value_hash: member.as_ref().map(|member| hash_of(shown_of(member).as_bytes())),
            time_ms: time.and_then(json::time_ms),
            is_checkpoint: entry.is_checkpoint(),
            text: format!(
                "{{\"timestamp\":{},\"op\":{}{shown},\"source\":{name}{edit}}}",
                time.unwrap_or("null"),
                entry.op()
            ),
        });
    }
    Ok(found)
}

/// What an entry makes of a key that has `before`: `None` when it does not touch it, `Some(None)` when it removes it.
#[expect(clippy::option_option, reason = "not touched, removed, and set are three things")]
fn change_of(entry: &Entry, key: &str, before: Option<&Member>) -> Option<Option<Member>> {
    let mut found = None;
    entry.changes(|change| {
        let newest = found.as_ref().map_or(before, |found: &Option<Member>| found.as_ref());
        found = change.of_key(key, newest).or_else(|| found.take());
    });
    found
}

/// How far the entries of a file go up to a point in time.
struct Reach {
    /// Time of the first entry that has one.
    begins_ms: Option<i64>,
    /// The first entry is a checkpoint.
    is_checkpoint: bool,
    /// Number of entries up to the last one that is not later.
    entries: u64,
}

fn reach_of(source: &mut Source, at_ms: i64) -> Result<Reach> {
    let mut reach = Reach { begins_ms: None, is_checkpoint: false, entries: 0 };
    let (mut count, mut last_ms) = (0, None);
    for_each_entry_again(source, &mut |entry| {
        if count == 0 {
            reach.is_checkpoint = entry.is_checkpoint();
        }
        count += 1;
        // An entry without a time belongs to the one before it.
        last_ms = entry.time().and_then(json::time_ms).or(last_ms);
        reach.begins_ms = reach.begins_ms.or(last_ms);
        if last_ms.is_some_and(|entry_ms| entry_ms <= at_ms) {
            reach.entries = count;
        }
        true
    })?;
    if reach.begins_ms.is_none() {
        reach.entries = count;
    }
    Ok(reach)
}

/// The state behind the first `entries` of a file.
fn replay_first(source: &mut Source, entries: u64) -> Result<State> {
    let mut state = State::default();
    let mut left = entries;
    for_each_entry_again(source, &mut |entry| {
        entry.changes(|change| change.apply(&mut state));
        left -= 1;
        left > 0
    })?;
    Ok(state)
}

/// Calls `visit` with the valid entries from the beginning, until it says false.
fn for_each_entry_again(source: &mut Source, visit: &mut dyn FnMut(&Entry) -> bool) -> Result<()> {
    source.file.rewind()?;
    let mut reader = LineReader::new(&mut *source.file, 0, source.end, 1);
    while let Some(line) = reader.next_line()? {
        if let Some(entry) = line.entry()
            && !visit(&entry)
        {
            break;
        }
    }
    Ok(())
}
