//! A thread that syncs files beside the one that wrote them, so that two syncs take hardly longer than one.
//!
//! ```text
//! writer   write mirror ─ ask ─ write log ─ sync log ─ wait ─ rename mirror
//! syncer                  └──── sync mirror ───────────┘
//! ```
//!
//! Invariant: each file that is asked for is synced once, and its asker gets the result, also where no thread can
//! be started: then the asker syncs it itself.

use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::{File, SyncBeside};
use crate::error::{Error, Result};

type Synced = Result<Box<dyn File>>;

struct Asked {
    file: Box<dyn File>,
    answer: Sender<Synced>,
}

/// See the header of this file. The thread starts with the first file.
#[derive(Default)]
pub struct Syncer {
    queue: OnceLock<Option<Sender<Asked>>>,
}

impl Syncer {
    /// Begins to sync a file.
    pub fn ask(&self, file: Box<dyn File>) -> Box<dyn SyncBeside> {
        let (answer, result) = channel();
        let asked = Asked { file, answer };
        match self.queue.get_or_init(start) {
            Some(queue) => {
                if let Err(back) = queue.send(asked) {
                    sync(back.0);
                }
            }
            None => sync(asked),
        }
        Box::new(Waiting(result))
    }
}

fn start() -> Option<Sender<Asked>> {
    let (queue, asked) = channel::<Asked>();
    let run = move || asked.iter().for_each(sync);
    std::thread::Builder::new().name("ps-syncer".to_owned()).spawn(run).ok().map(|_| queue)
}

fn sync(asked: Asked) {
    let Asked { mut file, answer } = asked;
    let result = file.sync_data();
    // Who asked waits, unless it panicked.
    let _ = answer.send(result.map(|()| file));
}

struct Waiting(Receiver<Synced>);

impl SyncBeside for Waiting {
    fn wait(self: Box<Self>) -> Synced {
        self.0.recv().unwrap_or_else(|_| Err(Error::internal("a sync was broken off")))
    }
}
