//! The end of a process or thread, to be waited for.
//!
//! Invariant: while an `End` exists, waits for others are short.

use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use crate::error::Result;
use crate::store::answer::Answer;
use crate::store::patience::Patience;
use crate::store::ticket::{Outlet, Ticket};

/// The end of a process or thread, to be waited for.
pub struct End {
    signal: Arc<Signal>,
    patience: Arc<Patience>,
}

impl End {
    /// Begins an end. It is over once the ticket is answered; with none, it is over at once.
    #[must_use]
    pub fn begin(patience: Arc<Patience>, flush: Option<&dyn Fn(Ticket)>) -> Self {
        let signal = Arc::new(Signal::default());
        patience.end();
        match flush {
            Some(flush) => flush(Ticket::new(Arc::clone(&signal) as Arc<dyn Outlet>, 0)),
            None => *signal.result.lock() = Some(Ok(())),
        }
        Self { signal, patience }
    }

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
