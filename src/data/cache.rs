//! Which slots of a state have their value in memory although the log has it too, and which of them is let go next.
//!
//! ```text
//! queue    3 ─ 7 ─ 1 ─ 9       the first one is let go, or goes to the end where it was used since it came
//! ```
//!
//! Invariant: a slot is in the queue at most once.

use std::collections::VecDeque;

/// See the header of this file.
#[derive(Clone)]
pub(super) struct Cache {
    /// So many bytes of texts may be in memory.
    pub size_bytes: u64,
    queue: VecDeque<u32>,
    marks: Vec<Mark>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Out,
    In,
    /// It is in, and was used since.
    Used,
}

impl Cache {
    pub fn new(size_bytes: u64) -> Self {
        Self { size_bytes, queue: VecDeque::new(), marks: Vec::new() }
    }

    /// The value of this slot came, or came again.
    pub fn note(&mut self, slot: u32) {
        let at = slot as usize;
        if self.marks.len() <= at {
            self.marks.resize(at + 1, Mark::Out);
        }
        if self.marks[at] == Mark::Out {
            self.marks[at] = Mark::In;
            self.queue.push_back(slot);
        } else {
            self.marks[at] = Mark::Used;
        }
    }

    /// The slot whose value is to be let go next.
    pub fn next(&mut self) -> Option<u32> {
        loop {
            let slot = self.queue.pop_front()?;
            let mark = &mut self.marks[slot as usize];
            if *mark == Mark::Used {
                *mark = Mark::In;
                self.queue.push_back(slot);
            } else {
                *mark = Mark::Out;
                return Some(slot);
            }
        }
    }

    /// The slots have other numbers now; `None`: it is gone.
    pub fn renumber(&mut self, new_slots: &[Option<u32>]) {
        let marks = std::mem::take(&mut self.marks);
        self.queue = self.queue.iter().filter_map(|slot| new_slots[*slot as usize]).collect();
        let kept = marks.into_iter().zip(new_slots).filter_map(|(mark, new)| new.map(|_| mark));
        self.marks = kept.collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_since_it_came_is_let_go_later() {
        let mut cache = Cache::new(0);
        for slot in [3, 7, 1, 3] {
            cache.note(slot);
        }
        assert_eq!([cache.next(), cache.next()], [Some(7), Some(1)]);
        cache.note(0);
        assert_eq!([cache.next(), cache.next(), cache.next()], [Some(3), Some(0), None]);
    }

    #[test]
    fn slots_keep_their_turn_under_another_number() {
        let mut cache = Cache::new(0);
        for slot in [0, 1, 2, 0] {
            cache.note(slot);
        }
        cache.renumber(&[Some(0), None, Some(1)]);
        assert_eq!([cache.next(), cache.next(), cache.next()], [Some(1), Some(0), None]);
    }
}
