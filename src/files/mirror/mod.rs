//! The JSON file beside the log.

pub(crate) mod content;
pub(crate) mod keeper;
pub(crate) mod record;
pub(crate) mod same;
