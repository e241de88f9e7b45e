//! Embedded durable store for Node.js bots.
//!
//! The layers, each using only those below it:
//!
//! ```text
//! bindings   JavaScript in, JavaScript out: conversion, promises, exit
//! game       players, tokens, game states: old record → new record
//! engine     logs, replay, group commit, compaction, mirrors
//! vfs        files and time
//! ```
//!
//! `error` belongs to all of them.

#[cfg(not(test))]
mod bindings;
pub mod engine;
pub mod error;
pub mod game;
pub mod vfs;
pub mod visible;
