//! What the end of a process or thread leaves unwritten, named in its error.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::data::name::LogName;
use crate::error::{Code, Error, Result};

/// Calls that were not written since a process or thread ends and another one keeps the lock.
#[derive(Default)]
pub struct Left {
    calls: BTreeMap<LogName, u64>,
    error: Option<Error>,
}

impl Left {
    /// A call on this log was not written.
    pub fn note(&mut self, log: &LogName, error: &Error) {
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
