//! Where each value lies in the log, so that a start need not read all of it.

pub(crate) mod index_bytes;
pub(crate) mod index_file;
pub(crate) mod index_job;
