//! A large file that is about to lose its name. To free the blocks of a file takes the system tens of milliseconds for each
//! 100 MB, and it does so where the last name or handle goes: here, on a thread of its own.
//!
//! ```text
//! caller   open ── rename over it, or remove it ── drop ──> goes on
//! thread                                             └── close: the blocks are freed
//! ```
//!
//! Invariant: it only moves work; what becomes of the name, and when, is the caller's.

use std::fs;

use crate::thread::spawn;

/// See the header of this file: a handle that is closed on another thread, where the system gives one.
pub struct FreedBeside(Option<fs::File>);

impl FreedBeside {
    /// Keeps this file until it is dropped.
    #[must_use]
    pub fn new(file: fs::File) -> Self {
        Self(Some(file))
    }
}

impl Drop for FreedBeside {
    fn drop(&mut self) {
        let file = self.0.take();
        // Without a thread the work is dropped here, and the file with it.
        let _ = spawn("ps-freeing", Box::new(move || drop(file)));
    }
}
