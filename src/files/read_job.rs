//! A query of a whole log: answered from memory, or beside the writer where that takes long.

use crate::data::name::LogName;
use crate::data::state::Member;
use crate::data::text::{TextKind, object_of};
use crate::error::{Error, Result};
use crate::files::context::Context;
use crate::files::log::read::{LogCursor, all_entries};
use crate::files::log::replay::replay;
use crate::files::numbers_read::{NumbersRead, ReadNumbers};
use crate::files::open::open_log::OpenLog;
use crate::files::past::history::Past;
use crate::files::past::old_logs::old_logs;
use crate::files::shelf::Shelf;
use crate::files::transaction::followed_log::FollowedLog;
use crate::files::values::slot_cursor::SlotCursor;
use crate::files::values::slot_snapshot::SlotSnapshot;
use crate::store::answer::Answer;
use crate::store::cursor::WholeCursor;
use crate::store::query::{Query, Top, keys_of};
use crate::vfs::{File, FileSystem};

/// Numbers of at most this many fields are kept for leaderboards.
const FIELDS_MAX: usize = 32;
/// Up to this size, reading a field of all values needs no kept numbers.
const SMALL_STATE_BYTES: u64 = 256 << 10;
/// Up to this size, the numbers of a field are read by the writer itself, where all values are in memory.
const READ_AT_ONCE_BYTES: u64 = if cfg!(test) { 1 } else { 4 << 20 };

/// What becomes of a query.
pub enum Reading {
    /// It is answered.
    Answered(Answer),
    /// It is answered by this job.
    Beside(ReadJob),
}

/// A read that takes long.
pub enum ReadJob {
    /// A place from which entries can be read one after the other.
    Cursor(Box<LogCursor>),
    /// An answer from a whole state.
    Whole(WholeRead),
    /// A leaderboard for which all values have to be read.
    Numbers(NumbersRead, ReadAgain),
    /// The object that the log up to this end comes to at this time.
    Rebuild(Option<Box<dyn File>>, u64, i64),
    /// The object that the log came to at this point in time.
    StateAt(Past, i64),
    /// Every recorded value of a key literal.
    History(Past, String),
    /// Every entry up to this end.
    Entries(Option<Box<dyn File>>, u64),
}

/// See `ReadJob::Whole`.
pub struct WholeRead {
    /// Whose state.
    pub log: LogName,
    /// The state.
    pub snapshot: SlotSnapshot,
    /// What is asked.
    pub query: Query,
    /// How often the log had to be read anew for it.
    pub tries: u32,
    /// What is read may stay in memory, all of it.
    pub is_to_hold: bool,
}

/// How a read ended.
pub enum ReadDone {
    /// With this answer.
    Answered(Result<Answer>),
    /// The same; all members of the log were read for it, and may stay in memory.
    Held(Result<Answer>, HeldMembers),
    /// With this answer; the numbers of a field were read for it, and may be kept.
    Numbers(Answer, ReadNumbers),
    /// The log does not have a value where it should: it has to be read anew, and is asked again.
    Moved(ReadAgain),
}

/// Members that were read, for the state to hold.
pub struct HeldMembers {
    /// Whose they are.
    pub log: LogName,
    /// The members.
    pub members: Vec<Member>,
}

/// A query that is asked again.
pub struct ReadAgain {
    /// Whose state.
    pub log: LogName,
    /// What is asked.
    pub query: Query,
    /// How often it was tried.
    pub tries: u32,
}

/// So often a log is read anew for one read.
const TRIES_MAX: u32 = 5;

