//! What did a mirror show before somebody edited it, when nothing but the log can tell?
//!
//! ```text
//! log      a=1 │ b=1 │ b=2 │ edit c=1 │ d=1
//! states    P₁    P₂    P₃      P₄      P₅        a mirror that was written shows one of these
//!           └─────┴──── + c=1                     one that was edited when it was old, one of those
//! ```
//!
//! Each is compared with what the mirror shows now, a key at a time; the one from which the fewest keys
//! differ is taken for what it showed. Of several the last one, and a plain state before an edited one.
//!
//! An edit that was logged names the mirror it was found in by its hash. Where it is this very mirror, as when
//! a power cut has brought an older file back, nothing in it is new.
//!
//! Invariant: memory is that of the states, whatever the number of lines.

use std::cell::Cell;
use std::collections::HashMap;
use std::ops::RangeInclusive;

use super::entry::{Change, Entry};
use super::log::for_each_entry;
use super::mirror::{Shows, difference};
use super::replay::{Replayed, continue_replay};
use super::state::{Member, State};
use crate::error::Result;
use crate::vfs::File;

/// A position in the log, and how many keys differ there.
pub struct Nearest {
    /// Offset behind an operation.
    pub position: u64,
    /// Keys in which the state differs there from what the mirror shows.
    pub differing: usize,
}

/// What the mirror showed before, by the log alone. `hash` is that of the mirror's content, if no line is
/// missing with which an edit of it was logged.
pub fn nearest_base(file: &mut dyn File, end: u64, shown: &State, hash: Option<u64>) -> Result<Shows> {
    let plain = nearest(file, 0..=end, shown)?;
    if plain.differing > 0 {
        if hash.is_some() && was_logged(file, end, hash)? {
            return Ok(Shows::Content(shown.clone()));
        }
        if let Some(edited) = nearest_edited(file, end, shown)?
            && edited.fewest < plain.differing
        {
            return Ok(Shows::Content(edited.state));
        }
    }
    Ok(Shows::LogUpTo(plain.position))
}

/// Whether an edit was logged that was found in a mirror with this hash.
fn was_logged(file: &mut dyn File, end: u64, hash: Option<u64>) -> Result<bool> {
    let mut is_found = false;
    for_each_entry(file, end, |entry| is_found |= entry.edit.map(|tag| tag.mirror_hash) == hash)?;
    Ok(is_found)
}

/// The position in a part of the log whose state is nearest to what the mirror shows.
pub fn nearest(file: &mut dyn File, part: RangeInclusive<u64>, shown: &State) -> Result<Nearest> {
    // Keys that differ between the replayed state and the mirror; at first all of the mirror's.
    let differing = Cell::new(shown.len());
    let (mut fewest, mut position) =
        if part.contains(&0) { (differing.get(), 0) } else { (usize::MAX, *part.end()) };
    continue_replay(
        file,
        *part.end(),
        &mut Replayed::default(),
        &mut |key, before, after| {
            let is_worse = usize::from(differs(shown, key, after));
            differing.set(differing.get() - usize::from(differs(shown, key, before)) + is_worse);
        },
        &mut |offset| {
            if differing.get() <= fewest && part.contains(&offset) {
                (fewest, position) = (differing.get(), offset);
            }
        },
    )?;
    Ok(Nearest { position, differing: fewest })
}

fn differs(shown: &State, key: &str, value: Option<&str>) -> bool {
    shown.get(key).map(Member::value) != value
}

/// A key that edits behind a position set or remove: how many of them, and what the last one makes of it.
#[derive(Clone, Default)]
struct Edited {
    left: usize,
    value: Option<String>,
}

struct Walk {
    /// At the last entry that was looked at.
    state: State,
    fewest: usize,
    /// Entries before the last place with the fewest.
    entries: usize,
}

/// Whether a line holds an edit of a mirror that was old: any other left the mirror at a state of the log.
fn is_of_old(entry: &Entry) -> bool {
    entry.edit.is_some_and(|tag| tag.is_of_old)
}

/// Of the states of the log with all edits of old mirrors that come behind them, the nearest one. `None` where
/// none was logged.
fn nearest_edited(file: &mut dyn File, end: u64, shown: &State) -> Result<Option<Walk>> {
    let mut edited: HashMap<String, Edited> = HashMap::new();
    for_each_entry(file, end, |entry| {
        if is_of_old(entry) {
            entry.changes(|change| {
                let (key, value) = parts(change);
                let edited = edited.entry(key.to_owned()).or_default();
                edited.left += 1;
                edited.value = value.map(str::to_owned);
            });
        }
    })?;
    if edited.is_empty() {
        return Ok(None);
    }
    let found = walk(file, end, shown, edited.clone(), usize::MAX)?;
    walk(file, end, shown, edited, found.entries).map(Some)
}

/// Goes through these states, up to the one behind `entries_max`.
fn walk(
    file: &mut dyn File,
    end: u64,
    shown: &State,
    mut edited: HashMap<String, Edited>,
    entries_max: usize,
) -> Result<Walk> {
    let mut state = State::default();
    for (key, edited) in &edited {
        if let Some(value) = &edited.value {
            state.set(Member::new(key, value));
        }
    }
    let mut differing = difference(&state, shown).len();
    let (mut fewest, mut at, mut entries) = (differing, 0, 0);
    for_each_entry(file, end, |entry| {
        if entries == entries_max {
            return;
        }
        entries += 1;
        entry.changes(|change| {
            let (key, value) = parts(change);
            if let Some(later) = edited.get_mut(key) {
                later.left -= usize::from(is_of_old(entry));
                if later.left == 0 {
                    edited.remove(key);
                }
                return;
            }
            differing -= usize::from(differs(shown, key, state.get(key).map(Member::value)));
            differing += usize::from(differs(shown, key, value));
            match value {
                Some(value) => state.set(Member::new(key, value)),
                None => {
                    state.remove(key);
                }
            }
        });
        // Behind the last line of an operation of several lines there is only its END.
        if entry.more <= 1 && differing <= fewest {
            (fewest, at) = (differing, entries);
        }
    })?;
    Ok(Walk { state, fewest, entries: at })
}

fn parts(change: Change<'_>) -> (&str, Option<&str>) {
    match change {
        Change::Set(key, value) => (key, Some(value)),
        Change::Delete(key) => (key, None),
    }
}
