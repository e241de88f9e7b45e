//! A write as a rule: which keys it reads, and what it changes, from what they have and the time.
//!
//! A place may apply a rule more than once: a folder where another process wrote before the result was on disk, a
//! server where another host wrote first. Only the last outcome counts.
//!
//! Invariant: a rule reads only the keys that it declares, and changes nothing outside its outcome.

use std::borrow::Cow;

use hashbrown::HashMap;

use crate::data::change::Change;
use crate::data::state::{Kept, Member, Slot, State};
use crate::error::Result;
use crate::store::answer::Answer;

const NOT_DECLARED: &str = "a rule reads what it has declared";

/// See the header of this file.
pub trait Rule: Send {
    /// What `apply` reads.
    fn reads(&self) -> Reads<'_>;

    /// The changes and the caller's answer. `now_ms` is the time in milliseconds since 1970.
    ///
    /// # Errors
    /// What the caller gets instead; nothing is changed.
    fn apply(&self, view: &View, now_ms: i64) -> Result<Outcome>;
}

/// What a rule reads of its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reads<'a> {
    /// Nothing: the outcome is the same whatever the log holds.
    Nothing,
    /// One key literal.
    Key(&'a str),
    /// Several key literals.
    Keys(Vec<&'a str>),
    /// All of it, by `View::state`. In a folder, what was staged before is committed first.
    Whole,
}

/// What a write comes to.
pub struct Outcome {
    /// All or none. Empty: nothing is written.
    pub changes: Vec<Change>,
    /// Given once the changes are durable.
    pub answer: Answer,
}

/// The state as a rule in the middle of a batch must see it.
pub struct View<'a> {
    state: Seen<'a>,
    staged: Option<&'a HashMap<String, Option<Member>>>,
    now_ms: i64,
}

enum Seen<'a> {
    State(&'a State),
    Slots(&'a State<Slot>),
}

impl<'a> View<'a> {
    /// A view of a state with nothing staged.
    #[must_use]
    pub fn of(state: &'a State, now_ms: i64) -> Self {
        Self { state: Seen::State(state), staged: None, now_ms }
    }

    /// A view of a state under what is staged: the last value of each key, `None` where it is removed.
    #[must_use]
    pub fn staged(state: &'a State, staged: &'a HashMap<String, Option<Member>>, now_ms: i64) -> Self {
        Self { state: Seen::State(state), staged: Some(staged), now_ms }
    }

    /// The same for a state that has in memory only what is read.
    #[must_use]
    pub fn of_slots(
        state: &'a State<Slot>,
        staged: &'a HashMap<String, Option<Member>>,
        now_ms: i64,
    ) -> Self {
        Self { state: Seen::Slots(state), staged: Some(staged), now_ms }
    }

    /// The value of a key literal; none where its time is over.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.member(key).map(Member::value)
    }

    /// The member of a key literal; none where its time is over.
    ///
    /// # Panics
    /// Where its value is not in memory: the rule did not say that it reads it.
    #[must_use]
    pub fn member(&self, key: &str) -> Option<&Member> {
        let member = match (self.staged.and_then(|staged| staged.get(key)), &self.state) {
            (Some(staged), _) => staged.as_ref(),
            (None, Seen::State(state)) => state.get(key),
            (None, Seen::Slots(state)) => state.get(key).map(|slot| slot.held().expect(NOT_DECLARED)),
        };
        member.filter(|member| !member.is_over(self.now_ms))
    }

    /// A member with this value in the place of the one that is there: it keeps the time at which the key is over.
    #[must_use]
    pub fn changed(&self, key: &str, value: &str) -> Member {
        Member::expiring(key, value, self.member(key).and_then(Member::expires_ms))
    }

    /// The whole state without what is over; only for rules that read all of it.
    ///
    /// # Panics
    /// Where not all of it is in memory: the rule did not say that it reads it.
    #[must_use]
    pub fn state(&self) -> Cow<'_, State> {
        debug_assert!(self.staged.is_none_or(HashMap::is_empty));
        let Seen::State(state) = self.state else { panic!("{NOT_DECLARED}") };
        if !state.has_over(self.now_ms) {
            return Cow::Borrowed(state);
        }
        let mut state = state.clone();
        state.expire(self.now_ms);
        Cow::Owned(state)
    }
}

/// A rule from a function, for tests. Without `keys` it reads the whole log.
#[cfg(any(test, feature = "simulation"))]
pub struct RuleOf<F> {
    /// The key literals that it reads.
    pub keys: Option<Vec<String>>,
    /// See `Rule::apply`.
    pub apply: F,
}

#[cfg(any(test, feature = "simulation"))]
impl<F: Fn(&View, i64) -> Result<Outcome> + Send> Rule for RuleOf<F> {
    fn reads(&self) -> Reads<'_> {
        self.keys.as_ref().map_or(Reads::Whole, |keys| Reads::Keys(keys.iter().map(String::as_str).collect()))
    }

    fn apply(&self, view: &View, now_ms: i64) -> Result<Outcome> {
        (self.apply)(view, now_ms)
    }
}
