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
//! | valid line, another byte for its break  | an entry     | used; the byte is set aside at the next write, or refused |
//! | valid line, the next one follows at once | an entry    | used; the break is put in at the next write |
//! | invalid last line without a line break  | a torn tail  | dropped, cut off at the next write    |
//! | last lines of an unfinished operation   | a torn tail  | dropped, cut off at the next write    |
//!
//! An operation of several lines says in each line how many follow (`_more`), so where it ends is known
//! also when one of its lines cannot be read. Damage costs only the damaged line, in an operation too: its
//! other lines may well have been acknowledged.
//!
//! Invariant: the state is that of whole operations; one that the log ends in the middle of never happened.

use super::entry::{Change, Entry, MemoryTag};
use super::lines::{Damage, Line, LineBreak, LineReader};
use super::log::Mending;
use super::mirror::LoggedEdit;
use super::state::{Member, State};
use crate::error::Result;
use crate::vfs::File;

/// The valid lines of a log, applied.
#[derive(Default)]
pub struct Replayed {
    /// The state after them.
    pub state: State,
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

/// What a process remembered of a log that was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoggedMemory {
    /// Up to where it knew that log.
    pub known_end: u64,
    /// Offset behind its last line.
    pub log_end: u64,
}

/// Told of each change of a key: key, value before, value after.
pub type OnChange<'a> = &'a mut dyn FnMut(&str, Option<&str>, Option<&str>);

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
    let mut replayed = Replayed::default();
    match continue_replay(file, limit, &mut replayed, &mut |_, _, _| {}, &mut |_| {})? {
        Ending::Whole => Ok(replayed),
        Ending::UnfinishedFrom(start) => {
            // It was never finished, so it never happened.
            let torn_bytes = replayed.end + replayed.mending.torn_bytes - start;
            replayed = Replayed::default();
            continue_replay(file, start, &mut replayed, &mut |_, _, _| {}, &mut |_| {})?;
            replayed.mending.torn_bytes = torn_bytes;
            Ok(replayed)
        }
    }
}

/// Goes on from `replayed.end` up to `limit` or the end of the file. `on_operation` is told of the
/// offset behind each whole operation.
pub fn continue_replay(
    file: &mut dyn File,
    limit: u64,
    replayed: &mut Replayed,
    on_change: OnChange,
    on_operation: &mut dyn FnMut(u64),
) -> Result<Ending> {
    let (mut operation_start, mut lines_to_come) = (replayed.end, 0_u64);
    let mut reader = LineReader::new(file, replayed.end, limit, replayed.lines + 1);
    while let Some(line) = reader.next_line()? {
        replayed.mending.has_bom |= line.has_bom();
        if lines_to_come == 0 {
            operation_start = line.offset;
        }
        let entry = line.entry();
        if let (Some(Err(_)), Some(first)) = (&entry, line.first_of_joined()) {
            reader.split_last(first);
            continue;
        }
        match entry {
            Some(Err(_)) if !line.is_terminated => {
                let whole = line.without_zeros();
                let size_bytes = match whole.entry() {
                    Some(Ok(entry)) if whole.bytes.len() < line.bytes.len() => {
                        lines_to_come = take(&entry, &whole, replayed, on_change);
                        if lines_to_come == 0 {
                            on_operation(whole.end());
                        }
                        replayed.mending.is_unterminated = true;
                        replayed.end = whole.end();
                        replayed.lines = whole.number;
                        whole.bytes.len()
                    }
                    _ => 0,
                };
                replayed.mending.torn_bytes = line.size_bytes() - size_bytes as u64;
                break;
            }
            Some(Err(reason)) => {
                let ends_operation = lines_to_come == 1;
                replayed.mending.damages.push(Damage { ends_operation, ..Damage::of(&line, reason) });
                lines_to_come = lines_to_come.saturating_sub(1);
            }
            Some(Ok(entry)) => {
                lines_to_come = take(&entry, &line, replayed, on_change);
                if lines_to_come == 0 {
                    on_operation(line.end());
                }
            }
            None => {}
        }
        match line.ending {
            LineBreak::Whole => {}
            LineBreak::Wrong => replayed.mending.damages.push(line.wrong_break()),
            LineBreak::Missing => replayed.mending.missing_breaks.push(line.end()),
        }
        replayed.mending.is_unterminated = !line.is_terminated;
        replayed.end = line.end();
        replayed.lines = line.number;
    }
    Ok(if lines_to_come == 0 { Ending::Whole } else { Ending::UnfinishedFrom(operation_start) })
}

/// Takes an entry over; gives for how many more lines its operation goes on.
fn take(entry: &Entry, line: &Line, replayed: &mut Replayed, on_change: OnChange) -> u64 {
    apply(entry, replayed, on_change);
    let logged = entry.mirror_hash().map(|mirror_hash| LoggedEdit { mirror_hash, log_end: line.end() });
    replayed.last_edit = logged.or(replayed.last_edit);
    if let Some(MemoryTag { known_end, .. }) = entry.memory {
        let memory = LoggedMemory { known_end, log_end: line.end() };
        match replayed.memories.last_mut() {
            // One operation may have several lines.
            Some(last) if last.known_end == known_end => *last = memory,
            _ => replayed.memories.push(memory),
        }
    }
    entry.more
}

fn apply(entry: &Entry, replayed: &mut Replayed, on_change: OnChange) {
    let state = &mut replayed.state;
    entry.changes(|change| match change {
        Change::Set(key, value) => {
            on_change(key, state.get(key).map(Member::value), Some(value));
            state.set(Member::new(key, value));
        }
        Change::Delete(key) => {
            on_change(key, state.get(key).map(Member::value), None);
            state.remove(key);
        }
    });
}
