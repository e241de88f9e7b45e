//! Opening a folder as a place to keep data.

use std::path::PathBuf;
use std::sync::Arc;

use crate::data::name::LogName;
use crate::error::Result;
use crate::files::folder::Folder;
use crate::files::memory::{FileClock, FolderMemory};
use crate::files::options::Options;
use crate::store::event::NoticeSink;
use crate::store::writer::{Surroundings, Timing, Writer};
use crate::vfs::FileSystemRef;

/// A folder that is to be opened.
pub struct Opening {
    /// Files and clock.
    pub files: FileSystemRef,
    /// The data folder, absolute.
    pub data_folder: PathBuf,
    /// The user's choices.
    pub options: Options,
    /// Logs that have a mirror, whatever is called on them.
    pub mirrored: Vec<LogName>,
}

/// Starts the writer of a folder. Nothing is read or written before the first call.
///
/// # Errors
/// `EAGAIN` when the system gives no thread.
pub fn open(opening: Opening, notices: Arc<dyn NoticeSink>) -> Result<Writer<Folder>> {
    let Opening { files, data_folder, options, mirrored } = opening;
    let folder =
        Folder::new(Arc::clone(&files), data_folder.clone(), options, notices).with_mirrored(mirrored);
    let memory = FolderMemory::new(Arc::clone(&files), data_folder, folder.shelves(), folder.metrics());
    let surroundings = Surroundings {
        memory: Arc::new(memory),
        clock: Arc::new(FileClock(files)),
        patience: folder.patience(),
        timing: Timing::Sampled,
    };
    Writer::start(folder, surroundings)
}
