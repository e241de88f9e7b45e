//! The stable codes of failures, which JavaScript sees as `err.code`: ours (`ERR_…`) and the system's, by their POSIX
//! names.
//!
//! Invariant: the texts of ours are part of the API. A failure of the system has the same code on every system.

use std::io;

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// `configure()` after the default storage was opened.
    AlreadyConfigured,
    /// An old log cannot be read back.
    BackupCorrupt,
    /// The folder is of a version that this package does not know.
    FolderVersion,
    /// A bug of ours.
    Internal,
    /// An argument of the wrong type.
    InvalidArgType,
    /// An argument of the right type with a value that is not allowed.
    InvalidArgValue,
    /// A function of the caller returned what cannot be stored.
    InvalidReturnValue,
    /// Another process holds the data folder.
    Locked,
    /// A log has lines that cannot be used.
    LogCorrupt,
    /// Another program removed or replaced a log.
    LogReplaced,
    /// The data was moved to another place.
    Moved,
    /// No file shows the state at that time.
    NoHistory,
    /// Too many calls wait.
    QueueFull,
    /// The tables of the schema are not those of this package.
    SchemaChanged,
    /// The schema is of a version that this package does not know.
    SchemaVersion,
    /// A server refused a statement.
    Server,
    /// A server has no such database.
    ServerDatabase,
    /// A database does not keep its text as UTF-8.
    ServerEncoding,
    /// A server refused the user or the password.
    ServerLogin,
    /// The role may not do this.
    ServerRights,
    /// No trusted connection by TLS.
    ServerTls,
    /// No server answers.
    ServerUnreachable,
    /// A server is too old.
    ServerVersion,
    /// The storage is closed.
    StorageClosed,
    /// A call was not settled in its time.
    Timeout,

    /// Permission denied.
    Eacces,
    /// Resource temporarily unavailable.
    Eagain,
    /// Resource busy or locked.
    Ebusy,
    /// Disk quota exceeded.
    Edquot,
    /// File exists.
    Eexist,
    /// File too large.
    Efbig,
    /// Interrupted system call.
    Eintr,
    /// Invalid argument.
    Einval,
    /// I/O error.
    Eio,
    /// Illegal operation on a directory.
    Eisdir,
    /// Too many symbolic links.
    Eloop,
    /// Too many open files of this process.
    Emfile,
    /// Too many hard links.
    Emlink,
    /// Name too long.
    Enametoolong,
    /// Too many open files of all processes.
    Enfile,
    /// No such device.
    Enodev,
    /// No such file or directory.
    Enoent,
    /// No locks available.
    Enolck,
    /// Not enough memory.
    Enomem,
    /// No space left on device.
    Enospc,
    /// Not a directory.
    Enotdir,
    /// Operation not supported.
    Enotsup,
    /// No such device or address.
    Enxio,
    /// Operation not permitted.
    Eperm,
    /// Read-only file system.
    Erofs,
    /// Illegal seek.
    Espipe,
    /// Stale network file handle.
    Estale,
    /// Operation timed out.
    Etimedout,
    /// Cross-device link.
    Exdev,
    /// A failure of the system that has no name here; its message has the number.
    Unknown,
}

impl Code {
    /// The text that JavaScript sees.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AlreadyConfigured => "ERR_ALREADY_CONFIGURED",
            Self::BackupCorrupt => "ERR_BACKUP_CORRUPT",
            Self::FolderVersion => "ERR_FOLDER_VERSION",
            Self::Internal => "ERR_INTERNAL",
            Self::InvalidArgType => "ERR_INVALID_ARG_TYPE",
            Self::InvalidArgValue => "ERR_INVALID_ARG_VALUE",
            Self::InvalidReturnValue => "ERR_INVALID_RETURN_VALUE",
            Self::Locked => "ERR_LOCKED",
            Self::LogCorrupt => "ERR_LOG_CORRUPT",
            Self::LogReplaced => "ERR_LOG_REPLACED",
            Self::Moved => "ERR_MOVED",
            Self::NoHistory => "ERR_NO_HISTORY",
            Self::QueueFull => "ERR_QUEUE_FULL",
            Self::SchemaChanged => "ERR_SCHEMA_CHANGED",
            Self::SchemaVersion => "ERR_SCHEMA_VERSION",
            Self::Server => "ERR_SERVER",
            Self::ServerDatabase => "ERR_SERVER_DATABASE",
            Self::ServerEncoding => "ERR_SERVER_ENCODING",
            Self::ServerLogin => "ERR_SERVER_LOGIN",
            Self::ServerRights => "ERR_SERVER_RIGHTS",
            Self::ServerTls => "ERR_SERVER_TLS",
            Self::ServerUnreachable => "ERR_SERVER_UNREACHABLE",
            Self::ServerVersion => "ERR_SERVER_VERSION",
            Self::StorageClosed => "ERR_STORAGE_CLOSED",
            Self::Timeout => "ERR_TIMEOUT",
            Self::Eacces => "EACCES",
            Self::Eagain => "EAGAIN",
            Self::Ebusy => "EBUSY",
            Self::Edquot => "EDQUOT",
            Self::Eexist => "EEXIST",
            Self::Efbig => "EFBIG",
            Self::Eintr => "EINTR",
            Self::Einval => "EINVAL",
            Self::Eio => "EIO",
            Self::Eisdir => "EISDIR",
            Self::Eloop => "ELOOP",
            Self::Emfile => "EMFILE",
            Self::Emlink => "EMLINK",
            Self::Enametoolong => "ENAMETOOLONG",
            Self::Enfile => "ENFILE",
            Self::Enodev => "ENODEV",
            Self::Enoent => "ENOENT",
            Self::Enolck => "ENOLCK",
            Self::Enomem => "ENOMEM",
            Self::Enospc => "ENOSPC",
            Self::Enotdir => "ENOTDIR",
            Self::Enotsup => "ENOTSUP",
            Self::Enxio => "ENXIO",
            Self::Eperm => "EPERM",
            Self::Erofs => "EROFS",
            Self::Espipe => "ESPIPE",
            Self::Estale => "ESTALE",
            Self::Etimedout => "ETIMEDOUT",
            Self::Exdev => "EXDEV",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// The code of a failed system call.
    #[must_use]
    pub fn of(error: &io::Error) -> Self {
        error.raw_os_error().and_then(of_number).unwrap_or_else(|| of_kind(error.kind()))
    }

