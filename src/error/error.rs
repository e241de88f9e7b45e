//! A failure: its code, its message, and the system call and file it happened to. Each kind has one constructor here,
//! with its text.
//!
//! Invariant: an `Error` is plain data (each promise of a failed batch gets a copy), and its message says what
//! happened, where, and what to do.

use std::fmt::{self, Display};
use std::io;
use std::path::Path;

use super::Code;

/// Result of everything that can fail here.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure, ready to be shown to a person and to be matched by its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    code: Code,
    message: String,
    syscall: Option<&'static str>,
    path: Option<String>,
    outcome: Outcome,
}

/// Whether a call that failed may have changed the data all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// It changed nothing, as with most failures.
    #[default]
    Unchanged,
    /// It changed nothing, where it might have been otherwise.
    KnownUnchanged,
    /// Nobody knows yet: the change may still be there.
    Unknown,
}

/// Who holds a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// This process, through another `Storage` or another copy of this package.
    ThisProcess,
    /// The process of that number.
    Process(u32),
    /// The system does not say.
    Unknown,
}

impl Error {
    /// Stable name, of the system or of ours.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// What happened, where, and what to do.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The system call that failed, if one did.
    #[must_use]
    pub const fn syscall(&self) -> Option<&'static str> {
        self.syscall
    }

    /// The file it happened to, if one is known.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// Whether the change may be there in spite of the failure; `None` where that is no question.
    #[must_use]
    pub const fn is_outcome_unknown(&self) -> Option<bool> {
        match self.outcome {
            Outcome::Unchanged => None,
            Outcome::KnownUnchanged => Some(false),
            Outcome::Unknown => Some(true),
        }
    }

    /// True for what the caller gave wrongly: JavaScript gets a `TypeError`.
    #[must_use]
    pub const fn is_type_error(&self) -> bool {
        matches!(self.code, Code::InvalidArgType | Code::InvalidArgValue | Code::InvalidReturnValue)
    }

    /// True when the file or folder does not exist.
    #[must_use]
    pub const fn is_not_found(&self) -> bool {
        matches!(self.code, Code::Enoent)
    }

    /// The same failure, with more to say at the end of its message.
    #[must_use]
    pub fn with_more(mut self, more: &str) -> Self {
        self.message.push_str(more);
        self
    }

    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), syscall: None, path: None, outcome: Outcome::Unchanged }
    }

    pub(super) fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    fn at(mut self, path: &Path) -> Self {
        self.path = Some(path.display().to_string());
        self
    }
}

/// Failures of the system.
impl Error {
    /// A system call that failed on `path`.
    #[must_use]
    pub fn io(error: &io::Error, syscall: &'static str, path: &Path) -> Self {
        let code = Code::of(error);
        let reason = code.reason().map_or_else(|| error.to_string(), str::to_owned);
        Self::system(code, &reason, syscall, path)
    }

    /// The same with another code than the one of the system's number.
    #[must_use]
    pub fn system(code: Code, reason: &str, syscall: &'static str, path: &Path) -> Self {
        let message = format!("{code}: {reason}, {syscall} '{}'{}", path.display(), code.advice());
        Self { syscall: Some(syscall), ..Self::new(code, message).at(path) }
    }

    /// Something else than a regular file where a file should be. `kind` is what it is, such as "a FIFO".
    #[must_use]
    pub fn not_a_file(kind: &str, syscall: &'static str, path: &Path) -> Self {
        let message = format!(
            "EINVAL: '{}' is {kind} and not a regular file, {syscall}. Move it away; nothing was read from it or \
             written to it",
            path.display()
        );
        Self { syscall: Some(syscall), ..Self::new(Code::Einval, message).at(path) }
    }

    /// A file that was there a moment ago.
    #[must_use]
    pub fn gone(path: &Path) -> Self {
        Self::new(Code::Enoent, format!("ENOENT: '{}' is gone", path.display()))
    }

