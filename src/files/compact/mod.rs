//! Compaction: the log is replaced by its checkpoint while appends go on.

pub mod job;
pub(crate) mod swap;
