//! What readers on other threads see of one log: its durable state, and the stamps that show whether
//! it still is what the files hold.
//!
//! Invariant: the state under the lock is always that of whole, acknowledged batches. `is_current`
//! is false while the writer has not loaded the log, or cannot trust the stamps.

use parking_lot::RwLock;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::data::slots::Places;
use crate::data::state::{Kept, Member, Slot, State};
use crate::error::Result;
use crate::files::log::paths::LogPaths;
use crate::files::metrics::LogMetrics;
use crate::files::report::LogReport;
use crate::files::values::log_values::LogValues;
use crate::files::values::slot_snapshot::{SlotSnapshot, read_with};
use crate::vfs::{FileSystem, Stamp};

/// So many members are taken over in one go.
const HELD_AT_ONCE: usize = 256;

/// See the header of this file.
pub struct Shelf {
    /// The log's files.
    pub paths: LogPaths,
    /// What is counted of the log.
    pub(crate) metrics: LogMetrics,
    published: RwLock<Published>,
}

/// Whether an answer takes edits of the mirror into account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edits {
    /// It does, so the log must have a mirror.
    Counted,
    /// It need not: the log may have none.
    Ignored,
}

/// The state and what it was read from.
#[derive(Default)]
struct Published {
    /// Durable state, foreign edits included.
    state: State<Slot>,
    /// The log in which the values lie that are not in memory.
    values: Option<Arc<LogValues>>,
    stamps: Stamps,
}

/// The files that the published state was read from.
#[derive(Clone, Copy, Default)]
pub struct Stamps {
    /// The log.
    pub log: Option<Stamp>,
    /// The mirror.
    pub mirror: Option<Stamp>,
    /// The log has a mirror.
    pub is_mirrored: bool,
    /// See the header of this file.
    pub is_current: bool,
}

impl Shelf {
    /// A shelf for a log that is not loaded yet.
    #[must_use]
    pub fn new(paths: LogPaths) -> Self {
        Self { paths, metrics: LogMetrics::default(), published: RwLock::default() }
    }

    /// Looks at the state.
    pub fn with_state<R>(&self, read: impl FnOnce(&State<Slot>) -> R) -> R {
        read(&self.published.read().state)
    }

    /// Changes the state to that of the log with this stamp. For the writer.
    pub fn change(&self, log: Option<Stamp>, change: impl FnOnce(&mut State<Slot>)) {
        let mut published = self.published.write();
        change(&mut published.state);
        published.stamps.log = log;
    }

    /// The log has the values at other offsets now, as `change` says, and is this file. False where one of them is not
    /// known any more.
    pub fn move_values(
        &self,
        values: Option<Arc<LogValues>>,
        change: impl FnOnce(&mut State<Slot>) -> bool,
    ) -> bool {
        let mut published = self.published.write();
        published.values = values;
        change(&mut published.state)
    }

    /// Some slots as they are at this moment.
    pub fn snapshot(&self, pick: impl FnOnce(&State<Slot>) -> Places) -> SlotSnapshot {
        let published = self.published.read();
        SlotSnapshot::new(pick(&published.state), published.values.clone())
    }

