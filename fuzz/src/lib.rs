//! What the fuzz targets share: files on a simulated disk, a `Folder` on them whose calls are answered at once, and the
//! checks that hold for whatever bytes a log has.
//!
//! Only public interfaces are used: files go in, calls are made, files and answers come out.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use progressive_storage::store::answer::Answer;
use progressive_storage::store::core::Core;
use progressive_storage::files::folder::Folder;
use progressive_storage::files::job::Job;
use progressive_storage::data::name::LogName;
use progressive_storage::store::event::Notice;
use progressive_storage::store::event::NoticeSink;
use progressive_storage::files::options::OnCorruption;
use progressive_storage::files::options::Options;
use progressive_storage::store::ticket::Outlet;
use progressive_storage::store::query::Query;
use progressive_storage::store::request::Request;
use progressive_storage::data::text::TextKind;
use progressive_storage::store::ticket::Ticket;
use progressive_storage::store::request::Work;
use progressive_storage::error::{Code, Error, Result};
use progressive_storage::vfs::FileSystem;
use progressive_storage::vfs::simulated::{Process, SimulatedDisk};
use serde_json::value::RawValue;

pub mod pieces;

const FOLDER: &str = "/data";
const NAME: &str = "log";
const MARK: &[u8] = b"\xef\xbb\xbf";
const CRC: &[u8] = b",\"_crc\":\"";

/// A machine with one data folder and one log in it.
pub struct Place {
    disk: SimulatedDisk,
    files: Process,
}

impl Default for Place {
    fn default() -> Self {
        Self::new()
    }
}

impl Place {
    /// An empty one.
    pub fn new() -> Self {
        let disk = SimulatedDisk::new();
        let files = disk.outsider();
        for folder in [FOLDER, "/data/logs"] {
            files.create_dir(&PathBuf::from(folder)).expect("an empty disk has room");
        }
        Self { disk, files }
    }

    /// One whose log has these bytes.
    pub fn with_log(bytes: &[u8]) -> Self {
        let place = Self::new();
        place.files.write(&log_path(), bytes).expect("an empty disk has room");
        place
    }

    /// Puts a mirror beside the log.
    pub fn put_mirror(&self, bytes: &[u8]) {
        self.files.write(&mirror_path(), bytes).expect("there is room");
        self.wait();
    }

    /// Lets so much time pass that two contents of a file have two times.
    pub fn wait(&self) {
        self.disk.advance_ms(100);
    }

    /// The log's bytes.
    pub fn log(&self) -> Option<Vec<u8>> {
        self.files.content(&log_path()).map(|bytes| bytes.to_vec())
    }

    /// The mirror's bytes.
    pub fn mirror(&self) -> Option<Vec<u8>> {
        self.files.content(&mirror_path()).map(|bytes| bytes.to_vec())
    }

    /// All bytes that were set aside as this kind (`corrupt`, `torn`), in the order of the files.
    pub fn aside(&self, kind: &str) -> Vec<u8> {
        let folder = PathBuf::from("/data/logs");
        let prefix = format!("{NAME}.log.{kind}.");
        let names = self.files.list(&folder).expect("the folder is there");
        let kept = names.iter().filter(|name| name.starts_with(&prefix));
        kept.flat_map(|name| self.files.content(&folder.join(name)).expect("it is listed").to_vec()).collect()
    }

    /// A process that uses the log.
    pub fn open(&self, on_corruption: OnCorruption) -> Session {
        let process = Arc::new(self.disk.process());
        let heard = Arc::new(Heard::default());
        let options = Options { on_corruption, ..Options::default() };
        let folder = Folder::new(
            Arc::clone(&process) as _,
            PathBuf::from(FOLDER),
            options,
            Arc::clone(&heard) as Arc<dyn NoticeSink>,
        );
        Session { folder, process, heard, calls: 0, is_collection: false }
    }
}

fn log_path() -> PathBuf {
    PathBuf::from(format!("{FOLDER}/logs/{NAME}.log"))
}

fn mirror_path() -> PathBuf {
    PathBuf::from(format!("{FOLDER}/{NAME}.json"))
}

#[derive(Default)]
struct Heard {
    answers: Mutex<HashMap<usize, Result<Answer>>>,
    notices: Mutex<Vec<Notice>>,
}

impl Outlet for Heard {
    fn deliver(&self, id: usize, answer: Result<Answer>) {
        assert!(self.answers.lock().insert(id, answer).is_none(), "a call is answered once");
    }

    fn flush(&self) {}
}

impl NoticeSink for Heard {
    fn notify(&self, notice: Notice) {
        self.notices.lock().push(notice);
    }
}

/// A `Folder` whose calls are made one after the other.
pub struct Session {
    folder: Folder,
    process: Arc<Process>,
    heard: Arc<Heard>,
    calls: usize,
    /// Whether the log has a mirror.
    pub is_collection: bool,
}

