//! What strangers leave in a data folder: names with numbers from the future, files that cannot be read, things that are
//! no files.

use super::reference::quoted;
use super::support::{Bench, LOG, MIRROR, RECORD, set_line};
use crate::error::{Code, Error};
use crate::store::answer::Answer;
use crate::store::collection;
use crate::store::query::Query;
use crate::store::request::Maintenance;
use crate::store::request::Work;

const DAY_MS: i64 = 86_400_000;

fn now_ms() -> i64 {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(since_1970.expect("a time after 1970").as_millis()).expect("a time")
}

/// The scheduler looks whether the log is to be rotated, whose hour struck at `boundary_ms`.
fn rotated(session: &mut super::support::Session, boundary_ms: i64) -> bool {
    let wanted =
        Maintenance { threshold_bytes: u64::MAX, rotate_over_bytes: None, boundary_ms: Some(boundary_ms) };
    match session.call(Work::Maintain(wanted)) {
        Ok(Answer::Bool(is_rotated)) => is_rotated,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_archive_from_the_future_keeps_no_log_from_being_rotated() {
    for old in ["archive", "backup"] {
        let bench = Bench::new();
        let future_ms = now_ms() + 400 * DAY_MS;
        let ahead = format!("logs/players.log.{old}.{future_ms}");
        bench.write(&ahead, set_line("a", "0"));
        // It was made before the hour struck, whatever its name says.
        std::thread::sleep(std::time::Duration::from_millis(20));
        let boundary_ms = now_ms();
        std::thread::sleep(std::time::Duration::from_millis(20));
        let mut session = bench.open();
        session.set("a", "1");
        assert!(rotated(&mut session, boundary_ms), "{old}: the hour has struck since");
        session.set("a", "2");
        assert!(!rotated(&mut session, boundary_ms), "{old}: rotated already");
        let newest = format!("logs/players.log.archive.{}", future_ms + 1);
        assert!(bench.exists(&newest), "{old}: the order of the old logs is that of their numbers");
        session.end();
        bench.assert_files_hold(r#"{"a":2}"#, old);
    }
}

#[test]
fn a_log_whose_first_entry_is_from_the_future_is_rotated() {
    let bench = Bench::new();
    bench.write(
        LOG,
        "{\"timestamp\":\"2999-01-01T00:00:00.000Z\",\"op\":\"SET\",\"key\":\"a\",\"value\":1}\n",
    );
    let mut session = bench.open();
    session.set("b", "2");
    let boundary_ms = now_ms() - 1000;
    assert!(rotated(&mut session, boundary_ms));
    session.set("b", "3");
    assert!(!rotated(&mut session, boundary_ms));
}

#[test]
fn numbers_that_nobody_can_count_on_from_are_left_alone() {
    let bench = Bench::new();
    let strange: Vec<String> = ["backup", "archive", "corrupt", "torn"]
        .iter()
        .flat_map(|kind| {
            let numbers = ["9223372036854775807", "9007199254740992", "-1", "+7", "007"];
            numbers.map(|number| format!("logs/players.log.{kind}.{number}"))
        })
        .collect();
    for name in &strange {
        bench.write(name, "kept");
    }
    bench.write(LOG, [&set_line("a", "1")[..], b"damage\n", &set_line("b", "2"), b"{\"torn"].concat());
    let mut session = bench.open();
    for round in 0..5 {
        session.set("c", &round.to_string());
        session.compact();
    }
    session.end();
    for name in &strange {
        assert_eq!(bench.text(name), "kept", "{name}");
    }
    bench.assert_files_hold(r#"{"a":1,"b":2,"c":4}"#, "at the end");
    let kept = |kind: &str| {
        let names = std::fs::read_dir(bench.path("logs")).expect("a folder");
        let names = names.map(|item| item.expect("a file").file_name().into_string().expect("UTF-8"));
        let prefix = format!("players.log.{kind}.1");
        names.filter(|name| name.starts_with(&prefix) && name.len() == prefix.len() + 12).count()
    };
    assert_eq!(["backup", "corrupt", "torn"].map(kept), [3, 1, 1]);
}

#[test]
fn a_record_that_cannot_be_read_is_told_once_and_keeps_no_call() {
    let bench = Bench::new();
    std::fs::create_dir_all(bench.path(RECORD)).expect("a folder where the record should be");
    let mut session = bench.open();
    session.set("a", "1");
    session.set("b", "2");
    session.end();
    bench.assert_files_hold(r#"{"a":1,"b":2}"#, "with a folder in its place");
    assert_eq!(bench.take_notices(), ["PS_RECORD_FAILED"]);
    // An edit is told from the log alone.
    let mut session = bench.open();
    bench.replace(MIRROR, "{\"a\":5,\"b\":2}");
    assert_eq!(session.state(), r#"{"a":5,"b":2}"#);
    session.set("c", "3");
    session.end();
    bench.assert_files_hold(r#"{"a":5,"b":2,"c":3}"#, "after an edit");
}

/// What can stand at a path instead of a file: its name in errors, and what makes it.
#[cfg(unix)]
const KINDS: [(&str, &str); 3] =
    [("a FIFO", "mkfifo \"$1\""), ("a device", "ln -s /dev/zero \"$1\""), ("a socket", "")];

#[cfg(unix)]
fn place(kind: (&str, &str), path: &std::path::Path) {
    let _ = std::fs::remove_file(path);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    if kind.1.is_empty() {
        std::os::unix::net::UnixListener::bind(path).expect("a socket");
        return;
    }
    let made =
        std::process::Command::new("sh").args(["-c", kind.1, "sh"]).arg(path).status().expect("a shell");
    assert!(made.success());
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_refused_by_name_and_holds_nothing_up() {
    for kind in KINDS {
        for name in [LOG, MIRROR, RECORD, ".progressive-storage/lock", ".progressive-storage/queue"] {
            let bench = Bench::new();
            place(kind, &bench.path(name));
            let mut session = bench.open();
            let written = session.call(collection::set(&quoted("a"), "1"));
            if name == RECORD {
                written.unwrap_or_else(|error| panic!("{kind:?}: {error}"));
                continue;
            }
            let error = written.expect_err(name);
            assert_eq!(error.code(), Code::Einval, "{name}: {error}");
            assert!(error.message().contains(kind.0), "{name}: {error}");
            assert_eq!(error.path(), Some(bench.path(name).to_str().expect("text")));
            if !name.starts_with('.') {
                session.call_on("other", collection::set(&quoted("a"), "1")).expect("another log");
            }
            std::fs::remove_file(bench.path(name)).expect("it is moved away");
            session.set("a", "2");
            session.end();
            bench.assert_files_hold(r#"{"a":2}"#, name);
        }
    }
}

#[cfg(unix)]
#[test]
fn an_old_log_that_is_no_file_is_refused_where_it_is_read() {
    let bench = Bench::new();
    let mut session = bench.open();
    session.set("a", "1");
    for name in ["logs/players.log.backup.5", "logs/players.log.archive.6", "logs/players.log.backup.7.gz"] {
        place(KINDS[0], &bench.path(name));
        let error = session.call(Work::Read(Query::History(quoted("a")))).expect_err(name);
        assert_eq!(
            (error.code(), error.path()),
            (Code::Einval, Some(bench.path(name).to_str().expect("text")))
        );
        session.set("a", "2");
        std::fs::remove_file(bench.path(name)).expect("it is moved away");
    }
}

#[test]
fn a_program_that_appends_while_a_log_is_mended_loses_nothing() {
    // A large log, so that there is a while to append in; the other program has the log open all the time.
    let bench = Bench::new();
    let mut log = b"damage\n".to_vec();
    for number in 0..2000 {
        log.extend_from_slice(&set_line(&format!("k{number}"), &format!("\"{}\"", "x".repeat(1000))));
    }
    bench.write(LOG, &log);
    let mut opened = std::fs::OpenOptions::new().append(true).open(bench.path(LOG)).expect("a log");
    let mut appended = 0;
    bench.files.meddle(move |call, path| {
        let is_mending = call == "create_like" || (call == "rename" && path.ends_with(LOG));
        if is_mending {
            use std::io::Write as _;
            appended += 1;
            opened.write_all(&set_line(&format!("late{appended}"), "1")).expect("a line");
        }
        Ok(())
    });
    let mut session = bench.open();
    session.set("mine", "1");
    bench.files.leave_alone();
    session.end();
    let state = bench.replayed();
    for key in ["\"late1\":1", "\"late2\":1", "\"late3\":1", "\"mine\":1", "\"k1999\":"] {
        assert!(state.contains(key), "{key} is lost");
    }
}

/// Somebody has mounted the mirror's file by itself, so that no other can take its place.
fn mount(bench: &Bench) {
    bench.files.meddle(|call, path| {
        let is_refused = call == "rename" && path.ends_with(MIRROR);
        let busy = || Error::io(&std::io::Error::from_raw_os_error(16), "rename", path);
        if is_refused { Err(busy()) } else { Ok(()) }
    });
}

#[cfg(unix)]
#[test]
fn a_mirror_that_cannot_be_replaced_is_written_in_place() {
    let big = format!("\"{}\"", "x".repeat(70_000));
    for (name, value) in [("small", "1"), ("large", big.as_str())] {
        let bench = Bench::new();
        let mut session = bench.open();
        session.set("a", "0");
        mount(&bench);
        session.set("a", value);
        while session.tick() {
            session.run_jobs();
        }
        let state = format!("{{\"a\":{value}}}");
        bench.assert_files_hold(&state, name);
        assert_eq!(bench.take_notices(), ["PS_MIRROR_IN_PLACE"], "{name}");
        session.compact();
        session.set("b", "2");
        session.set("a", "3");
        bench.assert_files_hold(r#"{"a":3,"b":2}"#, name);
        session.end();
        assert_eq!(bench.take_notices(), [""; 0], "{name}: said once, and nothing is an edit");
        let temporaries = bench.contents().into_keys().filter(|path| path.ends_with(".tmp")).count();
        assert_eq!(temporaries, 0, "{name}");
        assert_eq!(bench.open().state(), r#"{"a":3,"b":2}"#, "{name}: after a start");
        bench.write(MIRROR, r#"{"a":3,"b":7}"#);
        let mut session = bench.open();
        assert_eq!(session.state(), r#"{"a":3,"b":7}"#, "{name}: an edit counts");
        session.set("c", "1");
        bench.assert_files_hold(r#"{"a":3,"b":7,"c":1}"#, name);
    }
}
