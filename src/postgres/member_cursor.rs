//! Reading the members of a collection on a server page by page, as they were at one moment.
//!
//! 1. One statement gives the keys, in order, each with its version: what `state` had at that moment. No transaction stays
//!    open behind it, so an iteration may take as long as it likes, also through a pooler.
//! 2. A page is the values of the next keys that `state` still has in that version.
//! 3. A key that was changed since has its value in the entries of the batch that gave it that version.
//! 4. Where those entries were removed, a generation began behind them, and its checkpoint has the value, if it was written
//!    before the iteration began. Its parts have the keys in the same order, so one pass over them serves all pages.
//!
//! Invariant: what is given is what one snapshot had, whatever is written meanwhile, or an error.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::vec::IntoIter;

use parking_lot::Mutex;
use tokio_postgres::types::Type;

use crate::data::entry_text::KeyChange;
use crate::data::json::{Members, key_for_people};
use crate::data::name::LogName;
use crate::data::text::{TextBuilder, TextKind};
use crate::error::{Error, Result};
use crate::postgres::entry_rows::EntryRow;
use crate::postgres::rows::{Parameter, Rows, entry_row};
use crate::postgres::tries::Tries;
use crate::postgres::wire::{Asked, Loss};
use crate::store::cursor::{Cursor, EntryPiece};
use crate::store::member_cursor::MEMBERS_BYTES_MAX;
use crate::store::selection::{Prefix, Selection};

/// So many keys are asked for at once.
const KEYS_MAX: usize = 5_000;

/// A key literal, the version that it had, and the size of that value.
struct Listed {
    key: Box<str>,
    version: i64,
    size_bytes: usize,
}

/// What an iteration gives: fixed when it began.
pub struct Listing {
    log: LogName,
    members: Vec<Listed>,
    is_reverse: bool,
    /// The last generation that had begun; 0 for none.
    generation: i64,
}

/// See the header of this file.
pub struct MemberCursor {
    rows: Arc<Mutex<dyn Rows>>,
    log: LogName,
    members: IntoIter<Listed>,
    generation: i64,
    checkpoint: Checkpoint,
    tries: Tries,
}

/// A pass over the parts of the oldest checkpoint.
struct Checkpoint {
    is_reverse: bool,
    /// Number of the batch, and the part that was read last.
    at: Option<(i64, i32)>,
    /// The text of that part: a JSON object.
    part: String,
}

impl Listing {
    /// Lists what is selected. `begun` is called once it is fixed.
    ///
    /// # Errors
    /// See `Loss`; `Refused` where the key to go on behind is not there.
    pub fn read(
        rows: &mut dyn Rows,
        log: &LogName,
        selection: &Selection,
        within_ms: u64,
        begun: &dyn Fn(),
    ) -> Asked<Self> {
        let name = log.as_str();
        let mut generation = 0;
        let of_log: [Parameter; 1] = [(&name, Type::TEXT)];
        rows.each(&|all| &all.bounds, &of_log, within_ms, begun, &mut |row| generation = row.get(0))?;
        let (after, prefix) = (selection.after.as_deref(), selection.prefix.as_ref());
        let begins = prefix.map(Prefix::text);
        // The key to go on behind is listed first, and so is known to be there.
        let limit = selection.limit.map_or(usize::MAX, |limit| limit + usize::from(after.is_some()));
        // A prefix that ends within a character finds more than it is to give.
        let is_exact = prefix.is_none_or(Prefix::is_exact);
        let limit = if is_exact { i64::try_from(limit).unwrap_or(i64::MAX) } else { i64::MAX };
        let parameters: [Parameter; 4] =
            [(&name, Type::TEXT), (&begins, Type::TEXT), (&after, Type::TEXT), (&limit, Type::INT8)];
        let is_reverse = selection.is_reverse;
        let mut members = Vec::new();
        let mut is_after_there = after.is_none();
        rows.each(
            &|all| if is_reverse { &all.members_reversed } else { &all.members },
            &parameters,
            within_ms,
            begun,
            &mut |row| {
                let (key, size_bytes): (&str, i32) = (row.get(0), row.get(2));
                if Some(key) == after {
                    is_after_there = true;
                } else if selection.has(key) {
                    let size_bytes = key.len() + usize::try_from(size_bytes).unwrap_or(0);
                    members.push(Listed { key: key.into(), version: row.get(1), size_bytes });
                }
            },
        )?;
        if !is_after_there {
            let error = Error::no_key_after(key_for_people(after.unwrap_or_default()));
            return Err(Loss::Refused(error));
        }
        members.truncate(selection.limit.unwrap_or(usize::MAX));
        members.shrink_to_fit();
        Ok(Self { log: log.clone(), members, is_reverse, generation })
    }
}

