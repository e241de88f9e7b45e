//! The queue in front of the writer thread.
//!
//! Invariant: messages are taken in the order in which they were pushed; a ticket that comes after the end is answered
//! at once.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::error::Error;
use crate::store::core::Renewal;
use crate::store::cursor::Cursor;
use crate::store::request::Request;
use crate::store::ticket::{Outlet, Ticket};

/// Waiting calls may hold this much text.
pub const QUEUE_BYTES_MAX: usize = 1 << 30;
/// What a call weighs beside its text.
pub const REQUEST_BYTES: usize = 256;
/// A batch takes about this much text at once, so that the first callers do not wait for the last.
const BATCH_BYTES_MAX: usize = 8 << 20;

/// What the writer thread is asked.
pub enum Message<D> {
    /// A call.
    Call(Request),
    /// A flush.
    Flush(Ticket, Renewal),
    /// A flush that waits for all tasks.
    Close(Ticket),
    /// A JavaScript thread ends.
    Abandon(Arc<dyn Outlet>),
    /// The next piece of a cursor.
    Read(Box<dyn Cursor>, Ticket),
    /// A task ended; with a result, if the place gets one.
    Done(Option<D>),
}

struct Queue<D> {
    messages: VecDeque<Message<D>>,
    size_bytes: usize,
    is_closed: bool,
    is_sleeping: bool,
}

/// See the header of this file.
pub struct Inbox<D> {
    queue: Mutex<Queue<D>>,
    wake: Condvar,
}

impl<D> Default for Inbox<D> {
    fn default() -> Self {
        let queue = Queue { messages: VecDeque::new(), size_bytes: 0, is_closed: false, is_sleeping: false };
        Self { queue: Mutex::new(queue), wake: Condvar::new() }
    }
}

/// How much waits.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Messages.
    pub calls: usize,
    /// Bytes of text that wait with them.
    pub size_bytes: usize,
}

impl<D> Inbox<D> {
    /// How much waits now.
    pub fn load(&self) -> Load {
        let queue = self.queue.lock();
        Load { calls: queue.messages.len(), size_bytes: queue.size_bytes }
    }

    /// Whether the end was announced.
    pub fn is_closed(&self) -> bool {
        self.queue.lock().is_closed
    }

    /// Announces the end: what is queued is done, what comes later is refused.
    pub fn close(&self) {
        self.queue.lock().is_closed = true;
        self.wake.notify_one();
    }

    /// Queues a message that holds `size_bytes` of text.
    pub fn push(&self, message: Message<D>, size_bytes: usize) {
        let mut queue = self.queue.lock();
        if queue.is_closed
            && let Message::Call(Request { ticket, .. })
            | Message::Flush(ticket, _)
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
    pub fn take(&self, due_in: Option<Duration>) -> Option<VecDeque<Message<D>>> {
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
