//! A client of a simulated server: a core, the calls that were made to it, and their answers.
//!
//! Invariant: every call has a mark of its own, which the entries that it writes carry.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::data::change::Change;
use crate::data::json::{elements, number_of_field};
use crate::data::name::LogName;
use crate::data::state::Member;
use crate::data::text::Texts;
use crate::error::{Error, Result};
use crate::postgres::core::ServerCore;
use crate::postgres::event::ServerEvents;
use crate::postgres::reader::{Reader, Side};
use crate::postgres::shared::Shared;
use crate::postgres::simulation::wire::{Line, SimulatedWire};
use crate::postgres::tries::Tries;
use crate::postgres::wire::{Asked, Key, Loss};
use crate::store::answer::Answer;
use crate::store::collection::changes_of;
use crate::store::core::Core;
use crate::store::event::{Notice, NoticeSink};
use crate::store::patience::Patience;
use crate::store::query::Query;
use crate::store::request::{Expected, Replace, Request, Work};
use crate::store::rule::{Outcome, RuleOf, View};
use crate::store::ticket::{Outlet, Ticket};
use crate::vfs::FileSystemRef;

/// Milliseconds that a call waits.
pub const TIMEOUT_MS: u64 = 3_000;

/// How long counters live that end by themselves.
pub const ENDS_AFTER_MS: i64 = 1_000;

/// What is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Adds one to these counters, all or none.
    Add(Vec<String>),
    /// Adds one to a counter that ends by itself, `ENDS_AFTER_MS` after it began.
    AddEnding(String),
    /// Adds one to a counter as `update(fn)` does.
    Update(String),
    /// Adds one to these counters as `updateMany(fn)` does, all or none.
    UpdateMany(Vec<String>),
    /// Sets a key, whatever it has.
    Set(String),
    /// Removes a key.
    Remove(String),
    /// Appends an entry about no key.
    Note,
    /// Reads a counter.
    Get(String),
    /// Reads these counters, of one moment.
    GetMany(Vec<String>),
}

/// A call and what came of it.
#[derive(Clone, Debug)]
pub struct Call {
    /// The client that made it; one that follows a dead one is another.
    pub client: usize,
    /// What.
    pub kind: Kind,
    /// How many batches were committed when it was made.
    pub asked_at: usize,
    /// The counters that it was told in conflicts: how many were committed then, and the numbers.
    pub told: Vec<(usize, Vec<(String, f64)>)>,
    /// How many when it was answered, and with what; `None` where the client died.
    pub answer: Option<(usize, Settled)>,
}

/// An answer, as far as the checker needs it.
#[derive(Clone, Debug, PartialEq)]
pub enum Settled {
    /// Done; a read: with this number.
    Done(Option<f64>),
    /// Done; a read of several counters: those that are there, with their numbers.
    Read(Vec<(String, f64)>),
    /// Refused, and certainly not done.
    NotDone,
    /// Nobody knows.
    Unknown,
}

/// The answers that arrived and were not taken yet.
#[derive(Default)]
struct Answers(Mutex<Vec<(usize, Result<Answer>)>>);

impl Outlet for Answers {
    fn deliver(&self, id: usize, answer: Result<Answer>) {
        self.0.lock().push((id, answer));
    }

    fn flush(&self) {}
}

/// Events that were notified: their payloads.
#[derive(Default)]
pub struct Heard(pub Mutex<Vec<String>>);

impl NoticeSink for Heard {
    fn notify(&self, notice: Notice) {
        self.0.lock().push(notice.payload);
    }
}

struct NoSide;

impl Side for NoSide {
    fn answer(&mut self, _: &Request, _: &dyn Fn(), _: u64) -> Asked<Answer> {
        Err(Loss::Duplicate)
    }

    fn failed(&mut self, _: &Request, _: &Error) {}
}

/// See the header of this file.
pub struct Client {
    number: usize,
    core: ServerCore<SimulatedWire>,
    answers: Arc<Answers>,
    /// Those of its other thread.
    others: Arc<Answers>,
    has_crashed: Arc<Mutex<bool>>,
    clock: FileSystemRef,
    server: Arc<Mutex<super::server::SimulatedServer>>,
    shared: Shared,
    /// Calls without an answer, by the number of their ticket: the call, and for an update its expected value.
    open: HashMap<usize, usize>,
    next_ticket: usize,
    /// What it was told.
    pub heard: Arc<Heard>,
}

/// The log of all calls.
///
/// # Panics
/// Never.
#[must_use]
pub fn log() -> LogName {
    LogName::new("counters").expect("a name")
}

/// The value of a counter behind one more call.
fn one_more(value: Option<&str>, mark: usize) -> String {
    let number = value.and_then(|value| number_of_field(value, "\"n\"")).unwrap_or(0.0);
    format!("{{\"n\":{},\"by\":{mark}}}", number + 1.0)
}

/// The changes of counters behind one more call.
fn one_more_of_each(keys: &[String], values: &[Option<String>], mark: usize) -> Vec<Change> {
    let made: Vec<String> = values.iter().map(|value| one_more(value.as_deref(), mark)).collect();
    let of_each = keys.iter().zip(values).zip(&made);
    changes_of(of_each.map(|((key, had), made)| (key.as_str(), had.as_deref(), Some(made.as_str()))))
}

