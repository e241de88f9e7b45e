//! A place that keeps data in memory alone, for tests: the proof that nothing above `store` depends on files. Every rule
//! is applied more often than once, updates meet conflicts, and batches are late. See `core`.

pub mod chance;
pub mod clock;
pub mod core;
pub mod log;
pub mod place;
