//! JavaScript in, JavaScript out: arguments, promises, errors, exit. The only room that knows Node-API.
//!
//! ```text
//! api ─> calls, update, updater, stream ─> handle ─> environment ─> turns, outlet ─> js
//!          └─> arguments ─> json                └─> store ─> hub ─> outlet
//! ```
//!
//! `api` declares what is exported, `calls` says what each call does, `arguments` checks what comes in. `environment` has
//! one JavaScript thread's stores and waiting promises. `js` is the thin layer over the C interface and holds all of the
//! crate's `unsafe`. What JavaScript does better is in `lib/`, which `host` calls.
//!
//! Invariant: no panic and no C++ exception crosses into JavaScript, and every promise settles.

mod api;
mod arguments;
mod calls;
mod environment;
mod handle;
mod host;
mod hub;
mod js;
mod json;
mod last_looks;
mod lines;
mod options;
mod outlet;
mod predicted;
mod rotation;
#[cfg(feature = "postgres")]
mod server_choice;
#[cfg(feature = "postgres")]
mod server_tools;
mod slot;
mod store;
mod stream;
mod turns;
mod update;
mod updater;
mod watch;
mod whole;