/// Counters and their numbers, from pairs.
fn numbers_of(texts: &Texts) -> Vec<(String, f64)> {
    let joined = texts.joined();
    let pair = |pair: &str| {
        let mut parts = elements(pair);
        Some((parts.next()?.to_owned(), number_of_field(parts.next()?, "\"n\"")?))
    };
    elements(&joined).filter_map(pair).collect()
}

impl Client {
    /// A client that has asked nothing yet.
    #[must_use]
    pub fn new(number: usize, line: Line) -> Self {
        let (clock, server) = (Arc::clone(&line.clock), Arc::clone(&line.server));
        let heard = Arc::<Heard>::default();
        let sink = Arc::clone(&heard) as Arc<dyn NoticeSink>;
        let tries = Tries { clock: Arc::clone(&clock), timeout_ms: TIMEOUT_MS };
        let reader = || Arc::new(Reader::new(Arc::new(Mutex::new(NoSide)), tries.clone(), Arc::default()));
        let shared = Shared {
            known: Arc::default(),
            metrics: Arc::default(),
            events: Arc::new(ServerEvents::new(sink, Arc::clone(&clock))),
            epoch: Arc::default(),
            waiting_bytes: Arc::default(),
            patience: Arc::default(),
            reader: reader(),
            keeper: reader(),
            watched: Arc::default(),
            clock: Arc::clone(&clock),
            timeout_ms: TIMEOUT_MS,
        };
        let has_crashed = Arc::<Mutex<bool>>::default();
        let core =
            ServerCore::new(SimulatedWire::new(number, line, Arc::clone(&has_crashed)), shared.clone());
        Self {
            number,
            core,
            answers: Arc::default(),
            others: Arc::default(),
            has_crashed,
            clock,
            server,
            shared,
            open: HashMap::new(),
            next_ticket: 0,
            heard,
        }
    }

    /// Whether it died.
    #[must_use]
    pub fn has_crashed(&self) -> bool {
        *self.has_crashed.lock()
    }

