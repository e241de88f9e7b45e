//! Idle means no work: what cannot be done now is not begun again and again.

use super::reference::quoted;
use super::support::{Bench, LOG, MIRROR};
use crate::error::Code;
use crate::store::collection;

fn large() -> String {
    format!("\"{}\"", "x".repeat(100_000))
}

#[test]
fn a_large_mirror_that_somebody_broke_is_written_once() {
    let bench = Bench::new();
    let mut session = bench.open();
    session.set("a", &large());
    session.tick();
    session.run_jobs();
    session.set("b", "2");
    bench.write(MIRROR, "no object");
    let mut ticks = 0;
    while session.tick() {
        session.run_jobs();
        ticks += 1;
        assert!(ticks < 10, "the mirror is written again and again");
    }
    bench.assert_files_hold(&format!(r#"{{"a":{},"b":2}}"#, large()), "at rest");
    assert_eq!(bench.numbered("players.json.corrupt."), [b"no object"]);
    session.end();
}

#[test]
fn a_log_that_cannot_be_looked_at_keeps_no_other_from_a_clean_end() {
    let bench = Bench::new();
    let mut session = bench.open();
    session.set("a", &large());
    session.call_on("aaa", collection::set(&quoted("k"), "1")).expect("written");
    bench.files.meddle(|call, path| {
        if call == "stamp" && path.ends_with("aaa.log") {
            let refused = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
            return Err(crate::error::Error::io(&refused, "stat", path));
        }
        Ok(())
    });
    assert_eq!(session.folder.finish().expect_err("one log").code(), Code::Eacces);
    bench.files.leave_alone();
    assert_eq!(bench.replayed(), format!(r#"{{"a":{}}}"#, large()));
    assert!(bench.exists(MIRROR), "the other log's mirror is written");
    assert!(bench.exists(LOG));
}
