//! What every place to keep data shares: calls, their answers, the writer thread, events and figures.

pub mod answer;
pub mod backend;
pub mod clock;
pub mod collection;
pub mod core;
pub mod cursor;
pub mod end;
pub mod event;
pub mod expiry;
pub(crate) mod family;
pub(crate) mod held;
pub(crate) mod inbox;
pub(crate) mod lane_thread;
pub mod member_cursor;
pub(crate) mod metrics;
pub(crate) mod patience;
pub mod query;
pub mod report;
pub mod request;
pub mod rule;
pub mod selection;
pub mod ticket;
pub mod watch;
pub mod writer;
