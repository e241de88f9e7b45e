//! Values that are not in memory: where the log has them, and reading them there.

pub(crate) mod log_values;
pub(crate) mod reading;
pub(crate) mod slot_cursor;
pub(crate) mod slot_snapshot;
