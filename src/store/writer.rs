//! The threads around an engine: one writer, one worker for long writes, one reader for long reads.
//!
//! ```text
//! callers ──queue──> writer ──jobs──> worker, reader
//!                      ^──────results────┘
//! ```
//!
//! While the writer syncs, calls queue up and form its next batch: that is the group commit. No timer
//! runs and nothing wakes up while there is nothing to do. The worker and the reader are started when
//! they are first needed.
//!
//! Invariant: a call that was accepted is answered, whatever happens; `stop` returns after all of them.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::data::name::LogName;
use crate::error::{Code, Error, Result};
use crate::files::compact::job::{Job, JobDone, ReadJob};
use crate::files::folder::{Engine, Shelves};
use crate::files::log::read::EntryCursor;
use crate::files::options::Options;
use crate::files::patience::Patience;
use crate::files::write::batch::is_again;
use crate::files::write::shelf::Shelf;
use crate::store::event::NoticeSink;
use crate::store::metrics::{FolderMetrics, TIMED_CALLS};
use crate::store::report::{LogReport, Report};
use crate::store::request::{Answer, Outlet, Request, Ticket};
use crate::vfs::{FileSystem, FileSystemRef};

/// Waiting calls may hold this much text.
const QUEUE_BYTES_MAX: usize = 1 << 30;
/// What a call weighs beside its text.
const REQUEST_BYTES: usize = 256;
/// A batch takes about this much text at once, so that the first callers do not wait for the last.
const BATCH_BYTES_MAX: usize = 8 << 20;

enum Message {
    Call(Request),
    Flush(Ticket),
    /// The next flush renews stale mirrors; these logs have one in any case.
    Renew(Vec<LogName>),
    Close(Ticket),
    /// A JavaScript thread ends.
    Abandon(Arc<dyn Outlet>),
    Read(EntryCursor, Ticket),
    Done(JobDone),
    /// A read job ended, which concerns only who waits for quiet.
    ReadDone,
}

#[derive(Default)]
struct Queue {
    messages: VecDeque<Message>,
    size_bytes: usize,
    is_closed: bool,
    is_sleeping: bool,
}

#[derive(Default)]
struct Inbox {
    queue: Mutex<Queue>,
    wake: Condvar,
}

impl Inbox {
    fn push(&self, message: Message, size_bytes: usize) {
        let mut queue = self.queue.lock();
        if queue.is_closed
            && let Message::Call(Request { ticket, .. })
            | Message::Flush(ticket)
            | Message::Close(ticket)
            | Message::Read(_, ticket) = message
        {
            drop(queue);
            return ticket.answer(Err(Error::closed())).flush();
        }
        queue.size_bytes += size_bytes;
        queue.messages.push_back(message);
        if queue.is_sleeping {
            self.wake.notify_one();
        }
    }

    /// Waits until there is something to do; `None` when the end was reached.
    fn take(&self, due_in: Option<Duration>) -> Option<VecDeque<Message>> {
        let mut queue = self.queue.lock();
        if queue.messages.is_empty() {
            if queue.is_closed {
                return None;
            }
            queue.is_sleeping = true;
            match due_in {
                Some(time) => {
                    self.wake.wait_for(&mut queue, time);
                }
                None => self.wake.wait(&mut queue),
            }
            queue.is_sleeping = false;
        }
        if queue.size_bytes < BATCH_BYTES_MAX {
            queue.size_bytes = 0;
            return Some(std::mem::take(&mut queue.messages));
        }
        let mut taken = VecDeque::new();
        let mut size_bytes = 0;
        while size_bytes < BATCH_BYTES_MAX
            && let Some(message) = queue.messages.pop_front()
        {
            if let Message::Call(request) = &message {
                size_bytes += request.size_bytes + REQUEST_BYTES;
            }
            taken.push_back(message);
        }
        queue.size_bytes -= size_bytes.min(queue.size_bytes);
        Some(taken)
    }
}

/// See the header of this file.
pub struct Writer {
    inbox: Arc<Inbox>,
    thread: Mutex<Option<JoinHandle<()>>>,
    shelves: Shelves,
    metrics: Arc<FolderMetrics>,
    patience: Arc<Patience>,
    data_folder: PathBuf,
    files: FileSystemRef,
}

