//! A query of a whole log: answered from memory, or beside the writer where that takes long.

use crate::data::state::Snapshot;
use crate::data::text::object_of;
use crate::error::{Error, Result};
use crate::files::context::Context;
use crate::files::log::read::{LogCursor, all_entries};
use crate::files::log::replay::replay;
use crate::files::open::open_log::OpenLog;
use crate::files::past::history::Past;
use crate::files::past::old_logs::old_logs;
use crate::files::shelf::Shelf;
use crate::files::transaction::followed_log::FollowedLog;
use crate::store::answer::Answer;
use crate::store::member_cursor::MemberCursor;
use crate::store::query::Query;
use crate::vfs::{File, FileSystem};

/// Numbers of at most this many fields are kept for leaderboards.
const FIELDS_MAX: usize = 32;
/// Up to this size, reading a field of all values needs no kept numbers.
const SMALL_STATE_BYTES: u64 = 256 << 10;

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
    Whole(Snapshot, Query),
    /// The object that the log up to this end comes to at this time.
    Rebuild(Option<Box<dyn File>>, u64, i64),
    /// The object that the log came to at this point in time.
    StateAt(Past, i64),
    /// Every recorded value of a key literal.
    History(Past, String),
    /// Every entry up to this end.
    Entries(Option<Box<dyn File>>, u64),
}

/// Begins to answer a query, while nothing is staged.
pub fn begin(context: &Context, log: &OpenLog, query: Query) -> Result<Reading> {
    if let Some(field) = query.field() {
        keep_field(log.shelf(), field);
    }
    let now_ms = context.files.now_ms();
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
            let members = log.shelf().with_state(|state| selection.of_state(state, now_ms))?;
            return Ok(Reading::Answered(Answer::Cursor(Box::new(MemberCursor::new(members)))));
        }
        Query::LogSize => return size(context, log).map(Reading::Answered),
        query if query.is_of_all() => {
            ReadJob::Whole(log.shelf().with_state(|state| state.live_snapshot(now_ms)), query)
        }
        query => {
            let answer = log.shelf().with_state(|state| query.of_state(state, now_ms));
            let answer = answer.ok_or_else(|| Error::internal("a query went the wrong way"));
            return answer.map(Reading::Answered);
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

fn keep_field(shelf: &Shelf, field: &str) {
    let numbers = shelf.with_state(|state| {
        let is_small = state.live_bytes() <= SMALL_STATE_BYTES;
        let is_kept = state.has_field(field) || state.fields() >= FIELDS_MAX;
        (!is_small && !is_kept).then(|| state.read_field(field))
    });
    if let Some(numbers) = numbers {
        // Only this thread changes the state, so the numbers still fit.
        shelf.add_field(field, numbers);
    }
}

impl ReadJob {
    /// Does the work.
    pub fn run(self, files: &dyn FileSystem) -> Result<Answer> {
        match self {
            Self::Cursor(cursor) => Ok(Answer::Cursor(cursor)),
            Self::Whole(snapshot, query) => Ok(query.of_snapshot(snapshot)),
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
