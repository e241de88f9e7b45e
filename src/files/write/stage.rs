//! The requests of one log in a batch, one after the other: what they would write is staged, what they
//! look at is looked up, and what does not fit into the batch is done between two commits.
//!
//! ```text
//! requests of one log:   append  write  read-key  write │ read-whole │ write …
//! lines in one append:   [edit]  l1     -         l2 l3 │            │ l4
//! ```
//!
//! A call that looks at the whole state (│) first commits what was staged before it. A call that looks at
//! one key sees what was staged before it and is answered with the batch. What comes to more than a MiB is
//! committed in parts, so that the first callers work on their answers while the next part is made.
//!
//! Invariant: nothing here changes a file or the published state.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use hashbrown::HashMap;

use crate::data::name::LogName;
use crate::data::state::Member;
use crate::error::{Error, Result};
use crate::files::compact::job::{Job, ReadJob};
use crate::files::context::Context;
use crate::files::lock::DirectoryLock;
use crate::files::log::entry::{Change, Entry, Lines, Tag};
use crate::files::log::read::EntryCursor;
use crate::files::mirror::content::Edit;
use crate::files::open::catch_up::Log;
use crate::files::past::history::Past;
use crate::files::past::old_logs::{Kind, old_logs};
use crate::files::policy::is_compaction_due;
use crate::files::write::batch::is_again;
use crate::files::write::commit::chunks;
use crate::store::request::{
    Answer, Expected, Line, Outcome, Outlet, Read, Replace, Request, Scope, Stage, Ticket, View, Work,
};

/// So much is staged before it is committed.
const COMMIT_BYTES_MAX: usize = 1 << 20;
/// A SET of more than this becomes several lines.
const SET_MANY_BYTES_MAX: usize = 16 << 20;
/// Numbers of at most this many fields are kept for leaderboards.
const FIELDS_MAX: usize = 32;
/// Up to this size, reading a field of all values needs no kept numbers.
const SMALL_STATE_BYTES: u64 = 256 << 10;

/// What comes out of the requests of one log.
pub struct Run<'a> {
    /// The lock between processes.
    pub lock: &'a DirectoryLock,
    /// Requests that are to be made anew: the lock was lost before they were written.
    pub again: Vec<Request>,
    /// Who got an answer.
    pub outlets: Vec<Arc<dyn Outlet>>,
    /// Work for other threads.
    pub jobs: &'a mut Vec<Job>,
    /// What is staged.
    pub batch: Batch,
}

impl<'a> Run<'a> {
    /// Nothing yet.
    pub fn new(lock: &'a DirectoryLock, jobs: &'a mut Vec<Job>) -> Self {
        Self { lock, again: Vec::new(), outlets: Vec::new(), jobs, batch: Batch::default() }
    }

    /// Answers a call.
    pub fn answer(&mut self, ticket: Ticket, answer: Result<Answer>) {
        let outlet = ticket.answer(answer);
        if !self.outlets.iter().any(|known| Arc::ptr_eq(known, &outlet)) {
            self.outlets.push(outlet);
        }
    }

    /// Hands over what was answered so far.
    fn hand_over(&mut self) {
        for outlet in self.outlets.drain(..) {
            outlet.flush();
        }
    }
}

/// What is staged: on its way to the log, not yet part of the state.
#[derive(Default)]
pub struct Batch {
    /// The lines.
    pub lines: Lines,
    /// What they do to the state, in order.
    pub changes: Vec<Edit>,
    staged: HashMap<String, Option<Member>>,
    /// Calls that are answered when the batch is on disk.
    pub waiting: Vec<(Ticket, Waiting)>,
}

/// A call that is answered when the batch is on disk.
pub enum Waiting {
    /// An entry's text.
    Appended(String),
    /// A write, what it came to, and the work itself.
    Written(Result<Answer>, Work),
    /// A read, its answer, and how to answer should the batch fail.
    Read(Answer, Read),
}

impl Waiting {
    /// Whether the batch holds something of it, or it depends on what it found.
    pub fn is_write(&self) -> bool {
        matches!(self, Self::Appended(_) | Self::Written(Ok(_), _))
    }

    /// What was asked.
    fn into_work(self) -> Work {
        match self {
            Self::Appended(open) => Work::Append(open),
            Self::Written(_, work) => work,
            Self::Read(_, read) => Work::Read(Scope::Keys, read),
        }
    }
}

/// A request that is made anew.
fn again(log: &LogName, work: Work, ticket: Ticket) -> Request {
    // That the log is a collection, it knows from the first time.
    Request { log: log.clone(), is_collection: false, work, size_bytes: 0, ticket }
}

impl Batch {
    /// What was asked, to be asked again.
    pub fn into_requests(self, log: &LogName) -> impl Iterator<Item = Request> {
        self.waiting.into_iter().map(|(mut ticket, waiting)| {
            ticket.stage_again();
            again(log, waiting.into_work(), ticket)
        })
    }

    fn change(&mut self, edit: Edit) {
        match &edit {
            Edit::Set(member) => self.staged.insert(member.key().to_owned(), Some(member.clone())),
            Edit::Delete(key) => self.staged.insert(key.clone(), None),
        };
        self.changes.push(edit);
    }

    fn append(&mut self, open: &str) {
        self.lines.raw(open);
        Entry::of_text(open).changes(|change| {
            self.change(match change {
                Change::Set(key, value) => Edit::Set(Member::new(key, value)),
                Change::Delete(key) => Edit::Delete(key.to_owned()),
            });
        });
    }

