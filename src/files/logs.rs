//! The logs of a folder, by name; what they leave to be done beside, and who got an answer.
//!
//! Invariant: each log has a shelf in `shelves`, where readers on other threads find it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::RwLock;

use crate::data::name::LogName;
use crate::error::{Error, Result};
use crate::files::context::Context;
use crate::files::job::{Job, JobDone};
use crate::files::keyed_log::KeyedLog;
use crate::files::lock::DirectoryLock;
use crate::files::log::file::Appended;
use crate::files::log::paths::LogPaths;
use crate::files::shelf::Shelf;
use crate::files::transaction::intent::{Intent, IntentPart};
use crate::files::write::batch::Batch;
use crate::files::write::run::Run;
use crate::store::answer::Answer;
use crate::store::request::{Request, Transaction};
use crate::store::ticket::{Outlet, Ticket};

/// What a transaction comes to.
enum Staged {
    /// Its keys have these values, which the caller did not expect.
    Conflict(Vec<Option<String>>),
    /// What each log gets.
    Batches(Vec<(LogName, Batch)>),
}

/// The shelves of all logs, for readers on other threads.
pub type Shelves = Arc<RwLock<HashMap<LogName, Arc<Shelf>>>>;

/// See the header of this file.
#[derive(Default)]
pub struct Logs {
    /// In the order of their names, so that the same calls lead to the same calls of the file system.
    by_name: BTreeMap<LogName, KeyedLog>,
    shelves: Shelves,
    jobs: Vec<Job>,
    outlets: Vec<Arc<dyn Outlet>>,
    /// Logs may lack lines of a transaction that is committed.
    is_unfinished: bool,
    /// An intent could not be written, nor taken back.
    doubtful_intent: Option<Intent>,
}

impl Logs {
    /// The shelves, to be shared with readers.
    pub fn shelves(&self) -> Shelves {
        Arc::clone(&self.shelves)
    }

