//! One data folder: its logs, its lock, and what is due. A synchronous value without threads (`store::core`).
//!
//! 1. Take the lock between processes, or give up: each request waits as long as it has left.
//! 2. Finish a transaction that a crash cut short, before the first write.
//! 3. Sort the requests by log, and let each log do its own (`KeyedLog`). A transaction over several logs is done alone,
//!    behind what was called before it.
//! 4. Where the lock was lost meanwhile, begin anew with what is not written yet.
//! 5. Give the lock back, hand the answers over.
//!
//! Invariant: files are changed only while the lock between processes is held (new files beside the
//! real ones, which no other process knows, excepted); every request is answered or held.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use crate::data::name::LogName;
use crate::error::{Code, Error, Result};
use crate::files::context::Context;
use crate::files::folder_copy::FolderCopy;
use crate::files::folder_format::FolderFormat;
use crate::files::job::{Job, JobDone};
use crate::files::left::Left;
use crate::files::lock::{DirectoryLock, Purpose};
use crate::files::log::paths::LogPaths;
use crate::files::logs::{Logs, Shelves};
use crate::files::metrics::FolderMetrics;
use crate::files::open::stale::{Mirrored, is_stale, logs_in};
use crate::files::options::{OnCorruption, Options};
use crate::files::past::old_logs::old_logs;
use crate::files::temporary::sweep;
use crate::files::transaction::intent::Intent;
use crate::store::answer::Answer;
use crate::store::core::{Core, Finish, Lane, Phase, Renewal, Task};
use crate::store::event::NoticeSink;
use crate::store::held::Held;
use crate::store::patience::{Patience, WAIT_US_MAX};
use crate::store::request::{Expected, Maintenance, Request, Work};
use crate::store::ticket::{Outlet, Ticket};
use crate::vfs::{FileSystemRef, Stamp};

/// So often a batch begins anew because its lock was lost.
const LOST_LOCKS_MAX: usize = 100;

/// See the header of this file.
pub struct Folder {
    context: Context,
    lock: DirectoryLock,
    logs: Logs,
    /// What a process or thread that ends leaves unwritten.
    left: Left,
    /// These logs have a mirror in any case.
    mirrored: Vec<LogName>,
    /// Says that the data was moved to another place, where it is there.
    moved_mark: PathBuf,
    was_moved: bool,
    /// Whether a newer version has made the folder its own.
    format: FolderFormat,
    /// What killed processes left was removed.
    is_swept: bool,
    /// The intent of a transaction, as it was when somebody else may have written it last.
    intent: Option<Stamp>,
    /// Somebody else may have written one since.
    is_intent_unseen: bool,
    /// Callers whose transaction met other values than it expected, and what they called since.
    held: Held,
    /// Transactions that wait for the next try of an earlier call, and what was called behind them.
    behind: Vec<Request>,
}

impl Folder {
    /// The folder `data_folder`. Nothing is read or written before the first request.
    #[must_use]
    pub fn new(
        files: FileSystemRef,
        data_folder: PathBuf,
        options: Options,
        notices: Arc<dyn NoticeSink>,
    ) -> Self {
        let own_folder = data_folder.join(".progressive-storage");
        let context = Context::new(files, data_folder, options, notices);
        let lock = DirectoryLock::new(&own_folder, context.unique);
        Self {
            context,
            lock,
            logs: Logs::default(),
            left: Left::default(),
            mirrored: Vec::new(),
            moved_mark: own_folder.join("moved"),
            was_moved: false,
            format: FolderFormat::new(&own_folder),
            is_swept: false,
            intent: None,
            is_intent_unseen: true,
            held: Held::default(),
            behind: Vec::new(),
        }
    }

    /// These logs have a mirror, whatever is called on them.
    #[must_use]
    pub fn with_mirrored(mut self, logs: Vec<LogName>) -> Self {
        self.mirrored = logs;
        self
    }

    /// The shelves, to be shared with readers.
    #[must_use]
    pub fn shelves(&self) -> Shelves {
        self.logs.shelves()
    }

