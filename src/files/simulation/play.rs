//! One simulated machine with `Folder`s on it: calls are made, answers are kept.
//!
//! Invariant: an operation is in the history before the `Folder` hears of it, and its status changes at
//! the instant at which the `Folder` answers.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::model::{History, Status};
use crate::data::name::LogName;
use crate::error::{Code, Error, Result};
use crate::files::folder::Folder;
use crate::files::job::Job;
use crate::files::job::JobDone;
use crate::files::options::Options;
use crate::store::answer::Answer;
use crate::store::core::Core;
use crate::store::event::Notice;
use crate::store::event::NoticeSink;
use crate::store::request::Request;
use crate::store::request::Work;
use crate::store::ticket::Outlet;
use crate::store::ticket::Ticket;
use crate::vfs::FileSystem;
use crate::vfs::simulated::{Process, SimulatedDisk};

/// Calls from here on are no operations of the history.
const OTHERS: usize = 1 << 32;
const ROUNDS_MAX: usize = 40;

/// A log of a script.
#[derive(Clone, Debug)]
pub struct LogSpec {
    /// Its name.
    pub name: LogName,
    /// Whether it is kept with a mirror.
    pub is_mirrored: bool,
}

impl LogSpec {
    /// One with a mirror.
    pub fn mirrored(name: &str) -> Self {
        Self { is_mirrored: true, ..Self::plain(name) }
    }

    /// One without.
    pub fn plain(name: &str) -> Self {
        Self { name: LogName::new(name).expect("the names here are valid"), is_mirrored: false }
    }
}

/// What is shared with the outlets and the watcher.
#[derive(Default)]
pub struct Record {
    /// Operations and answers.
    pub history: History,
    /// Answers to other calls.
    pub others: Vec<(usize, Result<Answer>)>,
    /// Notices, in order.
    pub notices: Vec<Notice>,
    /// A mirror may be broken now, by its editor.
    pub is_editing: bool,
    /// Operations before this one are durable, without a sync for each.
    pub spared: usize,
    /// Operations on two logs that are one call: the one that the answer is for, and the other.
    pub together: HashMap<usize, usize>,
}

/// See the header of this file.
pub struct Play {
    /// The machine.
    pub disk: SimulatedDisk,
    /// The data folder.
    pub folder: PathBuf,
    /// The logs.
    pub logs: Vec<LogSpec>,
    /// What was asked and answered.
    pub record: Arc<Mutex<Record>>,
    /// For new `Folder`s.
    pub options: Options,
    bots: Vec<Option<Bot>>,
    pub(super) next_other: usize,
    /// Reads for which a log did not have a value where the state said: only programs without a lock may bring that about.
    pub moved_reads: usize,
}

struct Bot {
    process: Process,
    folder: Folder,
    outlet: Arc<dyn Outlet>,
    taken: Vec<Job>,
    done: Vec<JobDone>,
}

struct Answers(Arc<Mutex<Record>>);

impl Outlet for Answers {
    fn deliver(&self, id: usize, answer: Result<Answer>) {
        let mut record = self.0.lock();
        if id >= OTHERS {
            record.others.push((id, answer));
            return;
        }
        assert_eq!(record.history.status[id], Status::Open, "operation {id} is answered twice");
        // Nobody else writes between what an update is told and its next try.
        assert!(!matches!(answer, Ok(Answer::Conflict(_))), "operation {id} met another value");
        let status = match answer {
            Ok(_) => Status::Acked,
            Err(error) => Status::Failed(error.code()),
        };
        record.history.status[id] = status;
        if let Some(other) = record.together.get(&id).copied() {
            record.history.status[other] = status;
        }
    }

    fn flush(&self) {}
}

impl NoticeSink for Answers {
    fn notify(&self, notice: Notice) {
        self.0.lock().notices.push(notice);
    }
}

/// A call, ready to be made.
pub struct Call {
    pub(super) log: usize,
    pub(super) work: Work,
    pub(super) id: usize,
}

