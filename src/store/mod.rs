//! What every place to keep data shares: calls, their answers, the writer thread, events and figures.

pub mod collection;
pub mod event;
pub(crate) mod metrics;
pub mod report;
pub mod request;
pub mod writer;
