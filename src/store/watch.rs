//! Who watches the keys of a log, and the changes that wait for them.
//!
//! ```text
//! place ──note(key, value)──> Watched: is it another value than the last one? ──> Watcher ──signal──> its thread
//!       ──settle(state)─────>                                                        └──take──> a piece of JSON text
//! ```
//!
//! A place notes what it writes and what it finds written by others, in the order of the log. Where it has read the data
//! anew it settles: what differs then from what was noted last is a change, too.
//!
//! Invariant: for each key, `previous` of a change is `value` of the one before; a change from a value to the same value is
//! none. Of what waits, over `WAITING_BYTES_MAX` the changes of one key are merged, so at most two values a key wait.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::data::entry_text::KeyChange;
use crate::data::state::{Kept, Member, State};
use crate::store::member_cursor::MEMBERS_BYTES_MAX;
use crate::store::selection::Prefix;

/// So much text may wait for a watcher before its changes are merged.
const WAITING_BYTES_MAX: usize = 16 << 20;
/// What a change weighs beside its text.
const CHANGE_BYTES: usize = 200;

/// Which keys somebody watches.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// All of them.
    All,
    /// This key literal.
    Key(String),
    /// Those that begin so.
    Prefix(Prefix),
}

impl Filter {
    /// Whether a key literal is one of them.
    #[must_use]
    pub fn wants(&self, key: &str) -> bool {
        match self {
            Self::All => true,
            Self::Key(wanted) => wanted == key,
            Self::Prefix(prefix) => prefix.is_of(key),
        }
    }

    /// The one key.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        if let Self::Key(key) = self { Some(key) } else { None }
    }

    /// What all the keys begin with.
    #[must_use]
    pub fn begins(&self) -> Option<&str> {
        if let Self::Prefix(prefix) = self { Some(prefix.text()) } else { None }
    }
}

/// The way to the thread of a watcher.
pub trait Bell: Send + Sync {
    /// Changes wait to be taken.
    fn ring(&self);
    /// There may be changes that the place has not looked for.
    fn ring_to_look(&self);
}

/// A value that a key got.
#[derive(Clone)]
struct Changed {
    previous: Option<Member>,
    value: Option<Member>,
    /// When, as JSON text.
    time: Arc<str>,
}

impl Changed {
    fn key(&self) -> &str {
        self.value.as_ref().or(self.previous.as_ref()).map_or("\"\"", Member::key)
    }

    fn size_bytes(&self) -> usize {
        let members = self.previous.iter().chain(&self.value);
        CHANGE_BYTES + members.map(|member| member.text().len()).sum::<usize>()
    }

    fn text(&self) -> String {
        let member = |name: &str, member: &Option<Member>| {
            member.as_ref().map(|member| format!(",\"{name}\":{}", member.value())).unwrap_or_default()
        };
        let (value, previous) = (member("value", &self.value), member("previous", &self.previous));
        format!("{{\"key\":{}{value}{previous},\"timestamp\":{}}}", self.key(), self.time)
    }
}

/// What waits to be taken.
#[derive(Default)]
struct Waiting {
    changes: VecDeque<Changed>,
    size_bytes: usize,
    /// Over this, the changes of one key are merged.
    merge_over_bytes: usize,
    has_rung: bool,
}

impl Waiting {
    fn push(&mut self, changed: Changed) {
        self.size_bytes += changed.size_bytes();
        self.changes.push_back(changed);
        if self.size_bytes > self.merge_over_bytes.max(WAITING_BYTES_MAX) {
            self.merge();
            self.merge_over_bytes = 2 * self.size_bytes;
        }
    }

    /// One change of each key: from the value before its first to the value after its last, in the order of the last.
    fn merge(&mut self) {
        let mut first: HashMap<String, Option<Member>> = HashMap::new();
        for changed in &self.changes {
            first.entry(changed.key().to_owned()).or_insert_with(|| changed.previous.clone());
        }
        let mut merged = VecDeque::new();
        while let Some(mut changed) = self.changes.pop_back() {
            // What is left in the map has its last change ahead of this one, seen from the end.
            if let Some(previous) = first.remove(changed.key()) {
                changed.previous = previous;
                if !is_same_value(changed.previous.as_ref(), changed.value.as_ref()) {
                    merged.push_front(changed);
                }
            }
        }
        self.size_bytes = merged.iter().map(Changed::size_bytes).sum();
        self.changes = merged;
    }
}

