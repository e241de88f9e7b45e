//! A bench that drives `Folder`s on a real folder: calls and their answers, jobs one by one, crashes and
//! clean ends, and the hands of a person who writes, cuts and edits the files.
//!
//! ```text
//! Bench     the folder, its files as others see them, the notices, a clock that can be put forward
//! Session   one `Folder` on it, from opening to `crash` or `end`
//! ```
//!
//! Invariant: a job runs only when a test says so, except reads, whose answers are waited for.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::SystemTime;
use std::{fs, thread, time};

use parking_lot::Mutex;
use tempfile::TempDir;

use super::reference::{Ordered, quoted, replay};
use proptest::prelude::ProptestConfig;

use crate::data::change::Change;
use crate::data::name::LogName;
use crate::data::state::{Kept, Member, Slot, State};
use crate::data::text::object_of;
use crate::error::{Code, Result};
use crate::files::folder::Folder;
use crate::files::job::Job;
use crate::files::job::JobDone;
use crate::files::options::FsyncMode;
use crate::files::options::OnCorruption;
use crate::files::options::Options;
use crate::files::place::{self, Opening};
use crate::files::shelf::Edits;
use crate::store::answer::Answer;
use crate::store::backend::Backend;
use crate::store::collection;
use crate::store::core::Core;
use crate::store::event::NoticeSink;
use crate::store::event::{Class, Notice};
use crate::store::query::Query;
use crate::store::request::Request;
use crate::store::request::Work;
use crate::store::rule::Outcome;
use crate::store::rule::{RuleOf, View};
use crate::store::ticket::Outlet;
use crate::store::ticket::Ticket;
use crate::store::writer::Writer;
use crate::vfs::Syncing;
use crate::vfs::{File, FileSystem, Missing, RealFileSystem, Stamp};

/// The log that all sessions work on.
pub const LOG: &str = "logs/players.log";
/// Its mirror.
pub const MIRROR: &str = "players.json";
/// Its record.
pub const RECORD: &str = ".progressive-storage/players.mirror";
/// Its index.
pub const INDEX: &str = ".progressive-storage/players.index";

/// Any time.
pub const TIME: &str = "2026-01-02T03:04:05.678Z";

/// A line of ours: `text` (an object) with its checksum.
pub fn ours(text: &str) -> Vec<u8> {
    let open = text.strip_suffix('}').expect("an object");
    format!("{open},\"_crc\":\"{:08x}\"}}\n", crc32fast::hash(open.as_bytes())).into_bytes()
}

/// A line of ours that sets a key.
pub fn set_line(key: &str, value: &str) -> Vec<u8> {
    ours(&format!("{{\"timestamp\":\"{TIME}\",\"op\":\"SET\",\"key\":{},\"value\":{value}}}", quoted(key)))
}

/// The same, as part of an operation that goes on for `more` lines.
pub fn set_more_line(key: &str, value: &str, more: u64) -> Vec<u8> {
    let set = format!("\"op\":\"SET\",\"key\":{},\"value\":{value},\"_more\":{more}", quoted(key));
    ours(&format!("{{\"timestamp\":\"{TIME}\",{set}}}"))
}

/// A line as the old module writes it.
pub fn old_set_line(key: &str, value: &str) -> Vec<u8> {
    format!("{{\"timestamp\":\"{TIME}\",\"op\":\"SET\",\"key\":{},\"value\":{value}}}\n", quoted(key))
        .into_bytes()
}

/// Checks each row by itself, so that one that fails hides none of the others.
///
/// # Panics
/// Naming the rows that failed; what failed in them was printed before.
pub fn check_rows<R>(rows: impl IntoIterator<Item = (String, R)>, check: impl Fn(&str, R)) {
    let failed: Vec<String> = rows
        .into_iter()
        .filter_map(|(name, row)| {
            let checked = catch_unwind(AssertUnwindSafe(|| check(&name, row)));
            checked.is_err().then_some(name)
        })
        .collect();
    assert!(failed.is_empty(), "{} rows failed: {failed:#?}", failed.len());
}

/// The clock of a bench is so far ahead of the files' times: nobody waits for the writer of a line that a test cut short.
pub const WRITTEN_LONG_AGO_MS: i64 = 2_000;

