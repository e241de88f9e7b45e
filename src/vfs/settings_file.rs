//! A small file that a person made for a program: a password file, a certificate, a key.

use std::io;
use std::path::Path;

/// Its content, and whether it is a secret.
pub struct SettingsFile {
    bytes: Vec<u8>,
    is_open_to_others: bool,
}

impl SettingsFile {
    /// A file of that content. `is_open_to_others`: other users of the machine may read it.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>, is_open_to_others: bool) -> Self {
        Self { bytes: bytes.into(), is_open_to_others }
    }

    /// Its content.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether other users of the machine may read it or write to it, as far as its mode says. The group may read a file
    /// of root: that is how a system gives a key to a service.
    #[must_use]
    pub fn is_open_to_others(&self) -> bool {
        self.is_open_to_others
    }
}

/// Reads the file at `path`.
///
/// # Errors
/// The system's. Anything but a regular file is one, and is not waited for.
pub fn read_settings_file(path: &Path) -> io::Result<SettingsFile> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let mut file = std::fs::File::open(path)?;
    let is_open_to_others = is_open_to_others(&file.metadata()?);
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut file, &mut bytes)?;
    Ok(SettingsFile { bytes, is_open_to_others })
}

#[cfg(unix)]
fn is_open_to_others(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    let forbidden = if metadata.uid() == 0 { 0o037 } else { 0o077 };
    metadata.mode() & forbidden != 0
}

#[cfg(not(unix))]
fn is_open_to_others(_metadata: &std::fs::Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        assert!(read_settings_file(&path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound));
        std::fs::write(&path, "text").expect("written");
        assert_eq!(read_settings_file(&path).expect("read").bytes(), b"text");
        assert!(read_settings_file(folder.path()).is_err(), "a folder is none");
    }

    #[cfg(unix)]
    #[test]
    fn the_mode_says_who_may_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        std::fs::write(&path, "text").expect("written");
        for (mode, is_open) in [(0o600, false), (0o400, false), (0o604, true), (0o666, true), (0o620, true)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("set");
            assert_eq!(read_settings_file(&path).expect("read").is_open_to_others(), is_open, "{mode:o}");
        }
    }
}
