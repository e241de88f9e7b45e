//! The calls that scripts make, and what people and other programs do beside them.
//!
//! Invariant: an operation is in the history before the `Folder` hears of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::model::{Effect, Op, Order, Status};
use super::play::{Call, Play};
use crate::data::change::Change;
use crate::data::json::quote;
use crate::data::state::Member;
use crate::data::state::State;
use crate::error::Result;
use crate::files::mirror::content::small_text;
use crate::store::answer::Answer;
use crate::store::collection;
use crate::store::expiry::Expiry;
use crate::store::request::Maintenance;
use crate::store::request::{Expected, Replace, Transaction, Work};
use crate::store::rule::Outcome;
use crate::store::rule::{RuleOf, View};
use crate::vfs::FileSystem;

/// The key that transactions set: in both logs it has the same value at any time.
pub const BOTH: &str = "both";

impl Play {
    fn op(&mut self, log: usize, effects: Vec<Effect>) -> usize {
        let at_ms = self.disk.now_ms();
        let history = &mut self.record.lock().history;
        history.ops.push(Op { log, effects, at_ms });
        history.status.push(Status::Open);
        history.ops.len() - 1
    }

    /// A value that no other operation writes, of about `size_bytes`.
    fn value(&self, size_bytes: usize) -> String {
        let id = {
            let history = &self.record.lock().history;
            history.first_id + history.ops.len()
        };
        let start = format!("{{\"n\":{id},\"pad\":\"");
        let filler = char::from(b'a' + u8::try_from(id % 26).unwrap_or(0));
        let pad: String = std::iter::repeat_n(filler, size_bytes.saturating_sub(start.len() + 2)).collect();
        format!("{start}{pad}\"}}")
    }

    /// `appendLogEntry` with a SET.
    pub fn append(&mut self, log: usize, key: &str, size_bytes: usize) -> Call {
        let (key, value) = (quote(key), self.value(size_bytes));
        let text = format!(
            "{{\"timestamp\":\"2026-11-23T15:00:00.000Z\",\"op\":\"SET\",\"key\":{key},\"value\":{value}"
        );
        let id = self.op(log, vec![Effect::Set(key, value)]);
        Call { log, work: Work::Append(text), id }
    }

    /// `collection.set`.
    pub fn set(&mut self, log: usize, key: &str, size_bytes: usize) -> Call {
        let (key, value) = (quote(key), self.value(size_bytes));
        let work = collection::set(&key, &value);
        let id = self.op(log, vec![Effect::Set(key, value)]);
        Call { log, work, id }
    }

    /// `collection.set` of a key that ends by itself so much later.
    pub fn set_ending(&mut self, log: usize, key: &str, size_bytes: usize, ttl_ms: i64) -> Call {
        let (key, value) = (quote(key), self.value(size_bytes));
        let end_ms = self.disk.now_ms() + ttl_ms;
        let work = collection::set_expiring(&key, &value, Some(Expiry::At(end_ms)));
        let id = self.op(log, vec![Effect::SetEnding(key, value, end_ms)]);
        Call { log, work, id }
    }

    /// `collection.delete`.
    pub fn delete(&mut self, log: usize, key: &str) -> Call {
        let key = quote(key);
        let work = collection::delete(key.clone());
        let id = self.op(log, vec![Effect::Delete(key)]);
        Call { log, work, id }
    }

    /// Reads a number and writes the next one, as `updatePlayerStats` does.
    pub fn count(&mut self, log: usize, key: &str) -> Call {
        let key = quote(key);
        let result = Arc::new(AtomicU64::new(0));
        let id = self.op(log, vec![Effect::Count(key.clone(), Arc::clone(&result))]);
        let keys = Some(vec![key.clone()]);
        let apply = move |view: &View, _| {
            let count: u64 = view.get(&key).and_then(|value| value.parse().ok()).unwrap_or(0);
            let member = Member::new(&key, &(count + 1).to_string());
            result.store(count + 1, Ordering::Relaxed);
            Ok(Outcome { changes: vec![Change::Set(member)], answer: Answer::Undefined })
        };
        Call { log, work: Work::Write(Box::new(RuleOf { keys, apply })), id }
    }

