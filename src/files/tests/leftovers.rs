//! What a failure leaves in the folder: nothing that grows with each try.

use std::io::{Error as IoError, ErrorKind};
use std::path::Path;

use super::reference::quoted;
use super::support::{Bench, LOG, set_line};
use crate::error::{Code, Error, Result};
use crate::store::collection;
use crate::store::core::Core;
use crate::store::request::Work;

fn fail(kind: ErrorKind, syscall: &'static str, path: &Path) -> Result<()> {
    Err(Error::io(&IoError::from(kind), syscall, path))
}

/// The names of all files but the ones that belong there.
fn leftovers(bench: &Bench) -> Vec<String> {
    let names = bench
        .contents()
        .into_keys()
        .map(|path| path.file_name().expect("a name").to_string_lossy().into_owned());
    let known = ["players.log", "players.json", "players.mirror", "lock", "queue"];
    names.filter(|name| !known.contains(&name.as_str())).collect()
}

#[test]
fn a_compaction_that_begins_again_removes_its_mirror() {
    let bench = Bench::new();
    let mut session = bench.open();
    session.set("a", "1");
    session.send(vec![Work::Compact]);
    let done = session.run_job_beside().expect("a checkpoint");
    // Another log than the one that the snapshot was taken from.
    bench.replace(LOG, set_line("b", "2"));
    session.deliver(done);
    session.run_jobs();
    let backups = leftovers(&bench);
    assert!(backups.len() == 1 && backups[0].starts_with("players.log.backup."), "{backups:?}");
}

#[test]
fn a_compaction_that_cannot_look_at_the_files_removes_its_mirror() {
    let bench = Bench::new();
    let mut session = bench.open();
    session.set("a", "1");
    session.send(vec![Work::Compact]);
    let done = session.run_job_beside().expect("a checkpoint");
    bench.files.meddle(|call, path| {
        if call == "stamp" && path.ends_with(LOG) {
            fail(ErrorKind::PermissionDenied, "stat", path)
        } else {
            Ok(())
        }
    });
    session.deliver(done);
    bench.files.leave_alone();
    assert!(!session.folder.is_busy());
    assert_eq!(leftovers(&bench), Vec::<String>::new());
}

#[test]
fn a_backup_that_is_copied_in_part_is_none() {
    let bench = Bench::new();
    let mut session = bench.open();
    session.set("a", "1");
    bench.files.meddle(|call, path| match call {
        "hard_link" => fail(ErrorKind::Unsupported, "link", path),
        "copy" => {
            std::fs::write(path, "a part of it").expect("a part");
            fail(ErrorKind::StorageFull, "copyfile", path)
        }
        _ => Ok(()),
    });
    assert_eq!(session.call(Work::Compact).expect_err("no space").code(), Code::Enospc);
    assert_eq!(leftovers(&bench), Vec::<String>::new());
    bench.files.meddle(
        |call, path| {
            if call == "hard_link" { fail(ErrorKind::Unsupported, "link", path) } else { Ok(()) }
        },
    );
    let whole = bench.read(LOG).expect("a log");
    session.compact();
    assert_eq!(bench.numbered("logs/players.log.backup."), [whole]);
    assert_eq!(leftovers(&bench).len(), 1);
}

#[test]
fn a_torn_tail_that_cannot_be_cut_off_is_kept_once() {
    for fails in ["truncate", "create_like"] {
        let bench = Bench::new();
        let mut session = bench.open();
        session.set("a", "1");
        bench.append(LOG, b"{\"torn");
        bench.files.meddle(move |call, path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if call == "create_like" && fails == call && name.contains(".torn.") {
                // As on a full disk: the name is there, and no room for the content.
                std::fs::write(path, "").expect("a name");
                return fail(ErrorKind::StorageFull, "write", path);
            }
            if call == fails && name == "players.log" {
                fail(ErrorKind::PermissionDenied, "ftruncate", path)
            } else {
                Ok(())
            }
        });
        for _ in 0..5 {
            session.call(collection::set(&quoted("b"), "2")).expect_err("it cannot be cut off");
        }
        assert_eq!(leftovers(&bench), Vec::<String>::new(), "{fails}");
        bench.files.leave_alone();
        session.set("b", "2");
        assert_eq!(bench.numbered("logs/players.log.torn."), [b"{\"torn"]);
        bench.assert_files_hold(r#"{"a":1,"b":2}"#, "at the end");
    }
}