    /// What the system says of it, where that is not left to the standard library.
    pub(super) const fn reason(self) -> Option<&'static str> {
        Some(match self {
            Self::Enoent => "no such file or directory",
            Self::Eacces => "permission denied",
            Self::Eperm => "operation not permitted",
            Self::Enospc => "no space left on device",
            Self::Erofs => "read-only file system",
            Self::Emfile => "too many open files",
            Self::Enotdir => "not a directory",
            Self::Ebusy => "resource busy or locked",
            Self::Eisdir => "illegal operation on a directory",
            Self::Eio => "i/o error",
            _ => return None,
        })
    }

    /// What to do about it: the end of a message.
    pub(super) const fn advice(self) -> &'static str {
        match self {
            Self::Enospc | Self::Edquot => ". Free some space; the next write works as soon as there is room",
            Self::Eacces | Self::Eperm | Self::Erofs => {
                ". Let the user that runs the bot write to the data folder"
            }
            Self::Emfile | Self::Enfile => ". Close some files or raise the limit (ulimit -n)",
            Self::Ebusy => ". Another program holds the file; let it finish, or close it",
            Self::Eio => {
                ". The disk or file system reports a fault; check it and keep a copy of the data folder"
            }
            _ => "",
        }
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// Numbers that the standard library has no kind for, or a wider one. Those outside the inner condition are the same
/// on Linux, Android, macOS and the BSDs.
#[cfg(unix)]
const fn of_number(number: i32) -> Option<Code> {
    Some(match number {
        1 => Code::Eperm,
        4 => Code::Eintr,
        5 => Code::Eio,
        12 => Code::Enomem,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        11 => Code::Eagain,
        13 => Code::Eacces,
        16 => Code::Ebusy,
        18 => Code::Exdev,
        20 => Code::Enotdir,
        21 => Code::Eisdir,
        22 => Code::Einval,
        23 => Code::Enfile,
        24 => Code::Emfile,
        27 => Code::Efbig,
        28 => Code::Enospc,
        29 => Code::Espipe,
        30 => Code::Erofs,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        6 => Code::Enxio,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        19 => Code::Enodev,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        36 => Code::Enametoolong,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        37 => Code::Enolck,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        40 => Code::Eloop,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        110 => Code::Etimedout,
        _ => return None,
    })
}

/// A file that another program holds; the standard library has no kind for it.
#[cfg(not(unix))]
const fn of_number(number: i32) -> Option<Code> {
    if cfg!(windows) && matches!(number, 32 | 33) { Some(Code::Ebusy) } else { None }
}

const fn of_kind(kind: io::ErrorKind) -> Code {
    match kind {
        io::ErrorKind::NotFound => Code::Enoent,
        io::ErrorKind::PermissionDenied => Code::Eacces,
        io::ErrorKind::AlreadyExists => Code::Eexist,
        io::ErrorKind::StorageFull => Code::Enospc,
        io::ErrorKind::QuotaExceeded => Code::Edquot,
        io::ErrorKind::FileTooLarge => Code::Efbig,
        io::ErrorKind::ReadOnlyFilesystem => Code::Erofs,
        io::ErrorKind::NotADirectory => Code::Enotdir,
        io::ErrorKind::IsADirectory => Code::Eisdir,
        io::ErrorKind::InvalidFilename => Code::Enametoolong,
        io::ErrorKind::StaleNetworkFileHandle => Code::Estale,
        io::ErrorKind::ResourceBusy => Code::Ebusy,
        io::ErrorKind::CrossesDevices => Code::Exdev,
        io::ErrorKind::TooManyLinks => Code::Emlink,
        io::ErrorKind::Unsupported => Code::Enotsup,
        io::ErrorKind::OutOfMemory => Code::Enomem,
        io::ErrorKind::TimedOut => Code::Etimedout,
        _ => Code::Unknown,
    }
}
