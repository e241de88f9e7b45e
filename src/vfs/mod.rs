//! The only door to files and clocks. `file_system` is the trait that `files` uses, `real` the operating system,
//! `simulated` a disk in memory that can fail and crash. `clock` is for those who need the time alone.
//!
//! Invariant: no other room uses `std::fs` or reads a clock of the standard library; `tests/layers.rs` checks it.

mod clock;
mod file_system;
mod freed_beside;
mod real;
mod settings_file;
#[cfg(feature = "simulation")]
pub mod simulated;
mod syncer;
mod syncing;

pub use clock::{monotonic_us, now_ms, sleep_us};
pub use file_system::{File, FileSystem, FileSystemRef, Missing, Stamp, SyncBeside};
pub use freed_beside::FreedBeside;
pub use real::RealFileSystem;
pub use settings_file::{SettingsFile, read_settings_file};
pub use syncing::Syncing;
