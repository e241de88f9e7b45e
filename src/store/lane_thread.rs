//! A thread for tasks beside the writer, started with the first one.
//!
//! Invariant: the writer gets the result of every task, also of one that panics.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use crate::store::core::Task;
use crate::store::inbox::{Inbox, Message};
use crate::thread::spawn;

/// See the header of this file.
pub struct LaneThread<D> {
    name: &'static str,
    started: Option<(Sender<Task<D>>, JoinHandle<()>)>,
}

impl<D: Send + 'static> LaneThread<D> {
    /// No thread yet; `name` is the one it gets.
    pub fn new(name: &'static str) -> Self {
        Self { name, started: None }
    }

    /// Runs a task. Its result goes to `inbox`.
    pub fn give(&mut self, task: Task<D>, inbox: &Arc<Inbox<D>>) {
        if self.started.is_none() {
            let (sender, tasks) = channel::<Task<D>>();
            let inbox = Arc::clone(inbox);
            let work = move || tasks.into_iter().for_each(|task| inbox.push(run(task), 0));
            self.started = spawn(self.name, Box::new(work)).ok().map(|thread| (sender, thread));
        }
        if let Some((sender, _)) = &self.started {
            // The receiver lives as long as the sender.
            let _ = sender.send(task);
        } else {
            // The system gives no thread: the writer does it.
            inbox.push(run(task), 0);
        }
    }

    /// Ends the thread once its tasks are done.
    pub fn stop(&mut self) {
        if let Some((sender, thread)) = self.started.take() {
            drop(sender);
            // A panic in a task is caught, so the thread has no other result.
            let _ = thread.join();
        }
    }
}

fn run<D>(task: Task<D>) -> Message<D> {
    let Task { run, lost, .. } = task;
    // A panic drops the task's ticket, which answers itself.
    Message::Done(catch_unwind(AssertUnwindSafe(run)).unwrap_or(lost))
}
