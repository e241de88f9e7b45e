//! A batch, from requests to answers: lock, catch up, stage, append, sync, publish, answer.
//!
//! ```text
//! requests of one log:   append  write  read-key  write │ read-whole │ write …
//! lines in one append:   [edit]  l1     -         l2 l3 │            │ l4
//! ```
//!
//! All writes of a batch go to the log in one append with one sync. A call that looks at the whole
//! state (│) first commits what was staged before it. A call that looks at one key sees what was
//! staged before it and is answered with the batch.
//!
//! Invariant: a write is answered with success only after its lines were synced (by the mode that the
//! user chose) and are part of the published state. When the append fails, the log and the published
//! state are as before, and every write of the batch gets the error.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::catch_up::Log;
use super::core::{Context, Engine};
use super::entry::{Change, Encoder, Entry};
use super::job::{Job, ReadJob};
use super::lock::Purpose;
use super::log::{Appended, LogPaths};
use super::mirror::Edit;
use super::name::LogName;
use super::options::{FsyncMode, OnCorruption};
use super::read::EntryCursor;
use super::request::{
    Answer, Expected, Line, Outcome, Outlet, Read, Replace, Request, Scope, Stage, Ticket, View, Work,
};
use super::state::Member;
use crate::error::{Error, Result};

/// A SET of many keys, and a checkpoint, become several lines beyond this.
const SET_MANY_BYTES_MAX: usize = 16 << 20;
/// Size of a checkpoint's lines.
pub const CHECKPOINT_LINE_BYTES: usize = 1 << 20;
/// Numbers of at most this many fields are kept for leaderboards.
const FIELDS_MAX: usize = 32;
/// Up to this size, reading a field of all values needs no kept numbers.
const SMALL_STATE_BYTES: u64 = 256 << 10;

impl Engine {
    pub(super) fn commit_batch(&mut self, requests: Vec<Request>) {
        let requests = if self.context.options.on_corruption == OnCorruption::Refuse {
            self.without_refused(requests)
        } else {
            requests
        };
        let is_write = |request: &Request| match &request.work {
            Work::Append(_) | Work::Write(..) | Work::Compact(None) => true,
            Work::Compact(Some(threshold_bytes)) => self.is_log_over(&request.log, *threshold_bytes),
            Work::Replace(replace) => matches!(replace.expected, Expected::Value(_)),
            _ => false,
        };
        let purpose = if requests.iter().any(is_write) { Purpose::Write } else { Purpose::Read };
        if let Err(error) = self.acquire(purpose) {
            for request in requests {
                let name = request.log.clone();
                let mut run = Run { outlets: Vec::new(), jobs: &mut self.jobs, batch: Batch::default() };
                if let Some(log) = self.logs.get_mut(&name) {
                    log.refuse(vec![request], &error, &mut run);
                } else {
                    run.answer(request.ticket, Err(error.clone()));
                }
                let outlets = run.outlets;
                self.answered_all(outlets);
            }
            return;
        }
        let mut by_log: Vec<(LogName, Vec<Request>)> = Vec::new();
        for request in requests {
            match by_log.iter_mut().find(|(name, _)| *name == request.log) {
                Some((_, requests)) => requests.push(request),
                None => by_log.push((request.log.clone(), vec![request])),
            }
        }
        for (name, requests) in by_log {
            self.log(&name);
            let Some(log) = self.logs.get_mut(&name) else { continue };
            let mut run = Run { outlets: Vec::new(), jobs: &mut self.jobs, batch: Batch::default() };
            log.run(&self.context, requests, &mut run);
            let outlets = run.outlets;
            self.answered_all(outlets);
        }
    }

    /// So that a scheduler with nothing to do makes not even a lock.
    fn is_log_over(&self, name: &LogName, size_bytes: u64) -> bool {
        let paths = LogPaths::new(&self.context.data_folder, name);
        let stamp = self.context.files.stamp(&paths.log);
        stamp.is_ok_and(|stamp| stamp.is_some_and(|stamp| stamp.size_bytes > size_bytes))
    }

    fn answered_all(&mut self, outlets: Vec<Arc<dyn Outlet>>) {
        for outlet in outlets {
            self.answered(outlet);
        }
    }

