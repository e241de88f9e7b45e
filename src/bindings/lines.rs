//! `readLogLines`: the lines of any log file with their places and checksums, for tools such as the
//! program in `bin/`.

use std::path::Path;

use napi::bindgen_prelude::Unknown;
use napi::{Env, ValueType};
use napi_derive::napi;

use super::arguments::{describe, finite_or, is_missing};
use super::environment::Environment;
use super::js::{Fallible, Js, Value, thrown};
use crate::error::Error;
use crate::files::log::inspect::LinePlace;
use crate::files::log::inspect::Wanted;
use crate::files::log::inspect::describe_lines;
use crate::vfs::RealFileSystem;

/// The lines of a log file with their places and checksums: a log, a backup, or what was set aside of one.
/// For tools; it answers at once with about 1 MiB of lines, reads without a lock, and changes nothing. The
/// last line of a log that is being written may be unfinished.
///
/// Gives null when there is no such file. Throws `TypeError` (`ERR_INVALID_ARG_TYPE`,
/// `ERR_INVALID_ARG_VALUE`) for a wrong argument, or an error with the system's code (`EACCES`, `EIO`, …).
///
/// @example
/// for (let from; ; ) {
///   const { lines, next, isEnd } = readLogLines('data/logs/players.log', from)
///   for (const { line, state } of lines) if (state === 'damaged') console.log('line', line)
///   if (isEnd) break
///   from = next
/// }
/// @param file Path of the file.
/// @param from Where to begin: the `next` of an earlier call. Default: at the beginning.
/// @param options Whether lines have their `entry` (default true) and their `changes` (default false).
#[napi(
    catch_unwind,
    ts_args_type = "file: string, from?: { offset: number, line: number }, options?: ReadLinesOptions",
    ts_return_type = "LogLines | null"
)]
pub fn read_log_lines<'scope>(
    env: &'scope Env,
    file: Unknown<'scope>,
    from: Unknown<'scope>,
    options: Unknown<'scope>,
) -> napi::Result<Value<'scope>> {
    thrown(env, |js| {
        let file = path(js, file.into())?;
        let place = place(js, from.into())?;
        let wanted = wanted(js, options.into())?;
        match describe_lines(&RealFileSystem::new(), Path::new(&file), place, wanted)? {
            Some(text) => Environment::of(js)?.json.parse(js, &text),
            None => js.null(),
        }
    })
}

fn path<'scope>(js: Js<'scope>, value: Value<'scope>) -> Fallible<'scope, String> {
    if js.type_of(value)? != ValueType::String {
        let found = describe(js, value);
        return Err(Error::wrong_type(format!("The argument 'file' must be a string, not {found}")).into());
    }
    let path = js.text(value)?;
    if path.is_empty() || path.contains('\0') {
        return Err(Error::wrong_value("The argument 'file' is empty or holds a NUL character").into());
    }
    Ok(path)
}

fn place<'scope>(js: Js<'scope>, value: Value<'scope>) -> Fallible<'scope, LinePlace> {
    if is_missing(js, value)? {
        return Ok(LinePlace { offset: 0, number: 1 });
    }
    if js.type_of(value)? != ValueType::Object {
        let found = describe(js, value);
        return Err(Error::wrong_type(format!("The argument 'from' must be an object, not {found}")).into());
    }
    let number = |name: &str, least: f64| -> Fallible<u64> {
        let number = finite_or(js, js.get(value, name)?, &format!("from.{name}"), least)?;
        if number < least || number.fract() != 0.0 {
            return Err(Error::wrong_value(format!(
                "The argument 'from.{name}' must be a whole number from {least} on, not {number}"
            ))
            .into());
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked just above")]
        let whole = number as u64;
        Ok(whole)
    };
    Ok(LinePlace { offset: number("offset", 0.0)?, number: number("line", 1.0)? })
}

fn wanted<'scope>(js: Js<'scope>, value: Value<'scope>) -> Fallible<'scope, Wanted> {
    let default = Wanted { entries: true, changes: false };
    if is_missing(js, value)? {
        return Ok(default);
    }
    if js.type_of(value)? != ValueType::Object {
        let found = describe(js, value);
        return Err(
            Error::wrong_type(format!("The argument 'options' must be an object, not {found}")).into()
        );
    }
    let choice = |name: &str, default: bool| -> Fallible<bool> {
        let value = js.get(value, name)?;
        match js.type_of(value)? {
            ValueType::Undefined => Ok(default),
            ValueType::Boolean => js.is_truthy(value),
            _ => {
                let found = describe(js, value);
                Err(Error::wrong_type(format!("The option '{name}' must be true or false, not {found}"))
                    .into())
            }
        }
    };
    Ok(Wanted { entries: choice("entries", default.entries)?, changes: choice("changes", default.changes)? })
}
