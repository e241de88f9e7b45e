//! What a place implements to be driven by the writer thread: a synchronous value, without threads of its own, so that a
//! simulator can drive it step by step.
//!
//! ```text
//! run_batch(requests) ─┐                   ┌─> answers, by each request's ticket
//! task_done(result)   ─┼─> the place ──────┼─> tasks to run beside (take_tasks)
//! tick() / finish()   ─┘                   └─> next_due_ms
//! ```
//!
//! Invariant: one thread owns a core.

use std::sync::Arc;

use crate::data::name::LogName;
use crate::error::Result;
use crate::store::answer::Answer;
use crate::store::query::Query;
use crate::store::report::PlaceReport;
use crate::store::request::{Belief, Request};
use crate::store::ticket::{Outlet, Ticket};

/// See the header of this file.
pub trait Core: Send + 'static {
    /// What a task gives back.
    type Done: Send + 'static;

    /// Does what is asked, in order, and answers or holds each request.
    fn run_batch(&mut self, requests: Vec<Request>);

    /// Long work that is to run beside, in this order.
    fn take_tasks(&mut self, phase: Phase) -> Vec<Task<Self::Done>>;

    /// Takes the result of a task.
    fn task_done(&mut self, done: Self::Done);

    /// Milliseconds (of the clock that never goes back) at which `tick` has something to do.
    fn next_due_ms(&self) -> Option<u64>;

    /// Starts what is due.
    fn tick(&mut self);

    /// Whether tasks are under way that a flush waits for.
    fn is_busy(&self) -> bool;

    /// Whether calls are unanswered that a flush or an end with this ticket waits for.
    fn has_calls_before(&self, end: &Ticket) -> bool;

    /// Whether calls are unanswered that only time settles, or somebody else.
    fn is_waiting(&self) -> bool {
        false
    }

    /// Whether work goes on beside that a close waits for, other than tasks.
    fn has_work_beside(&self) -> bool {
        false
    }

    /// A caller makes no next try of what it left unfinished: its held calls go on.
    fn abandon(&mut self, caller: &Arc<dyn Outlet>);

    /// Makes everything durable, and current what the place derives from it.
    ///
    /// # Errors
    /// The first failure; the rest is finished all the same.
    fn finish(&mut self, finish: Finish) -> Result<()>;

    /// After a panic: nothing in memory is trusted.
    fn distrust_memory(&mut self);
}

/// How a place is finished.
#[derive(Clone, Copy, Debug)]
pub struct Finish {
    /// How long others are waited for.
    pub left_us: u64,
    /// Whether what others left stale is renewed as well.
    pub renewal: Renewal,
}

/// See `Finish`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// Only what this process wrote.
    Own,
    /// Whatever is stale.
    All,
}

/// Whether tasks that nobody waits for are still begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The usual state.
    Running,
    /// Somebody waits for the end.
    Ending,
}

/// Work for a thread beside the writer.
pub struct Task<D> {
    /// Which thread.
    pub lane: Lane,
    /// Does it; the writer gets the result.
    pub run: Box<dyn FnOnce() -> Option<D> + Send>,
    /// What the writer gets should it panic.
    pub lost: Option<D>,
}

/// Reads have a thread of their own, so that they do not wait for long writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Long writes.
    Worker,
    /// Long reads.
    Reader,
}

/// What a place has in memory, for callers on other threads.
pub trait Memory: Send + Sync {
    /// See `Backend::answer_now`.
    fn answer_now(&self, log: &LogName, query: &Query) -> Option<Answer>;

    /// See `Backend::guess`.
    fn guess(&self, log: &LogName, keys: &[String]) -> Option<Belief>;

    /// Bytes of text of the calls that the core holds, beside those in the queue.
    fn waiting_bytes(&self) -> usize {
        0
    }

    /// The place's part of the metrics.
    fn report(&self) -> Box<dyn PlaceReport>;
}