impl Session {
    /// Makes a call and does all the work that comes of it.
    ///
    /// # Errors
    /// As the call.
    pub fn call(&mut self, work: Work) -> Result<Answer> {
        self.calls += 1;
        let request = Request {
            log: LogName::new(NAME)?,
            is_collection: self.is_collection,
            work,
            size_bytes: 0,
            ticket: Ticket::new(Arc::clone(&self.heard) as Arc<dyn Outlet>, self.calls),
        };
        self.folder.run_batch(vec![request]);
        self.run_jobs();
        self.heard.answers.lock().remove(&self.calls).expect("each call is answered")
    }

    fn run_jobs(&mut self) {
        loop {
            let jobs: Vec<Job> = self.folder.take_jobs();
            if jobs.is_empty() {
                break;
            }
            for job in jobs {
                if let Some(done) = job.run(&*self.process) {
                    self.folder.task_done(done);
                }
            }
        }
    }

    /// Every entry, as the text of an array.
    ///
    /// # Errors
    /// As the call.
    pub fn entries(&mut self) -> Result<String> {
        self.call(Work::Read(Query::LogEntries)).map(text_of)
    }

    /// The object that the log comes to.
    ///
    /// # Errors
    /// As the call.
    pub fn rebuilt(&mut self) -> Result<String> {
        self.call(Work::Read(Query::Rebuild)).map(text_of)
    }

    /// The state, mirror included.
    ///
    /// # Errors
    /// As the call.
    pub fn state(&mut self) -> Result<String> {
        self.call(Work::Read(Query::All)).map(text_of)
    }

    /// Appends an entry: the text of an object.
    ///
    /// # Errors
    /// As the call.
    pub fn append(&mut self, entry: &str) -> Result<()> {
        self.call(Work::Append(entry[..entry.len() - 1].to_owned())).map(|_| ())
    }

    /// Ends it cleanly.
    ///
    /// # Errors
    /// As the `Folder`.
    pub fn finish(&mut self) -> Result<()> {
        self.run_jobs();
        self.folder.finish()
    }

    /// Codes of what was reported.
    pub fn notices(&self) -> Vec<&'static str> {
        self.heard.notices.lock().iter().map(|notice| notice.kind.code).collect()
    }
}

/// The text of an answer that is one piece.
fn text_of(answer: Answer) -> String {
    match answer {
        Answer::Json(text) => text,
        Answer::Texts(texts) => {
            assert!(matches!(texts.kind, TextKind::Object | TextKind::Array) && texts.pieces.len() == 1);
            texts.into_text()
        }
        Answer::Whole(cursor) => cursor.read_all().expect("what was written can be read"),
        other => panic!("no text: {other:?}"),
    }
}

/// The elements of an array; `None` when it is none.
pub fn elements_of(text: &str) -> Option<Vec<String>> {
    let parsed: Vec<Box<RawValue>> = serde_json::from_str(text).ok()?;
    Some(parsed.iter().map(|value| value.get().to_owned()).collect())
}

/// The elements of an answer that must be an array.
pub fn elements(text: &str) -> Vec<String> {
    elements_of(text).expect("the answer is an array")
}

/// The line that ends an operation of several lines.
fn end_line() -> Vec<u8> {
    let open = b"{\"op\":\"END\",\"_end\":true";
    [open, CRC, format!("{:08x}", crc32fast::hash(open)).as_bytes(), b"\"}\n"].concat()
}

/// True for one whole JSON object.
pub fn is_object(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| {
        text.trim_ascii_start().starts_with('{')
            && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
    })
}

/// Whether a line says of itself that it is whole although it is no JSON. Only who computes the checksum can make one; what
/// it means is up to him.
fn is_forged(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let sealed_bytes = CRC.len() + 10;
    // What follows a whole entry in its line is told from it, so an entry may end anywhere in a line.
    (sealed_bytes..=line.len()).map(|end| &line[..end]).any(|entry| {
        let checked = &entry[..entry.len() - sealed_bytes];
        is_sealed(entry) && checked.starts_with(b"{") && !is_object(&[checked, b"}"].concat())
    })
}

/// Whether a line ends with its checksum.
fn is_sealed(line: &[u8]) -> bool {
    let Some(split) = line.len().checked_sub(CRC.len() + 10) else { return false };
    let (checked, tail) = line.split_at(split);
    tail.starts_with(CRC)
        && tail[CRC.len()..].starts_with(format!("{:08x}", crc32fast::hash(checked)).as_bytes())
}

