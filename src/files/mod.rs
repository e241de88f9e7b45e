//! The place that is a folder.

pub mod compact;
pub(crate) mod context;
pub mod folder;
pub(crate) mod lock;
pub(crate) mod log;
pub(crate) mod memory;
pub(crate) mod metrics;
pub(crate) mod mirror;
pub(crate) mod open;
pub mod options;
pub(crate) mod past;
pub mod place;
pub(crate) mod policy;
pub(crate) mod report;
#[cfg(feature = "simulation")]
pub mod simulation;
pub(crate) mod write;

#[cfg(test)]
mod tests;
