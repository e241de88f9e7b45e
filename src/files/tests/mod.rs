//! Tests of the `Folder` as a whole, on real files. The tables of `replay`, `reconcile` and `open_log` row by
//! row; random operations against a model; the text functions against `serde_json`.
#![expect(
    clippy::naive_bytecount,
    clippy::type_complexity,
    clippy::unused_self,
    reason = "tests may be slow and plain"
)]

mod catch_up;
mod events;
mod expiry;
mod held;
mod idle;
mod index;
mod leftovers;
mod mirror_close;
mod mirror_table;
mod old_logs;
mod outside;
mod panics;
mod properties;
mod recovery;
mod reference;
mod steady;
mod support;
mod text_properties;
mod unchanged;
