//! The JSON file beside the log.

pub(crate) mod content;
pub(crate) mod cost;
pub(crate) mod edit;
pub(crate) mod job;
pub(crate) mod keeper;
pub(crate) mod known;
pub(crate) mod place;
pub(crate) mod record;
pub(crate) mod same;
pub(crate) mod tracker;
