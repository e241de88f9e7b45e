//! What a write does to the data of one log. Each place writes its own form of it: a folder lines, a server rows.

use crate::data::state::Member;

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// One key set.
    Set(Member),
    /// Several keys set, all or none.
    SetMany(Vec<Member>),
    /// A key literal removed.
    Delete(String),
}
