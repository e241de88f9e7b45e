//! Leaderboards: who has the greatest numbers, and which place a number has among them.
//!
//! ```text
//! numbers    0:12  1:-  2:3  3:40          in stored order; without a number: left out, or counts as another
//! best       3, 0, 2                       descending, ties in stored order
//! ```
//!
//! Invariant: `place_of` counts the same order that `best` gives.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// A number that may be missing (NaN) as it counts: itself, or as `missing` says.
#[must_use]
pub fn counted(number: f64, missing: Option<f64>) -> Option<f64> {
    if number.is_nan() { missing } else { Some(number) }
}

/// Whose numbers are the `limit` greatest, descending, ties in the order in which they come.
pub fn best(numbers: impl Iterator<Item = (u32, f64)>, limit: usize) -> Vec<u32> {
    let mut best = BinaryHeap::new();
    for (order, (slot, number)) in numbers.enumerate() {
        // The heap's top is the worst of the best: smallest number, then latest place.
        let candidate = (Reverse(Number(number)), order, slot);
        if best.len() < limit {
            best.push(candidate);
        } else if best.peek().is_some_and(|worst| candidate < *worst) {
            best.pop();
            best.push(candidate);
        }
    }
    best.into_sorted_vec().into_iter().map(|(_, _, slot)| slot).collect()
}

/// The place of one in the whole of `best` (1 is the first), and how many are in it; `None` where it has no number.
pub fn place_of<I: Iterator<Item = (u32, f64)>>(
    own_slot: u32,
    numbers: impl Fn() -> I,
) -> Option<(usize, usize)> {
    let (_, own) = numbers().find(|(slot, _)| *slot == own_slot)?;
    let (mut above, mut of, mut own_passed) = (0, 0, false);
    for (slot, number) in numbers() {
        own_passed |= slot == own_slot;
        above += usize::from(match number.partial_cmp(&own) {
            Some(Ordering::Greater) => true,
            Some(Ordering::Equal) => !own_passed,
            _ => false,
        });
        of += 1;
    }
    Some((above + 1, of))
}

/// A number that is never NaN, with its order.
#[derive(Clone, Copy, PartialEq)]
struct Number(f64);

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.partial_cmp(&other.0).unwrap_or(Ordering::Equal)
    }
}
