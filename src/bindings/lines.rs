//! The lines of any log file with their places and checksums, for tools such as the program in `bin/`. `lib/lines.js`
//! checks the arguments.

#![expect(clippy::needless_pass_by_value, reason = "napi gives a text of its own")]

use std::path::Path;

use napi::Env;
use napi_derive::napi;

use super::environment::Environment;
use super::js::{Value, thrown};
use crate::files::log::inspect::LinePlace;
use crate::files::log::inspect::Wanted;
use crate::files::log::inspect::describe_lines;
use crate::vfs::RealFileSystem;

/// Where a line begins.
#[napi(object, object_to_js = false)]
#[derive(Clone, Copy)]
pub struct CheckedPlace {
    pub offset: f64,
    pub line: f64,
}

/// What is wanted of each line.
#[napi(object, object_to_js = false)]
#[derive(Clone, Copy)]
pub struct CheckedChoices {
    pub entries: bool,
    pub changes: bool,
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "lib/lines.js gives whole numbers"
)]
fn whole(number: f64) -> u64 {
    number as u64
}

/// About 1 MiB of lines, or null where there is no such file.
#[napi(catch_unwind, ts_return_type = "LogLines | null")]
pub fn describe_log_lines(
    env: &Env,
    file: String,
    from: CheckedPlace,
    choices: CheckedChoices,
) -> napi::Result<Value<'_>> {
    thrown(env, |js| {
        let place = LinePlace { offset: whole(from.offset), number: whole(from.line) };
        let wanted = Wanted { entries: choices.entries, changes: choices.changes };
        match describe_lines(&RealFileSystem::new(), Path::new(&file), place, wanted)? {
            Some(text) => Environment::of(js)?.json.parse(js, &text),
            None => js.null(),
        }
    })
}
