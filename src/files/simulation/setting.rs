//! What a script set up, for all who check what becomes of it.
//!
//! Invariant: it stays as it is while the script runs.

use std::path::PathBuf;

use super::play::LogSpec;
use crate::files::options::Options;

/// What a script set up.
#[derive(Clone)]
pub struct Setting {
    /// The data folder.
    pub folder: PathBuf,
    /// The logs.
    pub logs: Vec<LogSpec>,
    /// For all engines.
    pub options: Options,
    /// Bytes that must be in some file at any time (damaged lines).
    pub evidence: Vec<Vec<u8>>,
}
