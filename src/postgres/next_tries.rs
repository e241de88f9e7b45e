//! Calls whose functions run once more, because their keys have something else than they expected.
//!
//! ```text
//! call ──expects something else──> told what its keys have ──function──> next try
//!                                  with those behind it that are      │  the calls behind them are held
//!                                  like it                            └─ and, after some tries, their keys are locked
//! ```
//!
//! Invariant: the calls of one thread take effect in the order in which they were made. What a function is told here its
//! keys had together.

use std::collections::VecDeque;
use std::sync::Arc;

use hashbrown::HashSet;

use crate::error::Result;
use crate::postgres::fold::{Rows, conflict, keys_of_function};
use crate::postgres::waiting::Waiting;
use crate::postgres::wire::Key;
use crate::store::answer::Answer;
use crate::store::request::Request;
use crate::store::ticket::{Outlet, Ticket};

/// So long keys stay locked while functions run.
const LOCKED_MS_MAX: u64 = 250;

/// A thread whose functions run.
struct Running {
    caller: Arc<dyn Outlet>,
    /// When the calls were made whose next tries are not here yet, in the order in which they come.
    asked_us: VecDeque<Option<u64>>,
    /// The next tries that are here. They wait for the others: one may expect what another makes.
    here: Vec<Request>,
    /// What the thread called behind them.
    held: Vec<Request>,
}

/// Keys of calls of a thread whose functions run are locked. Nothing else is asked on the connection meanwhile.
struct Locked {
    caller: Arc<dyn Outlet>,
    /// What they have.
    rows: Rows,
    until_ms: u64,
}

/// See the header of this file.
#[derive(Default)]
pub struct NextTries {
    running: Vec<Running>,
    locked: Option<Locked>,
    /// Threads that ended while calls of theirs wait: they make no next tries.
    gone: Vec<Arc<dyn Outlet>>,
}

impl NextTries {
    /// These calls wait now: next tries once all of their thread are here, before what their thread called meanwhile.
    pub fn arrived(&mut self, requests: Vec<Request>, waiting: &mut Waiting) {
        let mut others = Vec::new();
        for mut request in requests {
            let place = self.running.iter().position(|running| request.is_next_try_of(&running.caller));
            let Some(place) = place else {
                others.push(request);
                continue;
            };
            let running = &mut self.running[place];
            if let Some(Some(asked_us)) = running.asked_us.pop_front() {
                // A call has one deadline, however often it is tried.
                request.ticket.time_from(asked_us);
            }
            running.here.push(request);
            if running.asked_us.is_empty() {
                self.release(place, waiting);
            }
        }
        waiting.extend(others);
    }

    /// Waits for no next tries any more.
    fn release(&mut self, place: usize, waiting: &mut Waiting) {
        let Running { here, held, .. } = self.running.swap_remove(place);
        waiting.put_back(here.into_iter().chain(held));
    }

    /// The call, unless it has to wait for next tries of its thread.
    pub fn unless_held(&mut self, request: Request) -> Option<Request> {
        match self.running.iter_mut().find(|running| request.ticket.is_of(&running.caller)) {
            Some(running) => {
                running.held.push(request);
                None
            }
            None => Some(request),
        }
    }