    /// With `onCorruption: 'refuse'`, calls on a damaged log are refused before even the lock is made.
    fn without_refused(&mut self, requests: Vec<Request>) -> Vec<Request> {
        let mut names: Vec<LogName> = requests.iter().map(|request| request.log.clone()).collect();
        names.dedup();
        let refused: Vec<(LogName, Error)> = names
            .into_iter()
            .filter_map(|name| {
                let ready = self.acquire(Purpose::Read).and_then(|()| {
                    self.log(&name);
                    self.logs.get_mut(&name).map_or(Ok(()), |log| log.catch_up(&self.context))
                });
                ready.err().filter(|error| error.code == "ERR_LOG_CORRUPT").map(|error| (name, error))
            })
            .collect();
        self.lock.release();
        let mut passed = Vec::with_capacity(requests.len());
        for request in requests {
            match refused.iter().find(|(name, _)| *name == request.log) {
                Some((_, error)) => {
                    let outlet = request.ticket.answer(Err(error.clone()));
                    self.answered(outlet);
                }
                None => passed.push(request),
            }
        }
        passed
    }

    /// A JavaScript thread will not try again what it left unfinished: its waiting calls go on.
    pub fn abandon(&mut self, outlet: &Arc<dyn Outlet>) {
        let released: Vec<Request> =
            self.logs.values_mut().flat_map(|log| log.held.release(outlet)).collect();
        if !released.is_empty() {
            self.run_batch(released);
        }
    }
}

/// Calls that wait until an earlier call of the same caller has made its next try; see `Replace`.
#[derive(Default)]
pub struct Held(Vec<(Arc<dyn Outlet>, VecDeque<Request>)>);

impl Held {
    fn is_waiting(&self, ticket: &Ticket) -> bool {
        self.0.iter().any(|(outlet, _)| ticket.is_of(outlet))
    }

    fn wait(&mut self, request: Request) {
        if let Some((_, waiting)) = self.0.iter_mut().find(|(outlet, _)| request.ticket.is_of(outlet)) {
            waiting.push_back(request);
        }
    }

    fn begin(&mut self, outlet: Arc<dyn Outlet>) {
        self.0.push((outlet, VecDeque::new()));
    }

    fn release(&mut self, outlet: &Arc<dyn Outlet>) -> VecDeque<Request> {
        match self.0.iter().position(|(known, _)| Arc::ptr_eq(known, outlet)) {
            Some(place) => self.0.swap_remove(place).1,
            None => VecDeque::new(),
        }
    }
}

/// What comes out of the requests of one log.
struct Run<'a> {
    outlets: Vec<Arc<dyn Outlet>>,
    jobs: &'a mut Vec<Job>,
    batch: Batch,
}

impl Run<'_> {
    fn answer(&mut self, ticket: Ticket, answer: Result<Answer>) {
        let outlet = ticket.answer(answer);
        if !self.outlets.iter().any(|known| Arc::ptr_eq(known, &outlet)) {
            self.outlets.push(outlet);
        }
    }
}

/// What is staged: on its way to the log, not yet part of the state.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    lines: u64,
    changes: Vec<Edit>,
    staged: HashMap<String, Option<Member>>,
    waiting: Vec<(Ticket, Waiting)>,
}

/// A call that is answered when the batch is on disk.
enum Waiting {
    Written(Answer),
    Refused(Error),
    Read(Answer, Read),
}

impl Batch {
    fn change(&mut self, edit: Edit) {
        match &edit {
            Edit::Set(member) => self.staged.insert(member.key().to_owned(), Some(member.clone())),
            Edit::Delete(key) => self.staged.insert(key.clone(), None),
        };
        self.changes.push(edit);
    }

    fn append(&mut self, open: &str) {
        let start = self.bytes.len();
        Encoder::new(&mut self.bytes).raw(open, 0);
        self.lines += 1;
        let mut edits = Vec::new();
        if let Ok(entry) = Entry::decode(&self.bytes[start..]) {
            entry.changes(|change| {
                edits.push(match change {
                    Change::Set(key, value) => Edit::Set(Member::new(key, value)),
                    Change::Delete(key) => Edit::Delete(key.to_owned()),
                });
            });
        }
        for edit in edits {
            self.change(edit);
        }
    }

