//! Recovery: from the files to the state in memory, at a start and while others write.

pub(crate) mod catch_up;
pub(crate) mod load;
pub(crate) mod lost_log;
pub(crate) mod nearest;
pub(crate) mod stale;
pub(crate) mod steady;
