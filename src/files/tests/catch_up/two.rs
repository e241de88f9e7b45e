//! Two processes on one folder, and a row of the tables: what happens to the files, and what the first process, which
//! has no part in it, must see then.

use std::time::Duration;

use super::super::reference::Ordered;
use super::super::support::{Bench, Session, check_rows};

/// Two processes on one folder.
pub struct Two {
    pub bench: Bench,
    pub first: Session,
    pub other: Session,
}

/// Longer than any file system's clock needs to tell two moments apart.
pub const SETTLED: Duration = Duration::from_millis(25);

impl Two {
    /// Both know `a` and `b`, each 1.
    pub fn new() -> Self {
        Self::of(Bench::new())
    }

    /// The same with all values in memory, whatever other tests have there.
    pub fn with_all_in_memory() -> Self {
        let mut bench = Bench::new();
        bench.options.cache_bytes = None;
        Self::of(bench)
    }

    fn of(bench: Bench) -> Self {
        let (mut first, mut other) = (bench.open(), bench.open());
        first.set("a", "1");
        first.set("b", "1");
        assert_eq!(other.state(), AB);
        Self { bench, first, other }
    }
}

/// See the header of this file.
pub struct Row {
    pub name: &'static str,
    pub happens: fn(&mut Two),
    /// What the first process sees then.
    pub state: &'static str,
    pub notices: &'static [&'static str],
}

pub const AB: &str = r#"{"a":1,"b":1}"#;
pub const ABC: &str = r#"{"a":1,"b":1,"c":1}"#;
const EDIT: &[&str] = &["PS_FOREIGN_EDIT"];

/// No event comes of it.
pub const fn row(name: &'static str, happens: fn(&mut Two), state: &'static str) -> Row {
    Row { name, happens, state, notices: &[] }
}

/// It is an edit of the mirror.
pub const fn edit(name: &'static str, happens: fn(&mut Two), state: &'static str) -> Row {
    Row { name, happens, state, notices: EDIT }
}

/// The log is lost.
pub const fn lost(name: &'static str, happens: fn(&mut Two), state: &'static str) -> Row {
    Row { name, happens, state, notices: &["PS_LOG_LOST"] }
}

/// Whether the files are older than a step of the file system's clock when it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Age {
    Fresh,
    Settled,
}

fn check(name: &str, row: &Row, age: Age) {
    let mut two = Two::new();
    if age == Age::Settled {
        std::thread::sleep(SETTLED);
        assert_eq!((two.first.state(), two.other.state()), (AB.to_owned(), AB.to_owned()), "{name}");
    }
    two.bench.take_notices();
    (row.happens)(&mut two);
    let Two { bench, mut first, mut other } = two;
    let before = bench.contents();
    assert_eq!(first.state(), row.state, "{name}: what the first sees");
    assert_eq!(bench.take_notices(), row.notices, "{name}: notices");
    assert_eq!(first.state(), row.state, "{name}: what the first sees again");
    assert_eq!(bench.contents(), before, "{name}: reading changes no file");
    first.set("z", "1");
    let mut state = Ordered::parse(row.state).expect("a state");
    state.set("z", "1");
    bench.assert_files_hold(&state.text(), name);
    assert_eq!(first.state(), state.text(), "{name}: after a write");
    assert_eq!(other.state(), state.text(), "{name}: what the other sees");
    other.set("y", "1");
    state.set("y", "1");
    assert_eq!(first.state(), state.text(), "{name}: after a write of the other");
    bench.assert_files_hold(&state.text(), name);
    other.end();
    assert_eq!(first.state(), state.text(), "{name}: after the end of the other");
    first.end();
    bench.take_notices();
    assert_eq!(bench.open().state(), state.text(), "{name}: after a clean end");
    assert_eq!(bench.take_notices(), [""; 0], "{name}: after a clean end");
}

/// Checks each row, on files that were just written and on older ones.
pub fn check_all(rows: &[Row]) {
    let rows = rows.iter().flat_map(|row| {
        [Age::Fresh, Age::Settled].map(|age| (format!("{} ({age:?})", row.name), (row, age)))
    });
    check_rows(rows, |name, (row, age)| check(name, row, age));
}