/// Begins to answer a query, while nothing is staged.
pub fn begin(context: &Context, log: &OpenLog, query: Query, tries: u32) -> Result<Reading> {
    let now_ms = context.files.now_ms();
    if let Some(field) = query.field()
        && let Some(numbers) = keep_field(log.shelf(), field, now_ms)
    {
        let again = ReadAgain { log: log.paths().name.clone(), query, tries };
        return Ok(Reading::Beside(ReadJob::Numbers(numbers, again)));
    }
    let open = || open(context, log);
    let job = match query {
        Query::Rebuild => {
            let (file, end) = open()?;
            ReadJob::Rebuild(file, end, now_ms)
        }
        Query::StateAt(at_ms) => ReadJob::StateAt(past(context, log)?, at_ms),
        Query::History(key) => ReadJob::History(past(context, log)?, key),
        Query::LogEntries => {
            let (file, end) = open()?;
            ReadJob::Entries(file, end)
        }
        Query::LogCursor => {
            let (file, end) = open()?;
            ReadJob::Cursor(Box::new(LogCursor::new(file, end)))
        }
        Query::MemberCursor(selection) => {
            let mut chosen = Ok(());
            let snapshot = log.shelf().snapshot(|state| match selection.of_state(state, now_ms) {
                Ok(slots) => slots.iter().filter_map(|slot| state.place_of(slot)).collect(),
                Err(error) => {
                    chosen = Err(error);
                    Vec::new()
                }
            });
            return chosen.map(|()| Reading::Answered(Answer::Cursor(Box::new(SlotCursor::new(snapshot)))));
        }
        Query::LogSize => return size(context, log).map(Reading::Answered),
        query if query.is_of_all() => {
            let name = log.paths().name.clone();
            let snapshot = log.shelf().snapshot(|state| state.live_places(now_ms));
            let (is_lying, is_to_hold) = log.shelf().with_state(|state| {
                let is_lying = query != Query::Keys && !state.is_all_held();
                (is_lying, is_lying && state.fits_cache())
            });
            if is_lying && !is_to_hold && !snapshot.places().is_empty() {
                let kind = if query == Query::Entries { TextKind::Array } else { TextKind::Object };
                let cursor = Box::new(SlotCursor::of_all(snapshot, kind));
                return Ok(Reading::Answered(Answer::Whole(WholeCursor { log: name, kind, cursor })));
            }
            ReadJob::Whole(WholeRead { log: name, snapshot, query, tries, is_to_hold })
        }
        query => {
            let answer = log.shelf().with_state(|state| query.of_state(state, now_ms));
            return answer
                .map_or_else(|| with_values(log.shelf(), &query, now_ms), Ok)
                .map(Reading::Answered);
        }
    };
    Ok(Reading::Beside(job))
}

/// The log to be read, with what it lacks of a transaction, and where that ends.
fn open(context: &Context, log: &OpenLog) -> Result<(Option<Box<dyn File>>, u64)> {
    let file = context.files.open_read(&log.paths().log)?;
    Ok(match log.unfinished() {
        None => (file, log.end()),
        Some(unfinished) => {
            let followed = FollowedLog::new(file, log.end(), &unfinished.lines().bytes);
            let end = followed.end();
            (Some(Box::new(followed)), end)
        }
    })
}

fn size(context: &Context, log: &OpenLog) -> Result<Answer> {
    let size_bytes = context.files.stamp(&log.paths().log)?.map_or(0, |stamp| stamp.size_bytes);
    #[expect(clippy::cast_precision_loss, reason = "files are smaller than 2^53 bytes")]
    let answer = Answer::Number(size_bytes as f64);
    Ok(answer)
}

/// The log and the old logs that it left behind.
fn past(context: &Context, log: &OpenLog) -> Result<Past> {
    let (files, paths) = (&*context.files, log.paths());
    let old = old_logs(files, paths)?;
    let (log, end) = open(context, log)?;
    Ok(Past { old, log, end, name: format!("{}.log", paths.name) })
}

/// The answer to a query that needs values which are not in memory.
fn with_values(shelf: &Shelf, query: &Query, now_ms: i64) -> Result<Answer> {
    if let Query::Top(Top { field, limit, absent, .. }) = query
        && shelf.with_state(|state| state.has_field(field))
    {
        let best = shelf.with_state(|state| {
            let best = state.top(field, *limit, *absent, now_ms);
            best.into_iter().filter_map(|slot| state.place_of(slot)).collect::<Vec<_>>()
        });
        return Ok(query.of_best(shelf.read_values(&best)?.iter()));
    }
    let answer = query.of_state(&shelf.whole_state()?, now_ms);
    answer.ok_or_else(|| Error::internal("a query went the wrong way"))
}

