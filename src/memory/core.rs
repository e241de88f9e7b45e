//! The core of the place in memory, which does what a server may do:
//!
//! 1. A rule is applied to a state in which the declared keys have other values or are missing, and that outcome is
//!    discarded, as if another host had written meanwhile. Then it is applied to the real values, at times twice.
//! 2. A rule with declared keys gets a state that holds those keys alone.
//! 3. An update meets a conflict although nobody else writes.
//! 4. No query is answered at once, and batches are late. Of a key, callers learn nothing or guess, and the guess may be
//!    a value that the key had before.
//!
//! Invariant: only the last outcome of a rule counts.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::data::name::LogName;
use crate::data::state::{Member, State};
use crate::error::{Error, Result};
use crate::memory::chance::Chance;
use crate::memory::log::MemoryLog;
use crate::store::answer::Answer;
use crate::store::core::{Core, Finish, Memory, Phase, Task};
use crate::store::family::Family;
use crate::store::held::Held;
use crate::store::metrics::Distribution;
use crate::store::query::Query;
use crate::store::report::PlaceReport;
use crate::store::request::{Belief, Replace, Request, Work};
use crate::store::rule::{Outcome, Reads, Rule, View};
use crate::store::ticket::{Outlet, Ticket};
use crate::vfs::{now_ms, sleep_us};

/// The logs of a place, shared by all who opened it.
pub type Logs = Arc<Mutex<BTreeMap<LogName, MemoryLog>>>;

/// See the header of this file.
pub struct MemoryCore {
    logs: Logs,
    held: Held,
    chance: Chance,
}

impl MemoryCore {
    /// The core of these logs.
    pub fn new(logs: Logs, seed: u64) -> Self {
        Self { logs, held: Held::default(), chance: Chance::new(seed) }
    }

    fn run(&mut self, requests: Vec<Request>) {
        let mut requests = VecDeque::from(requests);
        while let Some(Request { log, work, ticket, .. }) = self.held.next(&mut requests) {
            let answer = match work {
                Work::Replace(replace) => Ok(self.replace(&[(log, replace)])),
                Work::Transact(transaction) => Ok(self.replace(&transaction.parts)),
                Work::Write(rule) => self.write(&log, &*rule),
                other => self.of_log(&log, other),
            };
            if matches!(answer, Ok(Answer::Conflict(_))) {
                self.held.begin(&ticket);
            }
            ticket.answer(answer).flush();
        }
    }

    fn replace(&mut self, parts: &[(LogName, Replace)]) -> Answer {
        if parts.iter().all(|(_, replace)| replace.changes.is_none()) {
            return Answer::Undefined;
        }
        let mut logs = self.logs.lock();
        let now_ms = now_ms();
        let (mut found, mut is_as_expected) = (Vec::new(), !self.chance.once_in(3));
        for (name, replace) in parts {
            let state = logs.entry(name.clone()).or_default().state();
            let member_of = |key: &str| state.get_live(key, now_ms);
            is_as_expected &= replace.is_as_expected(member_of);
            found.extend(replace.found(member_of));
        }
        if !is_as_expected {
            return Answer::Conflict(found);
        }
        for (name, replace) in parts {
            let log = logs.entry(name.clone()).or_default();
            let changes = replace.changes_from(|key| log.state().get_live(key, now_ms), now_ms);
            if !changes.is_empty() {
                log.expire(now_ms);
            }
            for change in &changes {
                log.change(now_ms, change);
            }
        }
        Answer::Undefined
    }

    fn write(&mut self, name: &LogName, rule: &dyn Rule) -> Result<Answer> {
        let now_ms = now_ms();
        let mut logs = self.logs.lock();
        let log = logs.entry(name.clone()).or_default();
        let seen = seen_by(rule, log.state());
        // Its outcome is discarded, whatever it is.
        let _ = rule.apply(&View::of(&other_than(&seen, &rule.reads()), now_ms - 1), now_ms - 1);
        let mut outcome = rule.apply(&View::of(&seen, now_ms), now_ms)?;
        if self.chance.once_in(2) {
            outcome = rule.apply(&View::of(&seen, now_ms), now_ms)?;
        }
        let Outcome { changes, answer } = outcome;
        if !changes.is_empty() {
            log.expire(now_ms);
        }
        for change in &changes {
            log.change(now_ms, change);
        }
        Ok(answer)
    }

    fn of_log(&mut self, name: &LogName, work: Work) -> Result<Answer> {
        let mut logs = self.logs.lock();
        let log = logs.entry(name.clone()).or_default();
        match work {
            Work::Append(open) => {
                log.append(&open);
                Ok(Answer::Written(open))
            }
            Work::Read(Query::Changes(watcher)) => {
                log.watch(&watcher.0);
                Ok(Answer::Undefined)
            }
            Work::Read(query) => log.answer(&query, now_ms()),
            Work::Compact => {
                log.compact(now_ms());
                Ok(Answer::Bool(true))
            }
            Work::Maintain(wanted) => {
                let is_due = is_due(log, wanted.threshold_bytes);
                if is_due {
                    log.compact(now_ms());
                }
                Ok(Answer::Bool(is_due))
            }
            Work::Copy(_) => Err(Error::internal("only a folder can be copied")),
            Work::Write(_) | Work::Replace(_) | Work::Transact(_) => Ok(Answer::Undefined),
        }
    }
}

