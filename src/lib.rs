//! Embedded durable store for Node.js bots.
//!
//! The rooms, each using only those behind it: `bindings → game → store → data`, `bindings → files → store`,
//! `files → vfs`, and in tests `memory` in place of `files`.
//!
//! ```text
//! bindings   JavaScript in, JavaScript out: conversion, promises, exit
//! game       players, tokens, game states: old record → new record
//! files      the place that is a folder: log, mirror, recovery, compaction
//! memory     a place in memory, for tests (feature `memory-place`)
//! postgres   the place that is a server: one transaction a batch, conflicts, fail-over
//! store      what every place shares: calls, the writer thread with its group commit, events, figures
//! data       what is kept: keys and values, as JSON text
//! vfs        files and time
//! ```
//!
//! `error`, `thread` and `visible` belong to all of them.

#[cfg(not(test))]
mod bindings;
pub mod data;
pub mod error;
pub mod files;
pub mod game;
#[cfg(feature = "memory-place")]
pub mod memory;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod store;
mod thread;
pub mod vfs;
pub mod visible;
