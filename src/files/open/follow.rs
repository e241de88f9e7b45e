//! What a log's lines change, noted for those who watch its keys: each line once, in order, also across a compaction.
//!
//! ```text
//! the log that was known     ═══════════════════╪══════┤       ╪: noted up to here
//! the compacted one          checkpoint │ ══════│══════┤ ══════════
//!                                         └─ copied ───┘ P      noted from P on
//! ```
//!
//! 1. What the known log has behind the place up to which it was noted: it is open still, whatever its name is now.
//! 2. P: the new log repeats, behind its checkpoint, the last lines of the known one. As many as are the same are passed over.
//! 3. What the new log has behind P. Where there was no log, all of it is new.
//!
//! Where one of these is not to be had (on Windows no log stays open, and the log may have been compacted twice), the
//! difference between the states is noted instead (`Watched::settle`): then the changes of one key are one.
//!
//! Invariant: nothing here changes a file or the state.

use std::sync::Arc;

use crate::data::entry_text::KeyChange;
use crate::data::json::quote;
use crate::data::slots::Places;
use crate::data::state::{Kept, Member, Slot, State};
use crate::data::time::iso;
use crate::error::Result;
use crate::files::context::Context;
use crate::files::log::bytes::read_full;
use crate::files::log::entry::Entry;
use crate::files::log::file::LogFile;
use crate::files::log::lines::LineReader;
use crate::files::open::loaded::Loaded;
use crate::files::shelf::Shelf;
use crate::files::values::slot_snapshot::SlotSnapshot;
use crate::store::watch::{Watched, Watcher};
use crate::vfs::File;

/// How much of the end of the known log is searched for in the new one.
const COPIED_BYTES_MAX: u64 = 8 << 20;

/// Who watches the keys of a log, if anybody does.
#[derive(Default)]
pub struct Followers(Option<Box<Watched>>);

impl Followers {
    /// From now on the changes to this state are for this watcher, too.
    pub fn add(&mut self, watcher: &Arc<Watcher>, shelf: &Shelf) {
        let wanted = shelf.snapshot(|state| places_of(state, |key| watcher.filter().wants(key)));
        // What cannot be read is looked for when the log was read anew.
        let state = members_of(&wanted).unwrap_or_default();
        self.0.get_or_insert_default().add(watcher, &state);
        self.forget_ended();
    }

    /// Forgets those that have ended.
    pub fn forget_ended(&mut self) {
        if self.0.as_mut().is_some_and(|watched| watched.prune()) {
            self.0 = None;
        }
    }

    /// These lines were appended, and the state has them already.
    pub fn appended(&mut self, context: &Context, lines: &[u8], state: &State<Slot>) {
        let Some(watched) = &mut self.0 else { return };
        note_appended(watched, lines, state, &now(context));
    }

    /// The log has grown from one offset to another, and the state has that already.
    pub fn grown(
        &mut self,
        context: &Context,
        (log, from, to): (&mut dyn File, u64, u64),
        state: &State<Slot>,
    ) -> Noted {
        let Some(watched) = &mut self.0 else { return Noted::All };
        match note_range(watched, log, (from, to), state, &now(context)) {
            Ok(()) => Noted::All,
            Err(_) => Noted::Part,
        }
    }

    /// The log was loaded anew. First, line by line, what leads there from the one that was known.
    pub fn loaded(&mut self, context: &Context, known: &mut LogFile, loaded: &Loaded) {
        let Some(watched) = &mut self.0 else { return };
        let now = now(context);
        let noted_end = known.end();
        let is_first = known.stamp().is_none();
        let is_other = known.stamp().map(|it| it.id) != loaded.file.stamp().map(|it| it.id);
        if is_first && let Ok(Some(mut log)) = context.files.open_read(&loaded.file.paths().log) {
            let _ = note_range(watched, &mut *log, (0, loaded.file.end()), &loaded.state, &now);
        } else if is_other
            && let Some(known) = known.known_log()
            && let Ok(Some(mut log)) = context.files.open_read(&loaded.file.paths().log)
        {
            let (known, new) = ((known, noted_end), (&mut *log, loaded.file.end()));
            // Where it cannot be read, the difference is noted.
            let _ = note_successor(watched, known, new, &loaded.state, &now);
        }
        let wanted = places_of(&loaded.state, |key| watched.is_wanted(key));
        if let Ok(state) = members_of(&SlotSnapshot::new(wanted, loaded.values.clone())) {
            watched.settle(&state, &now);
        }
    }

    /// The state is what the shelf has now.
    pub fn settle(&mut self, context: &Context, shelf: &Shelf) {
        let Some(watched) = &mut self.0 else { return };
        let wanted = shelf.snapshot(|state| places_of(state, |key| watched.is_wanted(key)));
        // What cannot be read is settled when the log was read anew.
        if let Ok(state) = members_of(&wanted) {
            watched.settle(&state, &now(context));
        }
    }
}

/// Whether each of the lines was noted. What cannot be read a second time is noted as one change a key, by `settle`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// Each was.
    All,
    /// Some were not.
    Part,
}

