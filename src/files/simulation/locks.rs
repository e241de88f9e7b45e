//! The lock between processes: how long it is waited for, who is named, and lock files that somebody removes.
//!
//! Invariant: whatever happens to the lock files, each acknowledged count counts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::data::change::Change;
use crate::data::json::quote;
use crate::data::name::LogName;
use crate::data::state::Member;
use crate::error::{Code, Error, Result};
use crate::files::folder::Folder;
use crate::files::options::Options;
use crate::store::answer::Answer;
use crate::store::core::Core;
use crate::store::event::Notice;
use crate::store::event::NoticeSink;
use crate::store::query::Query;
use crate::store::request::Request;
use crate::store::request::Work;
use crate::store::rule::Outcome;
use crate::store::rule::RuleOf;
use crate::store::ticket::Outlet;
use crate::store::ticket::Ticket;
use crate::vfs::simulated::{Process, SimulatedDisk};
use crate::vfs::{File, FileSystem, Missing};

const FOLDER: &str = "/srv/data";
const LOCK: &str = "/srv/data/.progressive-storage/lock";
const QUEUE: &str = "/srv/data/.progressive-storage/queue";
const WAIT_US: u64 = 30_000_000;

#[derive(Default)]
struct Answers(Mutex<Vec<Result<Answer>>>);

impl Outlet for Answers {
    fn deliver(&self, _id: usize, answer: Result<Answer>) {
        self.0.lock().push(answer);
    }

    fn flush(&self) {}
}

struct Silent;

impl NoticeSink for Silent {
    fn notify(&self, _: Notice) {}
}

/// A process with a `Folder`.
struct Bot {
    process: Process,
    folder: Folder,
}

impl Bot {
    fn on(disk: &SimulatedDisk) -> Self {
        let process = disk.process();
        let files = Arc::new(process.clone());
        let folder = Folder::new(files, PathBuf::from(FOLDER), Options::default(), Arc::new(Silent));
        Self { process, folder }
    }

    /// Reads a number of a log and writes the next one.
    fn count(&mut self, log: &str) -> Result<()> {
        self.ask(log, || {
            let count = |view: &crate::store::rule::View, _| {
                let next = view.get(&quote("n")).and_then(|value| value.parse().ok()).unwrap_or(0) + 1;
                let member = Member::new(&quote("n"), &format!("{next}"));
                Ok(Outcome { changes: vec![Change::Set(member)], answer: Answer::Undefined })
            };
            Work::Write(Box::new(RuleOf { keys: Some(vec![quote("n")]), apply: count }))
        })
        .map(|_| ())
    }

    fn ask(&mut self, log: &str, work: impl FnOnce() -> Work) -> Result<Answer> {
        let answers = Arc::new(Answers::default());
        let outlet: Arc<dyn Outlet> = Arc::clone(&answers) as Arc<dyn Outlet>;
        let mut ticket = Ticket::new(outlet, 0);
        ticket.wait_from(self.folder.patience().waited_us());
        let log = LogName::new(log).expect("a valid name");
        self.folder.run_batch(vec![Request {
            log,
            is_collection: true,
            work: work(),
            size_bytes: 0,
            ticket,
        }]);
        let answer = answers.0.lock().pop();
        answer.expect("an answer")
    }

    fn value(&mut self) -> String {
        let answer = self.ask("players", || Work::Read(Query::Get(quote("n"))));
        match answer {
            Ok(Answer::Json(value)) => value,
            Ok(Answer::Undefined) => String::new(),
            other => panic!("{other:?}"),
        }
    }
}

fn machine() -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    disk.outsider().create_dir(Path::new("/srv")).expect("the outsider's calls do not fail");
    disk
}

fn locked(process: &Process, path: &str) -> Box<dyn File> {
    let opened = process.open_lock(Path::new(path), Missing::Leave).expect("it can be opened");
    let mut file = opened.expect("there is one");
    assert!(file.try_lock().expect("it can be locked"), "{path} is free");
    file
}

fn refusal(result: Result<()>) -> Error {
    let error = result.expect_err("it is locked");
    assert_eq!(error.code(), Code::Locked, "{error}");
    error
}

#[test]
fn both_lock_files_together_are_waited_for_for_half_a_minute() {
    let disk = machine();
    let mut bot = Bot::on(&disk);
    bot.count("players").expect("written");
    disk.hold_lock(Path::new(QUEUE), 20_000);
    disk.hold_lock(Path::new(LOCK), 100_000);
    let started_us = bot.process.monotonic_us();
    let error = refusal(bot.count("players"));
    let waited_us = bot.process.monotonic_us() - started_us;
    assert!((WAIT_US..WAIT_US + 1_000_000).contains(&waited_us), "{waited_us} us");
    assert!(error.message().contains("waited for 30 s"), "{error}");
    disk.advance_ms(100_000);
    bot.count("players").expect("it is free again");
    assert_eq!(bot.value(), "2");
}

