//! Writing a log anew without its damage.
//!
//! ```text
//! log       BOM │ good │ damaged \n │ good │ good{good │ good         (`{`: a line break is missing)
//! fresh           good │              good │ good \n{good │ good │ behind │ late
//! aside                  damaged \n                                   NAME.log.corrupt.N
//! ```
//!
//! 1. Plan: which bytes go where, from `Mending` alone.
//! 2. Write both files, sync them.
//! 3. Copy what others have appended meanwhile, rename, and look for more (see `late`).
//!
//! A crash before the rename leaves the log as it was; the fresh file is swept up later.
//!
//! Invariant: every byte of the log before its end is in one of the two files, except a byte order mark; what is
//! added is line breaks and ends of operations.

use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::error::{Code, Error, Result};
use crate::files::log::entry::{Invalid, Lines, end_line};
use crate::files::log::file::{LogFile, LogPaths, MENDED_ENDING, Mending, copy_range, tail_of};
use crate::files::log::late::{copy_late, rescue_late};
use crate::files::log::lines::BOM;
use crate::vfs::{File, FileSystem};

/// What is written, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// Bytes of the log that stay.
    Keep(Range<u64>),
    /// Bytes of the log that go aside.
    SetAside(Range<u64>),
    /// Bytes that are added.
    Add(Vec<u8>),
}

/// Step 1: the pieces of a log of `end` bytes.
fn plan(mending: &Mending, end: u64) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut at = if mending.has_bom { BOM.len() as u64 } else { 0 };
    let mut missing = mending.missing_breaks.iter().copied().peekable();
    let mut break_lines = |pieces: &mut Vec<Piece>, at: &mut u64, until: u64| {
        while let Some(place) = missing.next_if(|place| *place <= until) {
            pieces.push(Piece::Keep(*at..place));
            pieces.push(Piece::Add(b"\n".to_vec()));
            *at = place;
        }
    };
    for damage in &mending.damages {
        break_lines(&mut pieces, &mut at, damage.offset);
        // A damaged first line goes with the mark before it.
        pieces.push(Piece::Keep(at..damage.offset.max(at)));
        at = damage.offset + damage.size_bytes;
        if damage.size_bytes > 0 {
            pieces.push(Piece::SetAside(damage.offset..at));
        }
        if damage.reason == Invalid::LineBreak {
            pieces.push(Piece::Add(b"\n".to_vec()));
        } else {
            at += u64::from(damage.has_break);
        }
        if damage.ends_operation {
            // Without it the operation would pass for one that was never finished.
            pieces.push(Piece::Add(end_line()));
        }
    }
    break_lines(&mut pieces, &mut at, u64::MAX);
    pieces.push(Piece::Keep(at..end.max(at)));
    pieces
}

/// The new log beside its place.
struct Fresh {
    path: PathBuf,
    file: Box<dyn File>,
    /// `NAME.log.corrupt.N`, if something is set aside.
    aside: Option<(PathBuf, Box<dyn File>)>,
}

impl Fresh {
    fn create(files: &dyn FileSystem, paths: &LogPaths, has_damage: bool) -> Result<Self> {
        let path = paths.logs_folder.join(format!("{}{MENDED_ENDING}", paths.name));
        let aside = if has_damage {
            let aside = paths.free_sibling(files, "corrupt")?;
            let file = files.create_like(&aside, &paths.log)?;
            Some((aside, file))
        } else {
            None
        };
        match files.create_like(&path, &paths.log) {
            Ok(file) => Ok(Self { path, file, aside }),
            Err(error) => {
                if let Some((aside, _)) = aside {
                    let _ = files.remove(&aside);
                }
                Err(error)
            }
        }
    }

    /// Step 2.
    fn write(&mut self, log: &mut dyn File, pieces: &[Piece]) -> Result<()> {
        for piece in pieces {
            match piece {
                Piece::Keep(range) => copy_range(log, &mut *self.file, range.start, range.end)?,
                Piece::Add(bytes) => self.file.append(bytes)?,
                Piece::SetAside(range) => {
                    if let Some((_, aside)) = &mut self.aside {
                        copy_range(log, &mut **aside, range.start, range.end)?;
                        aside.append(b"\n")?;
                    }
                }
            }
        }
        Ok(())
    }

    fn sync(&mut self, files: &dyn FileSystem, folder: &Path) -> Result<()> {
        if let Some((_, aside)) = &mut self.aside {
            aside.sync_data()?;
        }
        self.file.sync_data()?;
        files.sync_dir(folder)
    }

    /// The log is as it was; what was begun beside it is of no use.
    fn discard(self, files: &dyn FileSystem) {
        let _ = files.remove(&self.path);
        if let Some((aside, _)) = &self.aside {
            let _ = files.remove(aside);
        }
    }
}

/// The new log is in its place.
struct Placed {
    /// A line break was added to the last line.
    is_terminated: bool,
    /// Whether the last look at the old file succeeded.
    rescued: Result<()>,
}

impl LogFile {
    /// Replaces the log by a new file with its good lines and `behind`; the damaged ones go to
    /// `NAME.log.corrupt.N`. What others append meanwhile is behind them, not known yet.
    pub(crate) fn write_anew(
        &mut self,
        files: &dyn FileSystem,
        paths: &LogPaths,
        sync: bool,
        behind: &Lines,
    ) -> Result<()> {
        let Some(log) = files.open_read(&paths.log)? else { return Ok(()) };
        let has_damage = self.mending.damages.iter().any(|damage| damage.size_bytes > 0);
        let mut fresh = Fresh::create(files, paths, has_damage)?;
        let placed = self.write_and_place(files, paths, sync, behind, log, &mut fresh);
        match placed {
            Ok(Placed { is_terminated, rescued }) => {
                // The log is in its place, whatever became of what others appended in the last instant.
                self.was_written_anew(files, paths, behind, is_terminated).and(rescued)
            }
            Err(error) => {
                fresh.discard(files);
                Err(error)
            }
        }
    }

