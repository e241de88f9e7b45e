//! The requests of one log in a batch, one after the other: their changes are staged, their reads answered, and what does
//! not fit into the batch is done between two commits.
//!
//! ```text
//! requests of one log:   append  write  read-key  write │ read-whole │ write …
//! lines in one append:   [edit]  l1     -         l2 l3 │            │ l4
//! ```
//!
//! A call that reads the whole state (│) first commits what was staged before it. A call that reads one key sees what was
//! staged before it and is answered with the batch. More than a MiB is committed in parts, so that the first callers
//! work on their answers while the next part is made.
//!
//! Invariant: the requests of one log take effect in their order; each is answered, held, or made anew (`run.again`).

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use hashbrown::HashMap;

use crate::data::change::Change;
use crate::data::name::LogName;
use crate::data::state::Member;
use crate::error::{Error, Result};
use crate::files::compact::job::{Job, ReadJob};
use crate::files::context::Context;
use crate::files::lock::DirectoryLock;
use crate::files::log::entry::{Entry, KeyChange, Lines, Tag};
use crate::files::log::read::LogCursor;
use crate::files::mirror::content::Edit;
use crate::files::open::catch_up::Log;
use crate::files::past::history::Past;
use crate::files::past::old_logs::{Kind, old_logs};
use crate::files::policy::is_compaction_due;
use crate::files::write::commit::chunks;
use crate::store::answer::Answer;
use crate::store::query::Query;
use crate::store::request::Expected;
use crate::store::request::Replace;
use crate::store::request::Request;
use crate::store::request::Work;
use crate::store::rule::View;
use crate::store::rule::{Outcome, Reads, Rule};
use crate::store::ticket::Outlet;
use crate::store::ticket::Ticket;

use crate::vfs::File;

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
    /// A read, its answer, and the query, should the batch fail.
    Read(Answer, Query),
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
            Self::Read(_, query) => Work::Read(query),
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
                KeyChange::Set(key, value) => Edit::Set(Member::new(key, value)),
                KeyChange::Delete(key) => Edit::Delete(key.to_owned()),
            });
        });
    }

    fn write(&mut self, now_ms: i64, changes: Vec<Change>) {
        let parts: Vec<Change> = changes.into_iter().flat_map(split).collect();
        self.lines.operation(Tag::Call, parts.iter(), |encoder, part, more| match part {
            Change::Set(member) => encoder.set(now_ms, member.key(), member.value(), more),
            Change::SetMany(members) => encoder.set_many(now_ms, members.iter().map(Member::text), more),
            Change::Delete(key) => encoder.delete(now_ms, key, more),
        });
        for part in parts {
            match part {
                Change::Set(member) => self.change(Edit::Set(member)),
                Change::SetMany(members) => {
                    for member in members {
                        self.change(Edit::Set(member));
                    }
                }
                Change::Delete(key) => self.change(Edit::Delete(key)),
            }
        }
    }
}

/// Cuts a SET of very many keys into lines of a size that every reader can hold.
fn split(change: Change) -> Vec<Change> {
    match change {
        Change::SetMany(members) => {
            chunks(members, SET_MANY_BYTES_MAX).into_iter().map(Change::SetMany).collect()
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
        while let Some(request) = self.held.next(&mut requests) {
            let Request { work, ticket, .. } = request;
            match work {
                Work::Replace(replace) => self.stage_replace(context, replace, ticket, run),
                Work::Append(open) => {
                    run.batch.append(&open);
                    run.batch.waiting.push((ticket, Waiting::Appended(open)));
                }
                Work::Write(rule) => self.stage_write(context, rule, ticket, run),
                Work::Read(query) if query.is_of_keys() => {
                    let answer = self.answer_of_key(&run.batch, &query);
                    run.batch.waiting.push((ticket, Waiting::Read(answer, query)));
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
            let waiting = if request.is_next_try() {
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
            run.batch.write(context.files.now_ms(), vec![Change::Set(Member::new(&replace.key, value))]);
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
        look(&View::staged(&published.state, &batch.staged))
    }

    /// The answer to a query of one key, as a call behind what is staged sees it.
    pub(crate) fn answer_of_key(&self, batch: &Batch, query: &Query) -> Answer {
        self.view(batch, |view| query.of_value(query.key().and_then(|key| view.get(key))))
    }

    fn stage_write(&mut self, context: &Context, rule: Box<dyn Rule>, ticket: Ticket, run: &mut Run) {
        if rule.reads() == Reads::Whole {
            self.commit(context, run);
        }
        let now_ms = context.files.now_ms();
        let staged =
            catch_unwind(AssertUnwindSafe(|| self.view(&run.batch, |view| rule.apply(view, now_ms))))
                .unwrap_or_else(|_| Err(Error::internal("a change could not be worked out")));
        let answer = staged.map(|Outcome { changes, answer }| {
            run.batch.write(now_ms, changes);
            answer
        });
        run.batch.waiting.push((ticket, Waiting::Written(answer, Work::Write(rule))));
    }

    /// Calls on the log or the whole state; nothing is staged.
    fn answer_alone(&mut self, context: &Context, work: Work, ticket: Ticket, run: &mut Run) {
        match work {
            Work::Read(query) => self.answer_query(context, query, ticket, run),
            Work::Compact(threshold_bytes) => self.want_compaction(context, threshold_bytes, ticket, run),
            Work::Maintain(wanted) => self.maintain(context, wanted, ticket, run),
            Work::Append(_) | Work::Write(_) | Work::Replace(_) => {
                run.answer(ticket, Err(Error::internal("a request went the wrong way")));
            }
        }
    }

    /// Answers a query of the whole state here, and one that takes long beside the writer.
    fn answer_query(&mut self, context: &Context, query: Query, ticket: Ticket, run: &mut Run) {
        if let Some(field) = query.field() {
            self.keep_field(field);
        }
        let job = match query {
            Query::Rebuild => self.open_log(context).map(|log| ReadJob::Rebuild(log, self.file.end())),
            Query::StateAt(at_ms) => self.past(context).map(|past| ReadJob::StateAt(past, at_ms)),
            Query::History(key) => self.past(context).map(|past| ReadJob::History(past, key)),
            Query::LogEntries => self.open_log(context).map(|log| ReadJob::Entries(log, self.file.end())),
            Query::LogCursor => self.open_log(context).map(|log| {
                let cursor = LogCursor::new(log, self.file.end());
                ReadJob::Answer(Answer::Cursor(Box::new(cursor)))
            }),
            Query::LogSize => return run.answer(ticket, self.log_size(context)),
            query if query.is_of_all() => {
                Ok(ReadJob::Whole(self.shelf.published.read().state.snapshot(), query))
            }
            query => {
                let answer = query.of_state(&self.shelf.published.read().state);
                let answer = answer.ok_or_else(|| Error::internal("a query went the wrong way"));
                return run.answer(ticket, answer);
            }
        };
        match job {
            Ok(job) => run.jobs.push(Job::Read(job, ticket)),
            Err(error) => run.answer(ticket, Err(error)),
        }
    }

    fn open_log(&self, context: &Context) -> Result<Option<Box<dyn File>>> {
        context.files.open_read(&self.paths.log)
    }

    fn log_size(&self, context: &Context) -> Result<Answer> {
        let size_bytes = context.files.stamp(&self.paths.log)?.map_or(0, |stamp| stamp.size_bytes);
        #[expect(clippy::cast_precision_loss, reason = "files are smaller than 2^53 bytes")]
        let answer = Answer::Number(size_bytes as f64);
        Ok(answer)
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
