//! How threads begin: each has a name that a debugger shows.
//!
//! Invariant: `spawn` is no generic function, so the binary has the start of a thread once.

use std::io;
use std::thread::{Builder, JoinHandle};

/// What a thread does.
pub type Work = Box<dyn FnOnce() + Send>;

/// Starts a thread.
///
/// # Errors
/// The system's, where it gives none. The work is dropped then.
pub fn spawn(name: &str, work: Work) -> io::Result<JoinHandle<()>> {
    Builder::new().name(name.to_owned()).spawn(work)
}
