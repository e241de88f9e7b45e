//! One log and what belongs to it: its writer with the mirror, its compaction, its old logs, and the calls that wait.
//!
//! ```text
//! requests of one log:   append  write  read-key  write │ read-whole │ write …
//! lines in one append:   [edit]  l1     -         l2 l3 │            │ l4
//! ```
//!
//! 1. Catch up with what others did to the files (`OpenLog::catch_up`).
//! 2. Take the requests in their order. A write is staged (`Batch`); a read of one key sees what was staged before it and
//!    is answered with the batch; one of the whole state (│) commits first.
//! 3. Commit (`commit`), also where over a MiB is staged, so that the first callers work on their answers while the next
//!    part is made.
//!
//! Invariant: the requests of one log take effect in their order; each is answered, held, or made anew (`run.again`).

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::data::state::State;
use crate::error::{Error, Result};
use crate::files::compact::compaction::{Compaction, StepOutcome, failed};
use crate::files::context::Context;
use crate::files::job::{Job, JobDone};
use crate::files::log::file::Appended;
use crate::files::log::paths::LogPaths;
use crate::files::open::open_log::OpenLog;
use crate::files::past::old_logs::OldLogKind;
use crate::files::past::retain::Retainer;
use crate::files::past::rotation::Rotated;
use crate::files::read_job::{Reading, begin};
use crate::files::shelf::Shelf;
use crate::files::write::batch::{Batch, StagedCall, again};
use crate::files::write::commit::commit;
use crate::files::write::log_writer::LogWriter;
use crate::files::write::run::Run;
use crate::store::answer::Answer;
use crate::store::held::Held;
use crate::store::query::Query;
use crate::store::request::{Maintenance, Replace, Request, Work};
use crate::store::rule::{Outcome, Reads, Rule, View};
use crate::store::ticket::{Outlet, Ticket};

/// So much is staged before it is committed.
const COMMIT_BYTES_MAX: usize = 1 << 20;

/// See the header of this file.
pub struct KeyedLog {
    writer: LogWriter,
    compaction: Compaction,
    retainer: Retainer,
    held: Held,
}

/// Calls.
impl KeyedLog {
    /// A log that is not loaded yet.
    pub fn new(paths: LogPaths, shelf: Arc<Shelf>) -> Self {
        Self {
            writer: LogWriter::new(OpenLog::new(paths, shelf)),
            compaction: Compaction::default(),
            retainer: Retainer::default(),
            held: Held::default(),
        }
    }

    /// Takes the requests of a batch, in order. Where the lock is lost meanwhile, what is not written yet is in
    /// `run.again`. Long work is left in `jobs`.
    pub fn run(&mut self, context: &Context, requests: Vec<Request>, run: &mut Run, jobs: &mut Vec<Job>) {
        if requests.iter().any(|request| request.is_collection) {
            self.writer.log_mut().want_mirror();
        }
        if let Err(error) = self.writer.log_mut().catch_up(context) {
            if requests.iter().any(|request| matches!(request.work, Work::Compact | Work::Maintain(_))) {
                failed(context, self.writer.log(), &error);
            }
            return self.refuse(requests, &error, run);
        }
        let mut requests = VecDeque::from(requests);
        while let Some(request) = self.held.next(&mut requests) {
            if let Some((work, ticket)) = self.stage(context, request, run) {
                commit(context, &mut self.writer, run);
                if run.again.is_empty() {
                    self.answer_alone(context, work, ticket, run, jobs);
                } else {
                    requests.push_front(again(&self.writer.log().paths().name, work, ticket));
                }
            }
            if run.batch.lines.bytes.len() >= COMMIT_BYTES_MAX {
                commit(context, &mut self.writer, run);
                run.hand_over();
            }
            if !run.again.is_empty() {
                break;
            }
        }
        commit(context, &mut self.writer, run);
        self.writer.log().shelf().trim();
        if !run.again.is_empty() {
            run.again.extend(requests);
        }
        jobs.extend(self.writer.log_mut().start_index(context).map(Job::Index));
    }

