//! Whether files and folders are synced: the user's choice `fsync: 'never'`, as the functions that write files see it.
//!
//! Invariant: with `Off`, a function does the same calls except the syncs.

/// Whether what is written must be on disk before the next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syncing {
    /// It is synced.
    On,
    /// The system writes it when it likes.
    Off,
}

impl Syncing {
    /// Whether it is synced.
    #[must_use]
    pub fn is_on(self) -> bool {
        self == Self::On
    }
}

impl From<bool> for Syncing {
    fn from(is_on: bool) -> Self {
        if is_on { Self::On } else { Self::Off }
    }
}
