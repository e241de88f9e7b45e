//! What comes out of the requests of one log while they are done, one after the other.
//!
//! Invariant: every outlet that got an answer is in `outlets` until it was flushed.

use std::sync::Arc;

use crate::error::Result;
use crate::files::lock::DirectoryLock;
use crate::files::write::batch::Batch;
use crate::store::answer::Answer;
use crate::store::request::Request;
use crate::store::ticket::{Outlet, Ticket};

/// What comes out of the requests of one log.
pub struct Run<'a> {
    /// The lock between processes.
    pub lock: &'a DirectoryLock,
    /// Requests that are to be made anew: the lock was lost before they were written.
    pub again: Vec<Request>,
    /// Who got an answer.
    pub outlets: Vec<Arc<dyn Outlet>>,
    /// What is staged.
    pub batch: Batch,
}

impl<'a> Run<'a> {
    /// Nothing yet.
    pub fn new(lock: &'a DirectoryLock) -> Self {
        Self { lock, again: Vec::new(), outlets: Vec::new(), batch: Batch::default() }
    }

    /// Answers a call.
    pub fn answer(&mut self, ticket: Ticket, answer: Result<Answer>) {
        let outlet = ticket.answer(answer);
        if !self.outlets.iter().any(|known| Arc::ptr_eq(known, &outlet)) {
            self.outlets.push(outlet);
        }
    }

    /// Hands over what was answered so far.
    pub fn hand_over(&mut self) {
        for outlet in self.outlets.drain(..) {
            outlet.flush();
        }
    }
}