    /// Answers with an error, also those that waited for one of these.
    pub fn refuse(&mut self, requests: Vec<Request>, error: &Error, run: &mut Run) {
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

    /// Whether calls of this one's caller are held.
    pub fn holds_calls_of(&self, ticket: &Ticket) -> bool {
        self.held.holds_calls_of(ticket)
    }

    /// Gives back the held calls of a caller.
    pub fn release_held(&mut self, caller: &Arc<dyn Outlet>) -> VecDeque<Request> {
        self.held.release(caller)
    }

    /// Stages a request; gives back one that is done by itself.
    fn stage(&mut self, context: &Context, request: Request, run: &mut Run) -> Option<(Work, Ticket)> {
        let Request { work, ticket, .. } = request;
        match work {
            Work::Replace(replace) => self.stage_replace(context, replace, ticket, run),
            Work::Append(open) => {
                // Nothing that is over is removed here: whoever copies entries appends all of them, and none must come
                // between.
                run.batch.append(self.writer.log().shelf(), &open);
                run.batch.waiting.push((ticket, StagedCall::Appended(open)));
            }
            Work::Write(rule) => self.stage_write(context, rule, ticket, run),
            Work::Read(query) if query.is_of_keys() => {
                if let Err(error) = self.hold(context, run, query.keys().iter().map(String::as_str)) {
                    run.answer(ticket, Err(error));
                    return None;
                }
                let now_ms = context.files.now_ms();
                let answer = run.batch.answer_of_keys(self.writer.log().shelf(), &query, now_ms);
                run.batch.waiting.push((ticket, StagedCall::Read(answer, query)));
            }
            other => return Some((other, ticket)),
        }
        None
    }

    /// Has the values of these keys in memory for a call. Where the log does not have one where it should, it was changed by
    /// another program, and is read anew, behind what is staged.
    fn hold<'k>(
        &mut self,
        context: &Context,
        run: &mut Run,
        keys: impl Iterator<Item = &'k str> + Clone,
    ) -> Result<()> {
        if self.writer.log().shelf().with_state(State::is_all_held) {
            return Ok(());
        }
        let is_lying = |key: &&str| !run.batch.has_staged(key);
        let unstaged = || keys.clone().filter(is_lying);
        if self.writer.log().shelf().hold(unstaged()).is_ok() {
            return Ok(());
        }
        commit(context, &mut self.writer, run);
        self.writer.log_mut().catch_up(context)?;
        self.writer.log().shelf().hold(keys)
    }

    /// The state with all values, while nothing is staged.
    fn whole_state(&mut self, context: &Context) -> Result<State> {
        self.writer.log().shelf().whole_state().or_else(|_| {
            self.writer.log_mut().catch_up(context)?;
            self.writer.log().shelf().whole_state()
        })
    }

    fn stage_replace(&mut self, context: &Context, replace: Replace, ticket: Ticket, run: &mut Run) {
        if replace.changes.is_none() {
            return run.answer(ticket, Ok(Answer::Undefined));
        }
        if let Err(error) = self.hold(context, run, replace.keys.iter().map(String::as_str)) {
            return run.answer(ticket, Err(error));
        }
        let shelf = self.writer.log().shelf();
        let now_ms = context.files.now_ms();
        let changes = run.batch.view(shelf, now_ms, |view| {
            let is_as_expected = replace.is_as_expected(|key| view.member(key));
            is_as_expected.then(|| replace.changes_from(|key| view.member(key), now_ms))
        });
        if let Some(changes) = changes {
            if !changes.is_empty() {
                run.batch.expire(shelf, now_ms);
            }
            run.batch.write(now_ms, changes);
            // What waited for this try is in the batch behind it by now.
            let work = Work::Replace(Replace { tries: 0, ..replace });
            run.batch.waiting.push((ticket, StagedCall::Written(Ok(Answer::Undefined), work)));
        } else {
            let found = run.batch.view(shelf, now_ms, |view| replace.found(|key| view.member(key)));
            // At once: the caller's next try may make it into the next batch.
            self.held.begin(&ticket);
            ticket.answer(Ok(Answer::Conflict(found))).flush();
        }
    }

