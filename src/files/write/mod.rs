//! The write path: a batch is staged, appended, synced and published.

pub(crate) mod batch;
pub(crate) mod commit;
pub(crate) mod shelf;
pub(crate) mod stage;
