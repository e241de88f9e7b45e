//! The only door to files and time. `file_system` is the trait, `real` the operating system.

mod file_system;
mod real;

pub use file_system::{File, FileSystem, FileSystemRef, Stamp};
pub use real::RealFileSystem;