    /// The answers of a call whose keys have `values`, and of the calls with functions behind it, as far as they are of the
    /// same thread and expect something else as well, or what one of those before it made.
    pub fn tell(
        &mut self,
        (first, values): (Request, Vec<Option<String>>),
        waiting: &mut Waiting,
        (rows, now_ms): (&Rows, i64),
    ) -> Vec<(Ticket, Result<Answer>)> {
        let caller = first.ticket.outlet();
        let has_next_try = !self.gone.iter().any(|gone| Arc::ptr_eq(gone, &caller));
        let mut keys: HashSet<Key> = HashSet::new();
        let mut told = Vec::new();
        let mut asked_us = VecDeque::new();
        let mut next = Some((first, Answer::Conflict(values)));
        while let Some((request, answer)) = next.take() {
            keys.extend(keys_of_function(&request));
            asked_us.push_back(request.ticket.asked_us());
            told.push((request.ticket, Ok(answer)));
            let answer_of = |request: &Request| {
                if keys_of_function(request).iter().any(|key| keys.contains(key)) {
                    return Some(Answer::ConflictBehind(None));
                }
                conflict(rows, request, now_ms).map(|values| Answer::ConflictBehind(Some(values)))
            };
            // A function that refused what was likely is told what is certain, once it is the first.
            let is_like_it = |next: &&Request| {
                let has_refused = next.is_next_try() && !next.work.has_expected();
                has_next_try && next.ticket.is_of(&caller) && !has_refused
            };
            let answer = waiting.front().filter(is_like_it).and_then(answer_of);
            next = answer.and_then(|answer| Some((waiting.pop_front()?, answer)));
        }
        if has_next_try {
            self.running.push(Running { caller, asked_us, here: Vec::new(), held: Vec::new() });
        }
        told
    }

    fn are_running(&self, caller: &Arc<dyn Outlet>) -> bool {
        self.running.iter().any(|running| Arc::ptr_eq(&running.caller, caller))
    }

    /// The keys of what was told to this thread are locked, and have this. Nothing is kept where it makes no next try.
    pub fn lock(&mut self, caller: Arc<dyn Outlet>, rows: Rows, now_ms: u64) {
        if self.are_running(&caller) {
            self.locked = Some(Locked { caller, rows, until_ms: now_ms + LOCKED_MS_MAX });
        }
    }

    /// Up to when keys stay locked, if some are.
    #[must_use]
    pub fn locked_until_ms(&self) -> Option<u64> {
        self.locked.as_ref().map(|locked| locked.until_ms)
    }

    /// Whether functions run on keys that are locked.
    #[must_use]
    pub fn are_awaited(&self) -> bool {
        self.locked.as_ref().is_some_and(|locked| self.are_running(&locked.caller))
    }

    /// Whether a next try waits that keys are locked for.
    #[must_use]
    pub fn are_here(&self, waiting: &Waiting) -> bool {
        let locked = self.locked.as_ref();
        locked.is_some_and(|locked| waiting.iter().any(|request| request.is_next_try_of(&locked.caller)))
    }

    /// What the locked keys have, for the next tries, which come first now.
    pub fn take_locked(&mut self, waiting: &mut Waiting) -> Option<Rows> {
        let Locked { caller, rows, .. } = self.locked.take()?;
        waiting.bring_forward(|request| request.ticket.is_of(&caller));
        Some(rows)
    }

    /// Nothing is locked any more. True: it was.
    pub fn unlock(&mut self) -> bool {
        self.locked.take().is_some()
    }

    /// Whether calls of this one's thread are held.
    #[must_use]
    pub fn hold_calls_of(&self, ticket: &Ticket) -> bool {
        self.running.iter().any(|running| ticket.is_of(&running.caller))
    }

    /// Whether keys are locked for this thread.
    #[must_use]
    pub fn have_locked_for(&self, caller: &Arc<dyn Outlet>) -> bool {
        self.locked.as_ref().is_some_and(|locked| Arc::ptr_eq(&locked.caller, caller))
    }

    /// A thread ended. What was held of it was called before all of its calls that wait.
    pub fn abandon(&mut self, caller: &Arc<dyn Outlet>, waiting: &mut Waiting) {
        if let Some(place) = self.running.iter().position(|running| Arc::ptr_eq(&running.caller, caller)) {
            self.release(place, waiting);
        }
        self.gone.push(Arc::clone(caller));
    }

    /// Forgets the threads that ended and have no open call any more.
    pub fn forget_gone(&mut self, is_open: impl Fn(&Arc<dyn Outlet>) -> bool) {
        self.gone.retain(is_open);
    }
}