    /// `collection.setMany`: several keys in one line.
    pub fn set_many(&mut self, log: usize, keys: &[&str], size_bytes: usize) -> Call {
        let value = self.value(size_bytes);
        let keys: Vec<String> = keys.iter().map(|key| quote(key)).collect();
        let members: Vec<Member> = keys.iter().map(|key| Member::new(key, &value)).collect();
        let effects = keys.into_iter().map(|key| Effect::Set(key, value.clone())).collect();
        let id = self.op(log, effects);
        Call { log, work: collection::set_many(members), id }
    }

    /// `collection.deleteMany`.
    pub fn delete_many(&mut self, log: usize, keys: &[&str]) -> Call {
        let keys: Vec<String> = keys.iter().map(|key| quote(key)).collect();
        let id = self.op(log, keys.iter().map(|key| Effect::Delete(key.clone())).collect());
        Call { log, work: collection::delete_many(keys), id }
    }

    /// `collection.updateMany`: asks what the keys have, then sets the first ones and removes the last one. Where it is
    /// not told what they have, it changes nothing.
    pub fn update_many(&mut self, bot: usize, log: usize, keys: &[&str], size_bytes: usize) {
        let keys: Vec<String> = keys.iter().map(|key| quote(key)).collect();
        let replace = |expected, changes, tries| {
            Work::Replace(Replace {
                keys: keys.clone(),
                expected,
                changes: Some(changes),
                expiry: None,
                tries,
            })
        };
        let Ok(Answer::Conflict(had)) = self.ask(bot, log, replace(Expected::Unknown, Vec::new(), 0)) else {
            return;
        };
        let value = self.value(size_bytes);
        let last = keys.len() - 1;
        let made = |place: usize| (place < last).then_some(value.as_str());
        let of_each = keys.iter().zip(&had).enumerate();
        let changes = collection::changes_of(
            of_each.map(|(place, (key, had))| (key.as_str(), had.as_deref(), made(place))),
        );
        let effects = keys.iter().enumerate().map(|(place, key)| match made(place) {
            Some(value) => Effect::Set(key.clone(), value.to_owned()),
            None => Effect::Delete(key.clone()),
        });
        let id = self.op(log, effects.collect());
        let work = replace(Expected::Values(had), changes, 1);
        self.call(bot, Call { log, work, id });
    }

    /// `storage.transaction` over the first two logs: asks what the key `both` has in each, then sets it to one value in
    /// both. Where it is not told what they have, it changes nothing.
    pub fn transact(&mut self, bot: usize, size_bytes: usize) {
        let asking = self.transaction([Expected::Unknown, Expected::Unknown], &[], 0);
        let Ok(Answer::Conflict(had)) = self.ask(bot, 0, asking) else { return };
        let (key, value) = (quote(BOTH), self.value(size_bytes));
        let expected = [0, 1].map(|log| Expected::Values(vec![had[log].clone()]));
        let work = self.transaction(expected, &[Change::Set(Member::new(&key, &value))], 1);
        let id = self.op(0, vec![Effect::Set(key.clone(), value.clone())]);
        let other = self.op(1, vec![Effect::Set(key, value)]);
        self.record.lock().together.insert(id, other);
        self.call(bot, Call { log: 0, work, id });
    }

    fn transaction(&self, expected: [Expected; 2], changes: &[Change], tries: u32) -> Work {
        let part = |(log, expected): (usize, Expected)| {
            let (keys, changes) = (vec![quote(BOTH)], Some(changes.to_vec()));
            let replace = Replace { keys, expected, changes, expiry: None, tries };
            (self.logs[log].name.clone(), replace)
        };
        Work::Transact(Transaction { parts: (0..2).zip(expected).map(part).collect() })
    }