    fn write(&mut self, now_ms: i64, lines: Vec<Line>) {
        let parts: Vec<Line> = lines.into_iter().flat_map(split).collect();
        for (more, line) in (0..parts.len() as u64).rev().zip(parts) {
            let mut encoder = Encoder::new(&mut self.bytes);
            self.lines += 1;
            match line {
                Line::Set(member) => {
                    encoder.set(now_ms, member.key(), member.value(), more);
                    self.change(Edit::Set(member));
                }
                Line::SetMany(members) => {
                    encoder.set_many(now_ms, members.iter().map(Member::text), more);
                    for member in members {
                        self.change(Edit::Set(member));
                    }
                }
                Line::Delete(key) => {
                    encoder.delete(now_ms, &key, more);
                    self.change(Edit::Delete(key));
                }
            }
        }
    }
}

/// Cuts a SET of very many keys into lines of a size that every reader can hold.
fn split(line: Line) -> Vec<Line> {
    match line {
        Line::SetMany(members) => {
            chunks(members, SET_MANY_BYTES_MAX).into_iter().map(Line::SetMany).collect()
        }
        other => vec![other],
    }
}

/// Cuts members into runs of about `bytes_max`, at least one member each.
pub fn chunks(members: Vec<Member>, bytes_max: usize) -> Vec<Vec<Member>> {
    let mut chunks: Vec<Vec<Member>> = Vec::new();
    let mut bytes = 0;
    for member in members {
        let size = member.text().len() + 1;
        match chunks.last_mut() {
            Some(chunk) if bytes + size <= bytes_max => {
                chunk.push(member);
                bytes += size;
            }
            _ => {
                bytes = size;
                chunks.push(vec![member]);
            }
        }
    }
    chunks
}

fn is_again(request: &Request) -> bool {
    matches!(&request.work, Work::Replace(Replace { is_again: true, .. }))
}

impl Log {
    fn run(&mut self, context: &Context, requests: Vec<Request>, run: &mut Run) {
        if requests.iter().any(|request| request.is_collection) {
            self.want_mirror();
        }
        if let Err(error) = self.catch_up(context) {
            return self.refuse(requests, &error, run);
        }
        let mut requests = VecDeque::from(requests);
        while let Some(request) = requests.pop_front() {
            if self.held.is_waiting(&request.ticket) {
                if !is_again(&request) {
                    self.held.wait(request);
                    continue;
                }
                let mut waiting = self.held.release(&request.ticket.outlet());
                while let Some(last) = waiting.pop_back() {
                    requests.push_front(last);
                }
            }
            let Request { work, ticket, .. } = request;
            match work {
                Work::Replace(replace) => self.stage_replace(context, replace, ticket, run),
                Work::Append(open) => {
                    run.batch.append(&open);
                    run.batch.waiting.push((ticket, Waiting::Written(Answer::Undefined)));
                }
                Work::Write(scope, stage) => self.stage_write(context, scope, stage, ticket, run),
                Work::Read(Scope::Keys, read) => {
                    let answer = self.view(&run.batch, |view| read(view));
                    run.batch.waiting.push((ticket, Waiting::Read(answer, read)));
                }
                other => {
                    self.commit(context, run);
                    self.answer_alone(context, other, ticket, run);
                }
            }
        }
        self.commit(context, run);
    }

    /// Answers with an error, also those that waited for one of these.
    fn refuse(&mut self, requests: Vec<Request>, error: &Error, run: &mut Run) {
        for request in requests {
            let waiting = if is_again(&request) {
                self.held.release(&request.ticket.outlet())
            } else {
                VecDeque::new()
            };
            run.answer(request.ticket, Err(error.clone()));
            for request in waiting {
                run.answer(request.ticket, Err(error.clone()));
            }
        }
    }

    fn stage_replace(&mut self, context: &Context, replace: Replace, ticket: Ticket, run: &mut Run) {
        let Replace { key, expected, value, .. } = replace;
        let Some(value) = value else { return run.answer(ticket, Ok(Answer::Undefined)) };
        let found = self.view(&run.batch, |view| view.get(&key).map(str::to_owned));
        if matches!(expected, Expected::Value(expected) if expected == found) {
            run.batch.write(context.files.now_ms(), vec![Line::Set(Member::new(&key, &value))]);
            run.batch.waiting.push((ticket, Waiting::Written(Answer::Undefined)));
        } else {
            // At once: the caller's next try may make it into the next batch.
            self.held.begin(ticket.outlet());
            ticket.answer(Ok(Answer::Conflict(found))).flush();
        }
    }

