//! One data folder: its logs, its lock, and what is due. A synchronous value without threads (`store::core`).
//!
//! Invariant: files are changed only while the lock between processes is held (new files beside the
//! real ones, which no other process knows, excepted).

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::data::name::LogName;
use crate::error::{Code, Result};
use crate::files::compact::job::{Job, JobDone};
use crate::files::context::{Context, is_temporary};
use crate::files::lock::{DirectoryLock, Purpose};
use crate::files::log::file::LogPaths;
use crate::files::metrics::FolderMetrics;
use crate::files::open::catch_up::Log;
use crate::files::open::stale::{is_stale, logs_in};
use crate::files::options::Options;
use crate::files::write::batch::Left;
use crate::files::write::shelf::Shelf;
use crate::store::core::{Core, Finish, Lane, Phase, Renewal, Task};
use crate::store::event::{Details, LONG_LOCK_WAIT_MS, NoticeSink};
use crate::store::held::Held;
use crate::store::patience::{Patience, WAIT_US_MAX};
use crate::store::request::Request;
use crate::store::ticket::{Outlet, Ticket};
use crate::vfs::FileSystemRef;

/// The shelves of all logs, for readers on other threads.
pub type Shelves = Arc<RwLock<HashMap<LogName, Arc<Shelf>>>>;

/// See the header of this file.
pub struct Folder {
    pub(crate) context: Context,
    pub(crate) lock: DirectoryLock,
    /// In the order of their names, so that the same calls lead to the same calls of the file system.
    pub(crate) logs: BTreeMap<LogName, Log>,
    pub(crate) jobs: Vec<Job>,
    shelves: Shelves,
    outlets: Vec<Arc<dyn Outlet>>,
    /// What a process or thread that ends leaves unwritten.
    pub(crate) left: Left,
    /// These logs have a mirror in any case.
    mirrored: Vec<LogName>,
    is_swept: bool,
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
            logs: BTreeMap::new(),
            jobs: Vec::new(),
            shelves: Shelves::default(),
            outlets: Vec::new(),
            left: Left::default(),
            mirrored: Vec::new(),
            is_swept: false,
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
        Arc::clone(&self.shelves)
    }

    pub(crate) fn log(&mut self, name: &LogName) -> &mut Log {
        let (context, shelves) = (&self.context, &self.shelves);
        self.logs.entry(name.clone()).or_insert_with(|| {
            let paths = LogPaths::new(&context.data_folder, name);
            let shelf = Arc::new(Shelf::new(paths.clone()));
            shelves.write().insert(name.clone(), Arc::clone(&shelf));
            Log::new(paths, shelf)
        })
    }

    /// Takes the lock between processes, waiting for at most `left_us`.
    pub(crate) fn acquire(&mut self, purpose: Purpose, left_us: u64) -> Result<()> {
        if self.lock.is_held() {
            return Ok(());
        }
        let asked_us = self.context.files.monotonic_us();
        let taken = self.lock.acquire(&*self.context.files, purpose, &self.context.patience, left_us);
        self.context.is_locked.set(self.lock.is_held());
        if self.lock.was_others() {
            // Also where it could not be taken: the next time it may look as if nobody had been there.
            self.logs.values_mut().for_each(Log::others_were_here);
        }
        taken?;
        let waited_us = self.context.files.monotonic_us().saturating_sub(asked_us);
        self.context.metrics.lock_wait.record(waited_us);
        let waited_ms = waited_us / 1000;
        if waited_ms >= LONG_LOCK_WAIT_MS {
            let folder = self.context.data_folder.display();
            self.context.tell(
                "PS_LOCK_WAIT",
                &folder.to_string(),
                format!(
                    "Calls on '{folder}' waited {waited_ms} ms for the lock that another process held. Nothing is \
                     lost; see whether a process is stopped, or the disk is slow"
                ),
                &Details::new().path("path", &self.context.data_folder).number("durationMs", waited_ms),
            );
        }
        if purpose == Purpose::Write && !self.is_swept {
            self.is_swept = true;
            self.sweep();
        }
        Ok(())
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
    pub(crate) fn release(&mut self) {
        self.lock.release();
        self.context.is_locked.set(false);
    }

    /// Removes temporary files that killed processes left: a process that is at work on one holds its
    /// lock, or the one of the folder, which is ours now. Failing to is harmless.
    fn sweep(&self) {
        let files = &*self.context.files;
        let logs = self.context.data_folder.join("logs");
        for folder in [&self.context.data_folder, &logs] {
            let names = files.list(folder).unwrap_or_default();
            for path in names.iter().filter(|name| is_temporary(name)).map(|name| folder.join(name)) {
                if let Ok(Some(mut file)) = files.open_in_place(&path, false)
                    && file.try_lock() == Ok(true)
                    && let (Ok(Some(at_path)), Ok(opened)) = (files.stamp(&path), file.stamp())
                    && at_path.id == opened.id
                {
                    let _ = files.remove(&path);
                }
            }
        }
    }

    /// Remembers whom to tell that there are answers.
    pub(crate) fn answered(&mut self, outlet: Arc<dyn Outlet>) {
        if !self.outlets.iter().any(|known| Arc::ptr_eq(known, &outlet)) {
            self.outlets.push(outlet);
        }
    }

    /// Hands the answers over.
    pub(crate) fn flush_outlets(&mut self) {
        for outlet in self.outlets.drain(..) {
            outlet.flush();
        }
    }

    /// Does what is asked, in order, and answers. One sync a log, however many requests.
    pub fn run_batch(&mut self, requests: Vec<Request>) {
        self.context.metrics.batch_calls.record(requests.len() as u64);
        self.commit_batch(requests);
        self.release();
        self.flush_outlets();
    }

    /// Takes the result of a job.
    pub fn job_done(&mut self, done: JobDone) {
        self.take_result(done);
        self.release();
        self.flush_outlets();
    }

    /// Jobs that are to be run, in this order, on another thread.
    pub fn take_jobs(&mut self) -> Vec<Job> {
        std::mem::take(&mut self.jobs)
    }

    /// True while a compaction or a mirror is under way.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.logs.values().any(Log::is_busy)
    }

    /// Milliseconds (of the clock that never jumps) at which `tick` has something to do.
    #[must_use]
    pub fn next_due_ms(&self) -> Option<u64> {
        self.logs.values().filter_map(Log::next_due_ms).min()
    }

    /// Starts what is due.
    pub fn tick(&mut self) {
        let now_ms = self.context.files.monotonic_ms();
        let is_due = |log: &Log| log.next_due_ms().is_some_and(|due_ms| due_ms <= now_ms);
        if !self.logs.values().any(is_due) {
            return;
        }
        let ready = self.acquire(Purpose::Write, WAIT_US_MAX);
        for log in self.logs.values_mut().filter(|log| is_due(log)) {
            log.tick(&self.context, now_ms, &ready, &mut self.jobs);
        }
        self.release();
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
            let is_finished = self.logs.get(&name).is_some_and(|log| log.needs_finish(&self.context));
            if !is_finished && is_stale(&*files, &paths, self.mirrored.contains(&name))? {
                stale.push(name);
            }
        }
        if stale.is_empty() {
            return Ok(());
        }
        self.acquire(Purpose::Read, left_us)?;
        let mut is_stale = false;
        for name in stale {
            self.log(&name);
            if let Some(log) = self.logs.get_mut(&name) {
                is_stale |= log.renew_mirror(&self.context);
            }
        }
        self.release();
        if is_stale
            && let Err(error) = self.acquire(Purpose::Write, left_us)
            && matches!(error.code(), Code::Erofs | Code::Eacces | Code::Eperm)
        {
            self.logs.values_mut().for_each(Log::leave_mirror);
        }
        self.release();
        Ok(())
    }

    fn try_finish(&mut self, left_us: u64) -> Result<()> {
        let mut result = Ok(());
        let mut ready = Vec::new();
        let context = &self.context;
        for (name, log) in self.logs.iter_mut().filter(|(_, log)| log.needs_finish(context)) {
            match log.forget_if_removed(context) {
                Ok(()) if log.needs_finish(context) => ready.push(name.clone()),
                looked => result = result.and(looked),
            }
        }
        if ready.is_empty() {
            return result;
        }
        self.acquire(Purpose::Write, left_us)?;
        for name in ready {
            if let Some(log) = self.logs.get_mut(&name) {
                result = result.and(log.finish(&self.context));
            }
        }
        self.release();
        result
    }

    /// After a panic: nothing in memory is trusted, all is read again from the files.
    pub fn distrust_memory(&mut self) {
        self.release();
        for log in self.logs.values_mut() {
            log.distrust();
            // The call that these wait for may be the one that was lost. Tickets that are dropped answer for
            // themselves.
            log.held = Held::default();
            log.compaction.dismiss_stranded();
        }
        self.flush_outlets();
    }
}

