//! What a user may choose for a data folder.

use crate::error::{Error, Result};
use crate::files::retention::Retention;

/// When an entry counts as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FsyncMode {
    /// Acknowledged once it is on disk.
    Always,
    /// Acknowledged once the system has it; on disk at most this many milliseconds later.
    Interval(u64),
    /// Acknowledged once the system has it; on disk when the system likes. For tests.
    Never,
}

/// What to do with a log that has damaged lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnCorruption {
    /// Use all undamaged lines; set the others aside with the next write.
    Salvage,
    /// Fail every call on that log with `ERR_LOG_CORRUPT` and change nothing.
    Refuse,
}

/// Choices for one data folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Options {
    /// When an entry counts as written.
    pub fsync: FsyncMode,
    /// What to do with damaged lines.
    pub on_corruption: OnCorruption,
    /// What becomes of old logs.
    pub retention: Retention,
}

/// Milliseconds between two syncs of `fsync: 'interval'` when none is given.
pub const FSYNC_INTERVAL_MS_DEFAULT: u64 = 1000;
const FSYNC_INTERVAL_MS_MAX: f64 = 3_600_000.0;

impl Default for Options {
    fn default() -> Self {
        Self {
            fsync: FsyncMode::Always,
            on_corruption: OnCorruption::Salvage,
            retention: Retention::default(),
        }
    }
}

impl FsyncMode {
    /// Reads the options `fsync` and `fsyncIntervalMs`.
    ///
    /// # Errors
    /// `ERR_INVALID_ARG_VALUE` naming the option.
    pub fn parse(mode: Option<&str>, interval_ms: Option<f64>) -> Result<Self> {
        let interval_ms = match interval_ms {
            None => FSYNC_INTERVAL_MS_DEFAULT,
            Some(ms) if (1.0..=FSYNC_INTERVAL_MS_MAX).contains(&ms) => {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "checked just above"
                )]
                let whole = ms as u64;
                whole
            }
            Some(ms) => {
                return Err(Error::wrong_value(format!(
                    "The option 'fsyncIntervalMs' is {ms}; give milliseconds from 1 to 3600000"
                )));
            }
        };
        match mode {
            None | Some("always") => Ok(Self::Always),
            Some("interval") => Ok(Self::Interval(interval_ms)),
            Some("never") => Ok(Self::Never),
            Some(other) => Err(Error::wrong_value(format!(
                "The option 'fsync' is {other:?}; give 'always', 'interval' or 'never'"
            ))),
        }
    }
}

impl OnCorruption {
    /// Reads the option `onCorruption`.
    ///
    /// # Errors
    /// `ERR_INVALID_ARG_VALUE` naming the option.
    pub fn parse(choice: Option<&str>) -> Result<Self> {
        match choice {
            None | Some("salvage") => Ok(Self::Salvage),
            Some("refuse") => Ok(Self::Refuse),
            Some(other) => Err(Error::wrong_value(format!(
                "The option 'onCorruption' is {other:?}; give 'salvage' or 'refuse'"
            ))),
        }
    }
}
