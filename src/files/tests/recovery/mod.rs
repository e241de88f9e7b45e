//! Every row of the table in `replay.rs`, and what several of them together lead to: what is read, that reading changes
//! no file, what the next write makes of the files, and that all goes on after it.

mod cuts;
mod kept;
mod log_in_parts;
mod refused;
mod rows;
mod salvaged;
