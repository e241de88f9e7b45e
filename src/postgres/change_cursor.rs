//! The changes of watched keys on a server: each look reads what is new in `entry`.
//!
//! 1. At the beginning, one statement reads the watched keys and the number of the log's last batch. Their values are what the
//!    first changes have as `previous`.
//! 2. A look reads the entries behind the last one that was read.
//! 3. Batches are numbered before they are committed, so one may come to light behind later ones. Every few seconds, the numbers
//!    of the last minutes are compared with those that were read. Batches on one key have its row locked, so their numbers are
//!    in the order of their commits: a late batch is the next one of its keys all the same.
//! 4. Where the server was connected anew, or nothing was read for hours, the keys are read anew, too: another primary may lack
//!    batches and number new ones from there, and entries may have been removed. What differs then is noted as a change.
//!
//! Invariant: an entry is noted once. The values of the watched keys are in memory.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio_postgres::types::Type;

use crate::data::json::quote;
use crate::data::name::LogName;
use crate::data::state::{Member, State};
use crate::data::time::iso;
use crate::error::Result;
use crate::postgres::entry_rows::EntryRow;
use crate::postgres::rows::{Parameter, Rows, entry_row};
use crate::postgres::tries::{QUESTION_MS_MIN, Tries};
use crate::postgres::wire::Asked;
use crate::store::cursor::{Cursor, EntryPiece};
use crate::store::watch::{Watched, Watcher};

/// So many rows are read at once.
const ROWS_MAX: i64 = 500;
/// So often, late batches are searched for.
const SEARCH_MS: u64 = 5_000;
/// So many searches back.
const SEARCHES_BACK: usize = 24;
/// So many numbers before the beginning, a batch may have been under way.
const UNDER_WAY: i64 = 1_000;
/// So long no look succeeded: entries may have been removed since.
const FORGOTTEN_MS: u64 = 6 * 3_600_000;

/// See the header of this file.
pub struct ChangeCursor {
    rows: Arc<Mutex<dyn Rows>>,
    log: LogName,
    watcher: Arc<Watcher>,
    watched: Watched,
    /// The last row that was read.
    place: (i64, i32),
    /// Numbers that were read, from where late batches are searched.
    known: BTreeSet<i64>,
    /// The greatest number at each of the last searches.
    searched: VecDeque<i64>,
    searched_ms: u64,
    epoch: u64,
    looked_ms: u64,
    tries: Tries,
}

/// The watched keys as they were at one moment, and where the log ended then.
struct ReadAnew {
    state: State,
    last: i64,
    known: BTreeSet<i64>,
    from: i64,
    epoch: u64,
}

impl ChangeCursor {
    /// Begins to watch; `begun` is called once it is fixed from where on.
    ///
    /// # Errors
    /// See `Loss`.
    pub fn begin(
        (rows, own): (&mut dyn Rows, Arc<Mutex<dyn Rows>>),
        log: &LogName,
        watcher: Arc<Watcher>,
        tries: Tries,
        (within_ms, begun): (u64, &dyn Fn()),
    ) -> Asked<Self> {
        let mut cursor = Self {
            rows: own,
            log: log.clone(),
            watcher,
            watched: Watched::default(),
            place: (0, 0),
            known: BTreeSet::new(),
            searched: VecDeque::new(),
            searched_ms: 0,
            epoch: 0,
            looked_ms: 0,
            tries,
        };
        let all = cursor.read_all(rows, within_ms, begun)?;
        let state = cursor.go_to(all);
        cursor.watched.add(&cursor.watcher, &state);
        Ok(cursor)
    }

    /// Reads the watched keys and where the log ends, in one moment.
    fn read_all(&self, rows: &mut dyn Rows, within_ms: u64, begun: &dyn Fn()) -> Asked<ReadAnew> {
        let epoch = rows.epoch();
        let name = self.log.as_str();
        let (mut last, mut state) = (0, State::default());
        rows.each(&|all| &all.bounds, &[(&name, Type::TEXT)], within_ms, begun, &mut |row| {
            last = row.get(1);
        })?;
        let from = (last - UNDER_WAY).max(0);
        // What is committed between the two statements is in the state, and no change when it is found late.
        let known = self.numbers(rows, (from, i64::MAX), within_ms)?;
        let (key, begins) = (self.watcher.filter().key(), self.watcher.filter().begins());
        let parameters: [Parameter; 3] = [(&name, Type::TEXT), (&begins, Type::TEXT), (&key, Type::TEXT)];
        rows.each(&|all| &all.watched, &parameters, within_ms, begun, &mut |row| {
            last = row.get(2);
            // Where no key is there, the number stands alone.
            if let Some(key) = row.get::<_, Option<&str>>(0) {
                state.set(Member::expiring(key, row.get(1), row.get(3)));
            }
        })?;
        Ok(ReadAnew { state, last, known, from, epoch })
    }

    /// From now on, what comes behind this is read.
    fn go_to(&mut self, all: ReadAnew) -> State {
        self.place = (all.last, i32::MAX);
        self.known = all.known;
        self.searched = VecDeque::from([all.from]);
        self.epoch = all.epoch;
        self.looked_ms = self.tries.clock.monotonic_ms();
        self.searched_ms = self.looked_ms;
        all.state
    }