    /// The system gave no thread.
    #[must_use]
    pub fn no_thread(error: &io::Error) -> Self {
        Self::new(Code::Eagain, format!("EAGAIN: no thread could be started: {error}"))
    }
}

/// What the caller gave wrongly.
impl Error {
    /// An argument of the wrong type.
    #[must_use]
    pub fn wrong_type(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgType, message)
    }

    /// An argument of the right type with a value that cannot be.
    #[must_use]
    pub fn wrong_value(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgValue, message)
    }

    /// An iteration is to go on behind a key that is not there.
    #[must_use]
    pub fn no_key_after(key: impl Display) -> Self {
        let message = format!(
            "The option 'after' is {key}, and that key is not in the collection; go on behind one that is, or begin anew"
        );
        Self::new(Code::InvalidArgValue, message)
    }

    /// A server no longer has what a key had when an iteration began.
    #[must_use]
    pub fn iteration_too_old(log: impl Display, key: impl Display) -> Self {
        let message = format!(
            "The value that {key} in '{log}' had when the iteration began is no longer on the server: it was changed since, \
             and the entries of that time were removed. Begin the iteration anew"
        );
        Self::new(Code::NoHistory, message)
    }

    /// A function given by the caller returned what cannot be stored.
    #[must_use]
    pub fn wrong_return(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidReturnValue, message)
    }
}

/// Failures of a storage.
impl Error {
    /// `configure()` after the default storage was opened.
    #[must_use]
    pub fn already_configured() -> Self {
        Self::new(
            Code::AlreadyConfigured,
            "The default storage is open already; call configure() before any other function, or close() first",
        )
    }

    /// A call on a storage that was closed.
    #[must_use]
    pub fn closed() -> Self {
        Self::new(Code::StorageClosed, "This storage is closed; make a new Storage to use the data again")
    }

    /// More calls wait than memory should hold: their text, and what each of them takes beside it.
    #[must_use]
    pub fn queue_full() -> Self {
        Self::new(
            Code::QueueFull,
            "Over 1 GiB of calls waits for the disk (their text, and 256 bytes for each); await some of them before \
             making more",
        )
    }

    /// A bug of ours: a panic that was caught, or a promise that nobody answered.
    #[must_use]
    pub fn internal(what: &str) -> Self {
        let message = format!(
            "A bug in progressive-storage: {what}. What was acknowledged before is safe; please report this"
        );
        Self::new(Code::Internal, message)
    }
}

/// Failures of a data folder.
impl Error {
    /// Another process, or another storage, held `lock` for all of `waited_seconds`.
    #[must_use]
    pub fn locked(holder: Holder, lock: &Path, waited_seconds: u64) -> Self {
        let holder = match holder {
            Holder::ThisProcess => format!(
                "this process ({}), by a Storage with other options or another copy of this package,",
                std::process::id()
            ),
            Holder::Process(number) => format!("process {number}"),
            Holder::Unknown => "another process".to_owned(),
        };
        let message = format!(
            "The data folder is locked: {holder} holds '{}', which was waited for {waited_seconds} s. Nothing was \
             written; see whether that process is stopped or hangs",
            lock.display()
        );
        Self::new(Code::Locked, message).at(lock)
    }

    /// Somebody removes the lock files of `data_folder` again and again.
    #[must_use]
    pub fn locks_removed(data_folder: &Path) -> Self {
        let message = format!(
            "The lock files in '{}/.progressive-storage' were removed again and again while this call was worked on. \
             Nothing was written; let that folder alone while the data is in use",
            data_folder.display()
        );
        Self::new(Code::Locked, message)
    }

    /// `progressive-storage migrate` moved the data to another place; `mark` is the file that says so.
    #[must_use]
    pub fn moved(mark: &Path) -> Self {
        let message = format!(
            "The data of this folder was moved to another place, which '{}' names. Nothing was written; use that place, \
             or remove that file to go on with this folder as it was",
            mark.display()
        );
        Self::new(Code::Moved, message).at(mark)
    }

