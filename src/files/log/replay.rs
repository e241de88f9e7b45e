//! From the lines of a log to its state.
//!
//! ```text
//! good line \n │ damaged line \n │ good line \n │ torn tail (no \n)
//! ```
//!
//! | found                                   | is           | leads to                              |
//! |-----------------------------------------|--------------|---------------------------------------|
//! | valid line                              | an entry     | used                                  |
//! | valid last line without its line break  | an entry     | used; the break is written first      |
//! | the same with zeros behind it           | an entry     | used; the zeros are a torn tail       |
//! | empty line                              | nothing      | skipped                               |
//! | invalid line with a line break          | damage       | set aside at the next write, or refused |
//! | garbage before a valid line, in its line | damage      | set aside at the next write, or refused |
//! | valid line, another byte for its break  | an entry     | used; the byte is set aside at the next write, or refused |
//! | valid line, the next one follows at once | an entry    | used; the break is put in at the next write |
//! | invalid last line without a line break  | a torn tail  | dropped, cut off at the next write    |
//! | the same, of a CHECKPOINT               | damage       | set aside at the next write, or refused |
//! | last lines of an unfinished operation   | a torn tail  | dropped, cut off at the next write    |
//! | the same, of CHECKPOINTs                | damage behind them | they are used; END is put behind them at the next write, or refused |
//!
//! An operation of several lines says in each line how many follow (`_more`), so where it ends is known
//! also when one of its lines cannot be read. Damage costs only the damaged line, in an operation too: its
//! other lines may well have been acknowledged.
//!
//! A checkpoint was synced before it was in its place, so no crash leaves a part of it: that is damage, and what it
//! held is in a backup or in the mirror.
//!
//! Invariant: the state is that of whole operations; one that the log ends in the middle of never happened.

use crate::data::entry_text::KeyChange;
use crate::data::state::{Kept, Member, State};
use crate::error::Result;
use crate::files::log::bytes::offset_in;
use crate::files::log::entry::{Entry, Invalid, MemoryTag};
use crate::files::log::lines::{Damage, Line, LineBreak, LineKind, LineReader};
use crate::files::log::mending::Mending;
use crate::vfs::File;

/// The valid lines of a log, applied.
pub struct Replayed<V = Member> {
    /// The state after them.
    pub state: State<V>,
    /// Offset behind the last whole line.
    pub end: u64,
    /// Lines before it.
    pub lines: u64,
    /// What is wrong with the file.
    pub mending: Mending,
    /// The edit that was logged last.
    pub last_edit: Option<LoggedEdit>,
    /// What processes remembered of a log that was lost.
    pub memories: Vec<LoggedMemory>,
}

impl<V> Default for Replayed<V> {
    fn default() -> Self {
        Self {
            state: State::default(),
            end: 0,
            lines: 0,
            mending: Mending::default(),
            last_edit: None,
            memories: Vec::new(),
        }
    }
}

/// An edit that is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoggedEdit {
    /// Hash of the mirror in which it was found.
    pub mirror_hash: u64,
    /// Offset behind its last line.
    pub log_end: u64,
}

/// What a process remembered of a log that was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoggedMemory {
    /// What it knew.
    pub tag: MemoryTag,
    /// Offset behind its last line.
    pub log_end: u64,
}

/// Called with each change of a key: key, member before, member after.
pub type OnChange<'a, V = Member> = &'a mut dyn FnMut(&str, Option<&V>, Option<&V>);

/// Whether the lines that were read end with a whole operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// They do.
    Whole,
    /// They do not; the operation begins at this offset.
    UnfinishedFrom(u64),
}

/// Replays a log up to `limit` or its end.
pub fn replay(file: &mut dyn File, limit: u64) -> Result<Replayed> {
    replay_into(file, limit, State::default)
}

/// The same into a state that `begin` makes empty.
pub fn replay_into<V: Kept>(
    file: &mut dyn File,
    limit: u64,
    begin: impl Fn() -> State<V>,
) -> Result<Replayed<V>> {
    let mut replayed = Replayed { state: begin(), ..Replayed::default() };
    match continue_replay(file, limit, &mut replayed, &mut |_, _, _| {}, &mut |_| {})? {
        Ending::Whole => Ok(replayed),
        Ending::UnfinishedFrom(start) => {
            // It was never finished, so it never happened.
            let all_bytes = replayed.end + replayed.mending.torn_bytes;
            file.rewind()?;
            replayed = Replayed { state: begin(), ..Replayed::default() };
            continue_replay(file, start, &mut replayed, &mut |_, _, _| {}, &mut |_| {})?;
            replayed.mending.torn_bytes = all_bytes - replayed.end;
            Ok(replayed)
        }
    }
}

/// An operation of several lines that is not over.
#[derive(Clone, Copy)]
struct Operation {
    start: u64,
    lines_to_come: u64,
    is_checkpoint: bool,
    /// The edit that was logged last before it. One of which a line is lost is not logged: what the mirror shows counts.
    edit_before: Option<LoggedEdit>,
    is_damaged: bool,
}

