//! Where the data is kept and how, as `lib/options.js` has checked it.

#![expect(clippy::trivially_copy_pass_by_ref, reason = "napi lends the environment for the call")]

use std::path::{Path, PathBuf};

use napi::Env;
use napi::bindgen_prelude::ClassInstance;
use napi_derive::napi;
use parking_lot::Mutex;

use super::js::thrown;
use super::rotation::Rotation;
#[cfg(feature = "postgres")]
use super::server_choice::ServerChoice;
use crate::error::{Error, Result};
use crate::files::options::FsyncMode;
use crate::files::options::MirrorMode;
use crate::files::options::OnCorruption;
use crate::files::options::Options;
use crate::files::past::schedule::Schedule;
use crate::files::retention::Retention;

static CONFIGURED: Mutex<Option<Config>> = Mutex::new(None);

/// Where the data is kept and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The place.
    pub place: Place,
    /// When logs are rotated.
    pub rotation: Option<Rotation>,
}

/// A place with what was chosen for it. Two that are equal share a backend.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// A folder.
    Folder {
        /// Absolute.
        data_folder: PathBuf,
        /// The user's choices.
        options: Options,
    },
    /// A server.
    #[cfg(feature = "postgres")]
    Server(ServerChoice),
}

impl Place {
    /// The folder; `None` for a server.
    pub fn data_folder(&self) -> Option<&Path> {
        match self {
            Self::Folder { data_folder, .. } => Some(data_folder),
            #[cfg(feature = "postgres")]
            Self::Server(_) => None,
        }
    }
}

/// All options, checked and with their defaults.
#[napi(object, object_to_js = false)]
pub struct CheckedOptions {
    /// Missing: the data is in a folder.
    pub url: Option<String>,
    pub schema: String,
    pub timeout_ms: f64,
    pub data_dir: String,
    /// `always`, `interval` or `never`.
    pub fsync: String,
    pub fsync_interval_ms: f64,
    /// `salvage` or `refuse`.
    pub on_corruption: String,
    /// `follow` or `close`.
    pub mirror: String,
    /// Missing: all.
    pub cache_bytes: Option<f64>,
    pub backups: f64,
    pub archives: f64,
    pub compress_backups: bool,
    pub old_logs_limit_bytes: Option<f64>,
    pub rotation: Option<CheckedRotation>,
}

/// The option `rotation`.
#[napi(object, object_to_js = false)]
pub struct CheckedRotation {
    pub size_bytes: Option<f64>,
    /// Missing: the calendar rotates nothing.
    pub hour: Option<u8>,
    /// Missing: every day.
    pub weekday: Option<u8>,
    pub time_zone: Option<String>,
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "lib/options.js gives whole numbers"
)]
fn whole(number: f64) -> u64 {
    number as u64
}

fn count(number: f64) -> usize {
    usize::try_from(whole(number)).unwrap_or(usize::MAX)
}

impl From<CheckedRotation> for Rotation {
    fn from(given: CheckedRotation) -> Self {
        Self {
            size_bytes: given.size_bytes.map(whole),
            schedule: given.hour.map(|hour| Schedule { hour, weekday: given.weekday }),
            time_zone: given.time_zone,
        }
    }
}

impl Config {
    fn new(given: CheckedOptions) -> Result<Self> {
        if let Some(url) = &given.url {
            return Ok(Self { place: server(url, &given)?, rotation: None });
        }
        let options = Options {
            fsync: match given.fsync.as_str() {
                "never" => FsyncMode::Never,
                "interval" => FsyncMode::Interval(whole(given.fsync_interval_ms)),
                _ => FsyncMode::Always,
            },
            on_corruption: match given.on_corruption.as_str() {
                "refuse" => OnCorruption::Refuse,
                _ => OnCorruption::Salvage,
            },
            mirror: match given.mirror.as_str() {
                "close" => MirrorMode::Close,
                _ => MirrorMode::Follow,
            },
            retention: Retention {
                backups: count(given.backups),
                archives: count(given.archives),
                compress: given.compress_backups,
                limit_bytes: given.old_logs_limit_bytes.map(whole),
            },
            // An open log might be in the way there of the one that replaces it.
            cache_bytes: given.cache_bytes.map(whole).filter(|_| !cfg!(windows)),
        };
        let data_folder = std::path::absolute(&given.data_dir)
            .map_err(|error| Error::io(&error, "getcwd", Path::new(&given.data_dir)))?;
        Ok(Self { place: Place::Folder { data_folder, options }, rotation: given.rotation.map(Into::into) })
    }
}

#[cfg(feature = "postgres")]
fn server(url: &str, given: &CheckedOptions) -> Result<Place> {
    ServerChoice::new(url, &given.schema, whole(given.timeout_ms), count(given.backups)).map(Place::Server)
}

#[cfg(not(feature = "postgres"))]
fn server(_: &str, _: &CheckedOptions) -> Result<Place> {
    Err(Error::wrong_value(
        "The option 'url' needs a build with the feature 'postgres'; use the published package, or a folder",
    ))
}

/// Where the data is kept and how, for `lib/`.
#[napi]
pub struct Settings {
    pub(super) config: Config,
}

#[napi]
impl Settings {
    /// Finds the folder from the current directory, or the server from its url and the environment.
    #[napi(constructor, catch_unwind)]
    pub fn new(env: &Env, options: CheckedOptions) -> napi::Result<Self> {
        thrown(env, |_| Ok(Self { config: Config::new(options)? }))
    }
}

/// Remembers what `configure` was given, for threads that come later. Refuses where the storage is open with others.
#[napi(catch_unwind)]
pub fn configure(
    env: &Env,
    settings: &Settings,
    open_with: Option<ClassInstance<Settings>>,
) -> napi::Result<()> {
    thrown(env, |_| {
        if open_with.is_some_and(|open_with| open_with.config != settings.config) {
            return Err(Error::already_configured().into());
        }
        *CONFIGURED.lock() = Some(settings.config.clone());
        Ok(())
    })
}

/// What `configure` was given last, on any thread.
#[napi(catch_unwind)]
pub fn configured() -> Option<Settings> {
    CONFIGURED.lock().clone().map(|config| Settings { config })
}