    /// Reads values that are not in memory, so that a call finds them there, until `trim`. For the writer.
    ///
    /// # Errors
    /// `LogValues::read`. The log is read anew then, with the next call.
    pub fn hold<'k>(&self, keys: impl Iterator<Item = &'k str>) -> Result<()> {
        let lying: Places = {
            let published = self.published.read();
            if published.state.is_all_held() {
                return Ok(());
            }
            let places = keys.filter_map(|key| published.state.place(key));
            places.filter(|(slot, _)| slot.held().is_none()).map(|(slot, at)| (slot.clone(), at)).collect()
        };
        if lying.is_empty() {
            return Ok(());
        }
        let members = self.read_values(&lying)?;
        let mut published = self.published.write();
        for member in members {
            published.state.hold(member);
        }
        Ok(())
    }

    /// Values that were read of the published state stay in memory, but for those that were set since.
    pub fn hold_members(&self, members: Vec<Member>) {
        let mut left = members.into_iter().peekable();
        while left.peek().is_some() {
            // Readers on other threads do not wait for all of them.
            let mut published = self.published.write();
            for member in left.by_ref().take(HELD_AT_ONCE) {
                published.state.hold(member);
            }
        }
        self.trim();
    }

    /// The members of slots of the published state.
    ///
    /// # Errors
    /// `LogValues::read`. The log is read anew then, with the next call.
    pub fn read_values(&self, places: &[(Slot, u64)]) -> Result<Vec<Member>> {
        let values = self.published.read().values.clone();
        read_with(values.as_deref(), places)
    }

    /// The published state with all values.
    ///
    /// # Errors
    /// `LogValues::read`. The log is read anew then, with the next call.
    pub fn whole_state(&self) -> Result<State> {
        let snapshot = self.snapshot(State::all_places_as_set);
        let mut state = State::default();
        for member in snapshot.members() {
            state.set(member?);
        }
        Ok(state)
    }

    /// Lets go of what was held for calls.
    pub fn trim(&self) {
        let is_over = self.published.read().state.is_over_cache();
        if is_over {
            self.published.write().state.trim();
        }
    }

    /// Whether a value was not where the state says.
    pub fn is_doubted(&self) -> bool {
        self.published.read().values.as_ref().is_some_and(|values| values.has_moved())
    }

    /// Keeps the numbers of a field, which were read from the state.
    pub fn add_field(&self, field: &str, numbers: Vec<f64>) {
        self.published.write().state.add_field(field, numbers);
    }

    /// Puts a state in the place of the one that is there.
    pub fn put(&self, state: State<Slot>) {
        let mut published = self.published.write();
        debug_assert!(published.values.is_some() || state.is_all_held());
        published.state = state;
    }

    /// The same; its values lie in this log.
    pub fn put_of(&self, state: State<Slot>, values: Option<Arc<LogValues>>) {
        debug_assert!(values.is_some() || state.is_all_held());
        let mut published = self.published.write();
        published.state = state;
        published.values = values;
    }

    /// Takes the state away until `put`; meanwhile nobody reads it.
    pub fn take_state(&self) -> State<Slot> {
        let mut published = self.published.write();
        published.stamps.is_current = false;
        std::mem::take(&mut published.state)
    }

    /// From now on readers ask the writer.
    pub fn distrust(&self) {
        self.published.write().stamps.is_current = false;
    }

    /// Lets readers answer from memory while the files have these stamps.
    pub fn publish(&self, stamps: Stamps) {
        self.published.write().stamps = stamps;
    }

    /// What was counted, and what there is. `now_ms` is of the clock that never jumps, `wall_ms` since 1970.
    #[must_use]
    pub fn report(&self, now_ms: u64, wall_ms: i64) -> LogReport {
        let metrics = &self.metrics;
        let (size_bytes, live_bytes, keys) = {
            let published = self.published.read();
            let size_bytes = published.stamps.log.map_or(0, |stamp| stamp.size_bytes);
            (size_bytes, published.state.live_bytes(), published.state.live_len(wall_ms) as u64)
        };
        LogReport {
            name: self.paths.name.as_str().to_owned(),
            entries: metrics.entries.get(),
            bytes: metrics.bytes.get(),
            size_bytes,
            live_bytes,
            keys,
            fsync_us: metrics.fsync.read(),
            ack_us: metrics.ack.read(),
            compaction_us: metrics.compaction.read(),
            compactions_failed: metrics.compactions_failed.get(),
            last_compaction_ms: metrics.last_compaction_ms.load(Ordering::Relaxed),
            is_last_compaction_failed: metrics.is_last_compaction_failed.load(Ordering::Relaxed),
            mirror_age_ms: metrics.mirror_age_ms(now_ms),
            corrupt_lines: metrics.corrupt_lines.get(),
            torn_tails: metrics.torn_tails.get(),
            external_edits: metrics.external_edits.get(),
            mirrors_failed: metrics.mirrors_failed.get(),
            backups: metrics.backups.get(),
            archives: metrics.archives.get(),
        }
    }

    /// The last known values of key literals, whether or not the files are as they were. A guess; none where one of the
    /// keys is not there, or its value not in memory.
    #[must_use]
    pub fn guess(&self, keys: &[String], now_ms: i64) -> Option<Vec<Option<String>>> {
        let published = self.published.read();
        keys.iter()
            .map(|key| {
                published.state.get_live(key, now_ms)?.held().map(|member| Some(member.value().to_owned()))
            })
            .collect()
    }

    /// Answers from memory while the files are as they were; `None` when the writer must check first.
    pub fn read<R>(
        &self,
        files: &dyn FileSystem,
        edits: Edits,
        answer: impl FnOnce(&State<Slot>) -> Option<R>,
    ) -> Option<R> {
        let published = self.published.try_read()?;
        let is_same = |path, known| files.stamp(path).is_ok_and(|found| found == known);
        let stamps = &published.stamps;
        let is_current = stamps.is_current
            && (stamps.is_mirrored || edits == Edits::Ignored)
            && is_same(&self.paths.log, stamps.log)
            && (!stamps.is_mirrored || is_same(&self.paths.mirror, stamps.mirror));
        if is_current { answer(&published.state) } else { None }
    }
}
