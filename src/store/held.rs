//! Calls that are held until an earlier call of the same caller has made its next try; see `Replace`.
//!
//! Invariant: the calls of one thread on one log take effect in the order in which they were made.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::store::request::Request;
use crate::store::ticket::{Outlet, Ticket};

/// The held calls of one log, by caller.
#[derive(Default)]
pub struct Held(Vec<HeldCalls>);

/// The held calls of one caller.
struct HeldCalls {
    caller: Arc<dyn Outlet>,
    requests: VecDeque<Request>,
}

impl Held {
    /// Takes the next request that may run now. A call whose caller waits for a next try is held; a next try is followed
    /// by what was held for it.
    pub fn next(&mut self, requests: &mut VecDeque<Request>) -> Option<Request> {
        while let Some(request) = requests.pop_front() {
            if !self.holds_calls_of(&request.ticket) || request.ticket.is_again() {
                return Some(request);
            }
            if !request.is_next_try() {
                self.hold(request);
                continue;
            }
            let mut released = self.release(&request.ticket.outlet());
            while let Some(last) = released.pop_back() {
                requests.push_front(last);
            }
            return Some(request);
        }
        None
    }

    /// Whether calls of this one's caller are held.
    #[must_use]
    pub fn holds_calls_of(&self, ticket: &Ticket) -> bool {
        self.0.iter().any(|calls| ticket.is_of(&calls.caller))
    }

    fn hold(&mut self, request: Request) {
        if let Some(calls) = self.0.iter_mut().find(|calls| request.ticket.is_of(&calls.caller)) {
            calls.requests.push_back(request);
        }
    }

    /// From now on calls of this one's caller are held, until its next try.
    pub fn begin(&mut self, ticket: &Ticket) {
        self.0.push(HeldCalls { caller: ticket.outlet(), requests: VecDeque::new() });
    }

    /// Gives back the calls that were held.
    pub fn release(&mut self, outlet: &Arc<dyn Outlet>) -> VecDeque<Request> {
        match self.0.iter().position(|calls| Arc::ptr_eq(&calls.caller, outlet)) {
            Some(place) => self.0.swap_remove(place).requests,
            None => VecDeque::new(),
        }
    }
}
