//! Compaction: the log is replaced by its checkpoint while appends go on.

pub(crate) mod compaction;
pub(crate) mod job;
