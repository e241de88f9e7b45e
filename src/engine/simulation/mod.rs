//! The engine on a simulated disk: crashes at every call, faults at every call, long random runs.
//!
//! ```text
//! scripts   what is done            play     one machine: engines, calls, what was answered
//! model     what must come of it    check    one state after a crash: open, compare, go on
//! crash     every call × outcome    faults   every call × error
//! interlopers  somebody at every call            random   everything at once
//! ```
//!
//! A failing case prints itself as `PS_REPLAY=script:seed:moment:outcome`; with that variable set, the
//! tests play only that case, and print each call. `moment` counts the calls that change something;
//! where a crash hit a recovery, moments and outcomes are joined by `,` (`7,3` and `kept,lost`).
//!
//! Invariant: the engine knows nothing of all this.

mod check;
pub mod crash;
pub mod faults;
pub mod interlopers;
mod model;
mod play;
pub mod random;
mod scripts;