/// Comes before a call (its name as in `FileSystem`) on a path; may fail it, or panic.
pub type Meddler = Box<dyn FnMut(&str, &Path) -> Result<()> + Send>;

/// The machine's files, with a clock that can be put forward, a count of the files read, and somebody who may
/// fail calls.
pub struct BenchFiles {
    real: RealFileSystem,
    ahead_ms: AtomicU64,
    /// How far the time of day is ahead.
    wall_ahead_ms: AtomicI64,
    /// What each look at the clock puts it forward.
    step_ms: AtomicU64,
    opened_to_read: AtomicUsize,
    meddler: Mutex<Option<Meddler>>,
}

impl BenchFiles {
    /// From now on `meddler` comes before the calls that change names or open files.
    pub fn meddle(&self, meddler: impl FnMut(&str, &Path) -> Result<()> + Send + 'static) {
        *self.meddler.lock() = Some(Box::new(meddler));
    }

    /// Nobody meddles any more.
    pub fn leave_alone(&self) {
        *self.meddler.lock() = None;
    }

    fn before(&self, call: &str, path: &Path) -> Result<()> {
        self.meddler.lock().as_mut().map_or(Ok(()), |meddler| meddler(call, path))
    }

    /// Lets time pass at once, for what is due later.
    pub fn put_forward(&self, duration_ms: u64) {
        self.ahead_ms.fetch_add(duration_ms, Ordering::Relaxed);
    }

    /// Sets the time of day; the other clock goes on as it was.
    pub fn set_clock_forward(&self, duration_ms: i64) {
        self.wall_ahead_ms.fetch_add(duration_ms, Ordering::Relaxed);
    }

    /// The time of day.
    pub fn wall_ms(&self) -> i64 {
        self.now_ms()
    }

    /// From now on, all that is timed takes this long.
    pub fn slow_down(&self, step_ms: u64) {
        self.step_ms.store(step_ms, Ordering::Relaxed);
    }

    /// How many files were opened for reading since the last question.
    pub fn take_opened(&self) -> usize {
        self.opened_to_read.swap(0, Ordering::Relaxed)
    }
}

impl FileSystem for BenchFiles {
    fn stamp(&self, path: &Path) -> Result<Option<Stamp>> {
        self.before("stamp", path)?;
        self.real.stamp(path)
    }

    fn open_read(&self, path: &Path) -> Result<Option<Box<dyn File>>> {
        self.opened_to_read.fetch_add(1, Ordering::Relaxed);
        self.real.open_read(path)
    }

    fn open_append(&self, path: &Path) -> Result<(Box<dyn File>, bool)> {
        self.before("open_append", path)?;
        self.real.open_append(path)
    }

    fn create(&self, path: &Path) -> Result<Box<dyn File>> {
        self.real.create(path)
    }

    fn create_like(&self, path: &Path, like: &Path) -> Result<Box<dyn File>> {
        self.before("create_like", path)?;
        self.real.create_like(path, like)
    }

    fn open_in_place(&self, path: &Path, missing: Missing) -> Result<Option<Box<dyn File>>> {
        self.before("open_in_place", path)?;
        self.real.open_in_place(path, missing)
    }

    fn open_lock(&self, path: &Path, missing: Missing) -> Result<Option<Box<dyn File>>> {
        self.before("open_lock", path)?;
        self.real.open_lock(path, missing)
    }

    fn lock_holder(&self, path: &Path) -> Option<u32> {
        self.real.lock_holder(path)
    }

    fn truncate(&self, path: &Path, size_bytes: u64, syncing: Syncing) -> Result<()> {
        self.before("truncate", path)?;
        self.real.truncate(path, size_bytes, syncing)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.before("rename", to)?;
        self.real.rename(from, to)
    }

