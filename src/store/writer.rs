//! The threads around a place's core: one writer, one worker for long writes, one reader for long reads.
//!
//! ```text
//! callers ──inbox──> writer ──tasks──> worker, reader
//!                      ^──────results────┘
//! ```
//!
//! While the writer syncs, calls queue up and form its next batch: that is the group commit. No timer runs, and nothing
//! wakes up while there is nothing to do. The worker and the reader start with their first task.
//!
//! Invariant: a call that was accepted is answered, whatever happens; `stop` returns after all of them.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;

use crate::data::name::LogName;
use crate::error::{Code, Error, Result};
use crate::store::answer::Answer;
use crate::store::backend::Backend;
use crate::store::clock::Clock;
use crate::store::core::{Core, Finish, Lane, Memory, Phase, Renewal, Task};
use crate::store::cursor::Cursor;
use crate::store::end::End;
use crate::store::inbox::{Inbox, Message, QUEUE_BYTES_MAX, REQUEST_BYTES};
use crate::store::lane_thread::LaneThread;
use crate::store::metrics::TIMED_CALLS;
use crate::store::patience::{Patience, WAIT_US_MAX};
use crate::store::query::Query;
use crate::store::report::Report;
use crate::store::request::{Belief, Request};
use crate::store::ticket::{Outlet, Ticket};
use crate::thread::spawn;

/// So often a close looks whether the work beside has ended.
const BESIDE_PAUSE: Duration = Duration::from_millis(10);

/// The writer of a place, for callers on any thread.
pub struct Writer<C: Core> {
    inbox: Arc<Inbox<C::Done>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    surroundings: Surroundings,
}

/// What a writer needs beside its core.
#[derive(Clone)]
pub struct Surroundings {
    /// What callers on other threads may read.
    pub memory: Arc<dyn Memory>,
    /// The place's clock.
    pub clock: Arc<dyn Clock>,
    /// How long calls wait for others.
    pub patience: Arc<Patience>,
    /// Which calls are timed.
    pub timing: Timing,
}

/// Which calls are timed from the moment they are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// Some, for the metrics.
    Sampled,
    /// Each one: it has a deadline.
    Each,
}

impl<C: Core> Writer<C> {
    /// Starts the writer of a place. The core is not used before the first call.
    ///
    /// # Errors
    /// `EAGAIN` when the system gives no thread.
    pub fn start(core: C, surroundings: Surroundings) -> Result<Self> {
        let inbox = Arc::new(Inbox::default());
        let shell = Shell {
            core,
            inbox: Arc::clone(&inbox),
            clock: Arc::clone(&surroundings.clock),
            patience: Arc::clone(&surroundings.patience),
            worker: LaneThread::new("ps-worker"),
            reader: LaneThread::new("ps-reader"),
            tasks_under_way: 0,
            flushes: Vec::new(),
            renewal: Renewal::Own,
            closes: Vec::new(),
        };
        let thread = spawn("ps-writer", Box::new(move || shell.run()));
        let thread = thread.map_err(|error| Error::no_thread(&error))?;
        Ok(Self { inbox, thread: Mutex::new(Some(thread)), surroundings })
    }

    fn time_end(&self, ticket: &mut Ticket) {
        ticket.time_from(self.surroundings.clock.monotonic_us());
        ticket.wait_from(self.surroundings.patience.waited_us());
    }

    fn flush_with(&self, mut ticket: Ticket, renewal: Renewal) {
        self.time_end(&mut ticket);
        self.inbox.push(Message::Flush(ticket, renewal), 0);
    }
}

impl<C: Core> Backend for Writer<C> {
    fn call(&self, mut request: Request) {
        let size_bytes = request.size_bytes + REQUEST_BYTES;
        let load = self.inbox.load();
        if self.surroundings.timing == Timing::Each || load.calls.is_multiple_of(TIMED_CALLS) {
            request.ticket.time_from(self.surroundings.clock.monotonic_us());
        }
        request.ticket.wait_from(self.surroundings.patience.waited_us());
        // Others wait for a next try, so it is not refused here.
        let waiting_bytes = load.size_bytes + self.surroundings.memory.waiting_bytes();
        if waiting_bytes + size_bytes > QUEUE_BYTES_MAX && !request.is_next_try() {
            return request.ticket.answer(Err(Error::queue_full())).flush();
        }
        self.inbox.push(Message::Call(request), size_bytes);
    }