/// Goes on from `replayed.end` up to `limit` or the end of the file. `on_operation` gets the
/// offset behind each whole operation.
pub fn continue_replay<V: Kept>(
    file: &mut dyn File,
    limit: u64,
    replayed: &mut Replayed<V>,
    on_change: OnChange<V>,
    on_operation: &mut dyn FnMut(u64),
) -> Result<Ending> {
    let mut operation: Option<Operation> = None;
    let mut reader = LineReader::new(file, replayed.end, limit, replayed.lines + 1);
    while let Some(line) = reader.next_line()? {
        replayed.mending.has_bom |= line.has_bom();
        if line.is_torn() {
            replayed.mending.torn_bytes = line.size_bytes();
            break;
        }
        match line.found {
            LineKind::Nothing => {}
            LineKind::Entry(entry) => {
                let edit_before = replayed.last_edit;
                take(&entry, &line, replayed, on_change);
                if let Some(running) = operation.filter(|running| running.is_damaged) {
                    replayed.last_edit = running.edit_before;
                }
                operation = (entry.more > 0).then(|| match operation {
                    Some(operation) => Operation { lines_to_come: entry.more, ..operation },
                    None => Operation {
                        start: line.offset,
                        lines_to_come: entry.more,
                        is_checkpoint: entry.is_checkpoint(),
                        edit_before,
                        is_damaged: false,
                    },
                });
                if operation.is_none() {
                    on_operation(line.end());
                }
            }
            LineKind::Invalid(reason) => {
                take_damage(&line, reason, &mut operation, replayed);
            }
        }
        match line.ending {
            LineBreak::Wrong => replayed.mending.damages.push(line.wrong_break()),
            LineBreak::Missing if line.entry().is_some() => replayed.mending.missing_breaks.push(line.end()),
            LineBreak::Whole | LineBreak::Missing => {}
        }
        // A line that goes aside needs no line break.
        replayed.mending.is_unterminated = !line.is_terminated && !matches!(line.found, LineKind::Invalid(_));
        replayed.end = line.end();
        replayed.lines = line.number;
    }
    Ok(match operation {
        None => Ending::Whole,
        Some(Operation { is_checkpoint: true, edit_before, .. }) => {
            replayed.last_edit = edit_before;
            end_checkpoint(replayed);
            on_operation(replayed.end);
            Ending::Whole
        }
        Some(Operation { start, .. }) => Ending::UnfinishedFrom(start),
    })
}

/// Notes a line that is not valid, and what that means for the operation it stands in.
fn take_damage<V>(
    line: &Line,
    reason: Invalid,
    operation: &mut Option<Operation>,
    replayed: &mut Replayed<V>,
) {
    let mut damage = Damage::of(line, reason);
    if let Some(running) = operation {
        running.is_damaged = true;
        replayed.last_edit = running.edit_before;
    }
    // What follows garbage in its line says by itself where the operation is.
    if let Some(running) = operation
        && line.ending == LineBreak::Whole
    {
        running.lines_to_come -= 1;
        damage.ends_operation = running.lines_to_come == 0 || !line.is_terminated;
        *operation = operation.filter(|_| !damage.ends_operation);
    }
    replayed.mending.damages.push(damage);
}

/// The log ends within a checkpoint of several lines: what is there is used, and what is missing is damage.
fn end_checkpoint<V>(replayed: &mut Replayed<V>) {
    let mending = &mut replayed.mending;
    if std::mem::take(&mut mending.is_unterminated) {
        mending.missing_breaks.push(replayed.end);
    }
    let size_bytes = std::mem::take(&mut mending.torn_bytes);
    mending.damages.push(Damage {
        offset: replayed.end,
        size_bytes,
        line: replayed.lines + 1,
        key: None,
        reason: Invalid::CutCheckpoint,
        has_break: false,
        is_checkpoint: true,
        ends_operation: true,
    });
    replayed.end += size_bytes;
    replayed.lines += u64::from(size_bytes > 0);
}

/// Takes an entry over.
fn take<V: Kept>(entry: &Entry, line: &Line, replayed: &mut Replayed<V>, on_change: OnChange<V>) {
    apply(entry, line, replayed, on_change);
    let logged = entry.mirror_hash().map(|mirror_hash| LoggedEdit { mirror_hash, log_end: line.end() });
    replayed.last_edit = logged.or(replayed.last_edit);
    if let Some(tag) = entry.memory {
        let memory = LoggedMemory { tag, log_end: line.end() };
        match replayed.memories.last_mut() {
            // One operation may have several lines.
            Some(last) if last.tag == tag => *last = memory,
            _ => replayed.memories.push(memory),
        }
    }
}

fn apply<V: Kept>(entry: &Entry, line: &Line, replayed: &mut Replayed<V>, on_change: OnChange<V>) {
    let state = &mut replayed.state;
    entry.changes(|change| match change {
        KeyChange::Set(key, value, expires_ms) => {
            let member = V::from(Member::expiring(key, value, expires_ms));
            on_change(key, state.get(key), Some(&member));
            state.set_at(member, offset_in(line.bytes, line.offset, value));
        }
        KeyChange::Delete(key) => {
            on_change(key, state.get(key), None);
            state.remove(key);
        }
        KeyChange::Expire(until_ms) => {
            state.over(until_ms).for_each(|member| on_change(member.key(), Some(member), None));
            state.expire(until_ms);
        }
    });
}
