//! The name of a batch: a UUID that its writer makes, in the order of time (version 7).
//!
//! ```text
//! 48 bits milliseconds since 1970 | 7 | 12 bits count | 2 | 62 bits chance
//! ```
//!
//! Invariant: no two batches have the same name, whatever host, process or server they belong to.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};

/// See the header of this file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChangeId([u8; 16]);

impl ChangeId {
    /// No batch.
    pub const NONE: Self = Self([0; 16]);

    /// From its bytes.
    #[must_use]
    pub const fn of_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for ChangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.0.iter().enumerate() {
            if matches!(place, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// Makes names.
pub struct ChangeIds {
    chance: RandomState,
    count: u64,
}

impl Default for ChangeIds {
    fn default() -> Self {
        Self { chance: RandomState::new(), count: 0 }
    }
}

impl ChangeIds {
    /// The next name.
    pub fn next(&mut self, now_ms: i64) -> ChangeId {
        self.count += 1;
        // The keys of `RandomState` come from the system's random numbers, once a thread; they make each process another.
        let mut hasher = self.chance.build_hasher();
        hasher.write_u64(self.count);
        hasher.write_i64(now_ms);
        hasher.write_u32(std::process::id());
        let chance = hasher.finish().to_be_bytes();
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&now_ms.to_be_bytes()[2..]);
        bytes[6..8].copy_from_slice(&(0x7000 | (self.count & 0x0fff) as u16).to_be_bytes());
        bytes[8..].copy_from_slice(&chance);
        bytes[8] = 0x80 | (bytes[8] & 0x3f);
        ChangeId(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_and_follow_the_time() {
        let (mut one, mut other) = (ChangeIds::default(), ChangeIds::default());
        let mut seen = std::collections::HashSet::new();
        for _ in 0..5000 {
            assert!(seen.insert(one.next(7)));
            assert!(seen.insert(other.next(7)), "two writers at the same time");
        }
        assert!(one.next(8) > one.next(7));
        let text = one.next(0x0123_4567_89ab).to_string();
        assert!(text.starts_with("01234567-89ab-7"), "{text}");
        assert!(matches!(&text[19..20], "8" | "9" | "a" | "b"), "{text}");
    }
}
