//! A read as a value, so that each place answers it its own way: from memory, from files, or by a statement.
//!
//! Invariant: a query reads durable data only, and changes nothing that a caller can see.

use crate::data::json::quote;
use crate::data::state::{Kept, Member, Snapshot, State};
use crate::data::text::{TextBuilder, TextKind, Texts, object_of};
use crate::store::answer::Answer;
use crate::store::selection::Selection;
use crate::store::watch::WatcherRef;

/// What a caller asks about one log.
#[derive(Clone, Debug, PartialEq)]
pub enum Query {
    /// The value of a key literal, or undefined.
    Get(String),
    /// The values of key literals that are there, as an array of pairs in the order in which they are asked for, all of
    /// one moment.
    GetMany(Vec<String>),
    /// Whether a key literal is there.
    Has(String),
    /// When a key literal is over, in milliseconds since 1970, or null.
    ExpiresAt(String),
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
    /// A position from which members are read one after the other.
    MemberCursor(Selection),
    /// Begins to watch, or looks for changes that were not noted yet. A place that has to ask for them gives a cursor, whose
    /// pieces are empty: each is a look.
    Changes(WatcherRef),
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
        matches!(self, Self::Get(_) | Self::GetMany(_) | Self::Has(_) | Self::ExpiresAt(_))
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

    /// The answer to a query of single keys, from what they have; none where its time is over.
    #[must_use]
    pub fn of_keys<'m>(&self, member_of: impl Fn(&str) -> Option<&'m Member>) -> Answer {
        match self {
            Self::Get(key) => {
                member_of(key).map_or(Answer::Undefined, |member| Answer::Json(member.value().to_owned()))
            }
            Self::Has(key) => Answer::Bool(member_of(key).is_some()),
            #[expect(clippy::cast_precision_loss, reason = "JavaScript's times are below 2^53")]
            Self::ExpiresAt(key) => member_of(key)
                .and_then(Member::expires_ms)
                .map_or(Answer::Null, |expires_ms| Answer::Number(expires_ms as f64)),
            query => {
                let keys = query.keys().iter();
                Answer::Texts(pairs(keys.filter_map(|key| Some((key.as_str(), member_of(key)?.value())))))
            }
        }
    }

    /// The keys that a query of single keys asks about.
    #[must_use]
    pub fn keys(&self) -> &[String] {
        match self {
            Self::Get(key) | Self::Has(key) | Self::ExpiresAt(key) => std::slice::from_ref(key),
            Self::GetMany(keys) => keys,
            _ => &[],
        }
    }

    /// The answer to a query of all members.
    #[must_use]
    pub fn of_members<'a>(&self, members: impl Iterator<Item = &'a Member>) -> Answer {
        Answer::Texts(match self {
            Self::Keys => keys_of(members),
            Self::Entries => pairs(members.map(parts)),
            _ => object_of(members),
        })
    }

    /// The answer to a query of the members with the greatest numbers, which are these.
    #[must_use]
    pub fn of_best<'a>(&self, best: impl Iterator<Item = &'a Member>) -> Answer {
        match self {
            Self::Top(Top { listed: Listed::Values, .. }) => {
                let values: Vec<&str> = best.map(Member::value).collect();
                Answer::Json(format!("[{}]", values.join(",")))
            }
            _ => Answer::Texts(pairs(best.map(parts))),
        }
    }

    /// The same, of many members.
    #[must_use]
    pub fn of_snapshot(&self, members: Snapshot) -> Answer {
        match self {
            Self::Entries => Answer::Texts(Texts::of_members(TextKind::Array, members)),
            Self::All => Answer::Texts(Texts::of_members(TextKind::Object, members)),
            _ => self.of_members(members.iter()),
        }
    }

    /// The answer from the state as it is now; `None` where the log has to be read, or a value is not in memory.
    #[must_use]
    pub fn of_state<V: Kept>(&self, state: &State<V>, now_ms: i64) -> Option<Answer> {
        if self.field().is_some_and(|field| !state.is_all_held() && !state.has_field(field)) {
            return None;
        }
        Some(match self {
            Self::Get(_) | Self::GetMany(_) | Self::Has(_) | Self::ExpiresAt(_) => {
                if !state.is_all_held() && self.keys().iter().any(|key| is_lying(state, key)) {
                    return None;
                }
                self.of_keys(|key| state.get_live(key, now_ms).and_then(Kept::held))
            }
            Self::Keys => Answer::Texts(keys_of(state.live(now_ms))),
            Self::Entries | Self::All if !state.is_all_held() => return None,
            Self::Entries | Self::All => self.of_members(state.live(now_ms).filter_map(Kept::held)),
            #[expect(clippy::cast_precision_loss, reason = "fewer than 2^32 keys")]
            Self::Size => Answer::Number(state.live_len(now_ms) as f64),
            Self::Top(Top { field, limit, absent, .. }) => {
                let best = state.top(field, *limit, *absent, now_ms);
                let best: Option<Vec<&Member>> = best.into_iter().map(Kept::held).collect();
                self.of_best(best?.into_iter())
            }
            Self::Rank(Rank { key, field, absent }) => of_rank(state.rank(key, field, *absent, now_ms)),
            Self::Rebuild
            | Self::StateAt(_)
            | Self::History(_)
            | Self::LogEntries
            | Self::LogCursor
            | Self::MemberCursor(_)
            | Self::Changes(_)
            | Self::LogSize => return None,
        })
    }
}

fn is_lying<V: Kept>(state: &State<V>, key: &str) -> bool {
    state.get(key).is_some_and(|kept| kept.held().is_none())
}

/// The answer to a query of a rank.
#[must_use]
pub fn of_rank(place: Option<(usize, usize)>) -> Answer {
    place.map_or(Answer::Null, |(rank, of)| {
        Answer::Json(format!("{{{}:{rank},{}:{of}}}", quote("rank"), quote("of")))
    })
}

/// Key literals as an array.
pub fn keys_of<'a, V: Kept + 'a>(members: impl Iterator<Item = &'a V>) -> Texts {
    let mut text = TextBuilder::new(TextKind::Array);
    members.for_each(|member| text.push(&[member.key()]));
    text.finish()
}

fn parts(member: &Member) -> (&str, &str) {
    (member.key(), member.value())
}

fn pairs<'a>(members: impl Iterator<Item = (&'a str, &'a str)>) -> Texts {
    let mut text = TextBuilder::new(TextKind::Array);
    members.for_each(|(key, value)| text.push(&["[", key, ",", value, "]"]));
    text.finish()
}