impl Checkpoint {
    /// Before the first part of a pass.
    fn new(is_reverse: bool) -> Self {
        Self { is_reverse, at: None, part: "{}".to_owned() }
    }

    /// The value of a key literal, which is in this part or in a later one of the pass.
    fn value(&self, key: &str) -> Option<String> {
        Members::of(&self.part).find(|(known, _)| *known == key).map(|(_, value)| value.to_owned())
    }

    /// Reads the next part. False where there is none, or it was written after the iteration began.
    fn go_on(&mut self, rows: &mut dyn Rows, log: &str, generation: i64, within_ms: u64) -> Asked<bool> {
        let is_reverse = self.is_reverse;
        let first = if is_reverse { i32::MAX } else { 0 };
        let behind = self.at.map_or(first, |(_, part)| part);
        let parameters: [Parameter; 2] = [(&log, Type::TEXT), (&behind, Type::INT4)];
        let mut found = None;
        rows.each(
            &|all| if is_reverse { &all.previous_checkpoint } else { &all.next_checkpoint },
            &parameters,
            within_ms,
            &|| {},
            &mut |row| found = Some(((row.get(0), row.get(1)), row.get(2))),
        )?;
        let Some(((seq, part), text)) = found else { return Ok(false) };
        if self.at.is_some_and(|(known, _)| known != seq) {
            // The generation was removed meanwhile; the next one has its parts anew.
            self.at = None;
            return self.go_on(rows, log, generation, within_ms);
        }
        self.at = Some((seq, part));
        self.part = text;
        Ok(seq <= generation)
    }
}

impl MemberCursor {
    /// A cursor before the first of what is listed.
    pub fn new(rows: Arc<Mutex<dyn Rows>>, listing: Listing, tries: Tries) -> Self {
        let Listing { log, members, is_reverse, generation } = listing;
        let checkpoint = Checkpoint::new(is_reverse);
        Self { rows, log, members: members.into_iter(), generation, checkpoint, tries }
    }

    /// How many members are the next page.
    fn page_length(&self) -> usize {
        let mut size_bytes = 0;
        let fits = |(index, member): &(usize, &Listed)| {
            size_bytes += member.size_bytes;
            *index == 0 || size_bytes <= MEMBERS_BYTES_MAX
        };
        self.members.as_slice().iter().take(KEYS_MAX).enumerate().take_while(fits).count()
    }

    /// The values of the next members.
    fn values(&mut self, length: usize, within_ms: u64) -> Asked<Vec<String>> {
        let page = &self.members.as_slice()[..length];
        let rows = Arc::clone(&self.rows);
        let mut rows = rows.lock();
        rows.leave_snapshot();
        let mut values = current_values(&mut *rows, &self.log, page, within_ms)?;
        if values.iter().any(Option::is_none) {
            add_former_values(&mut *rows, &self.log, page, &mut values, within_ms)?;
        }
        let mut all = Vec::with_capacity(length);
        for (member, value) in page.iter().zip(values) {
            let value = match value {
                Some(value) => value,
                None => loop {
                    if let Some(value) = self.checkpoint.value(&member.key) {
                        break value;
                    }
                    if !self.checkpoint.go_on(&mut *rows, self.log.as_str(), self.generation, within_ms)? {
                        let key = key_for_people(&member.key);
                        return Err(Loss::Refused(Error::iteration_too_old(&self.log, key)));
                    }
                },
            };
            all.push(value);
        }
        Ok(all)
    }
}