    fn hard_link(&self, from: &Path, to: &Path) -> Result<()> {
        self.before("hard_link", to)?;
        self.real.hard_link(from, to)
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<()> {
        self.before("copy", to)?;
        self.real.copy(from, to)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.real.remove(path)
    }

    fn create_dir(&self, path: &Path) -> Result<bool> {
        self.real.create_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        self.real.sync_dir(path)
    }

    fn list(&self, path: &Path) -> Result<Vec<String>> {
        self.real.list(path)
    }

    fn now_ms(&self) -> i64 {
        self.real.now_ms() + self.wall_ahead_ms.load(Ordering::Relaxed)
    }

    fn monotonic_ms(&self) -> u64 {
        let step_ms = self.step_ms.load(Ordering::Relaxed);
        self.real.monotonic_ms() + self.ahead_ms.fetch_add(step_ms, Ordering::Relaxed)
    }

    fn sleep_us(&self, duration_us: u64) {
        self.real.sleep_us(duration_us);
    }
}

#[derive(Default)]
struct Notices(Mutex<Vec<Notice>>);

impl NoticeSink for Notices {
    fn notify(&self, notice: Notice) {
        self.0.lock().push(notice);
    }
}

/// What a session takes the log for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogKind {
    /// It has a mirror.
    Collection,
    /// It has none.
    Plain,
}

/// All files below the folder: content and time of the last change.
pub type Contents = BTreeMap<PathBuf, (Vec<u8>, SystemTime)>;

/// See the header of this file.
pub struct Bench {
    folder: TempDir,
    pub files: Arc<BenchFiles>,
    notices: Arc<Notices>,
    pub options: Options,
}

