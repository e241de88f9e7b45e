//! `configure` and `new Storage`: what a user may choose, checked.

use std::path::PathBuf;

use napi::ValueType;

use super::arguments::describe;
use super::events::LoggerChoice;
use super::js::{Fallible, Js, Value};
use super::rotation::{Rotation, whole_number};
use crate::error::Error;
use crate::files::options::FsyncMode;
use crate::files::options::OnCorruption;
use crate::files::options::Options;
use crate::files::policy::Retention;

const KNOWN: [&str; 10] = [
    "dataDir",
    "fsync",
    "fsyncIntervalMs",
    "onCorruption",
    "logger",
    "backups",
    "compressBackups",
    "rotation",
    "archives",
    "oldLogsLimitBytes",
];

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

impl Config {
    /// Reads an options object; undefined means all defaults.
    pub fn parse(js: Js, options: Value) -> Fallible<(Self, LoggerChoice)> {
        let mut texts = [None, None, None];
        let mut interval_ms = None;
        let mut logger = LoggerChoice::Default;
        let mut retention = Retention::default();
        let mut rotation = None;
        match js.type_of(options)? {
            ValueType::Undefined => {}
            ValueType::Object if !js.is_array(options)? => {
                let names = js.own_names(options)?;
                for index in 0..js.length(names)? {
                    let name = js.text(js.element(names, index)?)?;
                    let value = js.get(options, &name)?;
                    let kind = js.type_of(value)?;
                    match (name.as_str(), kind) {
                        (known, ValueType::Undefined) if KNOWN.contains(&known) => {}
                        ("dataDir", ValueType::String) => texts[0] = Some(js.text(value)?),
                        ("fsync", ValueType::String) => texts[1] = Some(js.text(value)?),
                        ("onCorruption", ValueType::String) => texts[2] = Some(js.text(value)?),
                        ("fsyncIntervalMs", ValueType::Number) => interval_ms = Some(js.f64(value)?),
                        ("backups", _) => retention.backups = count(js, value, &name, 1)?,
                        ("archives", _) => retention.archives = count(js, value, &name, 0)?,
                        ("oldLogsLimitBytes", _) => {
                            retention.limit_bytes = whole_number(js, value, &name, 0, 1 << 50)?;
                        }
                        ("compressBackups", ValueType::Boolean) => {
                            retention.compress = js.is_truthy(value)?;
                        }
                        ("rotation", _) => rotation = Some(Rotation::parse(js, value)?),
                        ("logger", _) => logger = LoggerChoice::parse(js, value, kind)?,
                        (known, _) if KNOWN.contains(&known) => {
                            let wanted = match known {
                                "fsyncIntervalMs" => "a number",
                                "compressBackups" => "true or false",
                                _ => "a string",
                            };
                            let found = describe(js, value);
                            return Err(Error::wrong_type(format!(
                                "The option '{known}' must be {wanted}, not {found}"
                            ))
                            .into());
                        }
                        _ => {
                            return Err(Error::wrong_value(format!(
                                "There is no option {name:?}; the options are {}",
                                KNOWN.join(", ")
                            ))
                            .into());
                        }
                    }
                }
            }
            _ => {
                let found = describe(js, options);
                return Err(Error::wrong_type(format!("The options must be an object, not {found}")).into());
            }
        }
        let [data_dir, fsync, on_corruption] = texts;
        let options = Options {
            fsync: FsyncMode::parse(fsync.as_deref(), interval_ms)?,
            on_corruption: OnCorruption::parse(on_corruption.as_deref())?,
            retention,
        };
        let data_dir = match data_dir {
            Some(path) if path.is_empty() || path.contains('\0') => {
                return Err(
                    Error::wrong_value("The option 'dataDir' is empty or holds a NUL character").into()
                );
            }
            Some(path) => path,
            None => environment_variable(js)?.unwrap_or_else(|| "data".to_owned()),
        };
        let data_folder = std::path::absolute(&data_dir)
            .map_err(|error| Error::io(&error, "getcwd", std::path::Path::new(&data_dir)))?;
        Ok((Self { data_folder, options, rotation }, logger))
    }
}

fn count(js: Js, value: Value, name: &str, from: u64) -> Fallible<usize> {
    let number = whole_number(js, value, name, from, 100_000)?.unwrap_or_default();
    Ok(usize::try_from(number).unwrap_or(usize::MAX))
}

/// `process.env.PROGRESSIVE_STORAGE_DIR`, as JavaScript sees it.
fn environment_variable(js: Js) -> Fallible<Option<String>> {
    let process = js.get(js.global()?, "process")?;
    if js.type_of(process)? != ValueType::Object {
        return Ok(std::env::var("PROGRESSIVE_STORAGE_DIR").ok());
    }
    let value = js.get(js.get(process, "env")?, "PROGRESSIVE_STORAGE_DIR")?;
    match js.type_of(value)? {
        ValueType::String => js.text(value).map(|path| Some(path).filter(|path| !path.is_empty())),
        _ => Ok(None),
    }
}
