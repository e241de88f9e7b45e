//! The rows of a statement, for what reads pages beside the writer.

use tokio_postgres::Row as SqlRow;
use tokio_postgres::types::{ToSql, Type};

use crate::postgres::entry_rows::EntryRow;
use crate::postgres::statements::Statements;
use crate::postgres::wire::Asked;

/// A value and its type.
pub type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// Where rows come from.
pub trait Rows: Send {
    /// Gives each row of a statement to `take`; `begun` is called when it is fixed which they are.
    ///
    /// # Errors
    /// See `Loss`.
    fn each(
        &mut self,
        text: &dyn Fn(&Statements) -> &String,
        parameters: &[Parameter<'_>],
        within_ms: u64,
        begun: &dyn Fn(),
        take: &mut dyn FnMut(&SqlRow),
    ) -> Asked<()>;

    /// How often the server was connected.
    fn epoch(&self) -> u64;

    /// A panic may have left a snapshot open; its connection is of no use. From here on, rows are those of now.
    fn leave_snapshot(&mut self);
}

/// A row of the statements that give entries.
#[must_use]
pub fn entry_row(row: &SqlRow) -> EntryRow {
    EntryRow {
        seq: row.get(0),
        part: row.get(1),
        op: row.get(2),
        key: row.get(3),
        value: row.get(4),
        at_ms: row.get(5),
        expires: row.get(6),
    }
}