/// All that holds for a log of any bytes.
pub fn check_log(bytes: &[u8]) {
    if std::env::var_os("FUZZ_SHOW").is_some() {
        eprintln!("log: {}", bytes.escape_ascii());
    }
    let place = Place::with_log(bytes);
    let is_forged = bytes.split(|byte| *byte == b'\n').any(is_forged);

    // Reading finds what is there, and changes nothing.
    let mut reader = place.open(OnCorruption::Salvage);
    let entries = reader.entries().expect("a damaged log can be read");
    let state = reader.rebuilt().expect("a damaged log can be read");
    assert_eq!(reader.state().expect("a damaged log can be read"), state);
    if !is_forged {
        assert!(is_object(state.as_bytes()), "the state is no object: {state}");
        for entry in elements(&entries) {
            assert!(is_object(entry.as_bytes()), "an entry is no object: {entry}");
            for own in ["_crc", "_more", "_edit", "_end"] {
                assert!(!has_member(&entry, own), "an entry shows {own}: {entry}");
            }
        }
    }
    assert_eq!(place.log().as_deref(), Some(bytes), "reading changes nothing");
    let notices = reader.notices();
    drop(reader);

    check_refusal(bytes, &entries, &notices);
    let mended = check_mending(&place, &entries, &state, is_forged);
    check_bytes(bytes, &place, &mended);
    check_compaction(&place, is_forged);
}

/// With `refuse` a damaged log is not touched, and any other is as without it.
fn check_refusal(bytes: &[u8], entries: &str, notices: &[&str]) {
    let place = Place::with_log(bytes);
    let mut refusing = place.open(OnCorruption::Refuse);
    let is_damaged = notices.contains(&"PS_LOG_DAMAGED");
    match refusing.entries() {
        Ok(found) => {
            assert!(!is_damaged, "damage is refused");
            assert_eq!(found, entries);
        }
        Err(error) => {
            assert!(is_damaged, "{error} without damage");
            assert_refused(&error);
            assert_refused(&refusing.append("{\"op\":\"NOTE\"}").expect_err("damage is refused"));
            assert_refused(&refusing.call(Work::Compact).expect_err("damage is refused"));
        }
    }
    if is_damaged {
        assert_eq!(place.log().as_deref(), Some(bytes), "what is refused stays as it is");
    }
}

fn assert_refused(error: &Error) {
    assert_eq!(error.code(), Code::LogCorrupt, "{error}");
    assert!(error.message().contains("/data/logs/log.log"), "{error}");
}

/// An append works, keeps every entry, and leaves a log in which nothing is wrong. Gives its bytes before the new entry.
fn check_mending(place: &Place, entries: &str, state: &str, is_forged: bool) -> Vec<u8> {
    let appended = "{\"op\":\"SET\",\"key\":\"fuzz-appended\",\"value\":[1]}";
    let mut writer = place.open(OnCorruption::Salvage);
    writer.append(appended).expect("an append works");
    writer.finish().expect("it ends cleanly");
    let more =
        format!("{}{}{appended}]", &entries[..entries.len() - 1], if entries == "[]" { "" } else { "," });
    assert_eq!(writer.entries().expect("it reads"), more, "an append adds one entry");
    let after = writer.rebuilt().expect("it reads");
    if !is_forged {
        assert!(after.ends_with("\"fuzz-appended\":[1]}") || state.contains("fuzz-appended"));
    }

    let mut again = place.open(OnCorruption::Refuse);
    assert_eq!(again.entries().expect("a mended log has no damage"), more);
    assert_eq!(again.rebuilt().expect("a mended log has no damage"), after);
    assert_eq!(again.notices(), Vec::<&str>::new(), "a mended log is not reported");
    let bytes = place.log().expect("the log is there");
    let line = [appended.as_bytes()[..appended.len() - 1].to_vec(), CRC.to_vec()].concat();
    let end = bytes.windows(line.len()).rposition(|window| window == line).expect("the entry is in the log");
    bytes[..end].to_vec()
}

/// Every byte of the log is still somewhere: in the mended log, or set aside, line by line and in order. A byte order mark at
/// the very beginning goes, or goes aside with the first line.
fn check_bytes(before: &[u8], place: &Place, mended: &[u8]) {
    let (corrupt, torn) = (place.aside("corrupt"), place.aside("torn"));
    let found = find_bytes(before, mended, &corrupt, &torn);
    let unmarked = before.strip_prefix(MARK).map(|before| {
        find_bytes(before, mended, &corrupt, &torn)
            .or_else(|_| find_bytes(before, mended, corrupt.strip_prefix(MARK).unwrap_or(&corrupt), &torn))
            .or_else(|_| find_bytes(before, mended, &corrupt, torn.strip_prefix(MARK).unwrap_or(&torn)))
    });
    if let Err(problem) = found.or_else(|problem| unmarked.unwrap_or(Err(problem))) {
        panic!("{problem}");
    }
}

