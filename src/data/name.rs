//! Names that become file names.
//!
//! Invariant: on every platform, a `LogName` between a folder and an ending is a file of that folder.

use std::sync::Arc;

use crate::error::{Error, Result};

const NAME_BYTES_MAX: usize = 200;
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];

/// The name of a log: a file name without its ending.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogName(Arc<str>);

impl LogName {
    /// Checks a name that a caller gave.
    ///
    /// # Errors
    /// `ERR_INVALID_ARG_VALUE` with the reason.
    pub fn new(name: &str) -> Result<Self> {
        let problem = if name.is_empty() {
            "is empty"
        } else if name.len() > NAME_BYTES_MAX {
            "is over 200 bytes"
        } else if name.contains(['/', '\\']) {
            "holds a path separator"
        } else if name.contains("..") {
            "holds '..'"
        } else if name.contains(|character: char| character.is_control()) {
            "holds a control character"
        } else if name.contains(['<', '>', ':', '"', '|', '?', '*']) {
            "holds a character that Windows does not allow in file names"
        } else if name.starts_with('.') || name.ends_with(['.', ' ']) {
            "begins with '.' or ends with '.' or a space, which is reserved"
        } else if is_device(name) {
            "is a reserved device name on Windows"
        } else {
            return Ok(Self(name.into()));
        };
        let shown: String = name.chars().take(40).collect();
        Err(Error::wrong_value(format!(
            "The log name {shown:?} {problem}; use a plain file name without its ending, such as 'players'"
        )))
    }

    /// The name itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for LogName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end().to_lowercase();
    let numbered = |prefix| {
        stem.strip_prefix(prefix).is_some_and(|rest: &str| {
            matches!(rest, "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³")
        })
    };
    DEVICES.contains(&stem.as_str()) || numbered("com") || numbered("lpt")
}

/// The greatest number in a file name of ours: as far as JavaScript counts.
const NUMBER_MAX: i64 = (1 << 53) - 1;

/// The N of `….backup.N`, `….torn.N` and the like: milliseconds since 1970, or a little more where two files would have
/// the same. `None` for a number that we would not write.
#[must_use]
pub fn file_number(digits: &str) -> Option<i64> {
    let number = digits.parse().ok().filter(|number| (0..=NUMBER_MAX).contains(number))?;
    // One name for one number: no sign, no zeros before it.
    (digits.len() == number.to_string().len() && !digits.starts_with('+')).then_some(number)
}

/// The number of the next file: now, or more than the newest one. So it is the newest also after the clock was set back.
#[must_use]
pub fn next_file_number(newest: Option<i64>, now_ms: i64) -> i64 {
    newest.filter(|newest| *newest < NUMBER_MAX).map_or(now_ms, |newest| now_ms.max(newest + 1))
}

/// Checks a key literal that a caller gave: not empty.
///
/// # Errors
/// `ERR_INVALID_ARG_VALUE` naming the argument.
pub fn check_key(literal: &str, argument: &str) -> Result<()> {
    if literal.len() <= 2 {
        return Err(Error::wrong_value(format!(
            "The argument '{argument}' is empty; give a non-empty string"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn numbers_of_files_are_those_that_we_write() {
        for (digits, number) in
            [("0", 0), ("1795446000000", 1_795_446_000_000), ("9007199254740991", NUMBER_MAX)]
        {
            assert_eq!(file_number(digits), Some(number), "{digits}");
        }
        for digits in [
            "",
            "-5",
            "+5",
            "05",
            "1.5",
            "5.gz",
            "9007199254740992",
            "9223372036854775807",
            "99999999999999999999",
        ] {
            assert_eq!(file_number(digits), None, "{digits}");
        }
        assert_eq!(next_file_number(None, 7), 7);
        assert_eq!(next_file_number(Some(6), 7), 7);
        assert_eq!(next_file_number(Some(7), 7), 8);
        assert_eq!(next_file_number(Some(NUMBER_MAX), 7), 7, "there is none behind it");
    }

    #[test]
    fn only_plain_file_names_pass() {
        let longest = "x".repeat(200);
        for good in ["players", "a.b", "game_state", "Ünïcode", "console", "com10", "a b", longest.as_str()]
        {
            assert!(LogName::new(good).is_ok(), "{good}");
        }
        let long = "x".repeat(201);
        for bad in [
            "",
            "a/b",
            "a\\b",
            "..",
            "a..b",
            "a\0",
            "\n",
            ".hidden",
            "a.",
            "a ",
            "CON",
            "nul.txt",
            "Com1",
            "lpt9",
            "a:b",
            "a*",
            long.as_str(),
        ] {
            let error = LogName::new(bad).unwrap_err();
            assert!(error.is_type_error() && error.code() == Code::InvalidArgValue, "{bad}");
        }
    }
}
