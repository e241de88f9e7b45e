//! Appends through the store, without Node, to count the instructions that they take; see "What metrics cost" in
//! docs/performance.md, which says how. Without a count of appends it makes a few, so that it keeps working.
//!
//!     APPENDS=20000 IN_FLIGHT=1000 valgrind --tool=callgrind target/release/deps/metrics_cost-…

use std::sync::Arc;

use progressive_storage::data::name::LogName;
use progressive_storage::error::Result;
use progressive_storage::files::folder::Folder;
use progressive_storage::files::options::Options;
use progressive_storage::store::answer::Answer;
use progressive_storage::store::core::Core;
use progressive_storage::store::event::Notice;
use progressive_storage::store::event::NoticeSink;
use progressive_storage::store::request::Request;
use progressive_storage::store::request::Work;
use progressive_storage::store::ticket::Outlet;
use progressive_storage::store::ticket::Ticket;
use progressive_storage::vfs::{FileSystem, RealFileSystem};

struct Silent;

impl NoticeSink for Silent {
    fn notify(&self, _: Notice) {}
}

struct Answers;

impl Outlet for Answers {
    fn deliver(&self, _: usize, answer: Result<Answer>) {
        answer.expect("the append succeeds");
    }

    fn flush(&self) {}
}

/// As many as the writer's queue times one of.
const TIMED_CALLS: usize = 16;
const KEYS: usize = 1000;

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().expect("a whole number"))
}

#[test]
fn appends_are_counted_by_the_metrics() {
    let appends = number("APPENDS", 100);
    let in_flight = number("IN_FLIGHT", 10);
    let directory = tempfile::tempdir().expect("a temporary folder");
    let log = LogName::new("notes").expect("a valid name");
    let outlet: Arc<dyn Outlet> = Arc::new(Answers);
    let files = Arc::new(RealFileSystem::new());
    let mut folder = Folder::new(
        Arc::clone(&files) as _,
        directory.path().to_owned(),
        Options::default(),
        Arc::new(Silent),
    );
    for first in (0..appends).step_by(in_flight) {
        let requests = (first..appends.min(first + in_flight)).map(|at| {
            let mut ticket = Ticket::new(Arc::clone(&outlet), at);
            if (at - first).is_multiple_of(TIMED_CALLS) {
                ticket.time_from(files.monotonic_us());
            }
            let line = format!(
                "{{\"timestamp\":\"2026-01-31T20:15:00.000Z\",\"op\":\"SET\",\"key\":\"{}\",\"value\":{{\"score\":{at},\
                 \"text\":\"what somebody answered to a question\"}}",
                at % KEYS
            );
            let size_bytes = line.len();
            Request { log: log.clone(), is_collection: false, work: Work::Append(line), size_bytes, ticket }
        });
        folder.run_batch(requests.collect());
    }
    let size =
        files.stamp(&directory.path().join("logs/notes.log")).expect("the log is there").expect("it is");
    assert!(size.size_bytes > 100 * appends as u64, "{} bytes", size.size_bytes);
}
