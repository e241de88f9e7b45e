//! Every way a call can fail, each with the stable code that JavaScript sees as `err.code`.
//!
//! Invariant: an `Error` is plain data (it is cloned to every promise of a failed batch) and its
//! message says what happened, where, and what to do.

use std::io;
use std::path::Path;

/// Result of everything that can fail here.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure, ready to be shown to a person and to be matched by its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Stable name: the system's (`ENOSPC`) or ours (`ERR_…`).
    pub code: &'static str,
    /// What happened, where, and what to do.
    pub message: String,
    /// The system call that failed, if one did.
    pub syscall: Option<&'static str>,
    /// The file it happened to, if one is known.
    pub path: Option<String>,
    /// True for a wrong argument: becomes a JavaScript `TypeError`.
    pub is_type_error: bool,
}

impl Error {
    /// A failure of ours, without a system call behind it.
    #[must_use]
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), syscall: None, path: None, is_type_error: false }
    }

    /// A system call that failed on `path`.
    #[must_use]
    pub fn io(error: &io::Error, syscall: &'static str, path: &Path) -> Self {
        let code = system_code(error);
        let reason = reason(code).map_or_else(|| error.to_string(), str::to_owned);
        Self {
            code,
            message: format!("{code}: {reason}, {syscall} '{}'{}", path.display(), advice(code)),
            syscall: Some(syscall),
            path: Some(path.display().to_string()),
            is_type_error: false,
        }
    }

    /// Something else than a regular file where a file should be. `kind` is what it is, such as "a FIFO".
    #[must_use]
    pub fn not_a_file(kind: &str, syscall: &'static str, path: &Path) -> Self {
        Self {
            code: "EINVAL",
            message: format!(
                "EINVAL: '{}' is {kind} and not a regular file, {syscall}. Move it away; nothing was read from it or \
                 written to it",
                path.display()
            ),
            syscall: Some(syscall),
            path: Some(path.display().to_string()),
            is_type_error: false,
        }
    }

    /// An argument of the wrong type.
    #[must_use]
    pub fn wrong_type(message: impl Into<String>) -> Self {
        Self { is_type_error: true, ..Self::new("ERR_INVALID_ARG_TYPE", message) }
    }

    /// An argument of the right type with a value that cannot be.
    #[must_use]
    pub fn wrong_value(message: impl Into<String>) -> Self {
        Self { is_type_error: true, ..Self::new("ERR_INVALID_ARG_VALUE", message) }
    }

    /// A function given by the caller returned what cannot be stored.
    #[must_use]
    pub fn wrong_return(message: impl Into<String>) -> Self {
        Self { is_type_error: true, ..Self::new("ERR_INVALID_RETURN_VALUE", message) }
    }

    /// A call on a storage that was closed.
    #[must_use]
    pub fn closed() -> Self {
        Self::new("ERR_STORAGE_CLOSED", "This storage is closed; make a new Storage to use the data again")
    }

    /// A bug of ours: a panic that was caught, or a promise that nobody answered.
    #[must_use]
    pub fn internal(what: &str) -> Self {
        Self::new(
            "ERR_INTERNAL",
            format!(
                "A bug in progressive-storage: {what}. What was acknowledged before is safe; please report this"
            ),
        )
    }

    /// True when the file or folder does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.code == "ENOENT"
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// The POSIX name of a failure. Windows has other numbers, so there the standard library's
/// classification decides.
fn system_code(error: &io::Error) -> &'static str {
    #[cfg(unix)]
    if let Some(number) = error.raw_os_error() {
        // These numbers are the same on Linux, Android, macOS and the BSDs.
        let known = match number {
            1 => "EPERM",
            4 => "EINTR",
            5 => "EIO",
            12 => "ENOMEM",
            #[cfg(any(target_os = "linux", target_os = "android"))]
            11 => "EAGAIN",
            13 => "EACCES",
            16 => "EBUSY",
            18 => "EXDEV",
            20 => "ENOTDIR",
            21 => "EISDIR",
            22 => "EINVAL",
            23 => "ENFILE",
            24 => "EMFILE",
            27 => "EFBIG",
            28 => "ENOSPC",
            29 => "ESPIPE",
            30 => "EROFS",
            #[cfg(any(target_os = "linux", target_os = "android"))]
            6 => "ENXIO",
            #[cfg(any(target_os = "linux", target_os = "android"))]
            19 => "ENODEV",
            #[cfg(any(target_os = "linux", target_os = "android"))]
            36 => "ENAMETOOLONG",
            #[cfg(any(target_os = "linux", target_os = "android"))]
            37 => "ENOLCK",
            #[cfg(any(target_os = "linux", target_os = "android"))]
            40 => "ELOOP",
            #[cfg(any(target_os = "linux", target_os = "android"))]
            110 => "ETIMEDOUT",
            _ => "",
        };
        if !known.is_empty() {
            return known;
        }
    }
    // A file that another program holds; the standard library has no kind for it.
    #[cfg(windows)]
    if let Some(32 | 33) = error.raw_os_error() {
        return "EBUSY";
    }
    match error.kind() {
        io::ErrorKind::NotFound => "ENOENT",
        io::ErrorKind::PermissionDenied => "EACCES",
        io::ErrorKind::AlreadyExists => "EEXIST",
        io::ErrorKind::StorageFull => "ENOSPC",
        io::ErrorKind::QuotaExceeded => "EDQUOT",
        io::ErrorKind::FileTooLarge => "EFBIG",
        io::ErrorKind::ReadOnlyFilesystem => "EROFS",
        io::ErrorKind::NotADirectory => "ENOTDIR",
        io::ErrorKind::IsADirectory => "EISDIR",
        io::ErrorKind::InvalidFilename => "ENAMETOOLONG",
        io::ErrorKind::StaleNetworkFileHandle => "ESTALE",
        io::ErrorKind::ResourceBusy => "EBUSY",
        io::ErrorKind::CrossesDevices => "EXDEV",
        io::ErrorKind::TooManyLinks => "EMLINK",
        io::ErrorKind::Unsupported => "ENOTSUP",
        io::ErrorKind::OutOfMemory => "ENOMEM",
        io::ErrorKind::TimedOut => "ETIMEDOUT",
        // Other failures have their number in the message.
        _ => "UNKNOWN",
    }
}

fn reason(code: &str) -> Option<&'static str> {
    Some(match code {
        "ENOENT" => "no such file or directory",
        "EACCES" => "permission denied",
        "EPERM" => "operation not permitted",
        "ENOSPC" => "no space left on device",
        "EROFS" => "read-only file system",
        "EMFILE" => "too many open files",
        "ENOTDIR" => "not a directory",
        "EBUSY" => "resource busy or locked",
        "EISDIR" => "illegal operation on a directory",
        "EIO" => "i/o error",
        _ => return None,
    })
}

fn advice(code: &str) -> &'static str {
    match code {
        "ENOSPC" | "EDQUOT" => ". Free some space; the next write works as soon as there is room",
        "EACCES" | "EPERM" | "EROFS" => ". Let the user that runs the bot write to the data folder",
        "EMFILE" | "ENFILE" => ". Close some files or raise the limit (ulimit -n)",
        "EBUSY" => ". Another program holds the file; let it finish, or close it",
        "EIO" => ". The disk or file system reports a fault; check it and keep a copy of the data folder",
        _ => "",
    }
}