    fn stage_write(&mut self, context: &Context, rule: Box<dyn Rule>, ticket: Ticket, run: &mut Run) {
        let held = match rule.reads() {
            Reads::Nothing => Ok(None),
            Reads::Key(key) => self.hold(context, run, [key].into_iter()).map(|()| None),
            Reads::Keys(keys) => self.hold(context, run, keys.into_iter()).map(|()| None),
            Reads::Whole => {
                commit(context, &mut self.writer, run);
                self.whole_state(context).map(Some)
            }
        };
        let now_ms = context.files.now_ms();
        let shelf = self.writer.log().shelf();
        let apply = || match &held {
            Ok(Some(whole)) => rule.apply(&View::of(whole, now_ms), now_ms),
            Ok(None) => run.batch.view(shelf, now_ms, |view| rule.apply(view, now_ms)),
            Err(error) => Err(error.clone()),
        };
        let staged = catch_unwind(AssertUnwindSafe(apply))
            .unwrap_or_else(|_| Err(Error::internal("a change could not be worked out")));
        let answer = staged.map(|Outcome { changes, answer }| {
            if !changes.is_empty() {
                run.batch.expire(shelf, now_ms);
            }
            run.batch.write(now_ms, changes);
            answer
        });
        run.batch.waiting.push((ticket, StagedCall::Written(answer, Work::Write(rule))));
    }

    /// Calls on the log or the whole state; nothing is staged.
    fn answer_alone(
        &mut self,
        context: &Context,
        work: Work,
        ticket: Ticket,
        run: &mut Run,
        jobs: &mut Vec<Job>,
    ) {
        match work {
            Work::Read(Query::Changes(watcher)) => {
                self.writer.log_mut().watch(&watcher.0);
                run.answer(ticket, Ok(Answer::Undefined));
            }
            Work::Read(query) => match self.begin_read(context, query, 0) {
                Ok(Reading::Answered(answer)) => run.answer(ticket, Ok(answer)),
                Ok(Reading::Beside(job)) => jobs.push(Job::Read(job, ticket)),
                Err(error) => run.answer(ticket, Err(error)),
            },
            Work::Compact => self.compact_as(context, OldLogKind::Backup, ticket, run, jobs),
            Work::Maintain(wanted) => self.maintain(context, wanted, ticket, run, jobs),
            Work::Append(_) | Work::Write(_) | Work::Replace(_) | Work::Transact(_) | Work::Copy(_) => {
                run.answer(ticket, Err(Error::internal("a request went the wrong way")));
            }
        }
    }

    fn begin_read(&mut self, context: &Context, query: Query, tries: u32) -> Result<Reading> {
        begin(context, self.writer.log(), query.clone(), tries).or_else(|error| {
            if !self.writer.log().shelf().is_doubted() {
                return Err(error);
            }
            // A value is not where the log should have it.
            self.writer.log_mut().catch_up(context)?;
            begin(context, self.writer.log(), query, tries)
        })
    }
}

/// Transactions over several logs.
impl KeyedLog {
    /// The log, kept with a mirror from now on and in step with its files.
    pub fn caught_up(&mut self, context: &Context) -> Result<&OpenLog> {
        self.writer.log_mut().want_mirror();
        self.writer.log_mut().catch_up(context)?;
        Ok(self.writer.log())
    }

    /// All that the log has is whole and on disk, and it has all that memory has.
    pub fn make_even(&mut self, context: &Context) -> Result<()> {
        self.writer.make_even(context)
    }

    /// Somebody else may have left a transaction unfinished.
    pub fn read_intent_again(&mut self) {
        self.writer.log_mut().read_intent_again();
    }

