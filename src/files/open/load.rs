//! Opening a log and its mirror: one state from two files, whatever happened to either.
//!
//! Invariant: nothing is written here.

use crate::error::Result;
use crate::files::index::index_file::How;
use crate::files::log::paths::LogPaths;
use crate::files::mirror::known::Before;
use crate::files::open::loaded::{Loaded, load_log};
use crate::files::open::reconcile::reconcile;
use crate::vfs::FileSystem;

/// Opens a log and its mirror.
pub fn load(files: &dyn FileSystem, paths: &LogPaths, before: Before, how: How) -> Result<Loaded> {
    let mut log = files.open_read(&paths.log)?;
    let mut loaded = load_log(files, paths, log.as_deref_mut(), how)?;
    reconcile(files, paths, &mut loaded, log.as_deref_mut(), before)?;
    Ok(loaded)
}

/// Opens a log that has no mirror.
pub fn load_unmirrored(files: &dyn FileSystem, paths: &LogPaths, how: How) -> Result<Loaded> {
    let mut log = files.open_read(&paths.log)?;
    load_log(files, paths, log.as_deref_mut(), how)
}