    fn answer_now(&self, log: &LogName, query: &Query) -> Option<Answer> {
        self.surroundings.memory.answer_now(log, query)
    }

    fn guess(&self, log: &LogName, keys: &[String]) -> Option<Belief> {
        self.surroundings.memory.guess(log, keys)
    }

    fn read_on(&self, cursor: Box<dyn Cursor>, ticket: Ticket) {
        self.inbox.push(Message::Read(cursor, ticket), 0);
    }

    fn flush(&self, ticket: Ticket) {
        self.flush_with(ticket, Renewal::All);
    }

    fn close(&self, mut ticket: Ticket) {
        self.time_end(&mut ticket);
        self.inbox.push(Message::Close(ticket), 0);
    }

    fn abandon(&self, caller: Arc<dyn Outlet>) {
        self.inbox.push(Message::Abandon(caller), 0);
    }

    fn begin_end(&self) -> End {
        let patience = Arc::clone(&self.surroundings.patience);
        let flush = |ticket| self.flush_with(ticket, Renewal::Own);
        let is_running = self.thread.lock().is_some();
        End::begin(patience, is_running.then_some(&flush))
    }

    fn stop(&self) -> Result<()> {
        let Some(thread) = self.thread.lock().take() else { return Ok(()) };
        self.surroundings.patience.end();
        self.inbox.close();
        thread.join().map_err(|_| Error::internal("the writer thread ended early"))
    }

    fn report(&self) -> Report {
        let load = self.inbox.load();
        Report {
            queue_calls: load.calls as u64,
            queue_bytes: (load.size_bytes + self.surroundings.memory.waiting_bytes()) as u64,
            resident_bytes: None,
            place: self.surroundings.memory.report(),
        }
    }
}

impl<C: Core> Drop for Writer<C> {
    fn drop(&mut self) {
        // Nobody waits for the result any more; what was acknowledged is durable.
        let _ = self.stop();
    }
}

/// The writer thread.
struct Shell<C: Core> {
    core: C,
    inbox: Arc<Inbox<C::Done>>,
    clock: Arc<dyn Clock>,
    patience: Arc<Patience>,
    worker: LaneThread<C::Done>,
    reader: LaneThread<C::Done>,
    tasks_under_way: usize,
    flushes: Vec<Ticket>,
    /// What the next flush renews.
    renewal: Renewal,
    /// Flushes that wait for all tasks.
    closes: Vec<Ticket>,
}

impl<C: Core> Shell<C> {
    fn run(mut self) {
        loop {
            let due_in = self
                .core
                .next_due_ms()
                .map(|due_ms| Duration::from_millis(due_ms.saturating_sub(self.clock.monotonic_ms())));
            let due_in = if self.waits_for_work_beside() {
                Some(due_in.map_or(BESIDE_PAUSE, |due_in| due_in.min(BESIDE_PAUSE)))
            } else {
                due_in
            };
            let Some(mut messages) = self.inbox.take(due_in) else {
                if self.tasks_under_way == 0 && !self.core.is_waiting() {
                    break;
                }
                // Closed, but tasks are under way, or calls wait: their results still arrive.
                self.clock.sleep_us(200);
                if catch_unwind(AssertUnwindSafe(|| self.core.tick())).is_err() {
                    self.core.distrust_memory();
                }
                continue;
            };
            while catch_unwind(AssertUnwindSafe(|| self.handle(&mut messages))).is_err() {
                self.core.distrust_memory();
                // The messages behind the one that panicked are handled all the same.
                if messages.is_empty() {
                    break;
                }
            }
            self.start_tasks();
            self.answer_flushes();
        }
        // Failures were reported; nobody waits for the result.
        let finish = Finish { left_us: WAIT_US_MAX, renewal: Renewal::Own };
        let _ = catch_unwind(AssertUnwindSafe(|| self.core.finish(finish)));
        self.worker.stop();
        self.reader.stop();
    }

