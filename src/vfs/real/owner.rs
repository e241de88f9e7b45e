//! Who owns a new file. What the superuser makes in another user's folder goes to the owner of its model: the file that
//! it replaces, or the folder. Otherwise an administrator's command, or one start as root by mistake, would lock the bot
//! out of its own files.
//!
//! Invariant: a file that was reached through a link is never given away. It could be any file of the system.

use std::fs;
use std::path::Path;

/// Gives a file of the superuser to the owner of `model`. A file that cannot be given away stays as it is.
#[cfg(unix)]
pub fn give_to_owner_of(model: &Path, file: &fs::File, path: &Path) {
    use std::os::unix::fs::{MetadataExt, fchown};
    let Ok(made) = file.metadata() else { return };
    if made.uid() != 0 {
        return;
    }
    let (Ok(model), Ok(here)) = (fs::metadata(model), fs::symlink_metadata(path)) else { return };
    let is_this = (here.dev(), here.ino()) == (made.dev(), made.ino());
    if model.uid() != 0 && is_this && (made.is_dir() || made.nlink() == 1) {
        let _ = fchown(file, Some(model.uid()), Some(model.gid()));
    }
}

#[cfg(not(unix))]
pub fn give_to_owner_of(_model: &Path, _file: &fs::File, _path: &Path) {}

/// The same for a file or folder that replaces nothing: its model is the folder.
pub fn give_to_owner_of_folder(file: &fs::File, path: &Path) {
    if let Some(folder) = path.parent() {
        give_to_owner_of(folder, file, path);
    }
}
