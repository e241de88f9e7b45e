//! Where the password of a host comes from: the URL, the environment, or the password file.

use std::io;
use std::path::{Path, PathBuf};

use super::password_file::{self, Login};
use super::place::Place;
use super::read_file::ReadFile;
use super::settings::Settings;
use crate::error::Result;

/// Where passwords come from.
pub enum Passwords {
    /// The one that is given.
    Given(Vec<u8>),
    /// The text of a password file.
    File(Vec<u8>),
    /// A file that cannot be used, and why.
    Unusable(String),
    /// Nowhere.
    None,
}

impl Passwords {
    /// Where they come from by `settings`. A password file is read only if no password is given.
    ///
    /// # Errors
    /// `ERR_INVALID_ARG_VALUE` for the name of a password file that is not UTF-8.
    pub fn of(settings: &Settings, read_file: ReadFile) -> Result<Self> {
        if let Some(password) = settings.password() {
            return Ok(Self::Given(password));
        }
        let given = settings.text("passfile")?;
        let path = given
            .as_ref()
            .map(|setting| PathBuf::from(setting.value()))
            .or_else(|| usual_password_file(settings));
        let Some(path) = path else {
            return Ok(Self::None);
        };
        let unusable =
            |reason: &str| Self::Unusable(format!("the password file '{}' {reason}", path.display()));
        Ok(match read_file(&path) {
            Err(error) if given.is_none() && error.kind() == io::ErrorKind::NotFound => Self::None,
            Err(error) => unusable(&format!("cannot be read: {error}")),
            Ok(file) if file.is_open_to_others() => {
                unusable("is not used, because other users of this machine may read it: chmod 600")
            }
            Ok(file) => Self::File(file.bytes().to_vec()),
        })
    }

    /// The password for a host, and why there is none if a file cannot be used.
    #[must_use]
    pub fn find(&self, place: &Place, database: &str, user: &str) -> (Option<Vec<u8>>, Option<String>) {
        match self {
            Self::Given(password) => (Some(password.clone()), None),
            Self::File(text) => {
                let login = Login { host: place.host(), port: &place.port().to_string(), database, user };
                (password_file::find_password(text, login), None)
            }
            Self::Unusable(reason) => (None, Some(reason.clone())),
            Self::None => (None, None),
        }
    }
}

fn usual_password_file(settings: &Settings) -> Option<PathBuf> {
    if cfg!(windows) {
        return Some(Path::new(&settings.variable("APPDATA")?).join("postgresql").join("pgpass.conf"));
    }
    Some(Path::new(&settings.variable("HOME")?).join(".pgpass"))
}