    /// An error means that the old log still is in its place.
    fn write_and_place(
        &mut self,
        files: &dyn FileSystem,
        paths: &LogPaths,
        sync: bool,
        behind: &Lines,
        mut log: Box<dyn File>,
        fresh: &mut Fresh,
    ) -> Result<Placed> {
        fresh.write(&mut *log, &plan(&self.mending, self.end))?;
        let is_late = log.stamp()?.size_bytes > self.end;
        let is_terminated = self.mending.is_unterminated && (is_late || !behind.bytes.is_empty());
        if is_terminated {
            fresh.file.append(b"\n")?;
        }
        fresh.file.append(&behind.bytes)?;
        if sync {
            fresh.sync(files, &paths.logs_folder)?;
        }
        let mut copied_to = copy_late(&mut *log, &mut *fresh.file, self.end)?;
        if copied_to > self.end && sync {
            fresh.file.sync_data()?;
            copied_to = copy_late(&mut *log, &mut *fresh.file, copied_to)?;
        }
        let (found, opened) = (files.stamp(&paths.log)?, log.stamp()?);
        if found.map(|found| found.id) != Some(opened.id) || opened.size_bytes < copied_to {
            return Err(Error::log_replaced(&paths.log, "it was mended"));
        }
        self.close();
        let old = rename_over(files, &fresh.path, &paths.log, log)?;
        let rescued =
            old.map_or(Ok(()), |mut old| rescue_late(files, &mut *old, &paths.log, copied_to, sync));
        Ok(Placed { is_terminated, rescued })
    }

    fn was_written_anew(
        &mut self,
        files: &dyn FileSystem,
        paths: &LogPaths,
        behind: &Lines,
        is_terminated: bool,
    ) -> Result<()> {
        // The name is made durable by the next sync, before anything is acknowledged.
        self.is_folder_unsynced = true;
        let end_before = self.end;
        self.end = self.mending.moved(end_before);
        for damage in &self.mending.damages {
            let is_between = damage.offset + damage.size_bytes < end_before;
            let is_line = damage.has_break || !is_between;
            if damage.dropped_bytes() > 0 {
                self.lines -= u64::from(is_line && !damage.ends_operation);
            } else {
                self.lines += u64::from(is_between || damage.ends_operation);
            }
        }
        self.lines += self.mending.missing_breaks.len() as u64;
        if is_terminated {
            self.mending.is_unterminated = false;
            self.end += 1;
        }
        self.end += behind.bytes.len() as u64;
        self.lines += behind.count;
        self.mending.damages.clear();
        self.mending.missing_breaks.clear();
        self.mending.has_bom = false;
        self.mending.is_doubtful = false;
        self.stamp = files.stamp(&paths.log)?;
        if let Some(stamp) = &mut self.stamp {
            // What others have appended is not known yet.
            stamp.size_bytes = stamp.size_bytes.min(self.end);
        }
        if let Some(mut mended) = files.open_read(&paths.log)? {
            self.tail = tail_of(&mut *mended, self.end)?;
        }
        Ok(())
    }
}

/// Moves `from` over `to`, which `old` has open; gives that back if it may stay open. Some systems refuse to replace a
/// file that is.
fn rename_over(
    files: &dyn FileSystem,
    from: &Path,
    to: &Path,
    old: Box<dyn File>,
) -> Result<Option<Box<dyn File>>> {
    match files.rename(from, to) {
        Err(error) if matches!(error.code(), Code::Eacces | Code::Ebusy) => {
            drop(old);
            files.rename(from, to).map(|()| None)
        }
        renamed => renamed.map(|()| Some(old)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::log::lines::Damage;

    fn damage(offset: u64, size_bytes: u64, reason: Invalid) -> Damage {
        let has_break = reason != Invalid::LineBreak;
        Damage {
            offset,
            size_bytes,
            line: 1,
            key: None,
            reason,
            has_break,
            is_checkpoint: false,
            ends_operation: false,
        }
    }

    #[test]
    fn each_byte_has_its_place_in_the_plan() {
        use Piece::{Add, Keep, SetAside};
        let line_break = || Add(b"\n".to_vec());
        assert_eq!(plan(&Mending::default(), 50), [Keep(0..50)]);
        let mending = Mending {
            has_bom: true,
            damages: vec![damage(20, 9, Invalid::NotAnObject), damage(45, 1, Invalid::LineBreak)],
            missing_breaks: vec![10, 60],
            ..Mending::default()
        };
        assert_eq!(
            plan(&mending, 80),
            [
                Keep(3..10),
                line_break(),
                Keep(10..20),
                SetAside(20..29),
                Keep(30..45),
                SetAside(45..46),
                line_break(),
                Keep(46..60),
                line_break(),
                Keep(60..80),
            ]
        );
        let first = Mending {
            has_bom: true,
            damages: vec![damage(0, 9, Invalid::NotAnObject)],
            ..Mending::default()
        };
        assert_eq!(plan(&first, 40), [Keep(3..3), SetAside(0..9), Keep(10..40)]);
    }
}
