//! What all logs of a folder share: files and clock, the user's choices, who is told, and names of temporary files.
//!
//! ```text
//! .players.json.0123456789abcdef-7.tmp      beside players.json; the middle is this process's own
//! ```
//!
//! Of a long name only the beginning is used, so that the whole is no longer than a file's name may be.
//!
//! Invariant: no two processes use the same name for a temporary file.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::Error;
use crate::files::log::file::{LogPaths, MENDED_ENDING};
use crate::files::metrics::FolderMetrics;
use crate::files::options::{FsyncMode, Options};
use crate::store::event::{Details, NoticeSink, SLOW_SYNC_MS, Teller};
use crate::store::patience::Patience;
use crate::vfs::FileSystemRef;

/// See the header of this file.
pub struct Context {
    /// Files and clock.
    pub files: FileSystemRef,
    /// The user's choices.
    pub options: Options,
    /// The data folder.
    pub data_folder: PathBuf,
    teller: Teller,
    /// What is counted of the folder.
    pub metrics: Arc<FolderMetrics>,
    /// How long the lock between processes is waited for.
    pub patience: Arc<Patience>,
    /// Whether that lock is held: else others may write while files are read.
    pub is_locked: Cell<bool>,
    temporaries: AtomicU64,
    /// Tells us, and our temporary files, from others, whatever they call their processes.
    pub unique: u64,
}

impl Context {
    /// For the logs of `data_folder`.
    pub fn new(
        files: FileSystemRef,
        data_folder: PathBuf,
        options: Options,
        notices: Arc<dyn NoticeSink>,
    ) -> Self {
        Self {
            files,
            options,
            data_folder,
            teller: Teller::new(notices),
            metrics: Arc::default(),
            patience: Arc::default(),
            is_locked: Cell::new(false),
            temporaries: AtomicU64::new(0),
            unique: RandomState::new().hash_one(0),
        }
    }

    /// True unless the user wants no syncs at all.
    pub fn sync_ever(&self) -> bool {
        self.options.fsync != FsyncMode::Never
    }

    /// Tells whoever listens; see `event` for what is told how often. `subject` tells one thing from another
    /// of the same code.
    /// False for a finding that was told before.
    pub fn tell(&self, code: &'static str, subject: &str, message: String, details: &Details) -> bool {
        self.teller.tell(code, subject, message, details, self.files.now_ms())
    }

    /// Tells that a sync of a log took long, if it did.
    pub fn sync_took(&self, paths: &LogPaths, duration_us: u64) {
        let duration_ms = duration_us / 1000;
        if duration_ms >= SLOW_SYNC_MS {
            let log = paths.log.display();
            self.tell(
                "PS_SLOW_SYNC",
                &log.to_string(),
                format!(
                    "The disk took {duration_ms} ms to sync '{log}'. Nothing is lost, but calls wait for it; see \
                     whether the disk is overloaded or failing"
                ),
                &Details::of_log(&paths.name).number("durationMs", duration_ms),
            );
        }
    }

    /// Tells that a compaction failed.
    pub fn compaction_failed(&self, paths: &LogPaths, error: &Error) {
        self.tell(
            "PS_COMPACTION_FAILED",
            &format!("{} {}", paths.log.display(), error.code()),
            format!("The log '{}' could not be compacted: {}. It is as it was", paths.name, error.message()),
            &Details::of_log(&paths.name).text("reason", error.code().as_str()),
        );
    }

    /// A path beside `target` that no other process uses.
    pub fn temporary(&self, target: &Path) -> PathBuf {
        let number = self.temporaries.fetch_add(1, Ordering::Relaxed);
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        target.with_file_name(format!(".{}.{:016x}-{number}.tmp", beginning_of(&name), self.unique))
    }
}

/// So much of a name stands in that of a temporary file: with a dot before it, 16 digits, and a number of up to 20.
const NAME_BYTES_MAX: usize = 255 - 43;

fn beginning_of(name: &str) -> &str {
    let ends = (0..=NAME_BYTES_MAX.min(name.len())).rev().find(|end| name.is_char_boundary(*end));
    &name[..ends.unwrap_or(0)]
}

/// `NAME.log.mended.tmp`, as `log` makes it, or `.NAME.UNIQUE-NUMBER.tmp`, as `Context::temporary` makes it.
pub fn is_temporary(name: &str) -> bool {
    if name.ends_with(MENDED_ENDING) {
        return true;
    }
    name.strip_prefix('.')
        .and_then(|rest| rest.strip_suffix(".tmp"))
        .and_then(|rest| rest.rsplit_once('.'))
        .and_then(|(_, numbers)| numbers.split_once('-'))
        .is_some_and(|(unique, number)| {
            unique.len() == 16
                && unique.bytes().all(|byte| byte.is_ascii_hexdigit())
                && !number.is_empty()
                && number.bytes().all(|byte| byte.is_ascii_digit())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_name_is_as_long_as_a_name_may_be_and_is_told_from_others() {
        for name in ["players.json".to_owned(), "n".repeat(250), "ö".repeat(125)] {
            let temporary = format!(".{}.{:016x}-{}.tmp", beginning_of(&name), u64::MAX, u64::MAX);
            assert!(temporary.len() <= 255 && is_temporary(&temporary), "{temporary}");
            assert!(name.starts_with(beginning_of(&name)) && beginning_of(&name).len() > 10);
        }
    }
}
