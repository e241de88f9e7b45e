//! The requests of a batch: refused, sorted by log, held back, answered.
//!
//! A caller whose `Replace` met another value than it expected makes a next try; until then its later
//! calls on that log are held here, so that calls take effect in the order in which they were made.
//!
//! Invariant: the lock between processes is held while a log is looked at or written; every request is
//! answered or held.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use crate::data::name::LogName;
use crate::error::{Code, Error, Result};
use crate::files::folder::Folder;
use crate::files::lock::Purpose;
use crate::files::log::file::LogPaths;
use crate::files::options::OnCorruption;
use crate::files::past::old_logs::old_logs;
use crate::files::write::stage::Run;
use crate::store::request::Expected;
use crate::store::request::Maintenance;
use crate::store::request::Request;
use crate::store::request::Work;
use crate::store::ticket::Outlet;
use crate::store::ticket::Ticket;

/// So often a batch begins anew because its lock was lost.
const LOST_LOCKS_MAX: usize = 100;

impl Folder {
    pub(crate) fn commit_batch(&mut self, requests: Vec<Request>) {
        let requests = if self.context.options.on_corruption == OnCorruption::Refuse {
            self.without_refused(requests)
        } else {
            requests
        };
        let mut requests = requests;
        for _ in 0..LOST_LOCKS_MAX {
            // Calls that waited for one of these may be among those that are made anew.
            let purpose = self.purpose_of(&requests);
            requests = self.acquire_for(requests, purpose);
            requests = self.run_by_log(requests);
            if requests.is_empty() {
                return;
            }
            // Somebody removed the lock files, and another process may have made and locked new ones.
            self.release();
        }
        self.refuse_all(requests, &Error::locks_removed(&self.context.data_folder));
    }

    fn purpose_of(&self, requests: &[Request]) -> Purpose {
        let is_write = |request: &Request| match &request.work {
            Work::Append(_) | Work::Write(_) | Work::Compact(None) => true,
            Work::Maintain(wanted) => self.has_something_to_maintain(&request.log, *wanted),
            Work::Compact(Some(threshold_bytes)) => self.is_log_over(&request.log, *threshold_bytes),
            Work::Replace(replace) => matches!(replace.expected, Expected::Value(_)),
            _ => false,
        };
        if requests.iter().any(is_write) { Purpose::Write } else { Purpose::Read }
    }

    /// Takes the lock for these requests; gives those that still are to be done. Each one waits as long as it has left.
    fn acquire_for(&mut self, mut requests: Vec<Request>, purpose: Purpose) -> Vec<Request> {
        while let Some(left_us) = requests.iter().map(|request| self.left_us(request)).min() {
            let Err(error) = self.acquire(purpose, left_us) else { break };
            let gives_up = |request: &Request| {
                error.code() != Code::Locked
                    || self.context.patience.is_ending()
                    || self.left_us(request) == 0
            };
            let (refused, waiting) = requests.into_iter().partition(gives_up);
            self.refuse_all(refused, &error);
            requests = waiting;
        }
        requests
    }

    fn left_us(&self, request: &Request) -> u64 {
        self.context.patience.left_us(request.ticket.waits_from_us())
    }

    /// Gives the requests that could not be done since the lock was lost.
    fn run_by_log(&mut self, requests: Vec<Request>) -> Vec<Request> {
        let mut by_log: Vec<(LogName, Vec<Request>)> = Vec::new();
        for request in requests {
            match by_log.iter_mut().find(|(name, _)| *name == request.log) {
                Some((_, requests)) => requests.push(request),
                None => by_log.push((request.log.clone(), vec![request])),
            }
        }
        let mut again = Vec::new();
        for (name, requests) in by_log {
            if !again.is_empty() {
                again.extend(requests);
                continue;
            }
            self.log(&name);
            let Some(log) = self.logs.get_mut(&name) else { continue };
            let mut run = Run::new(&self.lock, &mut self.jobs);
            log.run(&self.context, requests, &mut run);
            let outlets = run.outlets;
            again = run.again;
            self.answered_all(outlets);
        }
        again
    }

    /// Answers with the error that kept them from beginning.
    fn refuse_all(&mut self, requests: Vec<Request>, error: &Error) {
        for request in requests {
            if matches!(request.work, Work::Compact(_) | Work::Maintain(_)) {
                let paths = LogPaths::new(&self.context.data_folder, &request.log);
                self.context.compaction_failed(&paths, error);
            }
            if self.context.patience.is_ending() && request.work.is_change() {
                self.left.note(&request.log, error);
            }
            self.refuse(request, error);
        }
    }

    /// Answers with an error, also those that waited for this one.
    fn refuse(&mut self, request: Request, error: &Error) {
        let mut run = Run::new(&self.lock, &mut self.jobs);
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
                let left_us = requests.iter().map(|request| self.left_us(request)).min().unwrap_or(0);
                let ready = self.acquire(Purpose::Read, left_us).and_then(|()| {
                    self.log(&name);
                    self.logs.get_mut(&name).map_or(Ok(()), |log| log.catch_up(&self.context))
                });
                ready.err().filter(|error| error.code() == Code::LogCorrupt).map(|error| (name, error))
            })
            .collect();
        self.release();
        let mut passed = Vec::with_capacity(requests.len());
        for request in requests {
            match refused.iter().find(|(name, _)| *name == request.log) {
                Some((_, error)) => self.refuse(request, error),
                None => passed.push(request),
            }
        }
        passed
    }

    /// Whether calls of this one's caller are held.
    #[must_use]
    pub fn holds_calls_of(&self, ticket: &Ticket) -> bool {
        self.logs.values().any(|log| log.held.holds_calls_of(ticket))
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

/// Calls that were not written since a process or thread ends and another one keeps the lock.
#[derive(Default)]
pub struct Left {
    calls: BTreeMap<LogName, u64>,
    error: Option<Error>,
}

impl Left {
    fn note(&mut self, log: &LogName, error: &Error) {
        *self.calls.entry(log.clone()).or_default() += 1;
        self.error = Some(error.clone());
    }

    /// How the end came out, with the calls that were noted; they are named once.
    pub fn add_to(&mut self, finished: Result<()>) -> Result<()> {
        let Self { calls, error } = std::mem::take(self);
        let Some(error) = finished.err().or(error) else { return Ok(()) };
        if calls.is_empty() && error.code() != Code::Locked {
            return Err(error);
        }
        if calls.is_empty() {
            return Err(
                error.with_more(". No call is left; a JSON file that is behind is renewed by the next start")
            );
        }
        let mut more = String::new();
        let mut separator = ". The end did not wait any longer, so these calls are not written: ";
        for (log, count) in calls {
            let calls = if count == 1 { "call" } else { "calls" };
            let _ = write!(more, "{separator}{count} {calls} on '{log}'");
            separator = ", ";
        }
        Err(error.with_more(&more))
    }
}
