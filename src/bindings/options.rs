//! A data folder and how it is used, as `lib/options.js` has checked it.

#![expect(clippy::trivially_copy_pass_by_ref, reason = "napi lends the environment for the call")]

use std::path::{Path, PathBuf};

use napi::Env;
use napi::bindgen_prelude::ClassInstance;
use napi_derive::napi;
use parking_lot::Mutex;

use super::js::thrown;
use super::rotation::Rotation;
use crate::error::{Error, Result};
use crate::files::options::FsyncMode;
use crate::files::options::OnCorruption;
use crate::files::options::Options;
use crate::files::past::schedule::Schedule;
use crate::files::retention::Retention;

static CONFIGURED: Mutex<Option<Config>> = Mutex::new(None);

/// A data folder and how it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Absolute.
    pub data_folder: PathBuf,
    /// The user's choices.
    pub options: Options,
    /// When logs are rotated.
    pub rotation: Option<Rotation>,
}

/// All options, checked and with their defaults.
#[napi(object, object_to_js = false)]
pub struct CheckedOptions {
    pub data_dir: String,
    /// `always`, `interval` or `never`.
    pub fsync: String,
    pub fsync_interval_ms: f64,
    /// `salvage` or `refuse`.
    pub on_corruption: String,
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
            retention: Retention {
                backups: count(given.backups),
                archives: count(given.archives),
                compress: given.compress_backups,
                limit_bytes: given.old_logs_limit_bytes.map(whole),
            },
        };
        let data_folder = std::path::absolute(&given.data_dir)
            .map_err(|error| Error::io(&error, "getcwd", Path::new(&given.data_dir)))?;
        Ok(Self { data_folder, options, rotation: given.rotation.map(Into::into) })
    }
}

/// A data folder and how it is used, for `lib/`.
#[napi]
pub struct Settings {
    pub(super) config: Config,
}

#[napi]
impl Settings {
    /// Finds the folder from the current directory.
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