    /// Logs what the log lacks of a transaction. What it has of it, whoever wrote that may not have lived to sync.
    pub fn finish_transaction(&mut self, context: &Context) -> Result<()> {
        self.caught_up(context)?;
        self.writer.make_even(context)
    }

    /// Where the log ends, and the hash of its last bytes.
    pub fn end_and_mark(&self) -> (u64, u64) {
        let file = self.writer.log().file();
        (file.end(), file.mark())
    }

    /// Appends the lines of a transaction that changes this log alone.
    pub fn append_alone(&mut self, context: &Context, batch: &Batch) -> Result<Appended> {
        self.writer.append_and_publish(context, &batch.lines, &batch.changes)
    }

    /// Appends the lines of a transaction that is committed.
    pub fn append_committed(&mut self, context: &Context, batch: &Batch) -> Result<()> {
        self.writer.append_committed(context, &batch.lines, &batch.changes)
    }

    /// A write of a transaction found nothing to change here.
    pub fn keep_what_was_found(&mut self, context: &Context) -> Result<()> {
        self.writer.keep_what_was_found(context)
    }
}

/// Compaction and old logs.
impl KeyedLog {
    /// Compacts the log; the old one becomes a backup or an archive.
    fn compact_as(
        &mut self,
        context: &Context,
        kind: OldLogKind,
        ticket: Ticket,
        run: &mut Run,
        jobs: &mut Vec<Job>,
    ) {
        let ready = self.writer.mend(context).and_then(|()| self.writer.log_pending_edit(context));
        match ready.and_then(|()| self.remove_over(context)) {
            Ok(()) => {
                let job = self.compaction.ask(context, self.writer.log(), kind, ticket);
                jobs.extend(job.map(Job::Compact));
            }
            Err(error) => {
                failed(context, self.writer.log(), &error);
                run.answer(ticket, Err(error));
            }
        }
    }

    /// A checkpoint need not hold what is over.
    fn remove_over(&mut self, context: &Context) -> Result<()> {
        let mut batch = Batch::default();
        batch.expire(self.writer.log().shelf(), context.files.now_ms());
        if batch.changes.is_empty() {
            return Ok(());
        }
        self.writer.append_and_publish(context, &batch.lines, &batch.changes).map(|_| ())
    }

    /// What the scheduler asks for: a rotation or a compaction if it is due, else care for the old logs.
    fn maintain(
        &mut self,
        context: &Context,
        wanted: Maintenance,
        ticket: Ticket,
        run: &mut Run,
        jobs: &mut Vec<Job>,
    ) {
        let log = self.writer.log();
        let rotated = Rotated {
            paths: log.paths(),
            end: log.end(),
            live_bytes: log.shelf().with_state(State::live_bytes),
            stamp: log.file().stamp(),
        };
        match rotated.due(&*context.files, wanted) {
            Ok(Some(kind)) if !self.compaction.is_running() => {
                self.compact_as(context, kind, ticket, run, jobs);
            }
            Ok(_) => {
                let job = self.retainer.retain(context, log.paths(), &log.shelf().metrics);
                jobs.extend(job.map(Job::Compress));
                run.answer(ticket, Ok(Answer::Bool(false)));
            }
            Err(error) => run.answer(ticket, Err(error)),
        }
    }