impl Core for Folder {
    type Done = JobDone;

    fn run_batch(&mut self, requests: Vec<Request>) {
        Self::run_batch(self, requests);
    }

    fn take_tasks(&mut self, phase: Phase) -> Vec<Task<JobDone>> {
        let mut tasks = Vec::new();
        for job in self.take_jobs() {
            if let Job::Compress(job) = &job
                && phase == Phase::Ending
            {
                // Nobody waits for it, and somebody for the end.
                self.leave_uncompressed(job);
                continue;
            }
            let lane = if job.is_read() { Lane::Reader } else { Lane::Worker };
            let (lost, files) = (job.lost(), Arc::clone(&self.context.files));
            tasks.push(Task { lane, run: Box::new(move || job.run(&*files)), lost });
        }
        tasks
    }

    fn task_done(&mut self, done: JobDone) {
        self.job_done(done);
    }

    fn next_due_ms(&self) -> Option<u64> {
        Self::next_due_ms(self)
    }

    fn tick(&mut self) {
        Self::tick(self);
    }

    fn is_busy(&self) -> bool {
        Self::is_busy(self)
    }

    fn holds_calls_of(&self, ticket: &Ticket) -> bool {
        Self::holds_calls_of(self, ticket)
    }

    fn abandon(&mut self, caller: &Arc<dyn Outlet>) {
        Self::abandon(self, caller);
    }

    fn finish(&mut self, Finish { left_us, renewal }: Finish) -> Result<()> {
        // Each does what it can, whatever becomes of the other.
        let renewed = if renewal == Renewal::All { self.renew_mirrors(left_us) } else { Ok(()) };
        self.finish_within(left_us).and(renewed)
    }

    fn distrust_memory(&mut self) {
        Self::distrust_memory(self);
    }
}
