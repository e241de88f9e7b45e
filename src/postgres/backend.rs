//! What the bindings call: the writer, and beside it the reader for a call that need not come behind another one. Keys are
//! read by whichever of the two is free.
//!
//! Invariant: a read that goes past the writer is the only call of its thread; what the thread writes later waits until
//! the read has begun.

use std::sync::Arc;

use crate::data::name::LogName;
use crate::error::Result;
use crate::postgres::connection::Connection;
use crate::postgres::core::ServerCore;
use crate::postgres::reader::Reader;
use crate::postgres::watched_logs::WatchedLogs;
use crate::store::answer::Answer;
use crate::store::backend::Backend;
use crate::store::cursor::Cursor;
use crate::store::end::End;
use crate::store::query::Query;
use crate::store::report::Report;
use crate::store::request::{Belief, Request, Work};
use crate::store::ticket::{Outlet, Ticket};
use crate::store::writer::Writer;
use crate::vfs::FileSystemRef;

/// See the header of this file.
pub struct ServerBackend {
    writer: Writer<ServerCore<Connection>>,
    reader: Arc<Reader>,
    watched: Arc<WatchedLogs>,
    clock: FileSystemRef,
}

impl ServerBackend {
    /// A backend of this writer and reader.
    #[must_use]
    pub fn new(
        writer: Writer<ServerCore<Connection>>,
        (reader, watched): (Arc<Reader>, Arc<WatchedLogs>),
        clock: FileSystemRef,
    ) -> Self {
        Self { writer, reader, watched, clock }
    }
}

impl Backend for ServerBackend {
    fn call(&self, mut request: Request) {
        if let Work::Read(Query::Changes(watcher)) = &request.work {
            self.watched.add(&request.log, &watcher.0);
        }
        if let Work::Read(query) = &request.work
            && request.ticket.is_first()
            && !(query.is_of_keys() && self.reader.is_busy())
        {
            request.ticket.time_from(self.clock.monotonic_us());
            return self.reader.give(request);
        }
        self.writer.call(request);
    }

    fn answer_now(&self, log: &LogName, query: &Query) -> Option<Answer> {
        self.writer.answer_now(log, query)
    }

    fn guess(&self, log: &LogName, keys: &[String]) -> Option<Belief> {
        self.writer.guess(log, keys)
    }

    fn read_on(&self, cursor: Box<dyn Cursor>, ticket: Ticket) {
        self.writer.read_on(cursor, ticket);
    }

    fn flush(&self, ticket: Ticket) {
        self.writer.flush(ticket);
    }

    fn close(&self, ticket: Ticket) {
        self.writer.close(ticket);
    }

    fn abandon(&self, caller: Arc<dyn Outlet>) {
        self.writer.abandon(caller);
    }

    fn begin_end(&self) -> End {
        self.writer.begin_end()
    }

    fn stop(&self) -> Result<()> {
        self.writer.stop()
    }

    fn report(&self) -> Report {
        self.writer.report()
    }
}