/// The values that are still those of the version.
fn current_values(
    rows: &mut dyn Rows,
    log: &LogName,
    page: &[Listed],
    within_ms: u64,
) -> Asked<Vec<Option<String>>> {
    let name = log.as_str();
    let keys: Vec<&str> = page.iter().map(|member| &*member.key).collect();
    let versions: Vec<i64> = page.iter().map(|member| member.version).collect();
    let parameters: [Parameter; 3] =
        [(&name, Type::TEXT), (&keys, Type::TEXT_ARRAY), (&versions, Type::INT8_ARRAY)];
    let mut values = vec![None; page.len()];
    rows.each(&|all| &all.values, &parameters, within_ms, &|| {}, &mut |row| {
        let place = usize::try_from(row.get::<_, i64>(0) - 1).unwrap_or(usize::MAX);
        if let Some(value) = values.get_mut(place) {
            *value = Some(row.get(1));
        }
    })?;
    Ok(values)
}

/// Adds the values of keys that were changed since, from the entries of their batches.
fn add_former_values(
    rows: &mut dyn Rows,
    log: &LogName,
    page: &[Listed],
    values: &mut [Option<String>],
    within_ms: u64,
) -> Asked<()> {
    let name = log.as_str();
    let missing: HashMap<(i64, &str), usize> = (0..)
        .zip(page)
        .filter(|(place, _)| values[*place].is_none())
        .map(|(place, member)| ((member.version, &*member.key), place))
        .collect();
    let versions: Vec<i64> = missing.keys().map(|(version, _)| *version).collect();
    let keys: Vec<&str> = missing.keys().map(|(_, key)| *key).collect();
    let parameters: [Parameter; 3] =
        [(&name, Type::TEXT), (&versions, Type::INT8_ARRAY), (&keys, Type::TEXT_ARRAY)];
    rows.each(&|all| &all.entries_of_batches, &parameters, within_ms, &|| {}, &mut |row| {
        let row: EntryRow = entry_row(row);
        row.changes(|change| {
            let (key, value) = match change {
                KeyChange::Set(key, value, _) => (key, Some(value)),
                KeyChange::Delete(key) => (key, None),
                KeyChange::Expire(_) => return,
            };
            if let Some(place) = missing.get(&(row.seq, key)) {
                values[*place] = value.map(str::to_owned);
            }
        });
    })
}

impl fmt::Debug for MemberCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} members of '{}'", self.members.len(), self.log)
    }
}

impl Cursor for MemberCursor {
    fn next_piece(mut self: Box<Self>) -> Result<EntryPiece> {
        let length = self.page_length();
        let mut builder = TextBuilder::in_one_piece(TextKind::Array);
        if length > 0 {
            let tries = self.tries.clone();
            let asked_us = tries.clock.monotonic_us();
            let mut is_again = false;
            let values = tries.until_answered(asked_us, |within_ms| {
                if std::mem::replace(&mut is_again, true) {
                    // The pass may be behind keys of this page.
                    self.checkpoint = Checkpoint::new(self.checkpoint.is_reverse);
                }
                self.values(length, within_ms)
            })?;
            for (member, value) in self.members.by_ref().take(length).zip(values) {
                builder.push(&["[", &member.key, ",", &value, "]"]);
            }
        }
        let text = builder.finish().into_text();
        let cursor: Option<Box<dyn Cursor>> = if length == 0 { None } else { Some(self) };
        Ok(EntryPiece { text, cursor })
    }
}