/// One who watches.
pub struct Watcher {
    filter: Filter,
    bell: Box<dyn Bell>,
    waiting: Mutex<Waiting>,
    has_ended: AtomicBool,
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a watcher of {:?}", self.filter)
    }
}

impl Watcher {
    /// Somebody who watches these keys.
    #[must_use]
    pub fn new(filter: Filter, bell: Box<dyn Bell>) -> Arc<Self> {
        let (waiting, has_ended) = (Mutex::default(), AtomicBool::new(false));
        Arc::new(Self { filter, bell, waiting, has_ended })
    }

    /// Which keys are watched.
    #[must_use]
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Nothing is noted any more, and what waits is forgotten.
    pub fn end(&self) {
        self.has_ended.store(true, Ordering::Release);
        *self.waiting.lock() = Waiting::default();
    }

    /// Whether it has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    /// Takes what waits, about 256 KiB at most, as a JSON array; `None` where nothing waits.
    #[must_use]
    pub fn take(&self) -> Option<String> {
        let mut waiting = self.waiting.lock();
        let mut text = String::new();
        while let Some(next) = waiting.changes.front()
            && (text.is_empty() || text.len() + next.size_bytes() <= MEMBERS_BYTES_MAX)
            && let Some(changed) = waiting.changes.pop_front()
        {
            waiting.size_bytes -= changed.size_bytes();
            text.push(if text.is_empty() { '[' } else { ',' });
            text.push_str(&changed.text());
        }
        if text.is_empty() {
            waiting.has_rung = false;
            waiting.merge_over_bytes = 0;
            return None;
        }
        text.push(']');
        Some(text)
    }

    /// There may be changes that the place has not looked for.
    pub fn is_to_look(&self) {
        if !self.has_ended() {
            self.bell.ring_to_look();
        }
    }

    fn give(&self, changed: Changed) {
        let has_rung = {
            let mut waiting = self.waiting.lock();
            waiting.push(changed);
            std::mem::replace(&mut waiting.has_rung, true)
        };
        if !has_rung {
            self.bell.ring();
        }
    }
}

/// The watchers of one log, and what was noted last of each key that one of them watches.
#[derive(Default)]
pub struct Watched {
    watchers: Vec<Weak<Watcher>>,
    seen: State,
}

impl Watched {
    /// From now on the changes to this state are for this watcher, too.
    pub fn add(&mut self, watcher: &Arc<Watcher>, state: &State) {
        self.prune();
        if watcher.has_ended() || self.watchers.iter().any(|known| known.ptr_eq(&Arc::downgrade(watcher))) {
            return;
        }
        self.watchers.push(Arc::downgrade(watcher));
        match watcher.filter() {
            Filter::Key(key) => state.get(key).into_iter().for_each(|member| self.seen.set(member.clone())),
            filter => {
                let members = state.iter().filter(|member| filter.wants(member.key()));
                members.for_each(|member| self.seen.set(member.clone()));
            }
        }
    }

    /// Forgets those that have ended. True where nobody is left.
    pub fn prune(&mut self) -> bool {
        self.watchers.retain(|watcher| watcher.upgrade().is_some_and(|watcher| !watcher.has_ended()));
        self.watchers.is_empty()
    }

    fn who_wants(&self, key: &str) -> Vec<Arc<Watcher>> {
        let is_wanted = |watcher: &Arc<Watcher>| !watcher.has_ended() && watcher.filter().wants(key);
        self.watchers.iter().filter_map(Weak::upgrade).filter(is_wanted).collect()
    }

    /// Whether somebody watches a key literal.
    #[must_use]
    pub fn is_wanted(&self, key: &str) -> bool {
        !self.who_wants(key).is_empty()
    }

    /// Whether this is what was noted last.
    #[must_use]
    pub fn is_at(&self, state: &State) -> bool {
        self.seen.len() == state.len()
            && state.iter().all(|member| self.seen.get(member.key()) == Some(member))
    }