    fn view<R>(&self, batch: &Batch, look: impl FnOnce(&View) -> R) -> R {
        let published = self.shelf.published.read();
        look(&View { state: &published.state, staged: Some(&batch.staged) })
    }

    fn stage_write(&mut self, context: &Context, scope: Scope, stage: Stage, ticket: Ticket, run: &mut Run) {
        if scope == Scope::Whole {
            self.commit(context, run);
        }
        let now_ms = context.files.now_ms();
        let staged = catch_unwind(AssertUnwindSafe(|| self.view(&run.batch, |view| stage(view, now_ms))))
            .unwrap_or_else(|_| Err(Error::internal("a change could not be worked out")));
        let waiting = match staged {
            Ok(Outcome { lines, answer }) => {
                run.batch.write(now_ms, lines);
                Waiting::Written(answer)
            }
            Err(error) => Waiting::Refused(error),
        };
        run.batch.waiting.push((ticket, waiting));
    }

    /// Calls that look at the log or at the whole state; nothing is staged.
    fn answer_alone(&mut self, context: &Context, work: Work, ticket: Ticket, run: &mut Run) {
        let paths = &self.paths;
        let open_log = || context.files.open_read(&paths.log);
        let job = match work {
            Work::Read(_, read) => {
                let answer = self.view(&run.batch, |view| read(view));
                return run.answer(ticket, Ok(answer));
            }
            Work::ReadField(field, read) => {
                self.keep_field(&field);
                let answer = self.view(&run.batch, |view| read(view));
                return run.answer(ticket, Ok(answer));
            }
            Work::Size => {
                let size =
                    context.files.stamp(&paths.log).map(|stamp| stamp.map_or(0, |stamp| stamp.size_bytes));
                #[expect(clippy::cast_precision_loss, reason = "files are smaller than 2^53 bytes")]
                let answer = size.map(|bytes| Answer::Number(bytes as f64));
                return run.answer(ticket, answer);
            }
            Work::Compact(threshold_bytes) => {
                return self.want_compaction(context, threshold_bytes, ticket, run);
            }
            Work::Cursor => {
                open_log().map(|log| ReadJob::Answer(Answer::Cursor(EntryCursor::new(log, self.file.end()))))
            }
            Work::Texts => Ok(ReadJob::Texts(self.shelf.published.read().state.snapshot())),
            Work::Rebuild => open_log().map(|log| ReadJob::Rebuild(log, self.file.end())),
            Work::Entries => open_log().map(|log| ReadJob::Entries(log, self.file.end())),
            Work::Append(_) | Work::Write(..) | Work::Replace(_) | Work::Flush => {
                Err(Error::internal("a request went the wrong way"))
            }
        };
        match job {
            Ok(job) => run.jobs.push(Job::Read(job, ticket)),
            Err(error) => run.answer(ticket, Err(error)),
        }
    }

    fn want_compaction(
        &mut self,
        context: &Context,
        threshold_bytes: Option<u64>,
        ticket: Ticket,
        run: &mut Run,
    ) {
        let live_bytes = self.shelf.published.read().state.live_bytes();
        if let Some(threshold_bytes) = threshold_bytes
            && (self.compaction.is_running()
                || !super::policy::is_compaction_due(self.file.end(), live_bytes, threshold_bytes))
        {
            return run.answer(ticket, Ok(Answer::Bool(false)));
        }
        match self.mend(context).and_then(|()| self.log_pending_edit(context)) {
            Ok(()) => self.compact(context, Some(ticket), run.jobs),
            Err(error) => run.answer(ticket, Err(error)),
        }
    }

    fn keep_field(&self, field: &str) {
        let published = self.shelf.published.read();
        let state = &published.state;
        if state.live_bytes() <= SMALL_STATE_BYTES || state.has_field(field) || state.fields() >= FIELDS_MAX {
            return;
        }
        let numbers = state.read_field(field);
        drop(published);
        // Only this thread changes the state, so the numbers still fit.
        self.shelf.published.write().state.add_field(field, numbers);
    }