    /// Whether calls wait for an answer.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        !self.open.is_empty()
    }

    fn ticket(&mut self, call: usize) -> Ticket {
        let id = self.next_ticket;
        self.next_ticket += 1;
        self.open.insert(id, call);
        let mut ticket = Ticket::new(Arc::clone(&self.answers) as Arc<dyn Outlet>, id);
        ticket.time_from(self.clock.monotonic_us());
        ticket
    }

    fn request(&mut self, call: usize, work: Work) -> Request {
        Request { log: log(), is_collection: true, work, size_bytes: 0, ticket: self.ticket(call) }
    }

    fn work(&self, kind: &Kind, mark: usize) -> Work {
        match kind {
            Kind::Add(keys) => {
                let (keys, own) = (keys.clone(), keys.clone());
                let apply = move |view: &View, _| {
                    let member = |key: &String| Member::new(key, &one_more(view.get(key), mark));
                    let members: Vec<Member> = own.iter().map(member).collect();
                    Ok(Outcome { changes: vec![Change::SetMany(members)], answer: Answer::Undefined })
                };
                Work::Write(Box::new(RuleOf { keys: Some(keys), apply }))
            }
            Kind::AddEnding(key) => {
                let (keys, own) = (vec![key.clone()], key.clone());
                let apply = move |view: &View, now_ms: i64| {
                    let before = view.member(&own);
                    let end_ms = before.and_then(Member::expires_ms).unwrap_or(now_ms + ENDS_AFTER_MS);
                    let value = one_more(before.map(Member::value), mark);
                    let member = Member::expiring(&own, &value, Some(end_ms));
                    Ok(Outcome { changes: vec![Change::Set(member)], answer: Answer::Undefined })
                };
                Work::Write(Box::new(RuleOf { keys: Some(keys), apply }))
            }
            Kind::Update(key) => Work::Replace(self.replace(std::slice::from_ref(key), mark)),
            Kind::UpdateMany(keys) => Work::Replace(self.replace(keys, mark)),
            Kind::GetMany(keys) => Work::Read(Query::GetMany(keys.clone())),
            Kind::Set(key) => {
                let member = Member::new(key, &format!("{{\"by\":{mark}}}"));
                let apply = move |_: &View, _| {
                    Ok(Outcome { changes: vec![Change::Set(member.clone())], answer: Answer::Undefined })
                };
                Work::Write(Box::new(RuleOf { keys: Some(Vec::new()), apply }))
            }
            Kind::Note => Work::Append(format!("{{\"op\":\"NOTE\",\"by\":{mark}")),
            Kind::Remove(key) => crate::store::collection::delete(key.clone()),
            Kind::Get(key) => Work::Read(Query::Get(key.clone())),
        }
    }

    /// What `update(fn)` and `updateMany(fn)` send: the values that the function made of a guess.
    fn replace(&self, keys: &[String], mark: usize) -> Replace {
        let guess = {
            let mut known = self.shared.known.lock();
            let mut value_of = |key: &String| {
                let row = known.get(&Key { log: log(), key: key.clone() })?;
                Some(row.member.as_ref().map(|member| member.value().to_owned()))
            };
            keys.iter().map(&mut value_of).collect::<Option<Vec<_>>>()
        };
        let (expected, changes) = match guess {
            Some(values) => {
                let changes = one_more_of_each(keys, &values, mark);
                (Expected::Values(values), changes)
            }
            None => (Expected::Unknown, Vec::new()),
        };
        Replace { keys: keys.to_vec(), expected, changes: Some(changes), expiry: None, tries: 0 }
    }

    /// Makes these calls at once.
    pub fn call(&mut self, calls: &mut Vec<Call>, kinds: Vec<Kind>) {
        self.call_without_answers(calls, kinds);
        self.take_answers(calls);
    }

    /// The same while the thread is busy and takes no answers.
    pub fn call_without_answers(&mut self, calls: &mut Vec<Call>, kinds: Vec<Kind>) {
        let asked_at = self.server.lock().applied().len();
        let mut requests = Vec::new();
        for kind in kinds {
            let mark = calls.len();
            let work = self.work(&kind, mark);
            calls.push(Call { client: self.number, kind, asked_at, told: Vec::new(), answer: None });
            requests.push(self.request(mark, work));
        }
        self.core.run_batch(requests);
    }

    /// From now on the other one of its two threads makes its calls.
    pub fn switch_thread(&mut self) {
        std::mem::swap(&mut self.answers, &mut self.others);
    }

    /// The thread that made its calls ends: no function of it runs any more.
    pub fn end_thread(&mut self) {
        let caller = std::mem::take(&mut self.answers) as Arc<dyn Outlet>;
        self.open.clear();
        self.core.abandon(&caller);
    }

    /// Its process ends: what waits has a while left. `ended` says that it has ended, for another end to begin.
    #[must_use]
    pub fn patience(&self) -> Arc<Patience> {
        Arc::clone(&self.shared.patience)
    }

    /// Lets it do what is due.
    pub fn tick(&mut self, calls: &mut [Call]) {
        self.core.tick();
        self.take_answers(calls);
    }

    /// The same while its thread is busy and takes no answers.
    pub fn tick_without_answers(&mut self) {
        self.core.tick();
    }

    /// When it has something to do.
    #[must_use]
    pub fn next_due_ms(&self) -> Option<u64> {
        self.core.next_due_ms()
    }

    fn take_answers(&mut self, calls: &mut [Call]) {
        while self.take_answers_once(calls) {}
    }

    /// Its thread has a turn: it takes the answers that are there, and makes the next tries of its functions. False: there
    /// are none.
    pub fn take_answers_once(&mut self, calls: &mut [Call]) -> bool {
        let answers = std::mem::take(&mut *self.answers.0.lock());
        if answers.is_empty() || self.has_crashed() {
            return false;
        }
        for (id, answer) in answers {
            if let Some(call) = self.open.remove(&id) {
                self.take_answer(calls, call, answer);
            }
        }
        true
    }

    /// The next try of a call with a function, on what its keys have or, where nobody knows, on a guess.
    fn try_again(&mut self, calls: &mut [Call], call: usize, values: Option<Vec<Option<String>>>) {
        let keys = match &calls[call].kind {
            Kind::Update(key) => vec![key.clone()],
            Kind::UpdateMany(keys) => keys.clone(),
            _ => return,
        };
        let mut replace = self.replace(&keys, call);
        if let Some(values) = values {
            let told = keys
                .iter()
                .zip(&values)
                .filter_map(|(key, value)| Some((key.clone(), number_of_field(value.as_deref()?, "\"n\"")?)));
            calls[call].told.push((self.server.lock().applied().len(), told.collect()));
            replace.changes = Some(one_more_of_each(&keys, &values, call));
            replace.expected = Expected::Values(values);
        } else if call.is_multiple_of(5) {
            replace = Replace { expected: Expected::Unknown, changes: Some(Vec::new()), ..replace };
        }
        replace.tries = u32::try_from(calls[call].told.len()).unwrap_or(u32::MAX).max(1);
        let request = self.request(call, Work::Replace(replace));
        self.core.run_batch(vec![request]);
    }

    fn take_answer(&mut self, calls: &mut [Call], call: usize, answer: Result<Answer>) {
        let settled = match answer {
            Ok(Answer::Conflict(values)) => return self.try_again(calls, call, Some(values)),
            // Some functions refuse what is only likely.
            Ok(Answer::ConflictBehind(values)) => {
                return self.try_again(calls, call, values.filter(|_| !call.is_multiple_of(5)));
            }
            Ok(Answer::Texts(texts)) => Settled::Read(numbers_of(&texts)),
            Ok(Answer::Json(text)) => Settled::Done(number_of_field(&text, "\"n\"")),
            Ok(_) => Settled::Done(None),
            Err(error) if error.is_outcome_unknown() == Some(true) => Settled::Unknown,
            Err(_) => Settled::NotDone,
        };
        calls[call].answer = Some((self.server.lock().applied().len(), settled));
    }
}