impl Play {
    /// A machine with these logs; nothing runs yet.
    pub fn new(disk: SimulatedDisk, folder: &Path, logs: Vec<LogSpec>, history: History) -> Self {
        Self {
            disk,
            folder: folder.to_owned(),
            logs,
            record: Arc::new(Mutex::new(Record { history, ..Record::default() })),
            options: Options::default(),
            bots: Vec::new(),
            next_other: OTHERS,
            moved_reads: 0,
        }
    }

    /// `logs/NAME.log`.
    pub fn log_path(&self, log: usize) -> PathBuf {
        self.folder.join("logs").join(format!("{}.log", self.logs[log].name))
    }

    /// `NAME.json`.
    pub fn mirror_path(&self, log: usize) -> PathBuf {
        self.folder.join(format!("{}.json", self.logs[log].name))
    }

    /// Starts a process with a `Folder`.
    pub fn open(&mut self, bot: usize) {
        let process = self.disk.process();
        let answers = Arc::new(Answers(Arc::clone(&self.record)));
        let sink: Arc<dyn NoticeSink> = Arc::clone(&answers) as Arc<dyn NoticeSink>;
        let folder = Folder::new(Arc::new(process.clone()), self.folder.clone(), self.options, sink);
        while self.bots.len() <= bot {
            self.bots.push(None);
        }
        let outlet: Arc<dyn Outlet> = answers;
        self.bots[bot] = Some(Bot { process, folder, outlet, taken: Vec::new(), done: Vec::new() });
    }

    /// Ends a process at once.
    pub fn kill(&mut self, bot: usize) {
        if let Some(bot) = self.bots.get_mut(bot).and_then(Option::take) {
            self.disk.kill(&bot.process);
        }
    }

    /// A process dies before the call `at` of a transaction. False: it has fewer.
    pub fn die_in_transaction(&mut self, bot: usize, at: u64) -> bool {
        let process = self.bot(bot).process.clone();
        let (disk, dead) = (self.disk.clone(), Arc::new(AtomicBool::new(false)));
        let is_dead = Arc::clone(&dead);
        self.disk.interrupt_at(
            self.disk.calls() + at,
            Box::new(move || {
                disk.kill(&process);
                is_dead.store(true, Ordering::Relaxed);
            }),
        );
        self.transact(bot, 80);
        self.disk.interrupt_at(u64::MAX, Box::new(|| {}));
        self.kill(bot);
        dead.load(Ordering::Relaxed)
    }

    /// Numbers of the processes that run.
    pub fn running(&self) -> Vec<usize> {
        self.bots.iter().enumerate().filter(|(_, bot)| bot.is_some()).map(|(number, _)| number).collect()
    }

    fn bot(&mut self, bot: usize) -> &mut Bot {
        if self.bots.get(bot).is_none_or(Option::is_none) {
            self.open(bot);
        }
        self.bots[bot].as_mut().expect("it was just started")
    }

    /// Makes calls, together.
    pub fn batch(&mut self, bot: usize, calls: Vec<Call>) {
        let specs: Vec<LogSpec> = calls.iter().map(|call| self.logs[call.log].clone()).collect();
        let bot = self.bot(bot);
        let requests = calls
            .into_iter()
            .zip(specs)
            .map(|(call, spec)| {
                let mut ticket = Ticket::new(Arc::clone(&bot.outlet), call.id);
                ticket.wait_from(bot.folder.patience().waited_us());
                Request {
                    log: spec.name,
                    is_collection: spec.is_mirrored,
                    work: call.work,
                    size_bytes: 0,
                    ticket,
                }
            })
            .collect();
        bot.folder.run_batch(requests);
    }

    /// Makes one call.
    pub fn call(&mut self, bot: usize, call: Call) {
        self.batch(bot, vec![call]);
    }

    /// Takes the jobs that are to be run, and runs them; what came of them waits for `deliver`.
    pub fn work(&mut self, bot: usize) {
        self.take(bot);
        self.run(bot);
    }

    /// Takes the jobs that are to be run.
    pub fn take(&mut self, bot: usize) {
        let bot = self.bot(bot);
        bot.taken.extend(bot.folder.take_jobs());
    }

    /// Runs jobs that were taken.
    pub fn run(&mut self, bot: usize) {
        let bot = self.bot(bot);
        for job in std::mem::take(&mut bot.taken) {
            bot.done.extend(job.run(&bot.process));
        }
    }