impl Bench {
    /// An empty folder. Nothing is synced: these tests are about content, and syncs are slow.
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            files: Arc::new(BenchFiles {
                real: RealFileSystem::new(),
                ahead_ms: AtomicU64::new(0),
                wall_ahead_ms: AtomicI64::new(WRITTEN_LONG_AGO_MS),
                step_ms: AtomicU64::new(0),
                opened_to_read: AtomicUsize::new(0),
                meddler: Mutex::default(),
            }),
            notices: Arc::default(),
            options: Options { fsync: FsyncMode::Never, ..Options::default() },
        }
    }

    /// The same folder for sessions that refuse damaged logs.
    pub fn refusing(mut self) -> Self {
        self.options.on_corruption = OnCorruption::Refuse;
        self
    }

    /// The same folder with the threads of a process around its `Folder`.
    pub fn start(&self) -> Writer<Folder> {
        let files: Arc<BenchFiles> = Arc::clone(&self.files);
        let notices = Arc::clone(&self.notices);
        let data_folder = self.folder.path().to_owned();
        let opening = Opening { files, data_folder, options: self.options, mirrored: Vec::new() };
        place::open(opening, notices).expect("a thread")
    }

    /// Opens the log `players` with its mirror.
    pub fn open(&self) -> Session {
        self.open_as("players", LogKind::Collection)
    }

    /// Opens a log, as a collection or without a mirror. Each opening is a process of its own.
    pub fn open_as(&self, log: &str, kind: LogKind) -> Session {
        let notices = Arc::clone(&self.notices);
        let files: Arc<BenchFiles> = Arc::clone(&self.files);
        Session {
            folder: Folder::new(files, self.folder.path().to_owned(), self.options, notices),
            files: Arc::clone(&self.files),
            log: LogName::new(log).expect("a valid name"),
            is_collection: kind == LogKind::Collection,
            answers: Arc::default(),
            calls: 0,
            jobs: VecDeque::new(),
        }
    }

    /// The notices since the last question, news included.
    pub fn take_whole_notices(&self) -> Vec<Notice> {
        std::mem::take(&mut *self.notices.0.lock())
    }

    /// The codes of the notices since the last question, sorted.
    pub fn take_notices(&self) -> Vec<&'static str> {
        let mut codes: Vec<_> = self
            .notices
            .0
            .lock()
            .drain(..)
            .filter(|notice| notice.kind.class != Class::News)
            .map(|notice| notice.kind.code)
            .collect();
        codes.sort_unstable();
        codes
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn exists(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    /// A file's bytes; `None` when there is none.
    pub fn read(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.path(name)).ok()
    }

    /// A file's text; empty when there is none.
    pub fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name).unwrap_or_default()).expect("UTF-8")
    }

    /// Writes a file in place, as the old module and many editors do. The file's time differs from the
    /// one before: a person is slower than the clock of a file system.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        let modified = || fs::metadata(&path).and_then(|metadata| metadata.modified()).ok();
        let before = modified();
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        loop {
            fs::write(&path, bytes.as_ref()).expect("a write by hand");
            if before.is_none() || modified() != before {
                return;
            }
            thread::sleep(time::Duration::from_millis(1));
        }
    }

    /// Writes a file beside and renames it into place, as the other editors do.
    pub fn replace(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let beside = self.path("by-hand.txt");
        fs::write(&beside, bytes).expect("a write by hand");
        fs::rename(beside, self.path(name)).expect("a rename by hand");
    }

    /// Writes something at a file's end.
    pub fn append(&self, name: &str, bytes: &[u8]) {
        let mut content = self.read(name).unwrap_or_default();
        content.extend_from_slice(bytes);
        self.write(name, content);
    }

    pub fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).expect("a removal by hand");
    }

    /// Removes everything, the folder included.
    pub fn remove_folder(&self) {
        fs::remove_dir_all(self.folder.path()).expect("a removal by hand");
    }

    /// Copies the folder: all files are others now, with other times.
    pub fn copy_all(&self) {
        for (path, (bytes, _)) in self.contents() {
            let name = path.strip_prefix(self.folder.path()).expect("a file in the folder");
            self.replace(&name.to_string_lossy(), bytes);
        }
    }

    /// Every file that there is.
    pub fn contents(&self) -> Contents {
        let mut found = Contents::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for item in fs::read_dir(folder).into_iter().flatten() {
                let path = item.expect("a file").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let modified = fs::metadata(&path).and_then(|metadata| metadata.modified());
                    let bytes = fs::read(&path).expect("a file");
                    found.insert(path, (bytes, modified.expect("a time")));
                }
            }
        }
        found
    }

    /// The contents of the files whose names begin like this and end with a number, oldest first.
    pub fn numbered(&self, prefix: &str) -> Vec<Vec<u8>> {
        let path = self.path(prefix);
        let prefix = path.file_name().expect("a name").to_string_lossy().into_owned();
        let mut found: Vec<(u64, PathBuf)> = fs::read_dir(path.parent().expect("a folder"))
            .into_iter()
            .flatten()
            .filter_map(|item| {
                let path = item.ok()?.path();
                let number = path.file_name()?.to_str()?.strip_prefix(&prefix)?.parse().ok()?;
                Some((number, path))
            })
            .collect();
        found.sort();
        found.into_iter().map(|(_, path)| fs::read(path).expect("a file")).collect()
    }

    /// The state that the log alone comes to, by the reference.
    pub fn replayed(&self) -> String {
        replay(&self.read(LOG).unwrap_or_default()).text()
    }

    /// Checks that log and mirror each hold exactly this state.
    pub fn assert_files_hold(&self, state: &str, when: &str) {
        assert_eq!(self.replayed(), state, "{when}: the log");
        let mirror = self.text(MIRROR);
        let shown = Ordered::parse(&mirror).unwrap_or_else(|| panic!("{when}: the mirror is {mirror:?}"));
        assert_eq!(shown.text(), state, "{when}: the mirror");
        assert_eq!(mirror, shown.pretty(), "{when}: the mirror's layout");
    }
}

#[derive(Default)]
struct Answers(Mutex<HashMap<usize, Result<Answer>>>);

impl Outlet for Answers {
    fn deliver(&self, id: usize, answer: Result<Answer>) {
        let before = self.0.lock().insert(id, answer);
        assert!(before.is_none(), "call {id} was answered twice");
    }

    fn flush(&self) {}
}

/// Waited for in vain only where something is wrong.
pub const DEADLINE: time::Duration = time::Duration::from_secs(30);

struct Heard(Sender<Result<Answer>>);

impl Outlet for Heard {
    fn deliver(&self, _id: usize, answer: Result<Answer>) {
        let _ = self.0.send(answer);
    }

    fn flush(&self) {}
}

/// A ticket, and where its answer is heard.
pub fn ticket() -> (Ticket, Receiver<Result<Answer>>) {
    let (said, heard) = channel();
    (Ticket::new(Arc::new(Heard(said)), 0), heard)
}

fn asked(ask: impl FnOnce(Ticket)) -> std::result::Result<Answer, Code> {
    let (ticket, heard) = ticket();
    ask(ticket);
    heard.recv_timeout(DEADLINE).expect("an answer").map_err(|error| error.code())
}