    /// Takes the lock between processes, waiting for at most `left_us`.
    fn acquire(&mut self, purpose: Purpose, left_us: u64) -> Result<()> {
        if self.lock.is_held() {
            return Ok(());
        }
        // Before the lock is taken, too: that writes a name.
        self.format.check(&*self.context.files)?;
        let asked_us = self.context.files.monotonic_us();
        let taken = self.lock.acquire(&*self.context.files, purpose, &self.context.patience, left_us);
        self.context.is_locked.set(self.lock.is_held());
        self.is_intent_unseen |= self.lock.was_others();
        if self.lock.was_others() {
            // Also where it could not be taken: the next time nothing shows that somebody was there.
            self.logs.lock_was_others();
        }
        if self.lock.was_others() || !self.lock.is_held() {
            // Another one may be of a newer version.
            self.format.doubt();
        }
        taken?;
        self.refuse_where_moved()?;
        self.refuse_newer_format()?;
        self.look_for_intent()?;
        let waited_us = self.context.files.monotonic_us().saturating_sub(asked_us);
        self.context.metrics.lock_wait.record(waited_us);
        self.context.lock_wait_took(waited_us);
        if purpose == Purpose::Write && !self.is_swept {
            self.is_swept = true;
            let context = &self.context;
            let folder = &context.data_folder;
            sweep(&*context.files, &[folder, &folder.join("logs"), &folder.join(".progressive-storage")]);
        }
        Ok(())
    }

    /// Gives the lock back where a newer version has made the folder its own.
    fn refuse_newer_format(&mut self) -> Result<()> {
        self.format.check(&*self.context.files).inspect_err(|_| self.release())
    }

    /// Gives the lock back where the data was moved to another place. That was another process, which had the lock.
    fn refuse_where_moved(&mut self) -> Result<()> {
        if !self.lock.was_others() && !self.was_moved {
            return Ok(());
        }
        let mark = self.context.files.stamp(&self.moved_mark);
        self.was_moved = !matches!(mark, Ok(None));
        match mark {
            Ok(None) => Ok(()),
            Ok(Some(_)) => {
                self.release();
                Err(Error::moved(&self.moved_mark))
            }
            Err(error) => {
                self.release();
                Err(error)
            }
        }
    }

    /// Somebody else may have begun a transaction and not lived to finish it.
    fn look_for_intent(&mut self) -> Result<()> {
        if self.lock.is_held() && !self.is_intent_unseen {
            return Ok(());
        }
        match Intent::stamp(&*self.context.files, &self.context.data_folder) {
            Ok(found) => {
                if found != self.intent {
                    self.intent = found;
                    self.logs.read_intent_again();
                }
                self.is_intent_unseen = false;
                Ok(())
            }
            Err(error) => {
                self.release();
                Err(error)
            }
        }
    }

    /// What is counted of the folder.
    #[must_use]
    pub fn metrics(&self) -> Arc<FolderMetrics> {
        Arc::clone(&self.context.metrics)
    }

    /// How long the lock is waited for.
    #[must_use]
    pub fn patience(&self) -> Arc<Patience> {
        Arc::clone(&self.context.patience)
    }

    /// Gives the lock back.
    fn release(&mut self) {
        self.lock.release();
        self.context.is_locked.set(false);
    }

    /// Jobs that are to be run, in this order, on another thread.
    pub fn take_jobs(&mut self) -> Vec<Job> {
        self.logs.take_jobs()
    }

    /// Makes everything durable, the mirrors current, and leaves the record of a clean end. Logs that were
    /// only read are left alone. The lock is waited for for at most `left_us`.
    ///
    /// # Errors
    /// The first failure; the other logs are finished all the same.
    pub fn finish_within(&mut self, left_us: u64) -> Result<()> {
        let finished = self.try_finish(left_us);
        if self.context.patience.is_ending() { self.left.add_to(finished) } else { finished }
    }

