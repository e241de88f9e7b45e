//! Which old logs are kept, and in which form: the user's choice with its defaults, and what follows from it. Pure
//! functions.
//!
//! Invariant: the newest of all old logs always stays, and stays plain.

const DAY_MS: i64 = 24 * 3_600_000;

/// How many old logs are kept, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Retention {
    /// Backups kept.
    pub backups: usize,
    /// Archives kept.
    pub archives: usize,
    /// Whether those older than a day are compressed.
    pub compress: bool,
    /// What all old logs of a log may come to together.
    pub limit_bytes: Option<u64>,
}

impl Default for Retention {
    fn default() -> Self {
        Self { backups: 3, archives: 12, compress: true, limit_bytes: None }
    }
}

/// A backup or archive, as far as decisions need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OldFile {
    /// Milliseconds since 1970.
    pub number: i64,
    /// An archive, not a backup.
    pub is_archive: bool,
    /// Compressed already.
    pub is_compressed: bool,
    /// Its size.
    pub size_bytes: u64,
}

/// Places of the old logs that are too many, ascending; `old` is sorted, oldest first. The newest of all stays in
/// any case.
#[must_use]
pub fn too_many(old: &[OldFile], retention: Retention) -> Vec<usize> {
    let (mut backups, mut archives, mut size_bytes) = (0, 0, 0_u64);
    let mut removed = Vec::new();
    for (at, file) in old.iter().enumerate().rev() {
        let (count, kept) = if file.is_archive {
            (&mut archives, retention.archives)
        } else {
            (&mut backups, retention.backups)
        };
        let is_newest = at + 1 == old.len();
        let is_over = retention.limit_bytes.is_some_and(|limit| size_bytes + file.size_bytes > limit);
        if !is_newest && (*count >= kept || is_over) {
            removed.push(at);
            if is_over {
                // What is older than one that finds no room has none either.
                size_bytes = u64::MAX - (1 << 60);
            }
        } else {
            *count += 1;
            size_bytes += file.size_bytes;
        }
    }
    removed.reverse();
    removed
}

/// Place of the oldest plain one that is over a day old; the newest of all stays plain.
#[must_use]
pub fn to_compress(old: &[OldFile], now_ms: i64) -> Option<usize> {
    let older = old.split_last().map_or(&[] as &[OldFile], |(_, older)| older);
    older.iter().position(|file| !file.is_compressed && file.number < now_ms - DAY_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn old(number: i64, is_archive: bool, size_bytes: u64) -> OldFile {
        OldFile { number, is_archive, is_compressed: false, size_bytes }
    }

    #[test]
    fn the_limit_takes_the_oldest_and_never_the_newest() {
        let limited = |limit_bytes| Retention { limit_bytes: Some(limit_bytes), ..Retention::default() };
        let all = [old(1, true, 10), old(2, false, 500), old(3, true, 10), old(4, false, 100)];
        assert!(too_many(&all, limited(620)).is_empty());
        assert_eq!(too_many(&all, limited(619)), [0]);
        assert_eq!(too_many(&all, limited(200)), [0, 1]);
        assert_eq!(too_many(&all, limited(0)), [0, 1, 2]);
        assert!(too_many(&[], limited(0)).is_empty());
    }

    #[test]
    fn the_newest_stays_plain() {
        let all = [old(1, false, 1), old(2, true, 1)];
        assert_eq!(to_compress(&all, 10 * DAY_MS), Some(0));
        assert_eq!(to_compress(&all, DAY_MS), None);
        assert_eq!(to_compress(&all[1..], 10 * DAY_MS), None);
        assert_eq!(to_compress(&[], 10 * DAY_MS), None);
    }
}
