//! Writing a log anew without its damage.
//!
//! ```text
//! log       BOM │ good │ damaged \n │ good │ good{good │ good         (`{`: a line break is missing)
//! fresh           good │              good │ good \n{good │ good │ behind │ late
//! aside                  damaged \n                                   NAME.log.corrupt.N
//! ```
//!
//! 1. `RewritePlan`: which bytes go where, from `Mending` alone.
//! 2. `Fresh::write`: write both files, sync them, copy what others have appended meanwhile.
//! 3. `Fresh::place`: rename, and check for more (see `late`). The log's own handle is closed before that.
//!
//! A crash before the rename leaves the log as it was; the fresh file is swept up later.
//!
//! Invariant: every byte of the log before its end is in one of the two files, except a byte order mark; what is
//! added is line breaks and ends of operations.

use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::error::{Code, Error, Result};
use crate::files::log::bytes::copy_range;
use crate::files::log::encoder::{Lines, end_line};
use crate::files::log::entry::Invalid;
use crate::files::log::late::{copy_late, rescue_late};
use crate::files::log::lines::BOM;
use crate::files::log::mending::Mending;
use crate::files::log::paths::{LogPaths, MENDED_ENDING};
use crate::vfs::Syncing;
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

/// Step 1: what becomes of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RewritePlan {
    pieces: Vec<Piece>,
    /// Offset behind the last line that stays.
    old_end: u64,
    end: u64,
    lines: u64,
    is_unterminated: bool,
}

impl RewritePlan {
    /// The plan for a log of `lines` lines up to `end`.
    pub fn of(mending: &Mending, end: u64, lines: u64) -> Self {
        Self {
            pieces: pieces(mending, end),
            old_end: end,
            end: mending.moved(end),
            lines: lines_left(mending, end, lines),
            is_unterminated: mending.is_unterminated,
        }
    }

    /// Offset behind the last line, once the log is written anew.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Lines before that.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    fn sets_aside(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::SetAside(_)))
    }
}

fn lines_left(mending: &Mending, end: u64, mut lines: u64) -> u64 {
    for damage in &mending.damages {
        let is_between = damage.offset + damage.size_bytes < end;
        let is_line = damage.has_break || !is_between;
        if damage.dropped_bytes() > 0 {
            lines -= u64::from(is_line && !damage.ends_operation);
        } else {
            lines += u64::from(is_between || damage.ends_operation);
        }
    }
    lines + mending.missing_breaks.len() as u64
}

