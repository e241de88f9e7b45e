//! A thread that syncs files beside the thread that wrote them: two syncs at once take hardly longer than one.
//!
//! ```text
//! writer   write mirror ─ send ─ write log ─ sync log ─ wait ─ rename mirror
//! syncer                   └──── sync mirror ───────────┘
//! ```
//!
//! Invariant: each file is synced once, and its sender gets the result. Where the system gives no thread, the sender
//! syncs the file itself.

use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::{File, SyncBeside};
use crate::error::{Error, Result};
use crate::thread::spawn;

type Synced = Result<Box<dyn File>>;

struct Job {
    file: Box<dyn File>,
    answer: Sender<Synced>,
}

/// See the header of this file. The thread starts with the first file.
#[derive(Default)]
pub struct Syncer {
    queue: OnceLock<Option<Sender<Job>>>,
}

impl Syncer {
    /// Begins to sync a file.
    pub fn start(&self, file: Box<dyn File>) -> Box<dyn SyncBeside> {
        let (answer, result) = channel();
        let job = Job { file, answer };
        match self.queue.get_or_init(start_thread) {
            Some(queue) => {
                if let Err(back) = queue.send(job) {
                    sync(back.0);
                }
            }
            None => sync(job),
        }
        Box::new(Waiting(result))
    }
}

fn start_thread() -> Option<Sender<Job>> {
    let (queue, jobs) = channel::<Job>();
    let run = move || jobs.iter().for_each(sync);
    spawn("ps-syncer", Box::new(run)).ok().map(|_| queue)
}

fn sync(job: Job) {
    let Job { mut file, answer } = job;
    let result = file.sync_data();
    // The sender waits for it, unless it panicked.
    let _ = answer.send(result.map(|()| file));
}

struct Waiting(Receiver<Synced>);

impl SyncBeside for Waiting {
    fn wait(self: Box<Self>) -> Synced {
        self.0.recv().unwrap_or_else(|_| Err(Error::internal("a sync was broken off")))
    }
}
