//! JavaScript in, JavaScript out: arguments, promises, errors, exit. The only room that knows Node-API.
//!
//! `api` declares what is exported; `calls` says what each call does; `arguments` checks what comes
//! in; `environment` keeps one JavaScript thread's stores and waiting promises; `js` is the thin layer
//! over the C interface and holds all of the crate's `unsafe`.
//!
//! Invariant: no panic and no C++ exception crosses into JavaScript, and every promise settles.

mod api;
mod arguments;
mod calls;
mod environment;
mod host;
mod hub;
mod js;
mod lines;
mod options;
mod outlet;
mod rotation;
mod slot;
mod stores;
mod stream;
mod turns;
mod update;