    /// A newer version of this package wrote `path`; `found` is the version that it names.
    #[must_use]
    pub fn folder_version(path: &Path, found: &str) -> Self {
        let message = format!(
            "A newer version of progressive-storage has written '{}' (version '{}'). Nothing was changed; update the \
             package that this program uses",
            path.display(),
            found.chars().take(20).collect::<String>()
        );
        Self::new(Code::FolderVersion, message).at(path)
    }

    /// The option `onCorruption` is `'refuse'`, and `log` is damaged: `damage` is the sentence that says how.
    #[must_use]
    pub fn log_corrupt(log: &Path, damage: &str) -> Self {
        let message = format!(
            "{damage} Nothing was changed. Mend the log, or open it with onCorruption: 'salvage' to go on without the \
             damaged lines"
        );
        Self::new(Code::LogCorrupt, message).at(log)
    }

    /// Another program removed or replaced `log` while `what`.
    #[must_use]
    pub fn log_replaced(log: &Path, what: &str) -> Self {
        let message = format!(
            "The log '{}' was removed or replaced by another program while {what}; try again",
            log.display()
        );
        Self::new(Code::LogReplaced, message).at(log)
    }

    /// Another program removed `log` while we compacted it.
    #[must_use]
    pub fn log_removed_in_compaction(log: &Path) -> Self {
        let message =
            format!("The log '{}' was removed while it was compacted; nothing was changed", log.display());
        Self::new(Code::LogReplaced, message)
    }

    /// Other programs changed `log` in each try to compact it.
    #[must_use]
    pub fn log_changed_in_compaction(log: &Path) -> Self {
        let message = format!(
            "The log '{}' was changed by other programs each time it was compacted; nothing was lost, try again",
            log.display()
        );
        Self::new(Code::LogReplaced, message)
    }

    /// A folder is to be copied by somebody who may not take its lock.
    #[must_use]
    pub fn copy_without_lock(data_folder: &Path) -> Self {
        let message = format!(
            "'{}' cannot be copied while others may write to it: this user may not use its lock. Run this as the \
             user of the bot",
            data_folder.display()
        );
        Self::new(Code::Eacces, message)
    }

    /// Another program changed `file` while it was copied.
    #[must_use]
    pub fn changed_while_copied(file: &Path) -> Self {
        let message =
            format!("'{}' was changed by another program while it was copied; try again", file.display());
        Self::new(Code::LogReplaced, message)
    }

    /// A file was copied, and the copy is not what was written.
    #[must_use]
    pub fn copied_wrongly(copy: &Path) -> Self {
        let message =
            format!("The copy '{}' reads back as something else; its disk may fail", copy.display());
        Self::new(Code::BackupCorrupt, message)
    }

    /// An old log cannot be uncompressed.
    #[must_use]
    pub fn backup_corrupt(old_log: &Path, error: &io::Error) -> Self {
        let message = format!(
            "'{}' cannot be uncompressed ({error}); remove it, or put a good copy in its place",
            old_log.display()
        );
        Self::new(Code::BackupCorrupt, message).at(old_log)
    }

    /// An old log was compressed, and the result is not what was written.
    #[must_use]
    pub fn compressed_wrongly(old_log: &Path) -> Self {
        let message = format!(
            "'{}' was compressed, but reads back as something else; the disk may fail",
            old_log.display()
        );
        Self::new(Code::BackupCorrupt, message)
    }

    /// The state of `log` at `at` is asked for, and the oldest checkpoint that is left is of `oldest`.
    #[must_use]
    pub fn no_history(log: impl Display, at: impl Display, oldest: impl Display) -> Self {
        let message = format!(
            "The state of '{log}' at {at} is not known: its files begin with a checkpoint of {oldest}. Give a later \
             time. To reach further back in future, keep more backups or archives"
        );
        Self::new(Code::NoHistory, message)
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