#[test]
fn the_time_that_a_call_waited_behind_another_one_counts() {
    let disk = machine();
    let mut bot = Bot::on(&disk);
    bot.count("players").expect("written");
    disk.hold_lock(Path::new(LOCK), 1_000_000);
    // Both are made at once, and the second one is taken only when the first has given up.
    let asked_us = bot.folder.patience().waited_us();
    refusal(bot.count("players"));
    assert_eq!(bot.folder.patience().left_us(asked_us), 0);
    let started_us = bot.process.monotonic_us();
    let finished = bot.folder.finish_within(bot.folder.patience().left_us(asked_us));
    assert_eq!(finished.expect_err("locked").code(), Code::Locked);
    assert!(bot.process.monotonic_us() - started_us < 1_000_000, "it had no time left");
}

#[test]
fn an_end_waits_for_five_seconds_and_names_what_it_leaves() {
    let disk = machine();
    let mut bot = Bot::on(&disk);
    bot.count("players").expect("written");
    disk.hold_lock(Path::new(LOCK), 1_000_000);
    let patience = bot.folder.patience();
    let started_us = bot.process.monotonic_us();
    patience.end();
    for log in ["players", "tokens", "players"] {
        refusal(bot.count(log));
    }
    let error = bot.folder.finish().expect_err("calls are left");
    patience.ended();
    let waited_us = bot.process.monotonic_us() - started_us;
    assert!((5_000_000..5_500_000).contains(&waited_us), "{waited_us} us");
    assert_eq!(error.code(), Code::Locked);
    let left = "these calls are not written: 2 calls on 'players', 1 call on 'tokens'";
    assert!(error.message().ends_with(left), "{error}");
    // Another one that ends is told at once, until the lock was had again.
    patience.end();
    let started_us = bot.process.monotonic_us();
    refusal(bot.count("players"));
    assert!(bot.process.monotonic_us() - started_us < 500_000);
    disk.advance_ms(1_000_000);
    bot.count("players").expect("it is free again");
    patience.ended();
}

#[test]
fn the_holder_of_either_file_is_named_and_nobody_else() {
    let disk = machine();
    let mut bot = Bot::on(&disk);
    bot.count("players").expect("written");
    let (holder, waiter) = (disk.process(), disk.process());
    let lock = locked(&holder, LOCK);
    let error = refusal(bot.count("players"));
    let named = |process: u32, path: &str| format!("process {process} holds '{path}'");
    let number = |process: &Process, path: &str| process.lock_holder(Path::new(path)).expect("a process");
    let holding = number(&holder, LOCK);
    assert!(error.message().contains(&named(holding, LOCK)), "{error}");
    assert_eq!(error.path(), Some(LOCK));
    // Who waits with `queue` in its hands is not who is in the way.
    let queue = locked(&waiter, QUEUE);
    let error = refusal(bot.count("players"));
    assert!(error.message().contains(&named(holding, LOCK)), "{error}");
    drop(lock);
    let error = refusal(bot.count("players"));
    let waiting = number(&waiter, QUEUE);
    assert_ne!(waiting, holding);
    assert!(error.message().contains(&named(waiting, QUEUE)), "{error}");
    drop(queue);
    disk.hold_lock(Path::new(LOCK), 100_000);
    let error = refusal(bot.count("players"));
    assert!(error.message().contains("another process holds"), "{error}");
}

/// A process counts; before call `at` of its second count the lock files are removed, and a new process, which has them
/// not open, counts. Gives what was counted in the end; `None` where the count has no such call.
fn play(at: u64) -> Option<String> {
    let disk = machine();
    let (mut one, mut other) = (Bot::on(&disk), Bot::on(&disk));
    one.count("players").expect("written");
    let outsider = disk.outsider();
    let has_come = Arc::new(Mutex::new(false));
    let flag = Arc::clone(&has_come);
    disk.interrupt_at(
        disk.calls() + at,
        Box::new(move || {
            for path in [LOCK, QUEUE] {
                outsider.remove(Path::new(path)).expect("the outsider's calls do not fail");
            }
            other.count("players").expect("the other one finds no lock");
            *flag.lock() = true;
        }),
    );
    one.count("players").expect("the first one's count");
    let has_come = *has_come.lock();
    has_come.then(|| one.value())
}

#[test]
fn lock_files_that_are_removed_while_a_process_works_let_nobody_in_unseen() {
    // What a count does when nobody comes.
    let disk = machine();
    let mut one = Bot::on(&disk);
    one.count("players").expect("written");
    disk.start_trace();
    let before = disk.calls();
    one.count("players").expect("written");
    let trace = disk.take_trace();
    let mut cases = 0;
    for call in &trace {
        if let Some(outcome) = play(call.number - before) {
            assert_eq!(outcome, "3", "before {} {}", call.name, call.path.display());
            cases += 1;
        }
    }
    assert!(cases > 15, "{cases} cases");
}