/// A call on `players` to a `Folder` with its threads; an error is its code.
pub fn call(writer: &Writer<Folder>, work: Work) -> std::result::Result<Answer, Code> {
    let log = LogName::new("players").expect("a valid name");
    asked(|ticket| writer.call(Request { log, is_collection: true, work, size_bytes: 0, ticket }))
}

/// The same for a flush.
pub fn flush(writer: &Writer<Folder>) -> std::result::Result<Answer, Code> {
    asked(|ticket| writer.flush(ticket))
}

/// See the header of this file.
pub struct Session {
    pub folder: Folder,
    files: Arc<BenchFiles>,
    log: LogName,
    is_collection: bool,
    answers: Arc<Answers>,
    calls: usize,
    jobs: VecDeque<Job>,
}

impl Session {
    /// Gives a batch to the `Folder`; runs the reads among its jobs. The numbers are for `answer`.
    pub fn send(&mut self, works: Vec<Work>) -> Vec<usize> {
        let first = self.calls;
        let requests = works.into_iter().map(|work| {
            let outlet: Arc<dyn Outlet> = Arc::clone(&self.answers) as Arc<dyn Outlet>;
            let mut ticket = Ticket::new(outlet, self.calls);
            ticket.wait_from(self.folder.patience().waited_us());
            self.calls += 1;
            Request { log: self.log.clone(), is_collection: self.is_collection, work, size_bytes: 0, ticket }
        });
        let requests = requests.collect();
        self.folder.run_batch(requests);
        self.collect_jobs();
        (first..self.calls).collect()
    }

    fn collect_jobs(&mut self) {
        let mut taken = self.folder.take_jobs();
        while !taken.is_empty() {
            for job in std::mem::take(&mut taken) {
                if !job.is_read() {
                    self.jobs.push_back(job);
                } else if let Some(again) = job.run(&*self.files) {
                    self.folder.task_done(again);
                }
            }
            taken = self.folder.take_jobs();
        }
    }

    /// The answer to a call, once; `None` while it is under way.
    pub fn answer(&self, call: usize) -> Option<Result<Answer>> {
        self.answers.0.lock().remove(&call)
    }

    /// One call, with all jobs that it takes.
    pub fn call(&mut self, work: Work) -> Result<Answer> {
        let call = self.send(vec![work])[0];
        loop {
            if let Some(answer) = self.answer(call) {
                return answer;
            }
            assert!(self.run_job(), "a call is not answered, and nothing is under way");
        }
    }

    /// The same on another log.
    pub fn call_on(&mut self, log: &str, work: Work) -> Result<Answer> {
        let other = LogName::new(log).expect("a valid name");
        let own = std::mem::replace(&mut self.log, other);
        let answer = self.call(work);
        self.log = own;
        answer
    }

    /// Runs the next job and hands its result over. False when there is none.
    pub fn run_job(&mut self) -> bool {
        match self.run_job_beside() {
            Some(done) => {
                self.deliver(done);
                true
            }
            None => false,
        }
    }

    /// Runs the next job, as the worker does; its result is still on the way.
    pub fn run_job_beside(&mut self) -> Option<JobDone> {
        self.jobs.pop_front().map(|job| job.run(&*self.files).expect("a result for the writer"))
    }

    /// Hands the result of a job over.
    pub fn deliver(&mut self, done: JobDone) {
        self.folder.task_done(done);
        self.collect_jobs();
    }

    pub fn run_jobs(&mut self) {
        while self.run_job() {}
        assert!(!self.folder.is_busy(), "the folder waits for a job that nobody has");
    }

    /// Puts the clock forward to what is due next, and starts it. False when nothing is due.
    pub fn tick(&mut self) -> bool {
        let Some(due_ms) = self.folder.next_due_ms() else { return false };
        self.files.put_forward(due_ms.saturating_sub(self.files.monotonic_ms()));
        self.folder.tick();
        self.collect_jobs();
        true
    }

    pub fn set(&mut self, key: &str, value: &str) {
        self.call(collection::set(&quoted(key), value)).expect("a key is set");
    }

    pub fn delete(&mut self, key: &str) {
        self.call(collection::delete(quoted(key))).expect("a key is deleted");
    }