/// Keeps the numbers of a field, if they are worth it; `Some` where they have to be read first. Only the writer's thread changes
/// the state, so the numbers that are read of it fit when they are kept.
fn keep_field(shelf: &Shelf, field: &str, now_ms: i64) -> Option<NumbersRead> {
    let (is_to_keep, is_at_once) = shelf.with_state(|state| {
        let live_bytes = state.live_bytes();
        let is_kept = state.has_field(field) || state.fields() >= FIELDS_MAX;
        let is_at_once = state.is_all_held() && live_bytes <= READ_AT_ONCE_BYTES;
        (live_bytes > SMALL_STATE_BYTES && !is_kept, is_at_once)
    });
    if !is_to_keep {
        return None;
    }
    if !is_at_once {
        return Some(NumbersRead::new(shelf, field, now_ms));
    }
    let numbers = shelf.with_state(|state| state.read_field(field));
    shelf.add_field(field, numbers);
    None
}

impl WholeRead {
    fn run(self) -> ReadDone {
        let Self { log, snapshot, query, tries, is_to_hold } = self;
        let (answer, members) = if is_to_hold {
            match snapshot.members().collect::<Result<Vec<Member>>>() {
                Ok(members) => (Ok(query.of_snapshot(members.clone())), members),
                Err(error) => (Err(error), Vec::new()),
            }
        } else {
            (whole(&snapshot, &query), Vec::new())
        };
        let has_moved = snapshot.has_moved();
        match answer {
            Err(_) if has_moved && tries < TRIES_MAX => {
                ReadDone::Moved(ReadAgain { log, query, tries: tries + 1 })
            }
            answer if is_to_hold => ReadDone::Held(answer, HeldMembers { log, members }),
            answer => ReadDone::Answered(answer),
        }
    }
}

/// The answer to a query of all members, which are in memory. Their texts are joined later, when each is asked for.
fn whole(snapshot: &SlotSnapshot, query: &Query) -> Result<Answer> {
    if *query == Query::Keys {
        return Ok(Answer::Texts(keys_of(snapshot.places().iter().map(|(slot, _)| slot))));
    }
    let members = snapshot.held().ok_or_else(|| Error::internal("a state went the wrong way"))?;
    Ok(query.of_snapshot(members))
}

impl ReadJob {
    /// Does the work.
    pub fn run(self, files: &dyn FileSystem) -> ReadDone {
        ReadDone::Answered(match self {
            Self::Whole(read) => return read.run(),
            Self::Numbers(read, again) => match read.run(again.log.clone(), &again.query) {
                Ok((answer, numbers)) => return ReadDone::Numbers(answer, numbers),
                Err(_) if read.has_moved() && again.tries < TRIES_MAX => {
                    return ReadDone::Moved(ReadAgain { tries: again.tries + 1, ..again });
                }
                Err(error) => Err(error),
            },
            other => other.read(files),
        })
    }

    fn read(self, files: &dyn FileSystem) -> Result<Answer> {
        match self {
            Self::Whole(_) | Self::Numbers(..) => Err(Error::internal("a read went the wrong way")),
            Self::Cursor(cursor) => Ok(Answer::Cursor(cursor)),
            Self::Rebuild(None, ..) => Ok(Answer::Texts(object_of([].iter()))),
            Self::Rebuild(Some(mut log), end, now_ms) => {
                let replayed = replay(&mut *log, end)?;
                Ok(Answer::Texts(object_of(replayed.state.live(now_ms))))
            }
            Self::StateAt(past, at_ms) => past.state_at(files, at_ms).map(Answer::Texts),
            Self::History(past, key) => past.of_key(files, &key).map(Answer::Texts),
            Self::Entries(log, end) => all_entries(log, end).map(Answer::Texts),
        }
    }
}
