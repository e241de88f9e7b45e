//! What memory has more than the log, as lines: all of the state where the log was lost, what it lacks of a transaction,
//! and an edit that was found in the mirror.
//!
//! | memory                          | log    | lines                                                     |
//! |---------------------------------|--------|-----------------------------------------------------------|
//! | a transaction is not finished   | any    | its own, before all others                                |
//! | ahead: the log was lost         | any    | tombstones for keys that only the log has, a checkpoint, tagged `_memory` |
//! | an edit in the mirror           | empty  | a checkpoint of the whole state: old data without a log   |
//! | an edit in the mirror           | any    | a SET or DELETE for each key, tagged `_edit`              |
//! | what damaged lines have lost    | any    | the same, tagged `_memory`                                |
//!
//! Invariant: the log with these lines behind it comes to the published state.

use crate::data::state::{Member, State};
use crate::error::Result;
use crate::files::context::Context;
use crate::files::log::checkpoint::{CHECKPOINT_LINE_BYTES, chunks, tombstones};
use crate::files::log::encoder::Lines;
use crate::files::log::entry::Tag;
use crate::files::log::replay::replay;
use crate::files::mirror::edit::Edit;
use crate::files::open::open_log::OpenLog;
use crate::files::transaction::intent::Intent;

/// The lines for a log that ends at `log_end`. `None` where the log has all.
pub fn edit_lines(context: &Context, log: &OpenLog, log_end: u64) -> Result<Option<Lines>> {
    let mut lines = Lines::default();
    if let Some(unfinished) = log.unfinished() {
        if context.syncing().is_on() {
            Intent::make_durable(&*context.files, &context.data_folder)?;
        }
        lines.append(unfinished.lines());
    }
    let memory = log.memory_tag();
    if let Some(tag) = memory {
        push_state(context, log, Tag::Memory(tag), &mut lines)?;
    }
    if let Some(pending) = log.pending().filter(|pending| !pending.is_in_log) {
        let now_ms = context.files.now_ms();
        let tag = pending.memory_tag().map_or(Tag::Edit(pending.tag), Tag::Memory);
        if log_end == 0 && memory.is_none() {
            // Old data without a log: the log begins with all of it.
            push_state(context, log, tag, &mut lines)?;
        } else {
            lines.operation(tag, pending.edits.iter(), |encoder, edit, more| match edit {
                Edit::Set(member) => encoder.set(now_ms, member, more),
                Edit::Delete(key) => encoder.delete(now_ms, key, more),
            });
        }
    }
    Ok((!lines.bytes.is_empty()).then_some(lines))
}

/// The whole state as one operation.
fn push_state(context: &Context, log: &OpenLog, tag: Tag, lines: &mut Lines) -> Result<()> {
    enum Part {
        Checkpoint(Vec<Member>),
        Delete(String),
    }
    let state = log.shelf().whole_state()?;
    let in_log = match context.files.open_read(&log.paths().log)? {
        Some(mut file) => replay(&mut *file, log.end())?.state,
        None => State::default(),
    };
    let checkpoint = chunks(state.snapshot(), CHECKPOINT_LINE_BYTES).into_iter().map(Part::Checkpoint);
    let parts: Vec<Part> =
        tombstones(in_log, &state).into_iter().map(Part::Delete).chain(checkpoint).collect();
    let now_ms = context.files.now_ms();
    lines.operation(tag, parts.iter(), |encoder, part, more| match part {
        Part::Checkpoint(members) => encoder.checkpoint(now_ms, members, more),
        Part::Delete(key) => encoder.delete(now_ms, key, more),
    });
    Ok(())
}