    /// The log, among the others, so that what else is here can be used beside it.
    fn log<'l>(
        by_name: &'l mut BTreeMap<LogName, KeyedLog>,
        shelves: &Shelves,
        context: &Context,
        name: &LogName,
    ) -> &'l mut KeyedLog {
        by_name.entry(name.clone()).or_insert_with(|| {
            let paths = LogPaths::new(&context.data_folder, name);
            let shelf = Arc::new(Shelf::new(paths.clone()));
            shelves.write().insert(name.clone(), Arc::clone(&shelf));
            KeyedLog::new(paths, shelf)
        })
    }

    /// Does the requests of one log; gives those that could not be done since the lock was lost.
    pub fn run(
        &mut self,
        context: &Context,
        lock: &DirectoryLock,
        name: &LogName,
        requests: Vec<Request>,
    ) -> Vec<Request> {
        let mut run = Run::new(lock);
        let log = Self::log(&mut self.by_name, &self.shelves, context, name);
        log.run(context, requests, &mut run, &mut self.jobs);
        let Run { outlets, again, .. } = run;
        self.answered(outlets);
        again
    }

    /// Does a transaction; `None` where the lock was lost, or somebody else wrote, before anything was written.
    pub fn transact(
        &mut self,
        context: &Context,
        lock: &DirectoryLock,
        transaction: &Transaction,
    ) -> Option<Result<Answer>> {
        self.try_transact(context, lock, transaction).transpose()
    }

    fn try_transact(
        &mut self,
        context: &Context,
        lock: &DirectoryLock,
        transaction: &Transaction,
    ) -> Result<Option<Answer>> {
        let mut staged = self.stage_transaction(context, transaction)?;
        if let Staged::Batches(batches) = &staged
            && batches.iter().filter(|(_, batch)| !batch.changes.is_empty()).count() > 1
        {
            self.finish_transaction(context)?;
            for (name, _) in batches.iter().filter(|(_, batch)| !batch.changes.is_empty()) {
                self.known(name)?.make_even(context)?;
            }
            // What was mended may have shown what others wrote.
            staged = self.stage_transaction(context, transaction)?;
        }
        let batches = match staged {
            Staged::Conflict(found) => return Ok(Some(Answer::Conflict(found))),
            Staged::Batches(batches) => batches,
        };
        if !lock.is_in_place(&*context.files) {
            return Ok(None);
        }
        let (changed, same): (Vec<_>, Vec<_>) =
            batches.into_iter().partition(|(_, batch)| !batch.changes.is_empty());
        for (name, _) in &same {
            self.known(name)?.keep_what_was_found(context)?;
        }
        match &changed[..] {
            [] => {}
            [(name, batch)] => {
                if self.known(name)?.append_alone(context, batch)? == Appended::Outdated {
                    return Ok(None);
                }
            }
            _ => self.commit_transaction(context, &changed)?,
        }
        Ok(Some(Answer::Undefined))
    }

    fn stage_transaction(&mut self, context: &Context, transaction: &Transaction) -> Result<Staged> {
        let now_ms = context.files.now_ms();
        let (mut found, mut batches, mut is_as_expected) = (Vec::new(), Vec::new(), true);
        for (name, replace) in &transaction.parts {
            let log = Self::log(&mut self.by_name, &self.shelves, context, name);
            let shelf = log.caught_up(context)?.shelf();
            shelf.hold(replace.keys.iter().map(String::as_str))?;
            let mut batch = Batch::default();
            let changes = batch.view(shelf, now_ms, |view| {
                let member_of = |key: &str| view.member(key);
                found.extend(replace.found(member_of));
                is_as_expected &= replace.is_as_expected(member_of);
                replace.changes_from(member_of, now_ms)
            });
            if !changes.is_empty() {
                batch.expire(shelf, now_ms);
                batch.write(now_ms, changes);
            }
            batches.push((name.clone(), batch));
        }
        Ok(if is_as_expected { Staged::Batches(batches) } else { Staged::Conflict(found) })
    }

    /// See `transaction::intent`.
    fn commit_transaction(&mut self, context: &Context, changed: &[(LogName, Batch)]) -> Result<()> {
        let mut parts = Vec::with_capacity(changed.len());
        for (name, batch) in changed {
            let (end, mark) = self.known(name)?.end_and_mark();
            parts.push(IntentPart { log: name.clone(), end, mark, lines: batch.lines.bytes.clone() });
        }
        let (files, folder) = (&*context.files, &context.data_folder);
        let intent = Intent { parts };
        if let Err(error) = intent.write(files, folder, context.syncing()) {
            if intent.take_back(files, folder).is_err() {
                // It may be found whole, and then counts.
                self.doubtful_intent = Some(intent);
                self.is_unfinished = true;
            }
            return Err(error);
        }
        self.is_unfinished = false;
        for (name, batch) in changed {
            self.is_unfinished |= self.known(name)?.append_committed(context, batch).is_err();
        }
        if !self.is_unfinished {
            // Where it is found again, each log has its lines.
            let _ = Intent::clear(files, folder);
        }
        Ok(())
    }

    /// A log that was caught up.
    fn known(&mut self, name: &LogName) -> Result<&mut KeyedLog> {
        self.by_name.get_mut(name).ok_or_else(|| Error::internal("a log of a transaction is not open"))
    }

    /// Where an earlier transaction is not finished, its logs get what they lack, and its intent is emptied.
    pub fn finish_transaction(&mut self, context: &Context) -> Result<()> {
        self.is_unfinished = true;
        let (files, folder) = (&*context.files, &context.data_folder);
        if let Some(doubtful) = &self.doubtful_intent {
            doubtful.take_back(files, folder)?;
            self.doubtful_intent = None;
        }
        if let Some(intent) = Intent::read(files, folder)? {
            for part in &intent.parts {
                Self::log(&mut self.by_name, &self.shelves, context, &part.log)
                    .finish_transaction(context)?;
            }
            Intent::clear(files, folder)?;
        }
        self.is_unfinished = false;
        Ok(())
    }

    /// Whether nobody knows if a transaction is committed.
    pub fn is_intent_in_doubt(&self) -> bool {
        self.doubtful_intent.is_some()
    }

    /// Whether a transaction may not be finished.
    pub fn may_be_unfinished(&self) -> bool {
        self.is_unfinished
    }

    /// Somebody else may have left a transaction unfinished.
    pub fn read_intent_again(&mut self) {
        self.is_unfinished = true;
        self.by_name.values_mut().for_each(KeyedLog::read_intent_again);
    }

    /// Answers a request with an error, also those that waited for it.
    pub fn refuse(&mut self, lock: &DirectoryLock, request: Request, error: &Error) {
        let mut run = Run::new(lock);
        if let Some(log) = self.by_name.get_mut(&request.log) {
            log.refuse(vec![request], error, &mut run);
        } else {
            run.answer(request.ticket, Err(error.clone()));
        }
        self.answered(run.outlets);
    }

    /// Brings a log in step with its files.
    pub fn catch_up(&mut self, context: &Context, name: &LogName) -> Result<()> {
        Self::log(&mut self.by_name, &self.shelves, context, name).catch_up(context)
    }

    /// Another process has held the lock since this one did.
    pub fn lock_was_others(&mut self) {
        self.by_name.values_mut().for_each(KeyedLog::lock_was_others);
    }

    /// Whether calls of this one's caller are held.
    pub fn holds_calls_of(&self, ticket: &Ticket) -> bool {
        self.by_name.values().any(|log| log.holds_calls_of(ticket))
    }

    /// Gives back the held calls of a caller.
    pub fn release_held(&mut self, caller: &Arc<dyn Outlet>) -> Vec<Request> {
        self.by_name.values_mut().flat_map(|log| log.release_held(caller)).collect()
    }

    /// Has this be done beside as well.
    pub fn add_job(&mut self, job: Job) {
        self.jobs.push(job);
    }

    /// Long work that is to be done beside.
    pub fn take_jobs(&mut self) -> Vec<Job> {
        std::mem::take(&mut self.jobs)
    }

    /// A file of this log that was to be compressed stays as it is for now.
    pub fn leave_uncompressed(&mut self, name: &LogName) {
        if let Some(log) = self.by_name.get_mut(name) {
            log.leave_uncompressed();
        }
    }

    /// Takes the result of a job. `ready` says whether the lock is held.
    pub fn job_done(&mut self, context: &Context, done: JobDone, ready: Result<()>) {
        let Some(log) = self.by_name.get_mut(done.log()) else { return };
        let mut answered = Vec::new();
        for (ticket, answer) in log.job_done(context, done, ready, &mut self.jobs) {
            let outlet = ticket.answer(answer);
            answered.push(outlet);
        }
        self.answered(answered);
    }

    /// True while a compaction or a mirror is under way.
    pub fn is_busy(&self) -> bool {
        self.by_name.values().any(KeyedLog::is_busy)
    }

    /// When `tick` has something to do.
    pub fn next_due_ms(&self) -> Option<u64> {
        self.by_name.values().filter_map(KeyedLog::next_due_ms).min()
    }

    /// Does what is due. `ready` says whether the lock is held.
    pub fn tick(&mut self, context: &Context, now_ms: u64, ready: &Result<()>) {
        let is_due = |log: &KeyedLog| log.next_due_ms().is_some_and(|due_ms| due_ms <= now_ms);
        for log in self.by_name.values_mut().filter(|log| is_due(log)) {
            log.tick(context, now_ms, ready, &mut self.jobs);
        }
    }

    /// Whether a clean end has something to do for this log.
    pub fn needs_finish(&self, context: &Context, name: &LogName) -> bool {
        self.by_name.get(name).is_some_and(|log| log.needs_finish(context))
    }

    /// The logs for which a clean end has something to do, once data that somebody removed is forgotten; and the first
    /// failure to find that out.
    pub fn unfinished(&mut self, context: &Context) -> (Vec<LogName>, Result<()>) {
        let mut result = Ok(());
        let mut ready = Vec::new();
        for (name, log) in self.by_name.iter_mut().filter(|(_, log)| log.needs_finish(context)) {
            match log.forget_if_removed(context) {
                Ok(()) if log.needs_finish(context) => ready.push(name.clone()),
                checked => result = result.and(checked),
            }
        }
        (ready, result)
    }

    /// A clean end of one log.
    pub fn finish(&mut self, context: &Context, name: &LogName) -> Result<()> {
        self.by_name.get_mut(name).map_or(Ok(()), |log| log.finish(context))
    }

    /// Has the next clean end renew the mirror of a log, if it is ours and old. True if so.
    pub fn renew_mirror(&mut self, context: &Context, name: &LogName) -> bool {
        Self::log(&mut self.by_name, &self.shelves, context, name).renew_mirror(context)
    }

    /// This process may not write: stale mirrors stay as they are.
    pub fn leave_mirrors(&mut self) {
        self.by_name.values_mut().for_each(KeyedLog::leave_mirror);
    }

    /// After a panic: nothing in memory is trusted.
    pub fn distrust(&mut self) {
        self.by_name.values_mut().for_each(KeyedLog::distrust);
    }

    /// Hands the answers over.
    pub fn flush_outlets(&mut self) {
        for outlet in self.outlets.drain(..) {
            outlet.flush();
        }
    }

    fn answered(&mut self, outlets: Vec<Arc<dyn Outlet>>) {
        for outlet in outlets {
            if !self.outlets.iter().any(|known| Arc::ptr_eq(known, &outlet)) {
                self.outlets.push(outlet);
            }
        }
    }
}
