//! What happens to a message on its way to a simulated server.
//!
//! Invariant: a seed, or a script, repeats a whole run.

use std::collections::VecDeque;

/// See the header of this file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives, and its answer too.
    Fine,
    /// The connection breaks before the server has it.
    Unheard,
    /// The server does it, and the connection breaks before the answer is there.
    Unanswered,
    /// The connection breaks, and the server does it so many messages later.
    Late(u8),
    /// The server rolls back for the sake of others.
    Again,
    /// It arrives, and its answer too, so many milliseconds later.
    Slow(u16),
    /// The server refuses, for a reason that lasts.
    Refused,
    /// Nothing is heard until patience ends; the server has done nothing.
    Stalled,
    /// The client dies before the server has it.
    CrashBefore,
    /// The client dies after the server has done it.
    CrashAfter,
}

impl Fate {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Fine,
        Self::Unheard,
        Self::Unanswered,
        Self::Late(1),
        Self::Late(3),
        Self::Again,
        Self::Stalled,
        Self::CrashBefore,
        Self::CrashAfter,
    ];
}

/// Where fates come from.
#[derive(Clone, Debug)]
pub enum Fates {
    /// These, then all is fine.
    Script(VecDeque<Fate>),
    /// By chance, one in so many messages is not fine.
    Chance {
        /// Where the numbers come from.
        chance: Chance,
        /// One in so many.
        one_in: u64,
    },
}

impl Fates {
    /// The fate of the next message.
    pub fn draw(&mut self) -> Fate {
        match self {
            Self::Script(script) => script.pop_front().unwrap_or(Fate::Fine),
            Self::Chance { chance, one_in } => {
                if chance.below(*one_in) > 0 {
                    return Fate::Fine;
                }
                match chance.below(40) {
                    0..8 => Fate::Unheard,
                    8..18 => Fate::Unanswered,
                    18..26 => Fate::Late(u8::try_from(chance.below(12)).unwrap_or(1)),
                    26..33 => Fate::Again,
                    33..35 => Fate::Stalled,
                    35..37 => Fate::CrashBefore,
                    _ => Fate::CrashAfter,
                }
            }
        }
    }
}

/// Random numbers that a seed repeats (`SplitMix64`).
#[derive(Clone, Debug)]
pub struct Chance(pub u64);

impl Chance {
    /// The next number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}
