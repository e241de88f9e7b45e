//! A call to a simulated machine: who makes it, what it does, how it fails, and who sees it.
//!
//! Invariant: plain values; what becomes of a call is the business of `world`.

use std::path::PathBuf;

use super::disk::Disk;
use crate::error::Code;

/// Who makes a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    /// Number of the process.
    pub(super) process: u64,
    /// Never fails, and is not counted.
    pub(super) is_spared: bool,
}

/// Nanoseconds of a millisecond.
pub(super) const MS: i64 = 1_000_000;

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `EIO`.
    Io,
    /// `ENOSPC`.
    NoSpace,
    /// `EINTR`.
    Interrupted,
    /// `ENOSPC` after half of the bytes were written; only for writes.
    ShortWrite,
    /// `EIO` after all bytes were written; only for writes.
    LateWrite,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Io, Self::NoSpace, Self::Interrupted, Self::ShortWrite, Self::LateWrite];

    /// The code that the caller sees.
    #[must_use]
    pub fn code(self) -> Code {
        match self {
            Self::Io | Self::LateWrite => Code::Eio,
            Self::NoSpace | Self::ShortWrite => Code::Enospc,
            Self::Interrupted => Code::Eintr,
        }
    }

    /// Whether a call of this kind can fail so.
    pub(super) fn is_for(self, kind: CallKind) -> bool {
        !matches!(self, Self::ShortWrite | Self::LateWrite) || matches!(kind, CallKind::Write { .. })
    }
}

/// Which calls fail: `count` of them from number `first` on.
#[derive(Clone, Copy, Debug)]
pub struct FaultPlan {
    /// Number of the first one.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// How.
    pub fault: Fault,
}

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallKind {
    /// Changes nothing.
    Look,
    /// Changes names, or a file's length.
    Change,
    /// Writes so many bytes.
    Write {
        /// How many.
        size_bytes: usize,
    },
    /// Makes changes durable.
    Sync,
}

/// A call, for a watcher.
#[derive(Clone, Debug)]
pub struct Call {
    /// 1 for the first on this disk.
    pub number: u64,
    /// The system call.
    pub name: &'static str,
    /// The file.
    pub path: PathBuf,
    /// What it does.
    pub kind: CallKind,
}

/// Sees each call that changes something, with the disk as it is when the power is cut during that call: a change is made
/// but not durable, a sync made nothing durable yet.
pub type Watcher = Box<dyn FnMut(&Disk, &Call) + Send>;

/// What somebody does just before a call.
pub type Interloper = Box<dyn FnOnce() + Send>;