    /// The same, waiting as long as any call does.
    ///
    /// # Errors
    /// The first failure; the other logs are finished all the same.
    pub fn finish(&mut self) -> Result<()> {
        self.finish_within(WAIT_US_MAX)
    }

    /// Finishes a transaction that a crash cut short, where this process may write.
    fn finish_transaction(&mut self, left_us: u64) -> Result<()> {
        if Intent::read(&*self.context.files, &self.context.data_folder)?.is_none() {
            return Ok(());
        }
        match self.acquire(Purpose::Write, left_us) {
            Err(error) if matches!(error.code(), Code::Erofs | Code::Eacces | Code::Eperm) => return Ok(()),
            acquired => acquired?,
        }
        let finished = self.logs.finish_transaction(&self.context);
        self.release();
        finished
    }

    /// Marks the stale mirrors of the folder for the next `finish`, also where this process wrote nothing. Where this
    /// process may not write, they stay as they are.
    ///
    /// # Errors
    /// `ERR_LOCKED`; the system's where the folder cannot be read.
    pub fn renew_mirrors(&mut self, left_us: u64) -> Result<()> {
        let files = Arc::clone(&self.context.files);
        let mut stale = Vec::new();
        for name in logs_in(&*files, &self.context.data_folder.join("logs"))? {
            let paths = LogPaths::new(&self.context.data_folder, &name);
            let is_finished = self.logs.needs_finish(&self.context, &name);
            let is_mirrored = self.mirrored.contains(&name);
            let mirrored = if is_mirrored { Mirrored::Always } else { Mirrored::ByRecord };
            if !is_finished && is_stale(&*files, &paths, mirrored)? {
                stale.push(name);
            }
        }
        if stale.is_empty() {
            return Ok(());
        }
        self.acquire(Purpose::Read, left_us)?;
        let mut is_stale = false;
        for name in stale {
            is_stale |= self.logs.renew_mirror(&self.context, &name);
        }
        self.release();
        if is_stale
            && let Err(error) = self.acquire(Purpose::Write, left_us)
            && matches!(error.code(), Code::Erofs | Code::Eacces | Code::Eperm)
        {
            self.logs.leave_mirrors();
        }
        self.release();
        Ok(())
    }

    fn try_finish(&mut self, left_us: u64) -> Result<()> {
        let (ready, mut result) = self.logs.unfinished(&self.context);
        if ready.is_empty() {
            return result;
        }
        self.acquire(Purpose::Write, left_us)?;
        for name in ready {
            result = result.and(self.logs.finish(&self.context, &name));
        }
        self.release();
        result
    }
}

/// Transactions among the requests of a batch.
impl Folder {
    /// Does the requests in such parts that a transaction comes behind what was called before it.
    fn run_in_order(&mut self, requests: Vec<Request>) {
        let mut requests = VecDeque::from(requests);
        while !requests.is_empty() {
            let mut batch = Vec::new();
            while let Some(request) = self.held.next(&mut requests) {
                if !request.is_next_try() && self.waits_behind(&request.ticket) {
                    self.behind.push(request);
                    continue;
                }
                if !matches!(request.work, Work::Transact(_)) {
                    batch.push(request);
                    continue;
                }
                self.commit_batch(std::mem::take(&mut batch));
                if self.logs.holds_calls_of(&request.ticket) {
                    self.behind.push(request);
                } else {
                    self.transact(request);
                    // Each takes some syncs, and others wait.
                    self.release();
                }
            }
            self.commit_batch(batch);
            requests = self.take_behind();
        }
    }

    /// Whether a transaction of this one's caller waits for the next try of an earlier call.
    fn waits_behind(&self, ticket: &Ticket) -> bool {
        self.behind.iter().any(|request| ticket.is_of(&request.ticket.outlet()))
    }

    /// Takes what need not wait any more.
    fn take_behind(&mut self) -> VecDeque<Request> {
        let (waiting, ready) =
            self.behind.drain(..).partition(|request| self.logs.holds_calls_of(&request.ticket));
        self.behind = waiting;
        ready.into()
    }

