//! Generic keyed logs of one data folder, with no bot in them. The rooms, in the order of a write:
//! `writer` → `batch` → (`lock`, `catch_up`) → `stage` → `commit` → `log` → `shelf`; of opening:
//! `catch_up` → `load` → `replay` → `lines` → `entry`; of work beside: `job`, `compact`, `keep_mirror`,
//! decided by `policy`.

mod batch;
mod catch_up;
pub mod collection;
mod commit;
mod compact;
mod context;
mod core;
mod entry;
pub mod event;
mod history;
mod inspect;
mod job;
mod json;
mod keep_mirror;
mod late;
mod lines;
mod load;
mod lock;
mod log;
mod lost_log;
mod metrics;
mod mirror;
mod name;
mod nearest;
mod old_logs;
mod options;
mod patience;
mod policy;
mod read;
mod record;
mod replay;
pub mod report;
mod request;
mod retain;
mod rewrite;
mod salvage;
mod same_mirror;
mod shelf;
#[cfg(feature = "simulation")]
pub mod simulation;
mod stage;
mod stale;
mod state;
mod steady;
mod text;
mod time;
mod writer;

pub use core::Engine;
pub use entry::OWN_PROPERTIES;
pub use event::{Notice, NoticeSink};
pub use inspect::{LinePlace, Told, describe_lines};
pub use job::{Job, JobDone};
pub use json::{Members, array_index, elements, is_deeper_than, number, quote, quote_utf16};
pub use name::{LogName, check_key};
pub use options::{FsyncMode, OnCorruption, Options};
pub use policy::{Retention, Schedule, last_boundary_ms};
pub use read::{EntryCursor, EntryPiece};
pub use request::{
    Answer, Expected, Line, Maintenance, Outcome, Outlet, Replace, Request, Scope, Ticket, View, Work,
};
pub use shelf::Shelf;
pub use state::{Member, State};
pub use text::{TextKind, Texts, object_of};
pub use time::{iso, push_iso};
pub use writer::Writer;

#[cfg(test)]
mod tests;
