//! Reading without the right to lock: a line that another process is writing is no torn tail.

use std::io::{Error as IoError, ErrorKind};
use std::path::Path;

use super::support::{Bench, LOG, WRITTEN_LONG_AGO_MS, set_line};
use crate::error::{Error, Result};

/// A log of one whole line and the first half of another, in a folder with a lock file; and the other half.
fn torn() -> (Bench, Vec<u8>) {
    let bench = Bench::new();
    let second = set_line("b", "2");
    let half = second.len() / 2;
    bench.write(LOG, [&set_line("a", "1"), &second[..half]].concat());
    bench.write(".progressive-storage/lock", "");
    bench.files.meddle(denied);
    (bench, second[half..].to_vec())
}

fn denied(call: &str, path: &Path) -> Result<()> {
    if call == "open_lock" {
        return Err(Error::io(&IoError::from(ErrorKind::PermissionDenied), "open", path));
    }
    Ok(())
}

#[test]
fn a_writer_that_is_held_up_within_a_line_is_waited_for() {
    let (bench, rest) = torn();
    bench.files.set_clock_forward(-WRITTEN_LONG_AGO_MS);
    let (log, mut looks) = (bench.path(LOG), 0);
    bench.files.meddle(move |call, path| {
        looks += usize::from(call == "stamp" && path == log);
        // Two for each reading, so behind all that are made for another reason.
        if looks == 60 {
            looks += 1;
            let bytes = [&std::fs::read(&log).expect("a log")[..], &rest].concat();
            std::fs::write(&log, bytes).expect("the rest of the line");
        }
        denied(call, path)
    });
    assert_eq!(bench.open().state(), r#"{"a":1,"b":2}"#);
    assert!(bench.take_notices().is_empty());
}

#[test]
fn a_line_that_nobody_goes_on_with_is_a_torn_tail() {
    let (bench, _) = torn();
    bench.files.set_clock_forward(-WRITTEN_LONG_AGO_MS);
    assert_eq!(bench.open().state(), r#"{"a":1}"#);
    assert_eq!(bench.take_notices(), ["PS_TORN_TAIL"]);
}

#[test]
fn who_is_long_dead_is_not_waited_for() {
    let (bench, _) = torn();
    bench.files.take_opened();
    assert_eq!(bench.open().state(), r#"{"a":1}"#);
    assert_eq!(bench.take_notices(), ["PS_TORN_TAIL"]);
    let opened = bench.files.take_opened();
    assert!(opened <= 10, "{opened} files were opened");
}

#[test]
fn where_no_writer_was_ever_nobody_is_waited_for() {
    let (bench, _) = torn();
    bench.files.set_clock_forward(-WRITTEN_LONG_AGO_MS);
    bench.remove(".progressive-storage/lock");
    bench.files.take_opened();
    assert_eq!(bench.open().state(), r#"{"a":1}"#);
    let opened = bench.files.take_opened();
    assert!(opened <= 10, "{opened} files were opened");
}