    fn transact(&mut self, request: Request) {
        let mut requests = vec![request];
        for _ in 0..LOST_LOCKS_MAX {
            requests = self.ready_for(requests);
            let Some(Request { log, is_collection, work, size_bytes, ticket }) = requests.pop() else {
                return;
            };
            let Work::Transact(transaction) = work else { return };
            let answer = if transaction.gives_up() {
                Some(Ok(Answer::Undefined))
            } else {
                self.logs.transact(&self.context, &self.lock, &transaction)
            };
            if let Some(answer) = answer {
                if matches!(answer, Ok(Answer::Conflict(_))) {
                    self.held.begin(&ticket);
                }
                ticket.answer(answer).flush();
                return;
            }
            requests.push(Request {
                log,
                is_collection,
                work: Work::Transact(transaction),
                size_bytes,
                ticket,
            });
            self.release();
        }
        self.refuse_all(requests, &Error::locks_removed(&self.context.data_folder));
    }
}

/// The requests of a batch.
impl Folder {
    fn commit_batch(&mut self, requests: Vec<Request>) {
        if requests.is_empty() {
            return;
        }
        let requests = if self.context.options.on_corruption == OnCorruption::Refuse {
            self.without_refused(requests)
        } else {
            requests
        };
        let mut requests = requests;
        for _ in 0..LOST_LOCKS_MAX {
            // Calls that waited for one of these may be among those that are made anew.
            requests = self.ready_for(requests);
            requests = self.run_by_log(requests);
            if requests.is_empty() {
                return;
            }
            // Somebody removed the lock files, and another process may have made and locked new ones.
            self.release();
        }
        self.refuse_all(requests, &Error::locks_removed(&self.context.data_folder));
    }

    /// Takes the lock for these requests, and finishes a transaction before the first write; gives those that can go on.
    fn ready_for(&mut self, requests: Vec<Request>) -> Vec<Request> {
        let purpose = self.purpose_of(&requests);
        let requests = self.acquire_for(requests, purpose);
        if purpose == Purpose::Write && self.lock.is_held() && self.logs.may_be_unfinished() {
            return self.finish_transaction_for(requests);
        }
        requests
    }

    /// Finishes a transaction before anything is written; gives the requests that can go on. Where it cannot be finished,
    /// its lines come first in each log all the same; only where it is not known what is in force, nothing is written.
    fn finish_transaction_for(&mut self, requests: Vec<Request>) -> Vec<Request> {
        let Err(error) = self.logs.finish_transaction(&self.context) else { return requests };
        if !self.logs.is_intent_in_doubt() {
            return requests;
        }
        let (refused, left) = requests.into_iter().partition(|request| request.work.is_change());
        self.refuse_all(refused, &error);
        left
    }

    fn purpose_of(&self, requests: &[Request]) -> Purpose {
        let is_write = |request: &Request| match &request.work {
            Work::Append(_) | Work::Write(_) | Work::Compact => true,
            Work::Maintain(wanted) => self.has_something_to_maintain(&request.log, *wanted),
            Work::Replace(replace) => matches!(replace.expected, Expected::Values(_)),
            Work::Transact(transaction) => transaction.has_expected(),
            Work::Read(_) | Work::Copy(_) => false,
        };
        if requests.iter().any(is_write) { Purpose::Write } else { Purpose::Read }
    }

    /// Takes the lock for these requests; gives those that still are to be done. Each one waits as long as it has left.
    fn acquire_for(&mut self, mut requests: Vec<Request>, purpose: Purpose) -> Vec<Request> {
        while let Some(left_us) = requests.iter().map(|request| self.left_us(request)).min() {
            let Err(error) = self.acquire(purpose, left_us) else { break };
            let gives_up = |request: &Request| {
                error.code() != Code::Locked
                    || self.context.patience.is_ending()
                    || self.left_us(request) == 0
            };
            let (refused, waiting) = requests.into_iter().partition(gives_up);
            self.refuse_all(refused, &error);
            requests = waiting;
        }
        requests
    }

