//! The write path: a batch is staged, appended, synced and published.

pub(crate) mod batch;
pub(crate) mod commit;
pub(crate) mod edit_lines;
pub(crate) mod log_writer;
pub(crate) mod run;
