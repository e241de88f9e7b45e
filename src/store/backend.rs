//! What the rest of the program sees of a place that keeps data, whichever it is.
//!
//! Invariant: a call that was accepted is answered exactly once, whatever happens.

use std::sync::Arc;

use crate::data::name::LogName;
use crate::error::Result;
use crate::store::answer::Answer;
use crate::store::cursor::Cursor;
use crate::store::end::End;
use crate::store::query::Query;
use crate::store::report::Report;
use crate::store::request::{Belief, Request};
use crate::store::ticket::{Outlet, Ticket};

/// A place that keeps data.
pub trait Backend: Send + Sync {
    /// Queues a call.
    fn call(&self, request: Request);

    /// Answers from memory, without waiting; `None` where that cannot be done now.
    fn answer_now(&self, log: &LogName, query: &Query) -> Option<Answer>;

    /// What key literals have, if that is known of all of them without waiting. `Expected` decides.
    fn guess(&self, log: &LogName, keys: &[String]) -> Option<Belief>;

    /// Reads on from a cursor.
    fn read_on(&self, cursor: Box<dyn Cursor>, ticket: Ticket);

    /// Answers once all that was called before is durable, and what the place derives from it is current.
    fn flush(&self, ticket: Ticket);

    /// The same, and nothing runs beside any more: the threads end at once when the last user is gone.
    fn close(&self, ticket: Ticket);

    /// A JavaScript thread ends: it makes no next try of what it left unfinished.
    fn abandon(&self, caller: Arc<dyn Outlet>);

    /// The end of a process or thread: the same as `flush`, with a bound on the time it waits for others.
    fn begin_end(&self) -> End;

    /// Finishes all calls and ends the threads. Safe to call twice.
    ///
    /// # Errors
    /// What went wrong at the end; the rest was done all the same.
    fn stop(&self) -> Result<()>;

    /// The metrics as they are now.
    fn report(&self) -> Report;
}