impl Writer {
    /// Starts the writer of `data_folder`. Nothing is read or written before the first call.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        files: FileSystemRef,
        data_folder: PathBuf,
        options: Options,
        notices: Arc<dyn NoticeSink>,
    ) -> Result<Self> {
        let engine = Engine::new(Arc::clone(&files), data_folder.clone(), options, notices);
        let shelves = engine.shelves();
        let (metrics, patience) = (engine.metrics(), engine.patience());
        let inbox = Arc::new(Inbox::default());
        let shell = Shell {
            engine,
            inbox: Arc::clone(&inbox),
            files: Arc::clone(&files),
            worker: Helper::new("ps-worker"),
            reader: Helper::new("ps-reader"),
            jobs_under_way: 0,
            flushes: Vec::new(),
            renew: None,
            closes: Vec::new(),
        };
        let thread = std::thread::Builder::new()
            .name("ps-writer".to_owned())
            .spawn(move || shell.run())
            .map_err(|error| Error::no_thread(&error))?;
        Ok(Self { inbox, thread: Mutex::new(Some(thread)), shelves, metrics, patience, data_folder, files })
    }

    /// The shelf of a log, once the writer has looked at it.
    #[must_use]
    pub fn shelf(&self, name: &LogName) -> Option<Arc<Shelf>> {
        self.shelves.read().get(name).cloned()
    }

    /// The files that the writer works on.
    #[must_use]
    pub fn files(&self) -> &dyn FileSystem {
        &*self.files
    }

    /// Queues a call. Its ticket is answered in any case.
    pub fn call(&self, mut request: Request) {
        let size_bytes = request.size_bytes + REQUEST_BYTES;
        let (waiting_bytes, waiting_calls) = {
            let queue = self.inbox.queue.lock();
            (queue.size_bytes, queue.messages.len())
        };
        if waiting_calls.is_multiple_of(TIMED_CALLS) {
            request.ticket.time_from(self.files.monotonic_us());
        }
        request.ticket.wait_from(self.patience.waited_us());
        // Others wait for a further try, so it is not refused here.
        if waiting_bytes + size_bytes > QUEUE_BYTES_MAX && !is_again(&request) {
            return request.ticket.answer(Err(Error::queue_full())).flush();
        }
        self.inbox.push(Message::Call(request), size_bytes);
    }

    /// The metrics as they are now.
    #[must_use]
    pub fn report(&self) -> Report {
        let (queue_calls, queue_bytes) = {
            let queue = self.inbox.queue.lock();
            (queue.messages.len() as u64, queue.size_bytes as u64)
        };
        let now_ms = self.files.monotonic_ms();
        let shelves: Vec<Arc<Shelf>> = self.shelves.read().values().cloned().collect();
        let mut logs: Vec<LogReport> = shelves.iter().map(|shelf| shelf.report(now_ms)).collect();
        logs.sort_by(|one, other| one.name.cmp(&other.name));
        Report {
            data_folder: self.data_folder.display().to_string(),
            queue_calls,
            queue_bytes,
            batch_calls: self.metrics.batch_calls.read(),
            lock_wait_us: self.metrics.lock_wait.read(),
            resident_bytes: None,
            logs,
        }
    }

    /// Reads on from a cursor.
    pub fn read_on(&self, cursor: EntryCursor, ticket: Ticket) {
        self.inbox.push(Message::Read(cursor, ticket), 0);
    }

    /// Answers once all that was called before is on disk and the mirrors of the folder are current, whoever left
    /// them stale. Logs with a name of `kept` have a mirror in any case.
    pub fn flush(&self, ticket: Ticket, kept: Vec<LogName>) {
        self.inbox.push(Message::Renew(kept), 0);
        self.flush_known(ticket);
    }

    /// The same for the logs that this process has written to.
    fn flush_known(&self, mut ticket: Ticket) {
        ticket.wait_from(self.patience.waited_us());
        self.inbox.push(Message::Flush(ticket), 0);
    }

    /// The same, and once nothing is under way on the helper threads either: `stop` need not wait any more.
    pub fn close(&self, mut ticket: Ticket) {
        ticket.wait_from(self.patience.waited_us());
        self.inbox.push(Message::Close(ticket), 0);
    }

    /// Tells that a JavaScript thread will not come back to what it left unfinished.
    pub fn abandon(&self, outlet: Arc<dyn Outlet>) {
        self.inbox.push(Message::Abandon(outlet), 0);
    }

    /// The same as `flush` for a process or thread that ends: another process that keeps the lock is waited for for 5
    /// seconds in all, and then the error names the logs of the calls that were not written.
    #[must_use]
    pub fn begin_end(&self) -> End {
        let signal = Arc::new(Signal::default());
        self.patience.end();
        if self.thread.lock().is_none() {
            *signal.result.lock() = Some(Ok(()));
        } else {
            let outlet: Arc<dyn Outlet> = Arc::clone(&signal) as Arc<dyn Outlet>;
            self.flush_known(Ticket::new(outlet, 0));
        }
        End { signal, patience: Arc::clone(&self.patience) }
    }

    /// Finishes all calls and ends the threads; waits for another process as `begin_end` does. Safe to call twice.
    ///
    /// # Errors
    /// What went wrong at the end; the rest was done all the same.
    pub fn stop(&self) -> Result<()> {
        let Some(thread) = self.thread.lock().take() else { return Ok(()) };
        self.patience.end();
        {
            let mut queue = self.inbox.queue.lock();
            queue.is_closed = true;
            self.inbox.wake.notify_one();
        }
        thread.join().map_err(|_| Error::internal("the writer thread ended early"))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Nobody is left to be told; the log keeps what was acknowledged.
        let _ = self.stop();
    }
}