    fn left_us(&self, request: &Request) -> u64 {
        self.context.patience.left_us(request.ticket.waits_from_us())
    }

    /// Gives the requests that could not be done since the lock was lost.
    fn run_by_log(&mut self, requests: Vec<Request>) -> Vec<Request> {
        let mut by_log: Vec<(LogName, Vec<Request>)> = Vec::new();
        let mut copies = Vec::new();
        for request in requests {
            if matches!(request.work, Work::Copy(_)) {
                copies.push(request);
                continue;
            }
            match by_log.iter_mut().find(|(name, _)| *name == request.log) {
                Some((_, requests)) => requests.push(request),
                None => by_log.push((request.log.clone(), vec![request])),
            }
        }
        let mut again = Vec::new();
        for (name, requests) in by_log {
            if !again.is_empty() {
                again.extend(requests);
                continue;
            }
            again = self.logs.run(&self.context, &self.lock, &name, requests);
        }
        if !again.is_empty() {
            again.extend(copies);
            return again;
        }
        for Request { work, ticket, .. } in copies {
            if let Work::Copy(target) = work {
                match self.begin_copy(target) {
                    Ok(copy) => self.logs.add_job(Job::Copy(copy, ticket)),
                    Err(error) => ticket.answer(Err(error)).flush(),
                }
            }
        }
        again
    }

    /// A copy of the folder with all that was written before.
    fn begin_copy(&self, target: PathBuf) -> Result<FolderCopy> {
        let Context { files, data_folder, .. } = &self.context;
        if !self.lock.is_held() && self.lock.is_there(&**files)? {
            return Err(Error::copy_without_lock(data_folder));
        }
        let mut names = logs_in(&**files, &data_folder.join("logs"))?;
        names.extend(self.mirrored.iter().filter(|name| !names.contains(name)).cloned().collect::<Vec<_>>());
        FolderCopy::begin(&**files, data_folder, &names, target, self.context.syncing())
    }

    /// Answers with the error that kept them from beginning.
    fn refuse_all(&mut self, requests: Vec<Request>, error: &Error) {
        for request in requests {
            if matches!(request.work, Work::Compact | Work::Maintain(_)) {
                let paths = LogPaths::new(&self.context.data_folder, &request.log);
                self.context.compaction_failed(&paths, error);
            }
            if self.context.patience.is_ending() && request.work.is_change() {
                self.left.note(&request.log, error);
            }
            if request.is_next_try() && matches!(request.work, Work::Transact(_)) {
                let waiting = self.held.release(&request.ticket.outlet());
                for request in waiting {
                    self.logs.refuse(&self.lock, request, error);
                }
            }
            self.logs.refuse(&self.lock, request, error);
        }
    }

    /// So that a scheduler with nothing to do makes not even a lock.
    fn is_log_over(&self, name: &LogName, size_bytes: u64) -> bool {
        let paths = LogPaths::new(&self.context.data_folder, name);
        let stamp = self.context.files.stamp(&paths.log);
        stamp.is_ok_and(|stamp| stamp.is_some_and(|stamp| stamp.size_bytes > size_bytes))
    }

    fn has_something_to_maintain(&self, name: &LogName, wanted: Maintenance) -> bool {
        let limit_bytes = wanted.threshold_bytes.min(wanted.rotate_over_bytes.unwrap_or(u64::MAX));
        let paths = LogPaths::new(&self.context.data_folder, name);
        self.is_log_over(name, limit_bytes)
            || wanted.boundary_ms.is_some() && self.is_log_over(name, 0)
            || old_logs(&*self.context.files, &paths).is_ok_and(|old| !old.is_empty())
    }

