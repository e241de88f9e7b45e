//! A read as a value, so that each place answers it its own way: from memory, from files, or by a statement.
//!
//! Invariant: a query reads durable data only, and changes nothing that a caller can see.

use crate::data::json::quote;
use crate::data::state::{Member, State};
use crate::data::text::{TextBuilder, TextKind, object_of};
use crate::store::answer::Answer;

/// What a caller asks about one log.
#[derive(Clone, Debug, PartialEq)]
pub enum Query {
    /// The value of a key literal, or undefined.
    Get(String),
    /// Whether a key literal is there.
    Has(String),
    /// The members with the greatest numbers in a field.
    Top(Top),
    /// `{ rank, of }` of a key, or null.
    Rank(Rank),
    /// The number of keys.
    Size,
    /// All key literals, as an array.
    Keys,
    /// All keys with their values, as an array of pairs.
    Entries,
    /// All of it, as an object.
    All,
    /// The object that the log alone comes to.
    Rebuild,
    /// The same as it was at this point in time, in milliseconds since 1970.
    StateAt(i64),
    /// Every recorded value of a key literal.
    History(String),
    /// Every entry of the log.
    LogEntries,
    /// A position from which the entries are read one after the other.
    LogCursor,
    /// Size of the log in bytes.
    LogSize,
}

/// See `Query::Top`: descending, ties in stored order.
#[derive(Clone, Debug, PartialEq)]
pub struct Top {
    /// Field literal.
    pub field: String,
    /// How many at most.
    pub limit: usize,
    /// What a member without that number counts as; `None`: it is left out.
    pub absent: Option<f64>,
    /// What the answer lists.
    pub listed: Listed,
}

/// What a list of members shows of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// The value.
    Values,
    /// `[key, value]`.
    Pairs,
}

/// See `Query::Rank`: 1 is the greatest number.
#[derive(Clone, Debug, PartialEq)]
pub struct Rank {
    /// Key literal.
    pub key: String,
    /// Field literal.
    pub field: String,
    /// As in `Top`.
    pub absent: Option<f64>,
}

impl Query {
    /// Whether it reads single keys, and so is answered in the middle of a batch.
    #[must_use]
    pub fn is_of_keys(&self) -> bool {
        matches!(self, Self::Get(_) | Self::Has(_))
    }

    /// Whether the answer holds all members.
    #[must_use]
    pub fn is_of_all(&self) -> bool {
        matches!(self, Self::Keys | Self::Entries | Self::All)
    }

    /// The field whose numbers it compares.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Top(Top { field, .. }) | Self::Rank(Rank { field, .. }) => Some(field),
            _ => None,
        }
    }

    /// The answer to a query of one key, from its value.
    #[must_use]
    pub fn of_value(&self, value: Option<&str>) -> Answer {
        match self {
            Self::Has(_) => Answer::Bool(value.is_some()),
            _ => value.map_or(Answer::Undefined, |value| Answer::Json(value.to_owned())),
        }
    }

    /// The key that a query of one key asks about.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Get(key) | Self::Has(key) => Some(key),
            _ => None,
        }
    }

    /// The answer to a query of all members.
    #[must_use]
    pub fn of_members<'a>(&self, members: impl Iterator<Item = &'a Member>) -> Answer {
        Answer::Texts(match self {
            Self::Keys => {
                let mut text = TextBuilder::new(TextKind::Array);
                members.for_each(|member| text.push(&[member.key()]));
                text.finish()
            }
            Self::Entries => pairs(members),
            _ => object_of(members),
        })
    }

    /// The answer from the state; `None` where the log has to be read.
    #[must_use]
    pub fn of_state(&self, state: &State) -> Option<Answer> {
        Some(match self {
            Self::Get(key) | Self::Has(key) => self.of_value(state.get(key).map(Member::value)),
            Self::Keys | Self::Entries | Self::All => self.of_members(state.iter()),
            #[expect(clippy::cast_precision_loss, reason = "fewer than 2^32 keys")]
            Self::Size => Answer::Number(state.len() as f64),
            Self::Top(Top { field, limit, absent, listed }) => {
                let best = state.top(field, *limit, *absent);
                match listed {
                    Listed::Pairs => Answer::Texts(pairs(best.into_iter())),
                    Listed::Values => {
                        let values: Vec<&str> = best.iter().map(|member| member.value()).collect();
                        Answer::Json(format!("[{}]", values.join(",")))
                    }
                }
            }
            Self::Rank(Rank { key, field, absent }) => match state.rank(key, field, *absent) {
                Some((rank, of)) => {
                    Answer::Json(format!("{{{}:{rank},{}:{of}}}", quote("rank"), quote("of")))
                }
                None => Answer::Null,
            },
            Self::Rebuild
            | Self::StateAt(_)
            | Self::History(_)
            | Self::LogEntries
            | Self::LogCursor
            | Self::LogSize => return None,
        })
    }
}

fn pairs<'a>(members: impl Iterator<Item = &'a Member>) -> crate::data::text::Texts {
    let mut text = TextBuilder::new(TextKind::Array);
    members.for_each(|member| text.push(&["[", member.key(), ",", member.value(), "]"]));
    text.finish()
}