    /// An entry did this. `time` is JSON text. `state` may have a new value already, and then shares its text.
    pub fn note<V: Kept>(&mut self, change: KeyChange, time: &Arc<str>, state: &State<V>) {
        match change {
            KeyChange::Set(key, value, expires_ms) => {
                let known = state.get(key).and_then(Kept::held).filter(|member| member.value() == value);
                let member = known.filter(|member| member.expires_ms() == expires_ms).cloned();
                let member = member.unwrap_or_else(|| Member::expiring(key, value, expires_ms));
                self.note_key(key, Some(member), time);
            }
            KeyChange::Delete(key) => self.note_key(key, None, time),
            KeyChange::Expire(until_ms) => {
                let over: Vec<String> =
                    self.seen.over(until_ms).map(|member| member.key().to_owned()).collect();
                for key in &over {
                    self.note_key(key, None, time);
                }
            }
        }
    }

    /// A key literal has got this value, `None`: it was removed.
    fn note_key(&mut self, key: &str, value: Option<Member>, time: &Arc<str>) {
        let watchers = self.who_wants(key);
        let previous = self.seen.get(key).cloned();
        if watchers.is_empty() || previous == value {
            return;
        }
        match &value {
            Some(member) => self.seen.set(member.clone()),
            None => {
                self.seen.remove(key);
            }
        }
        if is_same_value(previous.as_ref(), value.as_ref()) {
            // It ends at another time.
            return;
        }
        let changed = Changed { previous, value, time: Arc::clone(time) };
        for watcher in watchers {
            watcher.give(changed.clone());
        }
    }

    /// The data is this now: what was noted otherwise has changed.
    pub fn settle(&mut self, state: &State, time: &Arc<str>) {
        let gone = self.seen.iter().filter(|member| state.get(member.key()).is_none());
        let gone: Vec<String> = gone.map(|member| member.key().to_owned()).collect();
        for key in gone {
            self.note_key(&key, None, time);
        }
        for member in state.iter() {
            self.note_key(member.key(), Some(member.clone()), time);
        }
    }
}

fn is_same_value(one: Option<&Member>, other: Option<&Member>) -> bool {
    one.map(Member::value) == other.map(Member::value)
}

/// Somebody who begins to watch, or looks whether there is something new, as a part of a query.
#[derive(Clone, Debug)]
pub struct WatcherRef(pub Arc<Watcher>);

impl PartialEq for WatcherRef {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    fn to<'a>(key: &'a str, value: Option<&'a str>) -> KeyChange<'a> {
        value.map_or(KeyChange::Delete(key), |value| KeyChange::Set(key, value, None))
    }

    struct Counter(Arc<AtomicUsize>);

    impl Bell for Counter {
        fn ring(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        fn ring_to_look(&self) {}
    }

    fn watcher(filter: Filter) -> (Arc<Watcher>, Arc<AtomicUsize>) {
        let rings = Arc::<AtomicUsize>::default();
        (Watcher::new(filter, Box::new(Counter(Arc::clone(&rings)))), rings)
    }

    fn state(members: &[(&str, &str)]) -> State {
        let mut state = State::default();
        for (key, value) in members {
            state.set(Member::new(key, value));
        }
        state
    }

    fn time() -> Arc<str> {
        "\"T\"".into()
    }

    fn taken(watcher: &Watcher) -> String {
        watcher.take().unwrap_or_default().replace(",\"timestamp\":\"T\"", "")
    }