/// The end of a process or thread, to be waited for.
pub struct End {
    signal: Arc<Signal>,
    patience: Arc<Patience>,
}

impl End {
    /// Waits until all that was called before is on disk and the mirrors are current.
    ///
    /// # Errors
    /// What went wrong; the rest was done all the same.
    pub fn wait(self) -> Result<()> {
        let mut result = self.signal.result.lock();
        while result.is_none() {
            self.signal.wake.wait(&mut result);
        }
        result.take().unwrap_or(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.patience.ended();
    }
}

/// What `End` waits for.
#[derive(Default)]
struct Signal {
    result: Mutex<Option<Result<()>>>,
    wake: Condvar,
}

impl Outlet for Signal {
    fn deliver(&self, _id: usize, answer: Result<Answer>) {
        *self.result.lock() = Some(answer.map(|_| ()));
        self.wake.notify_all();
    }

    fn flush(&self) {}
}

/// A thread for jobs, started with the first one.
struct Helper {
    name: &'static str,
    started: Option<(Sender<Job>, JoinHandle<()>)>,
}

impl Helper {
    fn new(name: &'static str) -> Self {
        Self { name, started: None }
    }

    fn give(&mut self, job: Job, files: &FileSystemRef, inbox: &Arc<Inbox>) {
        if self.started.is_none() {
            let (sender, jobs) = channel::<Job>();
            let (files, inbox) = (Arc::clone(files), Arc::clone(inbox));
            let thread = std::thread::Builder::new().name(self.name.to_owned()).spawn(move || {
                for job in jobs {
                    inbox.push(run_job(job, &*files), 0);
                }
            });
            self.started = thread.ok().map(|thread| (sender, thread));
        }
        if let Some((sender, _)) = &self.started {
            // The receiver lives as long as the sender.
            let _ = sender.send(job);
        } else {
            // No thread to be had: do it here.
            inbox.push(run_job(job, &**files), 0);
        }
    }

    fn stop(&mut self) {
        if let Some((sender, thread)) = self.started.take() {
            drop(sender);
            // A panic in a job is caught above, so there is nothing to hear from the thread.
            let _ = thread.join();
        }
    }
}

/// Does a job. The writer hears of its end in any case, for somebody may wait for it.
fn run_job(job: Job, files: &dyn FileSystem) -> Message {
    let lost = job.lost();
    // A panic drops the job's ticket, which answers for itself.
    let done = catch_unwind(AssertUnwindSafe(|| job.run(files))).unwrap_or(lost);
    done.map_or(Message::ReadDone, Message::Done)
}

struct Shell {
    engine: Engine,
    inbox: Arc<Inbox>,
    files: FileSystemRef,
    worker: Helper,
    reader: Helper,
    jobs_under_way: usize,
    flushes: Vec<Ticket>,
    /// The next flush renews stale mirrors.
    renew: Option<Vec<LogName>>,
    /// Flushes that wait for all jobs.
    closes: Vec<Ticket>,
}

impl Shell {
    fn run(mut self) {
        loop {
            let due_in = self
                .engine
                .next_due_ms()
                .map(|due_ms| Duration::from_millis(due_ms.saturating_sub(self.files.monotonic_ms())));
            let Some(mut messages) = self.inbox.take(due_in) else {
                if self.jobs_under_way == 0 {
                    break;
                }
                // Closed, but jobs are under way: their results still arrive.
                self.files.sleep_us(200);
                continue;
            };
            while catch_unwind(AssertUnwindSafe(|| self.handle(&mut messages))).is_err() {
                self.engine.distrust_memory();
                // What stands behind the message that panicked is handled all the same.
                if messages.is_empty() {
                    break;
                }
            }
            self.start_jobs();
            self.answer_flushes();
        }
        // Failures were reported; there is nobody left to tell.
        let _ = catch_unwind(AssertUnwindSafe(|| self.engine.finish()));
        self.worker.stop();
        self.reader.stop();
    }