    fn write(&mut self, now_ms: i64, lines: Vec<Line>) {
        let parts: Vec<Line> = lines.into_iter().flat_map(split).collect();
        self.lines.operation(Tag::Call, parts.iter(), |encoder, line, more| match line {
            Line::Set(member) => encoder.set(now_ms, member.key(), member.value(), more),
            Line::SetMany(members) => encoder.set_many(now_ms, members.iter().map(Member::text), more),
            Line::Delete(key) => encoder.delete(now_ms, key, more),
        });
        for line in parts {
            match line {
                Line::Set(member) => self.change(Edit::Set(member)),
                Line::SetMany(members) => {
                    for member in members {
                        self.change(Edit::Set(member));
                    }
                }
                Line::Delete(key) => self.change(Edit::Delete(key)),
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

impl Log {
    /// Takes the requests of a batch, in order. Where the lock is lost meanwhile, what is not written yet is in
    /// `run.again`.
    pub(crate) fn run(&mut self, context: &Context, requests: Vec<Request>, run: &mut Run) {
        if requests.iter().any(|request| request.is_collection) {
            self.want_mirror();
        }
        if let Err(error) = self.catch_up(context) {
            if requests.iter().any(|request| matches!(request.work, Work::Compact(_) | Work::Maintain(_))) {
                self.shelf.metrics.compacted(context.files.now_ms(), None);
                context.compaction_failed(&self.paths, &error);
            }
            return self.refuse(requests, &error, run);
        }
        let mut requests = VecDeque::from(requests);
        while let Some(request) = requests.pop_front() {
            if self.held.is_waiting(&request.ticket) && !request.ticket.is_again() {
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
                    run.batch.waiting.push((ticket, Waiting::Appended(open)));
                }
                Work::Write(scope, stage) => self.stage_write(context, scope, stage, ticket, run),
                Work::Read(Scope::Keys, read) => {
                    let answer = self.view(&run.batch, |view| read(view));
                    run.batch.waiting.push((ticket, Waiting::Read(answer, read)));
                }
                other => {
                    self.commit(context, run);
                    if run.again.is_empty() {
                        self.answer_alone(context, other, ticket, run);
                    } else {
                        requests.push_front(again(&self.paths.name, other, ticket));
                    }
                }
            }
            if run.batch.lines.bytes.len() >= COMMIT_BYTES_MAX {
                self.commit(context, run);
                run.hand_over();
            }
            if !run.again.is_empty() {
                break;
            }
        }
        self.commit(context, run);
        if !run.again.is_empty() {
            run.again.extend(requests);
        }
    }

    /// Answers with an error, also those that waited for one of these.
    pub(crate) fn refuse(&mut self, requests: Vec<Request>, error: &Error, run: &mut Run) {
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
        let Some(value) = &replace.value else { return run.answer(ticket, Ok(Answer::Undefined)) };
        let found = self.view(&run.batch, |view| view.get(&replace.key).map(str::to_owned));
        if matches!(&replace.expected, Expected::Value(expected) if *expected == found) {
            run.batch.write(context.files.now_ms(), vec![Line::Set(Member::new(&replace.key, value))]);
            // What waited for this try is in the batch behind it by now.
            let work = Work::Replace(Replace { is_again: false, ..replace });
            run.batch.waiting.push((ticket, Waiting::Written(Ok(Answer::Undefined), work)));
        } else {
            // At once: the caller's next try may make it into the next batch.
            self.held.begin(ticket.outlet());
            ticket.answer(Ok(Answer::Conflict(found))).flush();
        }
    }

    /// The state as a call behind what is staged sees it.
    pub(crate) fn view<R>(&self, batch: &Batch, look: impl FnOnce(&View) -> R) -> R {
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
        let answer = staged.map(|Outcome { lines, answer }| {
            run.batch.write(now_ms, lines);
            answer
        });
        run.batch.waiting.push((ticket, Waiting::Written(answer, Work::Write(scope, stage))));
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
            Work::Maintain(wanted) => return self.maintain(context, wanted, ticket, run),
            Work::Cursor => {
                open_log().map(|log| ReadJob::Answer(Answer::Cursor(EntryCursor::new(log, self.file.end()))))
            }
            Work::Whole(answer) => Ok(ReadJob::Whole(self.shelf.published.read().state.snapshot(), answer)),
            Work::Rebuild => open_log().map(|log| ReadJob::Rebuild(log, self.file.end())),
            Work::StateAt(at_ms) => self.past(context).map(|past| ReadJob::StateAt(past, at_ms)),
            Work::History(key) => self.past(context).map(|past| ReadJob::History(past, key)),
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
                || !is_compaction_due(self.file.end(), live_bytes, threshold_bytes))
        {
            return run.answer(ticket, Ok(Answer::Bool(false)));
        }
        self.compact_as(context, Kind::Backup, ticket, run);
    }

    /// Compacts the log; the old one becomes a backup or an archive.
    pub(crate) fn compact_as(&mut self, context: &Context, kind: Kind, ticket: Ticket, run: &mut Run) {
        match self.mend(context).and_then(|()| self.log_pending_edit(context)) {
            Ok(()) => self.compact(context, kind, Some(ticket), run.jobs),
            Err(error) => {
                self.shelf.metrics.compacted(context.files.now_ms(), None);
                context.compaction_failed(&self.paths, &error);
                run.answer(ticket, Err(error));
            }
        }
    }

    /// The log and the old logs that it left behind.
    fn past(&self, context: &Context) -> Result<Past> {
        let files = &*context.files;
        Ok(Past {
            old: old_logs(files, &self.paths)?,
            log: files.open_read(&self.paths.log)?,
            end: self.file.end(),
            name: format!("{}.log", self.paths.name),
        })
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
}
