//! Transactions over several logs: what is noted of one before it is written, and what a log lacks of it after a crash.

pub mod followed_log;
pub mod intent;
pub mod unfinished;
