//! Recovery: from the files to the state in memory, at a start and while others write.

pub(crate) mod findings;
pub(crate) mod follow;
pub(crate) mod load;
pub(crate) mod loaded;
pub(crate) mod lost_log;
pub(crate) mod nearest;
pub(crate) mod open_log;
pub(crate) mod reconcile;
pub(crate) mod reconcile_plan;
pub(crate) mod stale;
pub(crate) mod steady;
