//! How the files that a target names are read.

use std::io;
use std::path::Path;

use crate::vfs::SettingsFile;

/// Reads a small file: `vfs::read_settings_file`, or what a test has.
pub type ReadFile<'a> = &'a dyn Fn(&Path) -> io::Result<SettingsFile>;