    /// The numbers of batches with entries about watched keys.
    fn numbers(&self, rows: &mut dyn Rows, (from, to): (i64, i64), within_ms: u64) -> Asked<BTreeSet<i64>> {
        let name = self.log.as_str();
        let (key, begins) = (self.watcher.filter().key(), self.watcher.filter().begins());
        let parameters: [Parameter; 5] = [
            (&name, Type::TEXT),
            (&begins, Type::TEXT),
            (&key, Type::TEXT),
            (&from, Type::INT8),
            (&to, Type::INT8),
        ];
        let mut numbers = BTreeSet::new();
        rows.each(&|all| &all.batches, &parameters, within_ms, &|| {}, &mut |row| {
            numbers.insert(row.get(0));
        })?;
        Ok(numbers)
    }

    /// Entries behind a place, up to a number; so many at most.
    fn page(
        &self,
        rows: &mut dyn Rows,
        (place, to): ((i64, i32), i64),
        within_ms: u64,
    ) -> Asked<Vec<EntryRow>> {
        let name = self.log.as_str();
        let (key, begins) = (self.watcher.filter().key(), self.watcher.filter().begins());
        let parameters: [Parameter; 7] = [
            (&name, Type::TEXT),
            (&begins, Type::TEXT),
            (&key, Type::TEXT),
            (&place.0, Type::INT8),
            (&place.1, Type::INT4),
            (&to, Type::INT8),
            (&ROWS_MAX, Type::INT8),
        ];
        let mut found = Vec::new();
        rows.each(&|all| &all.changes, &parameters, within_ms, &|| {}, &mut |row| {
            found.push(entry_row(row));
        })?;
        Ok(found)
    }

    fn note(&mut self, found: &[EntryRow]) {
        for row in found {
            let time: Arc<str> = quote(&iso(row.at_ms)).into();
            row.changes(|change| self.watched.note(change, &time, &<State>::default()));
            self.known.insert(row.seq);
        }
    }

    /// Notes what is behind the last row that was read up to a number, page by page: what is lost with a connection is read again from there.
    fn go_on(&mut self, rows: &mut dyn Rows, to: i64, within_ms: u64) -> Asked<()> {
        loop {
            let found = self.page(rows, (self.place, to), within_ms)?;
            self.note(&found);
            match found.last() {
                Some(last) if is_full(&found) => self.place = (last.seq, last.part),
                Some(last) => {
                    self.place = (last.seq, last.part);
                    return Ok(());
                }
                None => return Ok(()),
            }
        }
    }

    fn look(&mut self, within_ms: u64) -> Asked<()> {
        let rows = Arc::clone(&self.rows);
        let mut rows = rows.lock();
        let rows = &mut *rows;
        rows.leave_snapshot();
        let since_ms = self.tries.clock.monotonic_ms().saturating_sub(self.looked_ms);
        if rows.epoch() != self.epoch || since_ms > FORGOTTEN_MS {
            let all = self.read_all(rows, within_ms, &|| {})?;
            // On the same server that is all there is to note.
            self.go_on(rows, all.last, within_ms)?;
            let state = self.go_to(all);
            let now: Arc<str> = quote(&iso(self.tries.clock.now_ms())).into();
            self.watched.settle(&state, &now);
            return Ok(());
        }
        let now_ms = self.tries.clock.monotonic_ms();
        if now_ms.saturating_sub(self.searched_ms) >= SEARCH_MS {
            self.search(rows, within_ms)?;
            self.searched_ms = now_ms;
        }
        self.go_on(rows, i64::MAX, within_ms)?;
        self.looked_ms = now_ms;
        Ok(())
    }

    /// Notes batches that were committed behind later ones.
    fn search(&mut self, rows: &mut dyn Rows, within_ms: u64) -> Asked<()> {
        let from = self.searched.front().copied().unwrap_or(0);
        let found = self.numbers(rows, (from, self.place.0), within_ms)?;
        let late: Vec<i64> = found.difference(&self.known).copied().collect();
        for number in late {
            let mut all: Vec<EntryRow> = Vec::new();
            loop {
                let place = all.last().map_or((number - 1, i32::MAX), |last| (last.seq, last.part));
                let found = self.page(rows, (place, number), within_ms)?;
                let is_more = is_full(&found);
                all.extend(found);
                if !is_more {
                    break;
                }
            }
            self.note(&all);
        }
        self.searched.push_back(self.place.0);
        if self.searched.len() > SEARCHES_BACK {
            self.searched.pop_front();
        }
        if let Some(from) = self.searched.front() {
            self.known = self.known.split_off(&(from + 1));
        }
        Ok(())
    }
}

/// Whether more rows may follow.
fn is_full(page: &[EntryRow]) -> bool {
    i64::try_from(page.len()).unwrap_or(i64::MAX) >= ROWS_MAX
}

impl fmt::Debug for ChangeCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "changes of '{}' behind {:?}", self.log, self.place)
    }
}

impl Cursor for ChangeCursor {
    fn next_piece(mut self: Box<Self>) -> Result<EntryPiece> {
        // One try: where the server is away, the next look reads on from the same place.
        let _ = self.look(self.tries.timeout_ms.min(QUESTION_MS_MIN));
        Ok(EntryPiece { text: String::from("[]"), cursor: Some(self) })
    }
}
