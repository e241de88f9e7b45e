//! A commit: append, sync, publish, answer; of what one log's requests staged, while the lock is
//! held and memory is in step with the files.
//!
//! Invariant: a write is answered with success only after its lines were synced (by the mode that the
//! user chose) and are part of the published state. One that found nothing to change has no lines; what it
//! found is made as durable as lines are. When that or the append fails, every write of the batch gets the error.

use crate::error::Result;
use crate::files::context::Context;
use crate::files::log::file::Appended;
use crate::files::shelf::Shelf;
use crate::files::write::batch::{Batch, StagedCall};
use crate::files::write::log_writer::LogWriter;
use crate::files::write::run::Run;
use crate::store::answer::Answer;

/// Writes what is staged, publishes it and answers. Where the lock files were removed, another process may have
/// written on: then nothing is written, and what was asked is in `run.again`.
pub fn commit(context: &Context, writer: &mut LogWriter, run: &mut Run) {
    let batch = std::mem::take(&mut run.batch);
    if batch.waiting.is_empty() {
        return;
    }
    let is_write = batch.waiting.iter().any(|(_, waiting)| waiting.is_write());
    // What was asked behind calls that are made anew is made anew as well.
    if !run.again.is_empty() || (is_write && !run.lock.is_in_place(&*context.files)) {
        run.again.extend(batch.into_requests(&writer.log().paths().name));
        return;
    }
    let written = match (batch.lines.bytes.is_empty(), is_write) {
        (false, _) => writer.append_and_publish(context, &batch.lines, &batch.changes),
        (true, true) => writer.keep_what_was_found(context).map(|()| Appended::Alone),
        (true, false) => Ok(Appended::Alone),
    };
    if written == Ok(Appended::Outdated) {
        run.again.extend(batch.into_requests(&writer.log().paths().name));
        return;
    }
    answer(context, writer.log().shelf(), batch, &written.map(|_| ()), run);
}

fn answer(context: &Context, shelf: &Shelf, batch: Batch, written: &Result<()>, run: &mut Run) {
    let mut now_us = None;
    for (ticket, waiting) in batch.waiting {
        if let (Some(asked_us), true, Ok(())) = (ticket.asked_us(), waiting.is_write(), written) {
            let now_us = *now_us.get_or_insert_with(|| context.files.monotonic_us());
            shelf.metrics.ack.record(now_us.saturating_sub(asked_us));
        }
        let answer = match (waiting, written) {
            (StagedCall::Appended(open), Ok(())) => Ok(Answer::Written(open)),
            (StagedCall::Read(answer, _), Ok(())) => Ok(answer),
            (StagedCall::Written(answer @ Err(_), _), _) | (StagedCall::Written(answer, _), Ok(())) => answer,
            (StagedCall::Appended(_) | StagedCall::Written(..), Err(error)) => Err(error.clone()),
            (StagedCall::Read(_, query), Err(_)) => shelf
                .hold(query.keys().iter().map(String::as_str))
                .map(|()| Batch::default().answer_of_keys(shelf, &query, context.files.now_ms())),
        };
        run.answer(ticket, answer);
    }
}