    /// Appends a SET line as `appendLogEntry` does.
    pub fn append(&mut self, key: &str, value: &str) {
        self.call(Work::Append(append_text(key, value))).expect("an entry is appended");
    }

    pub fn compact(&mut self) {
        self.call(Work::Compact).expect("the log is compacted");
    }

    /// The state as compact JSON, or the error's code. Readers that look at memory see the same.
    pub fn try_state(&mut self) -> std::result::Result<String, Code> {
        let state = loop {
            match self.call(Work::Read(Query::All)).map_err(|error| error.code())? {
                Answer::Texts(texts) => break texts.joined(),
                Answer::Whole(cursor) => match cursor.read_all() {
                    Ok(state) => break state,
                    // Another program changed the log: it is asked again, as the caller's thread does.
                    Err(error) if error.code() == Code::LogReplaced => {}
                    Err(error) => return Err(error.code()),
                },
                answer => panic!("{answer:?} is no text"),
            }
        };
        let shelf = self.folder.shelves().read().get(&self.log).cloned().expect("the log is known");
        let now_ms = self.files.now_ms();
        let look = |state: &State<Slot>| {
            let members: Option<Vec<&Member>> = state.live(now_ms).map(Kept::held).collect();
            Some(object_of(members?.into_iter()).joined())
        };
        let edits = if self.is_collection { Edits::Counted } else { Edits::Ignored };
        if let Some(seen) = shelf.read(&*self.files, edits, look) {
            assert_eq!(seen, state, "what readers see in memory");
        }
        Ok(state)
    }

    pub fn state(&mut self) -> String {
        self.try_state().expect("the log can be read")
    }

    /// Every entry, in one piece and again by a cursor; both must be the same.
    pub fn entries(&mut self) -> Vec<String> {
        let answer = self.call(Work::Read(Query::LogEntries)).expect("the log can be read");
        let Answer::Texts(texts) = answer else { panic!("{answer:?} is no text") };
        let all: Vec<String> = texts.pieces.iter().flat_map(|piece| list(&piece.text())).collect();
        let Ok(Answer::Cursor(mut cursor)) = self.call(Work::Read(Query::LogCursor)) else {
            panic!("no cursor")
        };
        let mut one_by_one = Vec::new();
        loop {
            let piece = cursor.next_piece().expect("the log can be read");
            let entries = list(&piece.text);
            assert_eq!(entries.is_empty(), piece.cursor.is_none(), "the empty piece is the last one");
            one_by_one.extend(entries);
            let Some(next) = piece.cursor else { break };
            cursor = next;
        }
        assert_eq!(one_by_one, all);
        all
    }

    /// The process is killed: whatever is under way is lost.
    pub fn crash(self) {}

    /// The process ends in order.
    pub fn end(mut self) {
        self.run_jobs();
        self.folder.finish().expect("a clean end");
    }
}

fn list(text: &str) -> Vec<String> {
    crate::data::json::elements(text).map(str::to_owned).collect()
}

/// The text of a SET entry, as the binding hands it over.
pub fn append_text(key: &str, value: &str) -> String {
    format!("{{\"timestamp\":\"{TIME}\",\"op\":\"SET\",\"key\":{},\"value\":{value}", quoted(key))
}

/// Several keys in one line, all or none.
pub fn set_many(members: &[(String, String)]) -> Work {
    let members: Vec<Member> = members.iter().map(|(key, value)| Member::new(&quoted(key), value)).collect();
    let apply = move |_: &View, _| {
        Ok(Outcome { changes: vec![Change::SetMany(members.clone())], answer: Answer::Undefined })
    };
    Work::Write(Box::new(RuleOf { keys: Some(Vec::new()), apply }))
}

/// How property tests run.
pub fn property_config(cases: u32) -> ProptestConfig {
    // The same histories each time, so that a check of one change does not fail by the luck of another;
    // `PROPTEST_RNG_SEED` gives others.
    let mut config = ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: 3000,
        ..ProptestConfig::default()
    };
    if config.rng_seed == proptest::test_runner::RngSeed::Random {
        config.rng_seed = proptest::test_runner::RngSeed::Fixed(1);
    }
    config
}