fn pieces(mending: &Mending, end: u64) -> Vec<Piece> {
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

/// The new log beside its place, written and ready to be renamed.
pub struct Fresh {
    path: PathBuf,
    file: Box<dyn File>,
    /// `NAME.log.corrupt.N`, if something is set aside.
    aside: Option<(PathBuf, Box<dyn File>)>,
    /// A line break was added to the last line.
    is_terminated: bool,
    /// The old log, and the offset up to which the new one has all of it.
    old: Option<Box<dyn File>>,
    copied_to: u64,
}

/// The new log is in its place.
pub struct Placed {
    /// A line break was added to the last line.
    pub is_terminated: bool,
    /// Whether the last check of the old file succeeded.
    pub rescued: Result<()>,
}

impl Fresh {
    /// Step 2. `log` is open on the log. On failure nothing is left of what was begun.
    pub fn write(
        files: &dyn FileSystem,
        paths: &LogPaths,
        plan: &RewritePlan,
        behind: &Lines,
        syncing: Syncing,
        log: Box<dyn File>,
    ) -> Result<Self> {
        let mut fresh = Self::create(files, paths, plan)?;
        match fresh.fill(files, paths, plan, behind, syncing, log) {
            Ok(()) => Ok(fresh),
            Err(error) => {
                fresh.discard(files);
                Err(error)
            }
        }
    }

    fn create(files: &dyn FileSystem, paths: &LogPaths, plan: &RewritePlan) -> Result<Self> {
        let path = paths.logs_folder.join(format!("{}{MENDED_ENDING}", paths.name));
        let aside = if plan.sets_aside() {
            let aside = paths.free_sibling(files, "corrupt")?;
            let file = files.create_like(&aside, &paths.log)?;
            Some((aside, file))
        } else {
            None
        };
        match files.create_like(&path, &paths.log) {
            Ok(file) => {
                Ok(Self { path, file, aside, is_terminated: false, old: None, copied_to: plan.old_end })
            }
            Err(error) => {
                if let Some((aside, _)) = aside {
                    let _ = files.remove(&aside);
                }
                Err(error)
            }
        }
    }

    fn fill(
        &mut self,
        files: &dyn FileSystem,
        paths: &LogPaths,
        plan: &RewritePlan,
        behind: &Lines,
        syncing: Syncing,
        mut log: Box<dyn File>,
    ) -> Result<()> {
        self.write_pieces(&mut *log, &plan.pieces)?;
        let is_late = log.stamp()?.size_bytes > plan.old_end;
        self.is_terminated = plan.is_unterminated && (is_late || !behind.bytes.is_empty());
        if self.is_terminated {
            self.file.append(b"\n")?;
        }
        self.file.append(&behind.bytes)?;
        if syncing.is_on() {
            self.sync(files, &paths.logs_folder)?;
        }
        self.copied_to = copy_late(&mut *log, &mut *self.file, plan.old_end)?;
        if self.copied_to > plan.old_end && syncing.is_on() {
            self.file.sync_data()?;
            self.copied_to = copy_late(&mut *log, &mut *self.file, self.copied_to)?;
        }
        let (found, opened) = (files.stamp(&paths.log)?, log.stamp()?);
        if found.map(|found| found.id) != Some(opened.id) || opened.size_bytes < self.copied_to {
            return Err(Error::log_replaced(&paths.log, "it was mended"));
        }
        self.old = Some(log);
        Ok(())
    }

    fn write_pieces(&mut self, log: &mut dyn File, pieces: &[Piece]) -> Result<()> {
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

    /// Step 3. An error means that the old log still is in its place, and nothing is left of the new one.
    pub fn place(mut self, files: &dyn FileSystem, paths: &LogPaths, syncing: Syncing) -> Result<Placed> {
        match rename_over(files, &self.path, &paths.log, self.old.take()) {
            Ok(old) => {
                let rescued = old.map_or(Ok(()), |mut old| {
                    rescue_late(files, &mut *old, &paths.log, self.copied_to, syncing)
                });
                Ok(Placed { is_terminated: self.is_terminated, rescued })
            }
            Err(error) => {
                self.discard(files);
                Err(error)
            }
        }
    }

    /// The log is as it was; what was begun beside it is of no use.
    fn discard(self, files: &dyn FileSystem) {
        let _ = files.remove(&self.path);
        if let Some((aside, _)) = &self.aside {
            let _ = files.remove(aside);
        }
    }
}

/// Moves `from` over `to`, which `old` has open; gives that back if it may stay open. Some systems refuse to replace a
/// file that is.
fn rename_over(
    files: &dyn FileSystem,
    from: &Path,
    to: &Path,
    old: Option<Box<dyn File>>,
) -> Result<Option<Box<dyn File>>> {
    match files.rename(from, to) {
        Err(error) if matches!(error.code(), Code::Eacces | Code::Ebusy) => {
            drop(old);
            files.rename(from, to).map(|()| None)
        }
        renamed => renamed.map(|()| old),
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
        assert_eq!(pieces(&Mending::default(), 50), [Keep(0..50)]);
        let mending = Mending {
            has_bom: true,
            damages: vec![damage(20, 9, Invalid::NotAnObject), damage(45, 1, Invalid::LineBreak)],
            missing_breaks: vec![10, 60],
            ..Mending::default()
        };
        assert_eq!(
            pieces(&mending, 80),
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
        assert_eq!(pieces(&first, 40), [Keep(3..3), SetAside(0..9), Keep(10..40)]);
    }
}
