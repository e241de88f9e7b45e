//! What a crash leaves: for each pending change of a disk, what is kept of it.
//!
//! An outcome has a name that says all about it. So a failing case can be played again:
//!
//! ```text
//! kept          everything is kept           lost          nothing is kept
//! names         names, no content            zeros         names and lengths, content reads as zeros
//! data          content, no names            first:N       the oldest N changes
//! first:N+B     the oldest N, and of the next one B bytes (a multiple of 512 in the file)
//! only:N        change N alone               without:N     all but change N
//! hole:N        all, change N reads as zeros random:SEED   each sector, length and name by chance
//! kill          the process ended after the call           kill:B  after B bytes of it
//! ```
//!
//! Invariant: the same disk and the same outcome give the same disk again.

use std::fmt;
use std::str::FromStr;

use super::disk::Disk;
use super::pending::{Pending, SECTOR_BYTES};

const PAGE_BYTES: usize = 4096;
/// Of more pending changes than this, only the newest are lost one at a time.
const SINGLE_MAX: usize = 24;
/// A write of more sectors than this is cut at some of them only.
const CUTS_MAX: usize = 6;

/// What is kept of one change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// All of it.
    All,
    /// Nothing.
    Nothing,
    /// The length that it gives the file.
    Length,
    /// So many bytes, and the length that they give.
    First(usize),
    /// Some sectors or pages.
    Parts {
        /// 512 or 4096.
        unit_bytes: usize,
        /// Whether the length is kept as well.
        is_length_kept: bool,
        /// Decides which.
        random: Random,
        /// How many of 256 are kept.
        in_256: u8,
    },
}

/// Random numbers from a seed (`SplitMix64`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Random(u64);

impl Random {
    /// From a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 for 0.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.draw() % (end.max(1) as u64)).unwrap_or(0)
    }

    /// True `in_100` times of 100.
    pub fn chance(&mut self, in_100: usize) -> bool {
        self.below(100) < in_100
    }
}

/// See the header of this file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Everything is kept.
    Kept,
    /// Nothing is kept.
    Lost,
    /// Names are kept, contents not.
    Names,
    /// Names and lengths are kept, contents are zeros.
    Zeros,
    /// Contents are kept, names not.
    Data,
    /// The oldest changes, and some bytes of the next one.
    First(usize, usize),
    /// One change.
    Only(usize),
    /// All but one change.
    Without(usize),
    /// All, but one change reads as zeros.
    Hole(usize),
    /// By chance.
    Random(u64),
    /// The process was killed after the call, or after some bytes of it; no power cut.
    Kill(Option<usize>),
}

impl Outcome {
    /// What the outcome leaves of a disk.
    #[must_use]
    pub fn of(self, disk: &Disk) -> Disk {
        if let Self::Kill(size_bytes) = self {
            return disk.after_kill(size_bytes);
        }
        let mut random = Random::new(if let Self::Random(seed) = self { seed } else { 0 });
        let odds = [40_u8, 128, 216][random.below(3)];
        let unit_bytes = [SECTOR_BYTES, PAGE_BYTES][random.below(2)];
        disk.after_power_cut(&mut |number, change| self.kept(number, change, &mut random, odds, unit_bytes))
    }

    fn kept(self, number: usize, change: &Pending, random: &mut Random, odds: u8, unit_bytes: usize) -> Kept {
        let all_if = |is_kept| if is_kept { Kept::All } else { Kept::Nothing };
        match self {
            Self::Kept | Self::Kill(_) => Kept::All,
            Self::Lost => Kept::Nothing,
            Self::Names => all_if(change.is_name),
            Self::Zeros => {
                if change.is_name {
                    Kept::All
                } else {
                    Kept::Length
                }
            }
            Self::Data => all_if(!change.is_name),
            Self::First(count, size_bytes) if number == count && size_bytes > 0 => Kept::First(size_bytes),
            Self::First(count, _) => all_if(number < count),
            Self::Only(only) => all_if(number == only),
            Self::Without(lost) => all_if(number != lost),
            Self::Hole(hole) => {
                if number == hole {
                    Kept::Length
                } else {
                    Kept::All
                }
            }
            Self::Random(_) => {
                let is_kept = random.draw() % 256 < u64::from(odds);
                match change.write {
                    None => all_if(is_kept),
                    Some(_) if random.chance(25) => all_if(is_kept),
                    Some(_) => Kept::Parts {
                        unit_bytes,
                        is_length_kept: random.chance(60),
                        random: Random::new(random.draw()),
                        in_256: odds,
                    },
                }
            }
        }
    }

    /// The outcomes of a power cut on this disk: all that differ in one point from something simple,
    /// and `randoms` others.
    #[must_use]
    pub fn of_power_cut(disk: &Disk, randoms: usize, seed: u64) -> Vec<Self> {
        let pending = disk.pending();
        if pending.is_empty() {
            return vec![Self::Lost];
        }
        let mut outcomes = vec![Self::Kept, Self::Lost, Self::Names, Self::Zeros, Self::Data];
        for (number, change) in pending.iter().enumerate().rev().take(SINGLE_MAX) {
            outcomes.extend([Self::First(number, 0), Self::Only(number), Self::Without(number)]);
            if let Some((offset, size_bytes)) = change.write {
                outcomes.push(Self::Hole(number));
                let first = SECTOR_BYTES - offset % SECTOR_BYTES;
                let cuts: Vec<usize> = (first..size_bytes).step_by(SECTOR_BYTES).collect();
                let step = cuts.len().div_ceil(CUTS_MAX).max(1);
                outcomes.extend(cuts.iter().step_by(step).map(|bytes| Self::First(number, *bytes)));
            }
        }
        let mut random = Random::new(seed);
        outcomes.extend((0..randoms).map(|_| Self::Random(random.draw())));
        outcomes
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kept => f.write_str("kept"),
            Self::Lost => f.write_str("lost"),
            Self::Names => f.write_str("names"),
            Self::Zeros => f.write_str("zeros"),
            Self::Data => f.write_str("data"),
            Self::First(count, 0) => write!(f, "first:{count}"),
            Self::First(count, bytes) => write!(f, "first:{count}+{bytes}"),
            Self::Only(number) => write!(f, "only:{number}"),
            Self::Without(number) => write!(f, "without:{number}"),
            Self::Hole(number) => write!(f, "hole:{number}"),
            Self::Random(seed) => write!(f, "random:{seed}"),
            Self::Kill(None) => f.write_str("kill"),
            Self::Kill(Some(bytes)) => write!(f, "kill:{bytes}"),
        }
    }
}

impl FromStr for Outcome {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is no outcome");
        let (name, number) = text.split_once(':').unwrap_or((text, ""));
        let parse = |text: &str| text.parse::<usize>().map_err(|_| wrong());
        Ok(match name {
            "kept" => Self::Kept,
            "lost" => Self::Lost,
            "names" => Self::Names,
            "zeros" => Self::Zeros,
            "data" => Self::Data,
            "first" => match number.split_once('+') {
                Some((count, bytes)) => Self::First(parse(count)?, parse(bytes)?),
                None => Self::First(parse(number)?, 0),
            },
            "only" => Self::Only(parse(number)?),
            "without" => Self::Without(parse(number)?),
            "hole" => Self::Hole(parse(number)?),
            "random" => Self::Random(number.parse().map_err(|_| wrong())?),
            "kill" if number.is_empty() => Self::Kill(None),
            "kill" => Self::Kill(Some(parse(number)?)),
            _ => return Err(wrong()),
        })
    }
}
