//! What a mirror that stands beside a log means: the plan, made from facts alone, a step at a time.
//!
//! | step read so far          | found                                        | plan                                    |
//! |---------------------------|----------------------------------------------|-----------------------------------------|
//! | stamp                     | a start, and the clean record's very file    | `Ours`, synced                          |
//! | stamp                     | a start, and the very file of a record that says it was synced; large | `Ours`      |
//! | stamp                     | no record of this log                        | `CompareWithState`                      |
//! | stamp                     | any other                                    | `Read`                                  |
//! | hash                      | the record's, no damage before its end       | `Ours`                                  |
//! | hash                      | any other                                    | `Parse`                                 |
//! | object                    | its hash is in the last `_edit`, no mirror written since | `Logged`                    |
//! | object                    | as this process knew it; another one has replaced the log | `Logged`                   |
//! | object                    | any other                                    | `CompareObjectWithState`                |
//! | another object than the state | its hash is the record's                 | edit since `Record`: what damaged lines have lost |
//! | another object            | this process knew an older mirror of this log | edit since `Known`                     |
//! | another object            | log replaced by another process, placed record | edit since `Record`                   |
//! | another object            | a start, clean record that ends with the log | edit since the log's end                |
//! | another object            | no log                                       | edit since the empty state              |
//! | another object            | any other (crash, copy, old data)            | edit since the `Nearest`                |
//!
//! Nothing is read or written here.

use crate::files::log::replay::LoggedEdit;
use crate::files::mirror::content::SMALL_MIRROR_BYTES;
use crate::files::mirror::known::is_logged;
use crate::files::mirror::record::MirrorRecord;
use crate::files::open::nearest::LastMirror;
use crate::vfs::Stamp;

/// Over this size a mirror is known by its file and a record that says it was synced. In simulations, in which no two changes
/// have the same time, every mirror is.
const READ_BYTES_MAX: u64 = if cfg!(feature = "simulation") { 0 } else { SMALL_MIRROR_BYTES as u64 };

/// What is known before the mirror is read.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// What the process knew before.
    pub knowledge: Knowledge,
    /// The mirror's file.
    pub stamp: Stamp,
    /// The record, if it speaks of this log.
    pub record: Option<MirrorRecord>,
    /// Offset behind the log's last whole line; 0 without a log.
    pub log_end: u64,
    /// None of the log's lines is damaged.
    pub is_whole: bool,
    /// Lines are damaged of which the mirror of the record may hold more than the log.
    pub is_damaged_before_record: bool,
    /// The edit that was logged last.
    pub last_edit: Option<LoggedEdit>,
}

/// What the process knew before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Knowledge {
    /// Nothing: it starts, maybe after a power cut.
    Starts,
    /// Another log. The hash of the mirror, if that seems to be the file that it knew, and there was no edit in it.
    KnewOtherLog(Option<u64>),
    /// This log.
    KnewLog,
}

/// What was read of the mirror so far. Hashes are those of the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Its stamp.
    Stamp,
    /// All of it.
    Bytes(u64),
    /// It is a JSON object.
    Object(u64),
    /// And that is not the state.
    OtherObject(u64),
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MirrorPlan {
    /// It is ours and shows the log up to here.
    Ours { log_end: u64, is_synced: bool },
    /// Compare its text with that of the state, without holding it. The same: it is ours. Else read it.
    CompareWithState,
    /// Read it.
    Read,
    /// Parse it. No object: it is broken.
    Parse,
    /// Its content was taken into account before.
    Logged,
    /// Compare it with the state. The same: it is ours, whatever it showed before.
    CompareObjectWithState,
    /// It holds an edit of this.
    Edited(Base),
}

/// What an edit was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// Exactly this state of the log.
    Exactly(u64),
    /// The last mirror, which shows the log up to here, or an older state that is nearer.
    Last(u64),
    /// What this process knew, or what another one has written since.
    Known,
    /// The nearest state. With `is_whole`, no logged edit can be missing.
    Nearest { last: Option<LastMirror>, is_whole: bool },
}

/// The next step.
pub fn plan(facts: &Facts, seen: Seen) -> MirrorPlan {
    match seen {
        Seen::Stamp => match facts.record {
            Some(record) if is_known_by_its_file(facts, &record) => {
                MirrorPlan::Ours { log_end: record.log_end, is_synced: record.is_clean() }
            }
            Some(_) => MirrorPlan::Read,
            None => MirrorPlan::CompareWithState,
        },
        Seen::Bytes(hash) => match facts.record {
            Some(record) if record.mirror.hash == hash && !facts.is_damaged_before_record => {
                MirrorPlan::Ours { log_end: record.log_end, is_synced: false }
            }
            _ => MirrorPlan::Parse,
        },
        Seen::Object(hash) if is_nothing_new(facts, hash) => MirrorPlan::Logged,
        Seen::Object(_) => MirrorPlan::CompareObjectWithState,
        Seen::OtherObject(hash) => MirrorPlan::Edited(base(facts, hash)),
    }
}

