//! What logs leave behind: backups, archives, and the past that they hold.

pub(crate) mod compress;
pub(crate) mod gzip;
pub(crate) mod history;
pub(crate) mod old_logs;
pub(crate) mod retain;
pub(crate) mod rotation;
pub(crate) mod schedule;
