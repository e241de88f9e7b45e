//! The requests of a batch: refused, sorted by log, held back, answered.
//!
//! A caller whose `Replace` met another value than it expected makes a next try; until then its later
//! calls on that log are held here, so that calls take effect in the order in which they were made.
//!
//! Invariant: the lock between processes is held while a log is looked at or written; every request is
//! answered or held.

use std::collections::VecDeque;
use std::sync::Arc;

use super::core::Engine;
use super::lock::Purpose;
use super::log::LogPaths;
use super::name::LogName;
use super::old_logs::old_logs;
use super::options::OnCorruption;
use super::request::{Expected, Maintenance, Outlet, Replace, Request, Ticket, Work};
use super::stage::{Batch, Run};
use crate::error::Error;

impl Engine {
    pub(super) fn commit_batch(&mut self, requests: Vec<Request>) {
        let requests = if self.context.options.on_corruption == OnCorruption::Refuse {
            self.without_refused(requests)
        } else {
            requests
        };
        let is_write = |request: &Request| match &request.work {
            Work::Append(_) | Work::Write(..) | Work::Compact(None) => true,
            Work::Maintain(wanted) => self.has_something_to_maintain(&request.log, *wanted),
            Work::Compact(Some(threshold_bytes)) => self.is_log_over(&request.log, *threshold_bytes),
            Work::Replace(replace) => matches!(replace.expected, Expected::Value(_)),
            _ => false,
        };
        let purpose = if requests.iter().any(is_write) { Purpose::Write } else { Purpose::Read };
        if let Err(error) = self.acquire(purpose) {
            for request in requests {
                if matches!(request.work, Work::Compact(_) | Work::Maintain(_)) {
                    let paths = LogPaths::new(&self.context.data_folder, &request.log);
                    self.context.compaction_failed(&paths, &error);
                }
                self.refuse(request, &error);
            }
            return;
        }
        let mut by_log: Vec<(LogName, Vec<Request>)> = Vec::new();
        for request in requests {
            match by_log.iter_mut().find(|(name, _)| *name == request.log) {
                Some((_, requests)) => requests.push(request),
                None => by_log.push((request.log.clone(), vec![request])),
            }
        }
        for (name, requests) in by_log {
            self.log(&name);
            let Some(log) = self.logs.get_mut(&name) else { continue };
            let mut run = Run { outlets: Vec::new(), jobs: &mut self.jobs, batch: Batch::default() };
            log.run(&self.context, requests, &mut run);
            let outlets = run.outlets;
            self.answered_all(outlets);
        }
    }

    /// Answers with an error, also those that waited for this one.
    fn refuse(&mut self, request: Request, error: &Error) {
        let mut run = Run { outlets: Vec::new(), jobs: &mut self.jobs, batch: Batch::default() };
        if let Some(log) = self.logs.get_mut(&request.log) {
            log.refuse(vec![request], error, &mut run);
        } else {
            run.answer(request.ticket, Err(error.clone()));
        }
        let outlets = run.outlets;
        self.answered_all(outlets);
    }

    /// So that a scheduler with nothing to do makes not even a lock.
    fn is_log_over(&self, name: &LogName, size_bytes: u64) -> bool {
        let paths = LogPaths::new(&self.context.data_folder, name);
        let stamp = self.context.files.stamp(&paths.log);
        stamp.is_ok_and(|stamp| stamp.is_some_and(|stamp| stamp.size_bytes > size_bytes))
    }

    fn has_something_to_maintain(&self, name: &LogName, wanted: Maintenance) -> bool {
        let limit_bytes = wanted.threshold_bytes.min(wanted.rotate_over_bytes.unwrap_or(u64::MAX));
        let paths = LogPaths::new(&self.context.data_folder, name);
        self.is_log_over(name, limit_bytes)
            || wanted.boundary_ms.is_some() && self.is_log_over(name, 0)
            || old_logs(&*self.context.files, &paths).is_ok_and(|old| !old.is_empty())
    }

    fn answered_all(&mut self, outlets: Vec<Arc<dyn Outlet>>) {
        for outlet in outlets {
            self.answered(outlet);
        }
    }

    /// With `onCorruption: 'refuse'`, calls on a damaged log are refused before even the lock is made.
    fn without_refused(&mut self, requests: Vec<Request>) -> Vec<Request> {
        let mut names: Vec<LogName> = requests.iter().map(|request| request.log.clone()).collect();
        names.dedup();
        let refused: Vec<(LogName, Error)> = names
            .into_iter()
            .filter_map(|name| {
                let ready = self.acquire(Purpose::Read).and_then(|()| {
                    self.log(&name);
                    self.logs.get_mut(&name).map_or(Ok(()), |log| log.catch_up(&self.context))
                });
                ready.err().filter(|error| error.code == "ERR_LOG_CORRUPT").map(|error| (name, error))
            })
            .collect();
        self.lock.release();
        let mut passed = Vec::with_capacity(requests.len());
        for request in requests {
            match refused.iter().find(|(name, _)| *name == request.log) {
                Some((_, error)) => self.refuse(request, error),
                None => passed.push(request),
            }
        }
        passed
    }

    /// Whether calls of this one's caller wait for a further try of his, so that he has not called all yet.
    #[must_use]
    pub fn holds_calls_of(&self, ticket: &Ticket) -> bool {
        self.logs.values().any(|log| log.held.is_waiting(ticket))
    }

    /// A JavaScript thread will not try again what it left unfinished: its waiting calls go on.
    pub fn abandon(&mut self, outlet: &Arc<dyn Outlet>) {
        let released: Vec<Request> =
            self.logs.values_mut().flat_map(|log| log.held.release(outlet)).collect();
        if !released.is_empty() {
            self.run_batch(released);
        }
    }
}

/// Calls that wait until an earlier call of the same caller has made its next try; see `Replace`.
#[derive(Default)]
pub struct Held(Vec<(Arc<dyn Outlet>, VecDeque<Request>)>);

impl Held {
    /// Whether calls like this one wait.
    pub fn is_waiting(&self, ticket: &Ticket) -> bool {
        self.0.iter().any(|(outlet, _)| ticket.is_of(outlet))
    }

    /// Lets a call wait.
    pub fn wait(&mut self, request: Request) {
        if let Some((_, waiting)) = self.0.iter_mut().find(|(outlet, _)| request.ticket.is_of(outlet)) {
            waiting.push_back(request);
        }
    }

    /// From now on calls of this caller wait.
    pub fn begin(&mut self, outlet: Arc<dyn Outlet>) {
        self.0.push((outlet, VecDeque::new()));
    }

    /// Gives back the calls that waited.
    pub fn release(&mut self, outlet: &Arc<dyn Outlet>) -> VecDeque<Request> {
        match self.0.iter().position(|(known, _)| Arc::ptr_eq(known, outlet)) {
            Some(place) => self.0.swap_remove(place).1,
            None => VecDeque::new(),
        }
    }
}

/// Whether this is the next try of a call that met another value than it expected.
pub fn is_again(request: &Request) -> bool {
    matches!(&request.work, Work::Replace(Replace { is_again: true, .. }))
}