    /// One operation of many lines, as `savePlayers` makes them: keys removed, then set.
    pub fn replace_keys(&mut self, log: usize, gone: &[&str], set: &[&str], size_bytes: usize) -> Call {
        let value = self.value(size_bytes);
        let mut effects: Vec<Effect> = gone.iter().map(|key| Effect::Delete(quote(key))).collect();
        effects.extend(set.iter().map(|key| Effect::Set(quote(key), value.clone())));
        let mut changes: Vec<Change> = gone.iter().map(|key| Change::Delete(quote(key))).collect();
        changes.extend(set.iter().map(|key| Change::Set(Member::new(&quote(key), &value))));
        let id = self.op(log, effects);
        Call { log, work: fixed(None, changes), id }
    }

    /// `collection.clear`.
    pub fn clear(&mut self, log: usize) -> Call {
        let id = self.op(log, vec![Effect::Clear]);
        Call { log, work: collection::clear(), id }
    }

    pub(super) fn other(&mut self, log: usize, work: Work) -> Call {
        self.next_other += 1;
        Call { log, work, id: self.next_other }
    }

    /// `compactLog`.
    pub fn compact(&mut self, log: usize) -> Call {
        self.other(log, Work::Compact)
    }

    /// What a scheduler asks for: a rotation, if there was none since `boundary_ms`.
    pub fn maintain(&mut self, log: usize, boundary_ms: Option<i64>) -> Call {
        let wanted = Maintenance { threshold_bytes: 1 << 20, rotate_over_bytes: None, boundary_ms };
        self.other(log, Work::Maintain(wanted))
    }

    /// A person sets a key in the mirror, with an editor that replaces the file.
    pub fn edit(&mut self, log: usize, key: &str) {
        let (text, id) = self.edited(log, key);
        let path = self.mirror_path(log);
        let written = self.disk.outsider().replace(&path, text.as_bytes());
        self.edit_ended(id, &written);
    }

    /// A person sets a key in the mirror, with an editor that writes over the file.
    pub fn edit_in_place(&mut self, log: usize, key: &str) {
        let (text, id) = self.edited(log, key);
        let (path, outsider) = (self.mirror_path(log), self.disk.outsider());
        self.record.lock().is_editing = true;
        let written = outsider.write(&path, text.as_bytes());
        outsider.sync_all();
        self.edit_ended(id, &written);
        self.record.lock().is_editing = false;
    }

    /// An edit that failed (its folder was missing) has no effect.
    fn edit_ended(&self, id: usize, written: &Result<()>) {
        let history = &mut self.record.lock().history;
        history.status[id] = Status::Acked;
        if written.is_err() {
            history.ops[id].effects.clear();
        }
    }

    fn edited(&mut self, log: usize, key: &str) -> (String, usize) {
        self.record.lock().history.order = Order::Unknown;
        let (key, value) = (quote(key), self.value(40));
        let content = self.disk.disk().content(&self.mirror_path(log)).unwrap_or_default();
        let text = String::from_utf8_lossy(&content).into_owned();
        let mut state = State::from_object(&crate::data::json::compact(&text));
        state.set(Member::new(&key, &value));
        let id = self.op(log, vec![Effect::Set(key, value)]);
        (small_text(state.iter(), usize::MAX).unwrap_or_default(), id)
    }

    /// The old module, or a person, writes a line without a lock.
    pub fn foreign_line(&mut self, log: usize, key: &str) {
        let (key, value) = (quote(key), self.value(40));
        let line = format!("{{\"timestamp\":\"2026\",\"op\":\"SET\",\"key\":{key},\"value\":{value}}}\n");
        let id = self.op(log, vec![Effect::Set(key, value)]);
        let outsider = self.disk.outsider();
        let written = outsider.open_append(&self.log_path(log)).and_then(|(mut file, _)| {
            file.append(line.as_bytes())?;
            file.sync_data()
        });
        // The log and its folders may be new: then it takes more than the sync of the file.
        outsider.sync_all();
        self.edit_ended(id, &written);
    }
}

/// A write whose changes do not depend on the state. Without `keys` it reads the whole log all the same.
fn fixed(keys: Option<Vec<String>>, changes: Vec<Change>) -> Work {
    let apply = move |_: &View, _| Ok(Outcome { changes: changes.clone(), answer: Answer::Undefined });
    Work::Write(Box::new(RuleOf { keys, apply }))
}