    fn handle(&mut self, messages: &mut VecDeque<Message<C::Done>>) {
        let mut batch = Vec::new();
        while let Some(message) = messages.pop_front() {
            match message {
                Message::Call(request) => batch.push(request),
                Message::Read(cursor, ticket) => self.read_piece(cursor, ticket),
                Message::Flush(ticket, renewal) => {
                    self.run_batch(&mut batch);
                    if renewal == Renewal::All {
                        self.renewal = renewal;
                    }
                    self.flushes.push(ticket);
                }
                Message::Close(ticket) => {
                    self.run_batch(&mut batch);
                    self.closes.push(ticket);
                }
                Message::Abandon(caller) => {
                    self.run_batch(&mut batch);
                    self.core.abandon(&caller);
                }
                Message::Done(done) => {
                    self.tasks_under_way -= 1;
                    if let Some(done) = done {
                        self.core.task_done(done);
                    }
                }
            }
        }
        self.run_batch(&mut batch);
        self.core.tick();
    }

    fn run_batch(&mut self, batch: &mut Vec<Request>) {
        if !batch.is_empty() {
            self.core.run_batch(std::mem::take(batch));
        }
    }

    fn read_piece(&mut self, cursor: Box<dyn Cursor>, ticket: Ticket) {
        let run = move || {
            ticket.answer(cursor.next_piece().map(Answer::Piece)).flush();
            None
        };
        self.give(Task { lane: Lane::Reader, run: Box::new(run), lost: None });
    }

    fn give(&mut self, task: Task<C::Done>) {
        self.tasks_under_way += 1;
        let thread = match task.lane {
            Lane::Worker => &mut self.worker,
            Lane::Reader => &mut self.reader,
        };
        thread.give(task, &self.inbox);
    }

    fn start_tasks(&mut self) {
        let is_ending = !self.closes.is_empty() || self.inbox.is_closed();
        let phase = if is_ending { Phase::Ending } else { Phase::Running };
        for task in self.core.take_tasks(phase) {
            self.give(task);
        }
    }

    fn waits_for_work_beside(&self) -> bool {
        !self.closes.is_empty() && self.core.has_work_beside()
    }

    /// A flush waits for the tasks that it depends on, then does the rest itself.
    fn answer_flushes(&mut self) {
        if self.tasks_under_way == 0 && !self.waits_for_work_beside() {
            // What is called before a close may be work beside by and by.
            let (later, now): (Vec<_>, Vec<_>) =
                self.closes.drain(..).partition(|ticket| self.core.has_calls_before(ticket));
            self.closes = later;
            self.flushes.extend(now);
        }
        if self.flushes.is_empty() || self.core.is_busy() {
            return;
        }
        // Such as an update whose function runs just now: it was called before the flush of its thread.
        let (later, now): (Vec<_>, Vec<_>) =
            self.flushes.drain(..).partition(|ticket| self.core.has_calls_before(ticket));
        self.flushes = later;
        if !now.is_empty() {
            self.finish_for(now);
        }
    }

    /// Finishes for these flushes. Each waits for others as long as it has left.
    fn finish_for(&mut self, mut tickets: Vec<Ticket>) {
        let patience = Arc::clone(&self.patience);
        let left_us = |ticket: &Ticket| patience.left_us(ticket.waits_from_us());
        while let Some(shortest_us) = tickets.iter().map(left_us).min() {
            let renewal = std::mem::replace(&mut self.renewal, Renewal::Own);
            let finish = Finish { left_us: shortest_us, renewal };
            let result = catch_unwind(AssertUnwindSafe(|| self.core.finish(finish))).unwrap_or_else(|_| {
                self.core.distrust_memory();
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
