//! The only door to files and time. `file_system` is the trait, `real` the operating system,
//! `simulated` a disk in memory that can fail and crash.

mod file_system;
mod real;
#[cfg(feature = "simulation")]
pub mod simulated;
mod syncer;

pub use file_system::{File, FileSystem, FileSystemRef, Stamp, SyncBeside};
pub use real::RealFileSystem;