fn find_bytes(
    before: &[u8],
    mut good: &[u8],
    mut bad: &[u8],
    torn: &[u8],
) -> std::result::Result<(), String> {
    let mut left = before.strip_suffix(torn).ok_or("a torn tail is not the end of the log")?;
    while !left.is_empty() {
        let (line, rest) =
            left.split_at(left.iter().position(|byte| *byte == b'\n').map_or(left.len(), |at| at + 1));
        left = rest;
        let line = skip_parts(line, &mut good, &mut bad);
        if let Some(rest) = good.strip_prefix(line) {
            good = rest;
        } else if let Some(rest) = bad.strip_prefix(line) {
            // A checkpoint that is cut short at the end of the log has no line break there.
            bad = if line.ends_with(b"\n") { rest } else { rest.strip_prefix(b"\n").unwrap_or(rest) };
            // Where the line that ended an operation is damaged, there is a new one in its place.
            if let Some(behind_end) = good.strip_prefix(&end_line()[..])
                && find_bytes(left, behind_end, bad, b"").is_ok()
            {
                return Ok(());
            }
        } else {
            return Err(format!("a line is gone: {}", line.escape_ascii()));
        }
    }
    // A last line without its break gets one; a checkpoint whose last lines are missing gets its end.
    let good = good.strip_prefix(b"\n").unwrap_or(good);
    if !bad.is_empty() || !(good.is_empty() || good == end_line()) {
        return Err(format!("more than there was: {}, aside {}", good.escape_ascii(), bad.escape_ascii()));
    }
    Ok(())
}

/// Goes past the parts of a line that are not its last one. Each entry is a line of its own now; a byte that stood in the
/// place of a line break, and what stood before an entry, are set aside.
fn skip_parts<'l>(mut line: &'l [u8], good: &mut &[u8], bad: &mut &[u8]) -> &'l [u8] {
    let begins_entry = |rest: &[u8]| {
        [&b"{\"timestamp\":"[..], b"{\"op\":"].iter().any(|start| rest.starts_with(start))
    };
    let part = |line: &'l [u8], of: &[u8]| {
        let end = of.iter().position(|byte| *byte == b'\n').filter(|end| *end > 0)?;
        let rest = line.strip_prefix(&of[..end])?;
        (!rest.is_empty() && rest != b"\n").then_some((end, rest))
    };
    loop {
        if let Some((end, rest)) = part(line, good) {
            let is_sealed = is_sealed(&good[..end]);
            if begins_entry(rest) || (is_sealed && rest[0] == b'{') {
                line = rest;
                *good = &good[end + 1..];
                continue;
            }
            if let Some(left) = bad.strip_prefix(&[rest[0], b'\n']).filter(|_| is_sealed) {
                (line, *bad, *good) = (&rest[1..], left, &good[end + 1..]);
                continue;
            }
        }
        match part(line, bad) {
            Some((end, rest)) if begins_entry(rest) => (line, *bad) = (rest, &bad[end + 1..]),
            _ => return line,
        }
    }
}

/// A compacted log comes to the same state, also for who opens it anew.
fn check_compaction(place: &Place, is_forged: bool) {
    let mut writer = place.open(OnCorruption::Salvage);
    let state = writer.rebuilt().expect("it reads");
    writer.call(Work::Compact).expect("compaction works");
    if !is_forged {
        assert_eq!(writer.rebuilt().expect("it reads"), state, "a compaction changes no state");
        let mut again = place.open(OnCorruption::Refuse);
        assert_eq!(again.rebuilt().expect("a compacted log has no damage"), state);
        assert_eq!(again.notices(), Vec::<&str>::new());
        assert_eq!(elements(&again.entries().expect("it reads")).len(), 1);
    }
}

/// The log cut behind any of its lines has a beginning of the entries that it has as a whole.
pub fn check_beginnings(bytes: &[u8], choice: usize) {
    let ends: Vec<usize> =
        bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
    let Some(end) = ends.get(choice % ends.len().max(1)) else { return };
    let whole = Place::with_log(bytes).open(OnCorruption::Salvage).entries().expect("it reads");
    let part = Place::with_log(&bytes[..*end]).open(OnCorruption::Salvage).entries().expect("it reads");
    let part = &part[..part.len() - 1];
    assert!(whole.starts_with(part), "cut at {end}: {part} is no beginning of {whole}");
}

/// Whether an object has a member of this name.
fn has_member(object: &str, name: &str) -> bool {
    #[derive(serde::Deserialize)]
    #[serde(transparent)]
    struct Names<'a> {
        #[serde(borrow)]
        members: HashMap<std::borrow::Cow<'a, str>, &'a RawValue>,
    }
    // A name that is no Unicode is none of ours.
    serde_json::from_str::<Names>(object).is_ok_and(|found| found.members.contains_key(name))
}
