//! What is wrong with a log file, and where its lines stand once that is mended.
//!
//! Replay finds most of it; an append or a sync of ours that fails adds the rest. `LogFile` keeps it, and mends it before
//! the next append or compaction, and before a removal without a line where the end is in doubt:
//!
//! | what                                                        | mended by                                     |
//! |-------------------------------------------------------------|-----------------------------------------------|
//! | torn bytes                                                  | `torn_tail`: set aside, cut off               |
//! | damage, missing breaks, a byte order mark, a sync in doubt  | `rewrite`: the log is written anew            |
//! | an append that failed                                       | `file`: cut off, by `catch_up` at the latest  |
//! | a last entry without its line break                         | `file`: the next append begins with the break |

use crate::files::log::encoder::end_line;
use crate::files::log::lines::{BOM, Damage};

/// What has to be mended in the file before something is appended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mending {
    /// Bytes behind the end that are to be kept aside and cut off.
    pub torn_bytes: u64,
    /// Lines that are to be set aside.
    pub damages: Vec<Damage>,
    /// Where a line break is missing between two entries.
    pub missing_breaks: Vec<u64>,
    /// The last entry lacks its line break.
    pub is_unterminated: bool,
    /// The file begins with a byte order mark, which other readers do not expect.
    pub has_bom: bool,
    /// What an append of ours that failed tried to write: a part of it may stand behind the end.
    pub failed_append: Vec<u8>,
    /// A sync failed: what it should have written may be lost although a later one succeeds.
    pub is_doubtful: bool,
}

impl Mending {
    /// True when lines are damaged, or a line break between two is missing.
    pub fn has_wrong_lines(&self) -> bool {
        !self.damages.is_empty() || !self.missing_breaks.is_empty()
    }

    /// True when the log has to be written anew, maybe without some of its bytes.
    pub fn needs_rewrite(&self) -> bool {
        self.has_bom || self.is_doubtful || self.has_wrong_lines()
    }

    /// The log was written anew: its lines are whole, each with its line break.
    pub fn was_written_anew(&mut self) {
        self.damages.clear();
        self.missing_breaks.clear();
        self.has_bom = false;
        self.is_doubtful = false;
    }

    /// Where `offset` is in a log that was written anew.
    pub fn moved(&self, offset: u64) -> u64 {
        // One without bytes stands behind what is before it: there an END is put.
        let lines = self
            .damages
            .iter()
            .filter(|damage| damage.offset < offset || (damage.size_bytes == 0 && damage.offset == offset));
        // A damaged first line goes with the mark before it.
        let is_mark_by_itself = self.has_bom && self.damages.first().is_none_or(|damage| damage.offset > 0);
        let mark = if is_mark_by_itself && offset > 0 { BOM.len() as u64 } else { 0 };
        let breaks = self.missing_breaks.iter().filter(|at| **at <= offset).count();
        let ends = lines.clone().filter(|damage| damage.ends_operation).count();
        let added = (breaks + ends * end_line().len()) as u64;
        offset + added - mark - lines.map(Damage::dropped_bytes).sum::<u64>()
    }
}

/// How mending ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mended {
    /// There is nothing left to mend.
    Whole,
    /// Somebody who takes no lock has appended to what was to be cut off: the log must be read again.
    Outdated,
}