/// A content that was not on disk could have been lost since; a change in the same instant shows only in the bytes of a
/// small one (see `is_settled`).
fn is_known_by_its_file(facts: &Facts, record: &MirrorRecord) -> bool {
    let is_large = facts.stamp.size_bytes > READ_BYTES_MAX;
    (record.is_clean() || (record.placed().is_some() && record.is_synced && is_large))
        && record.mirror.stamp == facts.stamp
        && facts.knowledge == Knowledge::Starts
        && !facts.is_damaged_before_record
}

/// The edit in the content is logged, or it is the mirror as it was before another process replaced the log.
fn is_nothing_new(facts: &Facts, hash: u64) -> bool {
    let proves = |record: &MirrorRecord| match facts.knowledge {
        Knowledge::Starts => record.is_clean(),
        _ => record.placed().is_some(),
    };
    let is_as_before = facts.is_whole
        && facts.knowledge == Knowledge::KnewOtherLog(Some(hash))
        && facts.record.is_some_and(|record| record.placed().is_some());
    is_as_before || is_logged(facts.last_edit, hash, facts.record.as_ref(), proves)
}

fn base(facts: &Facts, hash: u64) -> Base {
    let end = facts.log_end;
    match (facts.knowledge, facts.record) {
        // Ours, with damage in the log before it: the mirror has more than the valid lines show there.
        (_, Some(record)) if record.mirror.hash == hash => Base::Exactly(record.log_end),
        (Knowledge::KnewLog, _) => Base::Known,
        (Knowledge::KnewOtherLog(_), Some(record)) if record.placed().is_some() => last(end, record.log_end),
        (Knowledge::Starts, Some(record)) if record.is_clean() && record.log_end == end => last(end, end),
        // Without a log the mirror is all there is.
        _ if end == 0 => Base::Exactly(0),
        (_, record) => {
            let placed = record.filter(|record| record.placed().is_some());
            Base::Nearest {
                last: placed.map(|record| LastMirror {
                    position: record.log_end,
                    is_proven: record.mirror.stamp.id == facts.stamp.id,
                }),
                is_whole: facts.is_whole,
            }
        }
    }
}

