//! Changes of single keys: what differs between two states, and applying it.
//!
//! A mirror has no expiries, and lacks what was over when it was written: `edits_in` compares it with a state so that
//! neither is taken for an edit.
//!
//! Invariant: `difference(base, content)` applied to `base` gives the keys and values of `content`.

use crate::data::state::{Kept, Member, NOWHERE, Slot, State};

/// The changes that turn one state into another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// A key set.
    Set(Member),
    /// A key literal removed.
    Delete(String),
}

impl Edit {
    /// The key literal.
    pub fn key(&self) -> &str {
        match self {
            Self::Set(member) => member.key(),
            Self::Delete(key) => key,
        }
    }
}

/// What must be done to `base` to get `content`.
pub fn difference(base: &State, content: &State) -> Vec<Edit> {
    let changed = content.iter().filter(|member| base.get(member.key()) != Some(member));
    let removed = base.iter().filter(|member| content.get(member.key()).is_none());
    changed
        .map(|member| Edit::Set(member.clone()))
        .chain(removed.map(|member| Edit::Delete(member.key().to_owned())))
        .collect()
}

/// What a mirror that shows `content` changes of `base`, which it was made from. A key that is over by `now_ms` and not in
/// the mirror was left out, not removed.
pub fn edits_in<V: Kept>(base: &State<V>, content: &State, now_ms: i64) -> Vec<Edit> {
    let changed = content
        .iter()
        .filter(|member| base.get(member.key()).is_none_or(|before| !before.shows_same(member)));
    let removed = base.iter().filter(|member| content.get(member.key()).is_none() && !member.is_over(now_ms));
    changed
        .map(|member| Edit::Set(member.clone()))
        .chain(removed.map(|member| Edit::Delete(member.key().to_owned())))
        .collect()
}

/// Edits with the expiries of the keys that they change: in the newest state, else in what they were made from.
pub fn with_expiries(edits: Vec<Edit>, newest: &State<Slot>, base: &State) -> Vec<Edit> {
    let keep = |edit| match edit {
        Edit::Set(member) => {
            let expires_ms = match newest.get(member.key()) {
                Some(before) => before.expires_ms(),
                None => base.get(member.key()).and_then(Member::expires_ms),
            };
            Edit::Set(member.with_expiry(expires_ms))
        }
        removal @ Edit::Delete(_) => removal,
    };
    edits.into_iter().map(keep).collect()
}

/// Applies `edits`, and keeps those that changed something.
pub fn apply_edits<V: Kept>(state: &mut State<V>, edits: Vec<Edit>) -> Vec<Edit> {
    let changes = |state: &mut State<V>, edit: &Edit| match edit {
        Edit::Set(member) if state.get(member.key()).is_some_and(|known| known.is_member(member)) => false,
        Edit::Set(member) => {
            state.set(member.clone());
            true
        }
        Edit::Delete(key) => state.remove(key),
    };
    edits.into_iter().filter(|edit| changes(state, edit)).collect()
}

/// Applies what calls or edits change.
pub fn apply_changes<V: Kept>(state: &mut State<V>, changes: &[Edit]) {
    for change in changes {
        match change {
            Edit::Set(member) => state.set(member.clone()),
            Edit::Delete(key) => {
                state.remove(key);
            }
        }
    }
}

/// The same for changes whose lines are in the log; `offsets` has the place of each value that is set there.
pub fn apply_logged(state: &mut State<Slot>, changes: &[Edit], mut offsets: impl Iterator<Item = u64>) {
    for change in changes {
        match change {
            Edit::Set(member) => state.set_at(member.clone(), offsets.next().unwrap_or(NOWHERE)),
            Edit::Delete(key) => {
                state.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_leads_from_one_state_to_the_other() {
        let base = State::from_object(r#"{"a":1,"b":2,"c":3}"#);
        let content = State::from_object(r#"{"c":3,"b":5,"d":4}"#);
        let edits = difference(&base, &content);
        assert_eq!(edits.len(), 3);
        let mut state = State::from_object(r#"{"a":1,"b":5,"c":9,"e":7}"#);
        let effective = apply_edits(&mut state, edits);
        assert_eq!(effective.len(), 2, "b is 5 already");
        let text: Vec<&str> = state.iter().map(Member::text).collect();
        assert_eq!(text, ["\"b\":5", "\"c\":9", "\"e\":7", "\"d\":4"]);
    }
}