    /// Writes what is staged, publishes it and answers.
    fn commit(&mut self, context: &Context, run: &mut Run) {
        let batch = std::mem::take(&mut run.batch);
        if batch.waiting.is_empty() {
            return;
        }
        let written = if batch.bytes.is_empty() { Ok(()) } else { self.append_and_publish(context, &batch) };
        for (ticket, waiting) in batch.waiting {
            let answer = match (waiting, &written) {
                (Waiting::Written(answer) | Waiting::Read(answer, _), Ok(())) => Ok(answer),
                (Waiting::Written(_), Err(error)) => Err(error.clone()),
                (Waiting::Refused(error), _) => Err(error),
                (Waiting::Read(_, read), Err(_)) => Ok(self.view(&Batch::default(), |view| read(view))),
            };
            run.answer(ticket, answer);
        }
    }

    fn append_and_publish(&mut self, context: &Context, batch: &Batch) -> Result<()> {
        let (mut bytes, edit_lines) = self.pending_edit_lines(context);
        self.mend(context)?;
        let all = if bytes.is_empty() {
            &batch.bytes
        } else {
            bytes.extend_from_slice(&batch.bytes);
            &bytes
        };
        let lines = edit_lines + batch.lines;
        let appended = self.file.append(&*context.files, &self.paths, all, lines, context.sync_always())?;
        self.is_touched = true;
        if let (FsyncMode::Interval(interval_ms), None) = (context.options.fsync, self.sync_due_ms) {
            self.sync_due_ms = Some(context.files.monotonic_ms() + interval_ms);
        }
        if let Some(pending) = self.pending.take() {
            self.edit_was_logged(pending);
        }
        {
            let mut published = self.shelf.published.write();
            for change in &batch.changes {
                match change {
                    Edit::Set(member) => published.state.set(member.clone()),
                    Edit::Delete(key) => {
                        published.state.remove(key);
                    }
                }
            }
            published.log = self.file.stamp();
        }
        if appended == Appended::Interleaved {
            self.distrust();
            // What was written is safe; should reading fail, the next call tries again and reports it.
            let _ = self.catch_up(context);
        }
        self.mirror_after_commit(context);
        Ok(())
    }

    /// Logs an edit that was found, before something is done that must not come first.
    pub(super) fn log_pending_edit(&mut self, context: &Context) -> Result<()> {
        if self.pending.is_none() { Ok(()) } else { self.append_and_publish(context, &Batch::default()) }
    }

    /// Sets damage aside and cuts what is not in use, keeping the known offsets right.
    pub(super) fn mend(&mut self, context: &Context) -> Result<()> {
        let before = self.file.mending().clone();
        self.file.mend(&*context.files, &self.paths, context.sync_ever())?;
        if before.needs_rewrite() {
            self.generation += 1;
            self.mirror_offsets_moved(|offset| offset - before.bytes_dropped_before(offset));
        }
        Ok(())
    }

    /// The lines by which a foreign edit enters the log; none when there is no edit.
    fn pending_edit_lines(&self, context: &Context) -> (Vec<u8>, u64) {
        let mut bytes = Vec::new();
        let Some(pending) = &self.pending else { return (bytes, 0) };
        let now_ms = context.files.now_ms();
        let mut encoder = Encoder::new(&mut bytes);
        encoder.edit = Some(pending.mirror_hash);
        if self.file.end() == 0 {
            // Old data without a log: the log begins with all of it.
            let parts = chunks(self.shelf.published.read().state.snapshot(), CHECKPOINT_LINE_BYTES);
            for (more, part) in (0..parts.len() as u64).rev().zip(&parts) {
                encoder.checkpoint(now_ms, part.iter().map(Member::text), more);
            }
            return (bytes, parts.len() as u64);
        }
        let count = pending.edits.len() as u64;
        for (more, edit) in (0..count).rev().zip(&pending.edits) {
            match edit {
                Edit::Set(member) => encoder.set(now_ms, member.key(), member.value(), more),
                Edit::Delete(key) => encoder.delete(now_ms, key, more),
            }
        }
        (bytes, count)
    }
}
