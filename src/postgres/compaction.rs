//! Compaction of a log on a server: its keys become a checkpoint, which begins a new generation of entries.
//!
//! ```text
//! BEGIN, lock entry ──> draw a number, which fixes what is seen ──> unlock ──> insert the checkpoint ──> COMMIT
//!        └ waits for batches under way, holds new ones up ┘             new batches have greater numbers
//! ```
//!
//! Invariant: what is numbered below the checkpoint is in it, what is numbered above is not. Batches are held up only
//! while the number is drawn.

use std::sync::Arc;

use tokio_postgres::types::{ToSql, Type};

use crate::data::name::LogName;
use crate::error::Error;
use crate::postgres::change_id::{ChangeId, ChangeIds};
use crate::postgres::event::ServerEvents;
use crate::postgres::session::Session;
use crate::postgres::statements::Statements;
use crate::postgres::wire::{Asked, Loss};
use crate::vfs::FileSystemRef;

/// While the lock is waited for, new batches wait behind it: one that is not to be had soon is tried later. A host that stops
/// while it has the lock must not keep it: its session is ended.
const BEGIN: &str = "\
BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL lock_timeout = '200ms';
SET LOCAL idle_in_transaction_session_timeout = '5s'; SAVEPOINT cut";
/// So long others have the table to themselves before the next try.
const PAUSE_US: u64 = 1_000_000;

/// A value and its type.
type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// See the header of this file.
pub struct Compaction {
    /// Old generations that are kept.
    backups: i64,
    ids: ChangeIds,
    /// A compaction that was sent and of which nobody knows whether it was committed.
    unsettled: Option<(LogName, ChangeId)>,
    clock: FileSystemRef,
    events: Arc<ServerEvents>,
}

impl Compaction {
    /// Compactions that keep so many old generations.
    pub fn new(backups: usize, clock: FileSystemRef, events: Arc<ServerEvents>) -> Self {
        let backups = i64::try_from(backups).unwrap_or(i64::MAX);
        Self { backups, ids: ChangeIds::default(), unsettled: None, clock, events }
    }

    /// Whether this log may be compacted already, under a name that was sent.
    #[must_use]
    pub fn is_unsettled(&self, log: &LogName) -> bool {
        self.unsettled.as_ref().is_some_and(|(unsettled, _)| unsettled == log)
    }

    /// Compacts a log. After a loss the next try has the same name, so that one of them counts.
    ///
    /// # Errors
    /// See `Loss`.
    pub fn run(
        &mut self,
        session: &mut Session,
        statements: &Arc<Statements>,
        log: &LogName,
        within_ms: u64,
    ) -> Asked<()> {
        let started_us = self.clock.monotonic_us();
        let change = match self.unsettled.take() {
            Some((unsettled, change)) if unsettled == *log => change,
            _ => self.ids.next(self.clock.now_ms()),
        };
        match Self::cut(session, statements, (log, change), within_ms) {
            Ok(()) | Err(Loss::Duplicate) => {}
            Err(loss) => {
                self.unsettled = Some((log.clone(), change));
                if matches!(loss, Loss::Again(_)) {
                    self.clock.sleep_us(PAUSE_US);
                }
                return Err(loss);
            }
        }
        self.events.compacted(log, self.clock.monotonic_us().saturating_sub(started_us) / 1000);
        self.remove_old(session, statements, log, within_ms);
        Ok(())
    }

    /// A log could not be compacted, and is not tried again.
    pub fn failed(&mut self, log: &LogName, error: &Error) {
        self.unsettled = None;
        self.events.compaction_failed(log, error);
    }

    /// Commits the checkpoint of a log.
    fn cut(
        session: &mut Session,
        texts: &Arc<Statements>,
        (log, change): (&LogName, ChangeId),
        within_ms: u64,
    ) -> Asked<()> {
        let name = log.as_str();
        let written = session.run(within_ms, async |client| {
            client.batch_execute(BEGIN).await?;
            client.batch_execute(&texts.lock_entries).await?;
            let seq: i64 = client.query_typed(&texts.draw, &[]).await?.first().map_or(0, |row| row.get(0));
            client.batch_execute("ROLLBACK TO SAVEPOINT cut").await?;
            let of_log = [(&name as _, Type::TEXT), (&seq as _, Type::INT8), (&change as _, Type::UUID)];
            if client.query_typed(&texts.checkpoint, &of_log).await?.is_empty() {
                client.query_typed(&texts.empty_checkpoint, &of_log).await?;
            }
            client.query_typed(&texts.begin_generation, &of_log[..2]).await?;
            Ok(())
        });
        match written {
            Ok(()) => session.run_commit(within_ms, async |client| client.batch_execute("COMMIT").await),
            Err(loss) => {
                // The transaction that failed is of no use to the next call.
                let _ = session.run(within_ms, async |client| client.batch_execute("ROLLBACK").await);
                Err(loss)
            }
        }
    }

    /// Removes what no kept generation needs. Where that takes longer than the call has, the server goes on with it alone:
    /// if it was stopped, a log that nobody compacted for long would never lose anything. What is left then, the next
    /// compaction removes.
    fn remove_old(&self, session: &mut Session, texts: &Arc<Statements>, log: &LogName, within_ms: u64) {
        let (name, kept) = (log.as_str(), self.backups.saturating_add(1));
        let _ = session.run_commit(within_ms, async |client| {
            let of_log: [Parameter; 1] = [(&name, Type::TEXT)];
            client.query_typed(&texts.remove_tombstones, &of_log).await?;
            let counted: [Parameter; 2] = [(&name, Type::TEXT), (&kept, Type::INT8)];
            client.query_typed(&texts.remove_entries, &counted).await?;
            client.query_typed(&texts.remove_generations, &of_log).await
        });
    }
}
