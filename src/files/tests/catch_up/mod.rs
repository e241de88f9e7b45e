//! Every row of the table in `open_log.rs`: two processes on one folder, and the hands of a person, do things to the
//! files under a running `Folder`. And what may happen while a compaction or a mirror is under way.

mod damage;
mod edits;
mod files;
mod lagging;
mod lost;
mod meanwhile;
mod others;
mod two;