    /// Hands the results of jobs to the `Folder`.
    pub fn deliver(&mut self, bot: usize) {
        let bot = self.bot(bot);
        for done in std::mem::take(&mut bot.done) {
            bot.folder.task_done(done);
        }
    }

    /// Runs all jobs and those that follow from them.
    pub fn jobs(&mut self, bot: usize) {
        for _ in 0..ROUNDS_MAX {
            self.work(bot);
            if self.bot(bot).done.is_empty() {
                return;
            }
            self.deliver(bot);
        }
        panic!("jobs follow from jobs without end");
    }

    /// Runs all jobs, and again those reads that have to be made anew.
    fn read(&mut self, bot_number: usize) {
        for _ in 0..ROUNDS_MAX {
            self.work(bot_number);
            let bot = self.bot(bot_number);
            let (reads, others) = std::mem::take(&mut bot.done).into_iter().partition(JobDone::is_read);
            bot.done = others;
            let reads: Vec<JobDone> = reads;
            if reads.is_empty() {
                return;
            }
            self.moved_reads += reads.iter().filter(|done| matches!(done, JobDone::Read(..))).count();
            let bot = self.bot(bot_number);
            for done in reads {
                bot.folder.task_done(done);
            }
        }
        panic!("a read is made anew without end");
    }

    /// Lets time pass and does what is due.
    pub fn wait(&mut self, bot: usize, ms: u64) {
        self.disk.advance_ms(ms);
        self.bot(bot).folder.tick();
    }

    /// Does everything that is due within a quarter of a minute.
    pub fn settle(&mut self, bot: usize) {
        for _ in 0..4 {
            self.jobs(bot);
            let Some(due_ms) = self.bot(bot).folder.next_due_ms() else { return };
            let now_ms = self.bot(bot).process.monotonic_ms();
            self.wait(bot, due_ms.saturating_sub(now_ms) + 1);
        }
        self.jobs(bot);
    }

    /// All that was acknowledged is durable now, whatever the mode of syncs.
    pub fn spare(&mut self) {
        let mut record = self.record.lock();
        record.spared = record.history.ops.len();
    }

    /// `close`.
    pub fn finish(&mut self, bot: usize) -> Result<()> {
        self.jobs(bot);
        self.bot(bot).folder.finish()
    }

    /// The answer to a call that is no operation.
    pub(super) fn ask(&mut self, bot: usize, log: usize, work: Work) -> Result<Answer> {
        let call = self.other(log, work);
        let id = call.id;
        self.call(bot, call);
        self.read(bot);
        let mut record = self.record.lock();
        let place = record.others.iter().position(|(known, _)| *known == id);
        place.map_or_else(
            || Err(Error::internal("a read was not answered")),
            |place| record.others.swap_remove(place).1,
        )
    }

    fn texts(answer: Answer) -> String {
        match answer {
            Answer::Texts(texts) => texts.joined(),
            other => panic!("the answer is {other:?}"),
        }
    }

    /// The state of a log as its `Folder` has it, as a JSON object.
    pub fn state(&mut self, bot: usize, log: usize) -> Result<String> {
        for _ in 0..ROUNDS_MAX {
            let answer = self.ask(bot, log, Work::Read(crate::store::query::Query::All))?;
            let Answer::Whole(cursor) = answer else { return Ok(Self::texts(answer)) };
            match cursor.read_all() {
                Err(error) if error.code() == Code::LogReplaced => self.moved_reads += 1,
                read => return read,
            }
        }
        panic!("a state is read anew without end");
    }

    /// All entries of a log as a JSON array.
    pub fn entries(&mut self, bot: usize, log: usize) -> Result<String> {
        self.ask(bot, log, Work::Read(crate::store::query::Query::LogEntries)).map(Self::texts)
    }

    /// Whether calls of `compactLog` were answered, and how.
    pub fn others(&self) -> Vec<Result<()>> {
        self.record
            .lock()
            .others
            .iter()
            .map(|(_, answer)| answer.as_ref().map(|_| ()).map_err(Clone::clone))
            .collect()
    }
}
