//! The newest batches that were acknowledged, to be looked up after a fail-over.
//!
//! ```text
//! oldest ──────────────── newest        a new primary lacks, if anything, the newest: they are looked up from there
//!     found | found | missing | missing
//! ```
//!
//! Invariant: holds at most `ACKED_BYTES_MAX`, and nothing older than `ACKED_MS_MAX`: a server forgets the entries of a
//! generation a day after the next one began. A batch that is missing is named once.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};

use crate::data::name::LogName;
use crate::postgres::change_id::ChangeId;
use crate::postgres::wire::{Asked, Commit};

/// Names of batches and keys that are held.
const ACKED_BYTES_MAX: usize = 8 << 20;
/// For so long they are held.
const ACKED_MS_MAX: u64 = 23 * 3_600_000;
/// So many are looked up at once.
const LOOKED_UP: usize = 500;
/// What a batch weighs beside its keys.
const BATCH_BYTES: usize = 64;

/// The keys that are lost, by log.
pub type Lost = BTreeMap<LogName, BTreeSet<String>>;

/// See the header of this file.
#[derive(Default)]
pub struct Acked {
    batches: VecDeque<AckedBatch>,
    size_bytes: usize,
}

struct AckedBatch {
    change: ChangeId,
    /// On the clock that never jumps.
    acked_ms: u64,
    keys: Vec<(LogName, String)>,
    size_bytes: usize,
}

impl Acked {
    /// This batch is committed, at `now_ms` of the clock that never jumps.
    pub fn add(&mut self, commit: &Commit, now_ms: u64) {
        if commit.entries.is_empty() {
            return;
        }
        let keys: Vec<_> = commit.rows().map(|(key, _)| (key.log.clone(), key.key.clone())).collect();
        let size_bytes = BATCH_BYTES + keys.iter().map(|(_, key)| key.len() + 40).sum::<usize>();
        self.size_bytes += size_bytes;
        self.batches.push_back(AckedBatch { change: commit.change, acked_ms: now_ms, keys, size_bytes });
        self.forget_old(now_ms);
    }

    fn forget_old(&mut self, now_ms: u64) {
        while let Some(oldest) = self.batches.front()
            && (self.size_bytes > ACKED_BYTES_MAX || oldest.acked_ms + ACKED_MS_MAX < now_ms)
            && let Some(oldest) = self.batches.pop_front()
        {
            self.size_bytes -= oldest.size_bytes;
        }
    }

    /// Looks the newest batches up until one is found, and forgets those that are missing. Gives their keys.
    ///
    /// # Errors
    /// Where they could not be looked up; all are still held.
    pub fn find_lost(
        &mut self,
        now_ms: u64,
        mut look_up: impl FnMut(&[ChangeId]) -> Asked<HashSet<ChangeId>>,
    ) -> Asked<Lost> {
        self.forget_old(now_ms);
        let mut kept = self.batches.len();
        while kept > 0 {
            let first = kept.saturating_sub(LOOKED_UP);
            let asked: Vec<ChangeId> = self.batches.range(first..kept).map(|batch| batch.change).collect();
            let found = look_up(&asked)?;
            let last_found = asked.iter().rposition(|change| found.contains(change));
            kept = last_found.map_or(first, |place| first + place + 1);
            if last_found.is_some() {
                break;
            }
        }
        let mut lost = Lost::new();
        for batch in self.batches.drain(kept..) {
            self.size_bytes -= batch.size_bytes;
            for (log, key) in batch.keys {
                lost.entry(log).or_default().insert(key);
            }
        }
        Ok(lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::change::Change;
    use crate::data::state::Member;
    use crate::postgres::batch::Batch;
    use crate::postgres::change_id::ChangeIds;

    fn log() -> LogName {
        LogName::new("players").expect("a name")
    }

    fn acked(count: usize) -> (Acked, Vec<ChangeId>) {
        let (mut acked, mut ids) = (Acked::default(), ChangeIds::default());
        let changes = (0..count).map(|number| {
            let mut batch = Batch::default();
            batch.change(&log(), Change::Set(Member::new(&format!("\"{number}\""), "1")));
            let commit = batch.commit(ids.next(0));
            acked.add(&commit, 0);
            commit.change
        });
        let changes = changes.collect();
        (acked, changes)
    }

    #[test]
    fn the_keys_of_all_batches_behind_the_last_one_found_are_lost() {
        let (mut acked, changes) = acked(2000);
        let there: HashSet<ChangeId> = changes[..700].iter().copied().collect();
        let look_up =
            |asked: &[ChangeId]| Ok(asked.iter().copied().filter(|id| there.contains(id)).collect());
        let lost = acked.find_lost(0, look_up).expect("all are looked up");
        assert_eq!(lost[&log()].len(), 1300);
        assert!(lost[&log()].contains("\"700\"") && !lost[&log()].contains("\"699\""));
        let again = acked.find_lost(0, look_up).expect("the rest is looked up");
        assert!(again.is_empty(), "they are named once");
    }

    #[test]
    fn where_all_are_there_one_question_is_asked() {
        let (mut acked, changes) = acked(2000);
        let mut questions = 0;
        let lost = acked.find_lost(0, |asked| {
            questions += 1;
            assert!(asked.contains(&changes[1999]));
            Ok(asked.iter().copied().collect())
        });
        assert!(lost.expect("all are looked up").is_empty());
        assert_eq!(questions, 1);
    }

    #[test]
    fn what_a_server_may_have_forgotten_is_not_asked_for() {
        let (mut acked, _) = acked(10);
        let lost = acked.find_lost(ACKED_MS_MAX + 1, |_| Ok(HashSet::new())).expect("nothing is looked up");
        assert!(lost.is_empty() && acked.size_bytes == 0);
    }

    #[test]
    fn what_is_held_is_bounded() {
        let (acked, _) = acked(200_000);
        assert!(acked.size_bytes <= ACKED_BYTES_MAX);
        assert_eq!(acked.size_bytes, acked.batches.iter().map(|batch| batch.size_bytes).sum::<usize>());
    }
}
