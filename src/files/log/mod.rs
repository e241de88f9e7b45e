//! The log: lines of JSON, appended, replayed, read.

pub(crate) mod entry;
pub(crate) mod file;
pub(crate) mod inspect;
pub(crate) mod late;
pub(crate) mod lines;
pub(crate) mod read;
pub(crate) mod replay;
pub(crate) mod rewrite;
pub(crate) mod salvage;
