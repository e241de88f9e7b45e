//! The place that is a `PostgreSQL` server.
//!
//! The write path: `core` folds calls into a `batch`, which `connection` commits by one of the `statements`. The read
//! path: `reader` asks `queries`. After a loss, `core` looks up what it sent, and `acked` what was acknowledged.

pub mod acked;
pub mod backend;
pub mod batch;
pub mod change_cursor;
pub mod change_id;
pub mod compaction;
pub mod connection;
pub mod core;
pub mod deadlines;
pub mod dial;
pub mod entry_cursor;
pub mod entry_rows;
pub mod event;
pub mod fold;
pub mod inspection;
pub mod known;
pub mod member_cursor;
pub mod memory;
pub mod metrics;
pub mod next_tries;
pub mod place;
pub mod queries;
pub mod read_ahead;
pub mod reader;
pub mod report;
pub mod retry;
pub mod rows;
pub mod schema;
pub mod schema_name;
pub mod server_clock;
pub mod session;
pub mod shared;
#[cfg(feature = "simulation")]
pub mod simulation;
pub mod sql_values;
pub mod statements;
pub mod target;
pub mod tls;
pub mod tries;
pub mod waiting;
pub mod watched_logs;
pub mod wire;
