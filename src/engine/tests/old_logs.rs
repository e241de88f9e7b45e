//! Old logs on systems that are stricter than ours.

use super::support::{Bench, set_line};
use crate::engine::{Maintenance, Work};

#[test]
fn what_is_compressed_is_read_back_through_the_handle_that_holds_its_lock() {
    let bench = Bench::new();
    for number in [1000, 2000] {
        bench.write(&format!("logs/players.log.backup.{number}"), set_line("a", "1"));
    }
    let mut session = bench.open();
    session.set("a", "2");
    let wanted = Maintenance { threshold_bytes: 1 << 20, rotate_over_bytes: None, boundary_ms: None };
    session.send(vec![Work::Maintain(wanted)]);
    bench.files.take_opened();
    let done = session.run_job_beside().expect("the older one is compressed");
    assert_eq!(bench.files.take_opened(), 1, "Windows lets nobody else read a locked file");
    session.deliver(done);
    session.run_jobs();
    let compressed = bench.read("logs/players.log.backup.1000.gz").expect("a compressed file");
    let mut text = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&compressed[..]), &mut text).expect("whole");
    assert_eq!(text, set_line("a", "1"));
    assert!(!bench.exists("logs/players.log.backup.1000"));
}
