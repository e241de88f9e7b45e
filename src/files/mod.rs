//! The place that is a folder.
//!
//! ```text
//! place ─> folder ─> logs ─> keyed_log ─> compact ─> write ─> open ─> mirror, past, transaction, index ─> values ─> log
//! ```
//!
//! An arrow means "uses", also past what lies between. There is no arrow back; `tests/layers.rs` checks it.

pub(crate) mod compact;
pub(crate) mod context;
pub(crate) mod event;
pub mod folder;
pub(crate) mod folder_copy;
pub(crate) mod folder_format;
pub(crate) mod index;
pub mod job;
pub(crate) mod keyed_log;
pub(crate) mod left;
pub(crate) mod lock;
pub(crate) mod log;
pub(crate) mod logs;
pub(crate) mod memory;
pub(crate) mod metrics;
pub(crate) mod mirror;
pub(crate) mod numbers_read;
pub(crate) mod open;
pub mod options;
pub(crate) mod past;
pub mod place;
pub(crate) mod policy;
pub(crate) mod read_job;
pub(crate) mod report;
pub(crate) mod retention;
pub(crate) mod shelf;
#[cfg(feature = "simulation")]
pub mod simulation;
pub(crate) mod temporary;
pub(crate) mod transaction;
pub(crate) mod values;
pub(crate) mod write;

#[cfg(test)]
mod tests;
