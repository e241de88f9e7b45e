//! When a value ends, as a caller says it.

/// The last time that a `Date` of JavaScript holds, in milliseconds since 1970.
pub const TIME_MS_MAX: i64 = 8_640_000_000_000_000;

/// See the header of this file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// So many milliseconds from now on, by the clock of the place.
    After(i64),
    /// At this time, in milliseconds since 1970.
    At(i64),
}

impl Expiry {
    /// The time, in milliseconds since 1970.
    #[must_use]
    pub fn at(self, now_ms: i64) -> i64 {
        match self {
            Self::After(ttl_ms) => now_ms.saturating_add(ttl_ms).min(TIME_MS_MAX),
            Self::At(expires_ms) => expires_ms,
        }
    }
}