    /// Takes the result of a job; gives the calls that are answered. `ready` says whether the lock is held.
    pub fn job_done(
        &mut self,
        context: &Context,
        done: JobDone,
        ready: Result<()>,
        jobs: &mut Vec<Job>,
    ) -> Vec<(Ticket, Result<Answer>)> {
        if let JobDone::Held(held) = done {
            self.writer.log().shelf().hold_members(held.members);
            return Vec::new();
        }
        if let JobDone::Numbers(numbers) = done {
            // Not being able to costs time: the next leaderboard reads them once more.
            let _ = numbers.keep_with(self.writer.log().shelf());
            return Vec::new();
        }
        if let JobDone::Read(again, ticket) = done {
            // Who may not write reads without the lock.
            let begun = self
                .writer
                .log_mut()
                .catch_up(context)
                .and_then(|()| self.begin_read(context, again.query, again.tries));
            match begun {
                Ok(Reading::Answered(answer)) => return vec![(ticket, Ok(answer))],
                Ok(Reading::Beside(job)) => jobs.push(Job::Read(job, ticket)),
                Err(error) => return vec![(ticket, Err(error))],
            }
            return Vec::new();
        }
        let ready = ready.and_then(|()| {
            // A panic here must not take the result along: somebody waits for it.
            let log = self.writer.log_mut();
            catch_unwind(AssertUnwindSafe(|| log.catch_up(context))).unwrap_or_else(|_| {
                self.writer.log_mut().distrust();
                Err(Error::internal("the files could not be checked"))
            })
        });
        match done {
            JobDone::Compress(done) => {
                let log = self.writer.log();
                let job =
                    self.retainer.compress_done(context, log.paths(), &log.shelf().metrics, done, ready);
                jobs.extend(job.map(Job::Compress));
            }
            JobDone::Mirror(done) => self.writer.log_mut().mirror_done(context, done, ready),
            JobDone::Index(done) => self.writer.log_mut().index_done(context, done),
            JobDone::Read(..) | JobDone::Numbers(_) | JobDone::Held(_) => {}
            JobDone::Compact(done) => {
                let StepOutcome { answered, job } =
                    self.compaction.step_done(context, &mut self.writer, done, ready);
                jobs.extend(job.map(Job::Compact));
                return answered;
            }
        }
        Vec::new()
    }

    /// A file that was to be compressed stays as it is for now.
    pub fn leave_uncompressed(&mut self) {
        self.retainer.leave_uncompressed();
    }
}

/// What is due, and the end.
impl KeyedLog {
    /// Brings memory in step with the files.
    pub fn catch_up(&mut self, context: &Context) -> Result<()> {
        self.writer.log_mut().catch_up(context)
    }

    /// Another process has held the lock since this one did.
    pub fn lock_was_others(&mut self) {
        self.writer.log_mut().lock_was_others();
    }

    /// True while a compaction or a mirror is under way.
    pub fn is_busy(&self) -> bool {
        self.compaction.is_running() || self.writer.log().is_mirror_being_written()
    }

    /// When `tick` has something to do.
    pub fn next_due_ms(&self) -> Option<u64> {
        self.writer.next_due_ms()
    }

    /// Does what is due.
    pub fn tick(&mut self, context: &Context, now_ms: u64, ready: &Result<()>, jobs: &mut Vec<Job>) {
        jobs.extend(self.writer.tick(context, now_ms, ready).map(Job::Mirror));
    }

    /// True when there is something that a clean end has to do.
    pub fn needs_finish(&self, context: &Context) -> bool {
        self.writer.log().needs_finish(context)
    }

    /// Where somebody removed both files there is no data, so a clean end has nothing to write.
    pub fn forget_if_removed(&mut self, context: &Context) -> Result<()> {
        self.writer.log_mut().forget_if_removed(context)
    }

    /// Everything durable, the mirror current, and the record of a clean end. Under the lock.
    pub fn finish(&mut self, context: &Context) -> Result<()> {
        self.writer.finish(context)
    }

    /// Has the next `finish` renew the mirror, if it is ours and old. True if so.
    pub fn renew_mirror(&mut self, context: &Context) -> bool {
        self.writer.log_mut().renew_mirror(context)
    }

    /// This process may not write: a stale mirror stays as it is.
    pub fn leave_mirror(&mut self) {
        self.writer.log_mut().leave_mirror();
    }

    /// After a panic: nothing in memory is trusted.
    pub fn distrust(&mut self) {
        self.writer.log_mut().distrust();
        // The call that these wait for may be the one that was lost. Tickets that are dropped answer for
        // themselves.
        self.held = Held::default();
        self.compaction.dismiss_stranded();
    }
}