/// In an empty log no other state can be nearer.
fn last(end: u64, position: u64) -> Base {
    if end == 0 { Base::Exactly(position) } else { Base::Last(position) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::mirror::record::{MirrorId, RecordStage};

    const HASH: u64 = 7;
    const END: u64 = 100;
    const STAMP: Stamp = Stamp { id: 1, size_bytes: 9, modified_ns: 5, changed_ns: 5 };

    #[expect(clippy::unnecessary_wraps, reason = "most facts have a record, some have none")]
    fn record(stage: RecordStage, log_end: u64, hash: u64) -> Option<MirrorRecord> {
        let mirror = MirrorId { hash, stamp: STAMP };
        Some(MirrorRecord { log_end, log_mark: 0, mirror, stage, is_synced: true })
    }

    fn facts(knowledge: Knowledge, record: Option<MirrorRecord>) -> Facts {
        Facts {
            knowledge,
            stamp: STAMP,
            record,
            log_end: END,
            is_whole: true,
            is_damaged_before_record: false,
            last_edit: None,
        }
    }

    #[test]
    fn a_mirror_that_was_not_read_is_ours_where_its_record_proves_its_content() {
        use Knowledge::{KnewLog, Starts};
        use RecordStage::{Announced, Clean, Placed};
        let clean = facts(Starts, record(Clean, END, HASH));
        let ours = MirrorPlan::Ours { log_end: END, is_synced: true };
        let of_size = |size_bytes, stage, is_synced| {
            let stamp = Stamp { size_bytes, ..STAMP };
            let mirror = MirrorId { hash: HASH, stamp };
            let record = record(stage, 60, HASH).map(|record| MirrorRecord { mirror, is_synced, ..record });
            Facts { stamp, ..facts(Starts, record) }
        };
        let of_large = |stage, is_synced| of_size(READ_BYTES_MAX + 1, stage, is_synced);
        let (killed, small) = (of_large(Placed, true), of_size(READ_BYTES_MAX, Placed, true));
        let changed = Facts { stamp: Stamp { changed_ns: 6, ..killed.stamp }, ..killed };
        let ours_since = MirrorPlan::Ours { log_end: 60, is_synced: false };
        for (name, facts, expected) in [
            ("the clean record's file", clean, ours),
            ("a running process", Facts { knowledge: KnewLog, ..clean }, MirrorPlan::Read),
            ("damage before it", Facts { is_damaged_before_record: true, ..clean }, MirrorPlan::Read),
            ("another file", Facts { stamp: Stamp { id: 2, ..STAMP }, ..clean }, MirrorPlan::Read),
            ("no clean end, small", small, MirrorPlan::Read),
            ("an announced one", facts(Starts, record(Announced, END, HASH)), MirrorPlan::Read),
            ("no clean end, large", killed, ours_since),
            ("and not synced", of_large(Placed, false), MirrorPlan::Read),
            ("and only announced", of_large(Announced, true), MirrorPlan::Read),
            ("and a running process", Facts { knowledge: KnewLog, ..killed }, MirrorPlan::Read),
            ("and damage before it", Facts { is_damaged_before_record: true, ..killed }, MirrorPlan::Read),
            ("and changed since", changed, MirrorPlan::Read),
            ("no record", facts(Starts, None), MirrorPlan::CompareWithState),
        ] {
            assert_eq!(plan(&facts, Seen::Stamp), expected, "{name}");
        }
    }

    #[test]
    fn content_in_which_nothing_is_new_is_known_by_its_hash() {
        use Knowledge::{KnewLog, KnewOtherLog, Starts};
        use RecordStage::{Announced, Clean, Placed};
        let ours = facts(Starts, record(Announced, 60, HASH));
        let is_ours = MirrorPlan::Ours { log_end: 60, is_synced: false };
        assert_eq!(plan(&ours, Seen::Bytes(HASH)), is_ours);
        assert_eq!(plan(&ours, Seen::Bytes(8)), MirrorPlan::Parse);
        let damaged = Facts { is_damaged_before_record: true, ..ours };
        assert_eq!(plan(&damaged, Seen::Bytes(HASH)), MirrorPlan::Parse, "the mirror may have what was lost");

        let last_edit = Some(LoggedEdit { mirror_hash: HASH, log_end: 80 });
        let edited = |knowledge, record| Facts { last_edit, ..facts(knowledge, record) };
        for (name, facts, expected) in [
            ("a logged edit", edited(Starts, None), MirrorPlan::Logged),
            (
                "a mirror since, clean",
                edited(Starts, record(Clean, 80, 8)),
                MirrorPlan::CompareObjectWithState,
            ),
            ("one that a power cut may undo", edited(Starts, record(Placed, 80, 8)), MirrorPlan::Logged),
            (
                "one of a running system",
                edited(KnewLog, record(Placed, 80, 8)),
                MirrorPlan::CompareObjectWithState,
            ),
            ("one before the edit", edited(KnewLog, record(Placed, 79, 8)), MirrorPlan::Logged),
            ("as it was known", facts(KnewOtherLog(Some(HASH)), record(Placed, 60, 8)), MirrorPlan::Logged),
            (
                "the same, no record",
                facts(KnewOtherLog(Some(HASH)), None),
                MirrorPlan::CompareObjectWithState,
            ),
            (
                "not known",
                facts(KnewOtherLog(None), record(Placed, 60, 8)),
                MirrorPlan::CompareObjectWithState,
            ),
        ] {
            assert_eq!(plan(&facts, Seen::Object(HASH)), expected, "{name}");
        }
    }

    #[test]
    fn an_edit_has_the_base_that_the_facts_prove() {
        use Knowledge::{KnewLog, KnewOtherLog, Starts};
        use RecordStage::{Announced, Clean, Placed};
        let nearest = |last: Option<u64>, is_proven| Base::Nearest {
            last: last.map(|position| LastMirror { position, is_proven }),
            is_whole: true,
        };
        let no_log = Facts { log_end: 0, ..facts(Starts, None) };
        let moved = Facts { stamp: Stamp { id: 2, ..STAMP }, ..facts(Starts, record(Placed, 60, 8)) };
        for (name, facts, expected) in [
            ("what damage has lost", facts(KnewLog, record(Placed, 60, HASH)), Base::Exactly(60)),
            ("this process knew it", facts(KnewLog, record(Placed, 60, 8)), Base::Known),
            ("another replaced the log", facts(KnewOtherLog(None), record(Placed, 60, 8)), Base::Last(60)),
            ("a clean end", facts(Starts, record(Clean, END, 8)), Base::Last(END)),
            ("no log", no_log, Base::Exactly(0)),
            ("a clean end, and more", facts(Starts, record(Clean, 60, 8)), nearest(Some(60), true)),
            ("a crash", facts(Starts, record(Placed, 60, 8)), nearest(Some(60), true)),
            ("a copy", moved, nearest(Some(60), false)),
            ("never placed", facts(Starts, record(Announced, 60, 8)), nearest(None, false)),
            ("no record", facts(KnewOtherLog(None), None), nearest(None, false)),
        ] {
            assert_eq!(plan(&facts, Seen::OtherObject(HASH)), MirrorPlan::Edited(expected), "{name}");
        }
    }
}
