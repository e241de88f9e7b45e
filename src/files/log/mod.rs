//! The log: lines of JSON, appended, replayed, read.

pub(crate) mod bytes;
pub(crate) mod checkpoint;
pub(crate) mod encoder;
pub(crate) mod entry;
pub(crate) mod file;
pub(crate) mod inspect;
pub(crate) mod late;
pub(crate) mod lines;
pub(crate) mod mending;
pub(crate) mod paths;
pub(crate) mod read;
pub(crate) mod replay;
pub(crate) mod rewrite;
pub(crate) mod salvage;
pub(crate) mod torn_tail;
