//! The engine on a simulated disk: a crash at each call, a fault at each call, long random runs.
//!
//! ```text
//! scripts (stage, lives)   what is done           play (calls)    one machine: engines, calls, answers
//! model                    what must come of it   check (files)   a state after a crash: open, compare, go on
//! crash    every call × outcome                   faults          every call × error
//! interlopers   a writer without a lock           random          everything at once
//!               before every call
//! ```
//!
//! A failing case prints itself as `PS_REPLAY=script:seed:moment:outcome`. Other tests have other words behind the
//! script; random lives print `PS_SEED=n`. With that variable set, the tests play only that case and print each call:
//!
//! ```text
//! PS_REPLAY=append:1:7,3:kept,lost cargo test --features simulation --lib simulation -- --nocapture
//! ```
//!
//! `moment` counts the calls that change something. Where a crash hit a recovery, moments and outcomes are joined by
//! `,`.
//!
//! Invariant: the engine knows nothing of all this.

mod calls;
mod check;
pub mod crash;
pub mod faults;
mod files;
#[cfg(test)]
mod half;
pub mod interlopers;
mod lives;
#[cfg(test)]
mod locks;
mod model;
pub mod output;
mod play;
pub mod random;
mod scripts;
mod setting;
mod stage;
#[cfg(test)]
mod unchanged;

/// The case to play alone, if `PS_REPLAY` (or, for random lives, `PS_SEED`) names one.
#[cfg(test)]
fn wanted_case() -> Option<String> {
    ["PS_REPLAY", "PS_SEED"].into_iter().find_map(|name| std::env::var(name).ok())
}