    /// With `onCorruption: 'refuse'`, calls on a damaged log are refused before even the lock is made.
    fn without_refused(&mut self, requests: Vec<Request>) -> Vec<Request> {
        let mut names: Vec<LogName> = requests.iter().map(|request| request.log.clone()).collect();
        names.dedup();
        let refused: Vec<(LogName, Error)> = names
            .into_iter()
            .filter_map(|name| {
                let left_us = requests.iter().map(|request| self.left_us(request)).min().unwrap_or(0);
                let ready = self
                    .acquire(Purpose::Read, left_us)
                    .and_then(|()| self.logs.catch_up(&self.context, &name));
                ready.err().filter(|error| error.code() == Code::LogCorrupt).map(|error| (name, error))
            })
            .collect();
        self.release();
        let mut passed = Vec::with_capacity(requests.len());
        for request in requests {
            match refused.iter().find(|(name, _)| *name == request.log) {
                Some((_, error)) => self.logs.refuse(&self.lock, request, error),
                None => passed.push(request),
            }
        }
        passed
    }
}

impl Core for Folder {
    type Done = JobDone;

    fn run_batch(&mut self, requests: Vec<Request>) {
        self.context.metrics.batch_calls.record(requests.len() as u64);
        self.run_in_order(requests);
        self.release();
        self.logs.flush_outlets();
    }

    fn take_tasks(&mut self, phase: Phase) -> Vec<Task<JobDone>> {
        let mut tasks = Vec::new();
        for job in self.take_jobs() {
            if let Job::Compress(job) = &job
                && phase == Phase::Ending
            {
                // Nobody waits for it, and somebody for the end.
                self.logs.leave_uncompressed(&job.log);
                continue;
            }
            let lane = if job.is_read() { Lane::Reader } else { Lane::Worker };
            let (lost, files) = (job.lost(), Arc::clone(&self.context.files));
            tasks.push(Task { lane, run: Box::new(move || job.run(&*files)), lost });
        }
        tasks
    }

    fn task_done(&mut self, done: JobDone) {
        let ready = match done {
            // For no file.
            JobDone::Held(_) => Ok(()),
            JobDone::Read(..) => self.acquire(Purpose::Read, WAIT_US_MAX),
            _ => self.acquire(Purpose::Write, WAIT_US_MAX),
        };
        self.logs.job_done(&self.context, done, ready);
        self.release();
        self.logs.flush_outlets();
    }

    fn next_due_ms(&self) -> Option<u64> {
        self.logs.next_due_ms()
    }

    fn tick(&mut self) {
        let now_ms = self.context.files.monotonic_ms();
        if self.logs.next_due_ms().is_none_or(|due_ms| due_ms > now_ms) {
            return;
        }
        let ready = self.acquire(Purpose::Write, WAIT_US_MAX);
        self.logs.tick(&self.context, now_ms, &ready);
        self.release();
    }

    fn is_busy(&self) -> bool {
        self.logs.is_busy()
    }

    fn has_calls_before(&self, end: &Ticket) -> bool {
        self.logs.holds_calls_of(end) || self.held.holds_calls_of(end) || self.waits_behind(end)
    }

    fn abandon(&mut self, caller: &Arc<dyn Outlet>) {
        let mut released = self.logs.release_held(caller);
        released.extend(self.held.release(caller));
        let is_theirs = |request: &mut Request| request.ticket.is_of(caller);
        released.extend(self.behind.extract_if(.., is_theirs));
        if !released.is_empty() {
            self.run_batch(released);
        }
    }

    fn finish(&mut self, Finish { left_us, renewal }: Finish) -> Result<()> {
        // Each does what it can, whatever becomes of the other.
        let renewed = if renewal == Renewal::All {
            self.finish_transaction(left_us).and(self.renew_mirrors(left_us))
        } else {
            Ok(())
        };
        self.finish_within(left_us).and(renewed)
    }

    fn distrust_memory(&mut self) {
        self.release();
        self.logs.distrust();
        // Tickets that are dropped answer for themselves.
        self.held = Held::default();
        self.behind.clear();
        self.logs.flush_outlets();
    }
}