    #[test]
    fn a_change_has_the_value_before_it_and_no_change_is_none() {
        let (all, rings) = watcher(Filter::All);
        let (one, _) = watcher(Filter::Key("\"b\"".to_owned()));
        let mut watched = Watched::default();
        let before = state(&[("\"a\"", "1")]);
        watched.add(&all, &before);
        watched.add(&one, &before);
        for (key, value) in [
            ("\"a\"", Some("1")),
            ("\"a\"", Some("2")),
            ("\"b\"", Some("3")),
            ("\"a\"", None),
            ("\"a\"", None),
        ] {
            watched.note(to(key, value), &time(), &before);
        }
        assert_eq!(
            taken(&all),
            "[{\"key\":\"a\",\"value\":2,\"previous\":1},{\"key\":\"b\",\"value\":3},{\"key\":\"a\",\"previous\":2}]"
        );
        assert_eq!(taken(&one), "[{\"key\":\"b\",\"value\":3}]");
        assert_eq!(
            (all.take(), rings.load(Ordering::Relaxed)),
            (None, 1),
            "it rings once until all was taken"
        );
        watched.settle(&state(&[("\"b\"", "4"), ("\"c\"", "5")]), &time());
        assert_eq!(taken(&all), "[{\"key\":\"b\",\"value\":4,\"previous\":3},{\"key\":\"c\",\"value\":5}]");
        watched.settle(&<State>::default(), &time());
        assert_eq!(taken(&all), "[{\"key\":\"b\",\"previous\":4},{\"key\":\"c\",\"previous\":5}]");
        assert_eq!(rings.load(Ordering::Relaxed), 2, "it was not emptied between the last two");
    }

    #[test]
    fn who_has_ended_gets_nothing_and_is_forgotten() {
        let (all, rings) = watcher(Filter::All);
        let mut watched = Watched::default();
        watched.add(&all, &<State>::default());
        assert!(!watched.prune());
        all.end();
        watched.note(to("\"a\"", Some("1")), &time(), &<State>::default());
        assert_eq!((all.take(), rings.load(Ordering::Relaxed)), (None, 0));
        assert!(watched.prune());
        watched.add(&all, &<State>::default());
        assert!(watched.prune(), "it does not begin again");
    }

    #[test]
    fn what_is_not_taken_is_merged_by_key() {
        let (all, _) = watcher(Filter::All);
        let mut watched = Watched::default();
        watched.add(&all, &state(&[("\"a\"", "0"), ("\"gone\"", "0")]));
        let value = |i: usize| format!("\"{i}{}\"", "x".repeat(1 << 20));
        watched.note(to("\"gone\"", None), &time(), &<State>::default());
        for i in 0..100 {
            watched.note(to("\"a\"", Some(&value(i))), &time(), &<State>::default());
            watched.note(to("\"b\"", Some(&value(i))), &time(), &<State>::default());
            // There and gone again: nothing, once it is merged.
            watched.note(to("\"c\"", (i % 2 == 0).then_some("1")), &time(), &<State>::default());
            let bytes = all.waiting.lock().size_bytes;
            assert!(bytes < WAITING_BYTES_MAX + (4 << 20), "{bytes}");
        }
        let mut changes = Vec::new();
        while let Some(text) = all.take() {
            changes.extend(crate::data::json::elements(&text).map(str::to_owned).collect::<Vec<_>>());
        }
        assert!(changes.len() < 100, "{}", changes.len());
        let of_a: Vec<&String> = changes.iter().filter(|change| change.contains("\"a\"")).collect();
        assert!(of_a[0].contains("\"previous\":0,"), "the value before the first one");
        assert!(of_a[of_a.len() - 1].contains("\"value\":\"99x"), "the value after the last one");
        assert!(changes[0].contains("\"gone\""));
        assert!(!all.waiting.lock().has_rung && all.waiting.lock().size_bytes == 0);
    }

    #[test]
    fn what_ends_is_a_change_once_it_is_removed_and_another_end_is_none() {
        let rings = Arc::new(AtomicUsize::new(0));
        let watcher = Watcher::new(Filter::All, Box::new(Counter(Arc::clone(&rings))));
        let mut watched = Watched::default();
        watched.add(&watcher, &<State>::default());
        let state = <State>::default();
        for change in [
            KeyChange::Set("\"a\"", "1", Some(10)),
            KeyChange::Set("\"b\"", "2", Some(30)),
            KeyChange::Set("\"a\"", "1", Some(20)),
            KeyChange::Expire(15),
            KeyChange::Expire(20),
        ] {
            watched.note(change, &time(), &state);
        }
        let taken = watcher.take().expect("changes");
        assert_eq!(taken.matches("\"key\"").count(), 3, "{taken}");
        assert!(taken.contains("{\"key\":\"a\",\"previous\":1,"), "{taken}");
    }
}