    fn handle(&mut self, messages: &mut VecDeque<Message>) {
        let mut batch = Vec::new();
        while let Some(message) = messages.pop_front() {
            match message {
                Message::Call(request) => batch.push(request),
                Message::Read(cursor, ticket) => {
                    self.jobs_under_way += 1;
                    self.reader.give(Job::Read(ReadJob::More(cursor), ticket), &self.files, &self.inbox);
                }
                Message::Renew(kept) => self.renew = Some(kept),
                Message::Flush(ticket) => {
                    self.run_batch(&mut batch);
                    self.flushes.push(ticket);
                }
                Message::Close(ticket) => {
                    self.run_batch(&mut batch);
                    self.closes.push(ticket);
                }
                Message::Abandon(outlet) => {
                    self.run_batch(&mut batch);
                    self.engine.abandon(&outlet);
                }
                Message::Done(done) => {
                    self.jobs_under_way -= 1;
                    self.engine.job_done(done);
                }
                Message::ReadDone => self.jobs_under_way -= 1,
            }
        }
        self.run_batch(&mut batch);
        self.engine.tick();
    }

    fn run_batch(&mut self, batch: &mut Vec<Request>) {
        if !batch.is_empty() {
            self.engine.run_batch(std::mem::take(batch));
        }
    }

    fn start_jobs(&mut self) {
        for job in self.engine.take_jobs() {
            if let Job::Compress(job) = &job
                && (!self.closes.is_empty() || self.inbox.queue.lock().is_closed)
            {
                // Nobody waits for it, and somebody for the end.
                self.engine.leave_uncompressed(job);
                continue;
            }
            self.jobs_under_way += 1;
            let helper = if job.is_read() { &mut self.reader } else { &mut self.worker };
            helper.give(job, &self.files, &self.inbox);
        }
    }

    /// A flush waits for compactions and mirrors that are under way, then does the rest itself.
    fn answer_flushes(&mut self) {
        if self.jobs_under_way == 0 {
            self.flushes.append(&mut self.closes);
        }
        if self.flushes.is_empty() || self.engine.is_busy() {
            return;
        }
        // What a caller called before includes an update whose function runs just now. Somebody who waits on
        // his own thread is no caller whose calls are held.
        let (later, now): (Vec<_>, Vec<_>) =
            self.flushes.drain(..).partition(|ticket| self.engine.holds_calls_of(ticket));
        self.flushes = later;
        if now.is_empty() {
            return;
        }
        self.finish_for(now);
    }

    /// Finishes for these flushes, each of which waits for the lock as long as it has left.
    fn finish_for(&mut self, mut tickets: Vec<Ticket>) {
        let patience = self.engine.patience();
        let left_us = |ticket: &Ticket| patience.left_us(ticket.waits_from_us());
        while let Some(shortest_us) = tickets.iter().map(left_us).min() {
            let renew = self.renew.take();
            let finish = || {
                // Each does what it can, whatever becomes of the other.
                let renewed = renew.map_or(Ok(()), |kept| self.engine.renew_mirrors(&kept, shortest_us));
                self.engine.finish_within(shortest_us).and(renewed)
            };
            let result = catch_unwind(AssertUnwindSafe(finish)).unwrap_or_else(|_| {
                self.engine.distrust_memory();
                Err(Error::internal("the end could not be written"))
            });
            let is_locked = matches!(&result, Err(error) if error.code() == Code::Locked);
            let waits = |ticket: &Ticket| is_locked && !patience.is_ending() && left_us(ticket) > 0;
            let (waiting, answered): (Vec<_>, Vec<_>) = tickets.into_iter().partition(waits);
            for ticket in answered {
                ticket.answer(result.clone().map(|()| Answer::Undefined)).flush();
            }
            tickets = waiting;
        }
    }
}