fn places_of(state: &State<Slot>, is_wanted: impl Fn(&str) -> bool) -> Places {
    let wanted = state.places().filter(|(slot, _)| is_wanted(slot.key()));
    wanted.map(|(slot, offset)| (slot.clone(), offset)).collect()
}

fn members_of(snapshot: &SlotSnapshot) -> Result<State> {
    let mut state = State::default();
    for member in snapshot.members() {
        state.set(member?);
    }
    Ok(state)
}

/// The time as JSON text.
fn now(context: &Context) -> Arc<str> {
    quote(&iso(context.files.now_ms())).into()
}

fn note_entry(watched: &mut Watched, entry: &Entry, state: &State<Slot>, now: &Arc<str>) {
    let time = entry.time().map_or_else(|| Arc::clone(now), Arc::from);
    entry.changes(|change| watched.note(change, &time, state));
}

/// Notes lines that were appended, and that the state has already.
fn note_appended(watched: &mut Watched, lines: &[u8], state: &State<Slot>, now: &Arc<str>) {
    for line in lines.split(|byte| *byte == b'\n') {
        if let Ok(entry) = Entry::decode(line) {
            note_entry(watched, &entry, state, now);
        }
    }
}

/// Notes the lines of a file from one offset to another.
fn note_range(
    watched: &mut Watched,
    file: &mut dyn File,
    (from, to): (u64, u64),
    state: &State<Slot>,
    now: &Arc<str>,
) -> Result<()> {
    let mut reader = LineReader::new(file, from, to, 1);
    while let Some(line) = reader.next_line()? {
        if let Some(entry) = line.entry() {
            note_entry(watched, &entry, state, now);
        }
    }
    Ok(())
}

/// Offset behind the checkpoint with which a file begins; 0 where it begins with something else. And whether the checkpoint
/// holds what was noted last.
fn checkpoint(watched: &Watched, file: &mut dyn File) -> Result<(u64, bool)> {
    let (mut end, mut found): (u64, State) = (0, State::default());
    let mut reader = LineReader::new(file, 0, u64::MAX, 1);
    while let Some(line) = reader.next_line()? {
        // END closes a checkpoint of several lines.
        let part = line.entry().filter(|entry| entry.is_checkpoint() || end > 0 && entry.is_end());
        let Some(part) = part else { break };
        end = line.end();
        part.changes(|change| {
            if let KeyChange::Set(key, value, expires_ms) = change
                && watched.is_wanted(key)
            {
                found.set(Member::expiring(key, value, expires_ms));
            }
        });
    }
    Ok((end, watched.is_at(&found)))
}

fn bytes_of(file: &mut dyn File, from: u64, to: u64) -> Result<Vec<u8>> {
    let length = usize::try_from(to.saturating_sub(from).min(COPIED_BYTES_MAX)).unwrap_or(0);
    let mut bytes = vec![0; length];
    let read = read_full(file, &mut bytes, from)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// How many bytes at the beginning of `new` are whole lines with which `known` ends.
fn copied(known: &[u8], new: &[u8]) -> usize {
    let ends = memchr::memrchr_iter(b'\n', &new[..new.len().min(known.len())]).map(|at| at + 1);
    ends.into_iter().find(|end| known.ends_with(&new[..*end])).unwrap_or(0)
}

/// Notes what came behind what was noted of the log that was known, `known`, up to `noted_end`, and then in `new`, which was
/// made of it, up to `new_end`. False where it is not known what of `new` is new.
fn note_successor(
    watched: &mut Watched,
    (known, noted_end): (&mut (dyn File + '_), u64),
    (new, new_end): (&mut (dyn File + '_), u64),
    state: &State<Slot>,
    now: &Arc<str>,
) -> Result<bool> {
    let known_end = known.stamp()?.size_bytes;
    note_range(watched, known, (noted_end, known_end), state, now)?;
    let (checkpoint_end, is_noted) = checkpoint(watched, new)?;
    if checkpoint_end == 0 {
        return Ok(false);
    }
    let known_tail = bytes_of(known, known_end.saturating_sub(COPIED_BYTES_MAX), known_end)?;
    let new_lines = bytes_of(new, checkpoint_end, new_end)?;
    let copied_bytes = copied(&known_tail, &new_lines) as u64;
    if copied_bytes == 0 && !is_noted {
        // It is not known where the new lines begin.
        return Ok(false);
    }
    note_range(watched, new, (checkpoint_end + copied_bytes, new_end), state, now)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_were_copied_are_as_many_as_are_the_same() {
        assert_eq!(copied(b"a\nb\nc\n", b"b\nc\nd\n"), 4);
        assert_eq!(copied(b"a\nb\nc\n", b"c\nd\n"), 2);
        assert_eq!(copied(b"a\nb\nc\n", b"d\n"), 0);
        assert_eq!(copied(b"a\nb\n", b""), 0);
        assert_eq!(copied(b"a\na\n", b"a\na\nb\n"), 4);
        assert_eq!(copied(b"xa\n", b"a\nb\n"), 2, "a line is compared from where the new log has it");
    }
}