/// Over the threshold, and at least half of it dead.
fn is_due(log: &MemoryLog, threshold_bytes: u64) -> bool {
    log.size_bytes() > threshold_bytes && log.size_bytes() >= 2 * log.state().live_bytes()
}

/// What a rule may read.
fn seen_by(rule: &dyn Rule, state: &State) -> State {
    let mut seen = State::default();
    match rule.reads() {
        Reads::Nothing => {}
        Reads::Key(key) => state.get(key).into_iter().for_each(|member| seen.set(member.clone())),
        Reads::Keys(keys) => {
            keys.iter().filter_map(|key| state.get(key)).for_each(|member| seen.set(member.clone()));
        }
        Reads::Whole => return state.clone(),
    }
    seen
}

/// The state as another host might have left it meanwhile.
fn other_than(seen: &State, reads: &Reads) -> State {
    let other = |key: &str| Member::new(key, "{\"totalGames\":7,\"totalScore\":9}");
    let mut state = State::default();
    match reads {
        // A key that was there is gone, and the other way round.
        Reads::Key(key) if seen.get(key).is_none() => state.set(other(key)),
        Reads::Key(_) | Reads::Nothing => {}
        Reads::Keys(keys) => keys.iter().for_each(|key| state.set(other(key))),
        Reads::Whole => state.set(other("of another host")),
    }
    state
}

impl Core for MemoryCore {
    type Done = ();

    fn run_batch(&mut self, requests: Vec<Request>) {
        if self.chance.once_in(4) {
            sleep_us(self.chance.below(2000));
        }
        self.run(requests);
    }

    fn take_tasks(&mut self, _: Phase) -> Vec<Task<()>> {
        Vec::new()
    }

    fn task_done(&mut self, (): ()) {}

    fn next_due_ms(&self) -> Option<u64> {
        None
    }

    fn tick(&mut self) {}

    fn is_busy(&self) -> bool {
        false
    }

    fn has_calls_before(&self, end: &Ticket) -> bool {
        self.held.holds_calls_of(end)
    }

    fn abandon(&mut self, caller: &Arc<dyn Outlet>) {
        let released = self.held.release(caller);
        self.run_batch(released.into());
    }

    fn finish(&mut self, _: Finish) -> Result<()> {
        Ok(())
    }

    fn distrust_memory(&mut self) {
        self.held = Held::default();
    }
}

/// What callers on other threads learn at once: never an answer. Of a key in a log that exists, nothing or a guess, which
/// is likely and never certain: what the key has now, or any value that it has or had.
pub struct SharedMemory {
    logs: Logs,
    chance: Mutex<Chance>,
}

impl SharedMemory {
    /// Of these logs.
    pub fn new(logs: Logs, seed: u64) -> Self {
        Self { logs, chance: Mutex::new(Chance::new(seed)) }
    }
}

impl Memory for SharedMemory {
    fn answer_now(&self, _: &LogName, _: &Query) -> Option<Answer> {
        None
    }

    fn guess(&self, log: &LogName, keys: &[String]) -> Option<Belief> {
        let mut chance = self.chance.lock();
        if chance.once_in(3) {
            return None;
        }
        let logs = self.logs.lock();
        let log = logs.get(log)?;
        Some(Belief::Likely(keys.iter().map(|key| has_or_had(log, key, &mut chance)).collect()))
    }

    fn report(&self) -> Box<dyn PlaceReport> {
        Box::new(NoReport(Distribution::default()))
    }
}

/// What the key has, or at times a value that it had.
fn has_or_had(log: &MemoryLog, key: &str, chance: &mut Chance) -> Option<String> {
    if chance.once_in(3) {
        let mut former = log.values_of(key);
        if !former.is_empty() {
            #[expect(clippy::cast_possible_truncation, reason = "below the number of values")]
            let place = chance.below(former.len() as u64) as usize;
            return Some(former.swap_remove(place));
        }
    }
    log.state().get_live(key, now_ms()).map(|member| member.value().to_owned())
}

/// A place in memory measures nothing.
struct NoReport(Distribution);

impl PlaceReport for NoReport {
    fn batch_calls(&self) -> &Distribution {
        &self.0
    }

    fn leading_members(&self) -> String {
        "\"dataDir\":null,\"logs\":{}".to_owned()
    }

    fn trailing_members(&self) -> String {
        "\"lockWait\":null".to_owned()
    }

    fn families(&self) -> Vec<Family> {
        Vec::new()
    }
}
