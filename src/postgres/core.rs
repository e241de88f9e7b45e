//! The core of a place that is a server: batches of calls, each one transaction.
//!
//! ```text
//! waiting calls ──fold──> batch ──commit──> done: answers
//!      ^                    │                  conflict: the same calls once more, with what the keys have now
//!      └────────────────────┘                  lost: unsettled
//!
//! unsettled ──look up──> committed: answers
//!                        not: sent once more under the same name, or voided where nobody waits any more
//! ```
//!
//! A batch is committed as a whole, so the calls of a thread take effect in their order. While a server is away the
//! calls wait, each up to its deadline.
//!
//! Invariant: a batch is applied at most once, and a call is answered with success only when its batch is committed. No
//! batch is sent while an earlier one is unsettled.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hashbrown::HashMap;

use crate::data::name::LogName;
use crate::error::{Code, Error, Outcome, Result};
use crate::postgres::acked::Acked;
use crate::postgres::batch::Batch;
use crate::postgres::change_id::ChangeIds;
use crate::postgres::deadlines::Deadlines;
use crate::postgres::fold::{Folded, Rows, fold, fold_whole, reads_whole};
use crate::postgres::next_tries::NextTries;
use crate::postgres::read_ahead::ReadAhead;
use crate::postgres::retry::Retry;
use crate::postgres::shared::Shared;
use crate::postgres::tries::SILENCE_MS_MAX;
use crate::postgres::waiting::Waiting;
use crate::postgres::wire::{Asked, Commit, Committed, Key, Lock, Loss, Op, Row, Wire};
use crate::store::answer::Answer;
use crate::store::core::{Core, Finish, Phase, Task};
use crate::store::request::{Request, Work};
use crate::store::ticket::{Outlet, Ticket};

/// Text of a batch. A call with more is a batch of its own.
const BATCH_BYTES_MAX: usize = 4 << 20;
/// Keys and entries of a batch.
const BATCH_ROWS_MAX: usize = 8192;
/// Calls that are looked at for a batch.
const BATCH_CALLS_MAX: usize = 4096;
/// So often a batch, or a call with a function, is tried before its keys are locked.
const FREE_TRIES: u32 = 3;
/// Calls whose keys are locked together while their functions run.
const LOCKED_CALLS_MAX: usize = 100;
/// So long a read is waited for at an end.
const PASS_AT_END_MS: u64 = 1_000;

/// A call that is in a batch, with the answer it gets once that is committed.
struct Staged {
    request: Request,
    answer: Result<Answer>,
}

/// A batch that was sent and of which nobody knows whether it was committed.
struct Unsettled {
    commit: Commit,
    /// Those that still wait.
    staged: Vec<Staged>,
    calls: usize,
}

/// Calls that were given up at an end, and how many of them may have changed the data.
#[derive(Default)]
struct GivenUp {
    calls: usize,
    unknown: usize,
}

/// Whether work can go on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Made,
    /// The server is away: nothing goes on before the next try.
    Stopped,
}

/// See the header of this file.
pub struct ServerCore<W: Wire> {
    wire: W,
    shared: Shared,
    deadlines: Deadlines,
    ids: ChangeIds,
    acked: Acked,
    waiting: Waiting,
    next_tries: NextTries,
    /// What keys have, as the conflict said that came just now.
    just_read: HashMap<Key, Row>,
    unsettled: Option<Unsettled>,
    retry: Retry,
    /// How often the calls in front were tried without success.
    tries: u32,
    /// Keys that were locked for functions had something else than these expected: others change them all the time.
    is_contended: bool,
    /// So many calls in front are tried one at a time: one of them is refused.
    one_by_one: usize,
    /// Calls that were given up at an end.
    given_up: GivenUp,
    /// Up to here the time without a server was counted.
    counted_us: u64,
}

impl<W: Wire> ServerCore<W> {
    /// A core that asks this server. Nothing is asked before the first call.
    pub fn new(wire: W, shared: Shared) -> Self {
        let (clock, patience) = (Arc::clone(&shared.clock), Arc::clone(&shared.patience));
        Self {
            wire,
            deadlines: Deadlines::new(clock, patience, shared.timeout_ms),
            ids: ChangeIds::default(),
            acked: Acked::default(),
            waiting: Waiting::new(Arc::clone(&shared.waiting_bytes)),
            next_tries: NextTries::default(),
            just_read: HashMap::new(),
            unsettled: None,
            retry: Retry::default(),
            tries: 0,
            is_contended: false,
            one_by_one: 0,
            given_up: GivenUp::default(),
            counted_us: 0,
            shared,
        }
    }

    fn now_ms(&self) -> u64 {
        self.deadlines.now_ms()
    }

    /// The call that waits longest: one of these, or the first in the queue.
    fn first<'a>(&'a self, staged: &'a [Staged]) -> Option<&'a Request> {
        staged.first().map(|staged| &staged.request).or_else(|| self.waiting.front())
    }

    /// How long the server may take for a short answer.
    fn within_ms(&self, staged: &[Staged]) -> u64 {
        self.deadlines.short_answer_ms(self.first(staged))
    }

    /// How long it may take for the answer to this batch.
    fn commit_ms(&self, staged: &[Staged], commit: &Commit) -> u64 {
        self.deadlines.commit_ms(self.first(staged), commit.size_bytes())
    }

    fn has_unsettled_callers(&self) -> bool {
        self.unsettled.as_ref().is_some_and(|batch| !batch.staged.is_empty())
    }

    fn has_work(&self) -> bool {
        self.unsettled.is_some() || !self.waiting.is_empty()
    }

    /// Does what can be done.
    fn work(&mut self) {
        if !self.retry.is_failing() {
            self.counted_us = self.shared.clock.monotonic_us();
        }
        loop {
            self.expire();
            if self.waits_for_next_tries() || !self.has_work() || self.retry.is_later(self.now_ms()) {
                return;
            }
            // The thread has its turn between two tries, and takes what was called meanwhile: that has deadlines, too.
            if self.open() == Progress::Stopped || self.settle() == Progress::Stopped {
                return self.expire();
            }
            if !self.waiting.is_empty() {
                self.run_next();
            }
            if self.tries > 0 {
                return self.expire();
            }
        }
    }

    // --- The connection ---

    fn open(&mut self) -> Progress {
        if self.wire.is_open() {
            return Progress::Made;
        }
        match self.wire.open(self.within_ms(&[])).and_then(|()| self.reopened()) {
            Ok(()) => {
                self.shared.metrics.connections.add(1);
                self.shared.patience.succeeded();
                self.shared.epoch.fetch_add(1, Ordering::AcqRel);
                if let Some(away_ms) = self.retry.succeeded(self.now_ms()) {
                    self.shared.events.reconnected(&self.wire.host(), away_ms);
                }
                Progress::Made
            }
            // A batch of which nobody waits may be unsettled for ever; what was called later was not sent.
            Err(Loss::Refused(error)) if !self.has_unsettled_callers() => {
                if error.code() == Code::Moved {
                    // Nothing is written there any more.
                    self.unsettled = None;
                }
                if self.unsettled.is_some() {
                    self.lost(&error);
                } else {
                    self.wire.close();
                }
                self.refuse_waiting(&error);
                Progress::Stopped
            }
            Err(Loss::Refused(error) | Loss::Lost(error) | Loss::Again(error)) => {
                self.lost(&error);
                Progress::Stopped
            }
            Err(Loss::Duplicate) => Progress::Stopped,
        }
    }

    /// A server may lack what an earlier one acknowledged: this one is asked, and nothing is taken for known.
    fn reopened(&mut self) -> Asked<()> {
        self.shared.known.lock().clear();
        let (within_ms, now_ms) = (self.within_ms(&[]), self.now_ms());
        let Self { acked, wire, .. } = self;
        let lost = acked.find_lost(now_ms, |changes| wire.look_up(changes, within_ms))?;
        for (log, keys) in lost {
            self.shared.events.lost_writes(&log, &keys);
        }
        Ok(())
    }

    /// The connection is of no use any more.
    fn lost(&mut self, error: &Error) {
        self.wire.close();
        self.next_tries.unlock();
        if self.retry.failed(self.now_ms(), error.message()) {
            self.shared.events.connection_lost(&self.wire.host(), error.message());
        }
        let now_us = self.shared.clock.monotonic_us();
        let waited_us = now_us.saturating_sub(std::mem::replace(&mut self.counted_us, now_us));
        self.shared.patience.wait_until(self.shared.patience.waited_us() + waited_us);
    }

    fn refuse_waiting(&mut self, error: &Error) {
        while !self.waiting.is_empty() {
            self.refuse_first(self.waiting.len(), error);
        }
    }

    // --- Deadlines ---

    fn first_deadline_ms(&self) -> Option<u64> {
        let staged = self.unsettled.iter().flat_map(|unsettled| &unsettled.staged);
        let first = staged.map(|staged| &staged.request).chain(self.waiting.front());
        first.map(|request| self.deadlines.of(&request.ticket)).min()
    }

    /// Answers the calls whose time is over, and with them those whose time is next to over.
    fn expire(&mut self) {
        let is_end = self.shared.patience.is_over(self.shared.patience.waited_us());
        let now_ms = self.deadlines.over_until_ms(self.first_deadline_ms());
        let mut over = Vec::new();
        while let Some(first) = self.waiting.front()
            && (is_end || self.deadlines.of(&first.ticket) <= now_ms)
            && let Some(request) = self.waiting.pop_front()
        {
            let outcome = if request.work.is_change() { Outcome::KnownUnchanged } else { Outcome::Unchanged };
            over.push((request.ticket, Err(self.timeout(outcome, is_end))));
        }
        let mut unknown = 0;
        if let Some(mut unsettled) = self.unsettled.take() {
            let staged = std::mem::take(&mut unsettled.staged);
            let (gone, left): (Vec<_>, Vec<_>) = staged
                .into_iter()
                .partition(|staged| is_end || self.deadlines.of(&staged.request.ticket) <= now_ms);
            over.extend(gone.into_iter().map(|Staged { request, .. }| {
                let is_change = request.work.is_change();
                unknown += usize::from(is_change);
                let outcome = if is_change { Outcome::Unknown } else { Outcome::Unchanged };
                (request.ticket, Err(self.timeout(outcome, is_end)))
            }));
            unsettled.staged = left;
            // Where other threads go on, it is still made impossible.
            self.unsettled = Some(unsettled);
        }
        if is_end {
            self.given_up.calls += over.len();
            self.given_up.unknown += unknown;
        }
        self.shared.metrics.timeouts.add(over.len() as u64);
        Self::answer(over);
    }

    fn timeout(&self, outcome: Outcome, is_end: bool) -> Error {
        let bound = format!("within {} ms", self.shared.timeout_ms);
        let bound = if is_end { "before the end" } else { &bound };
        Error::timeout(bound, outcome, self.retry.last_failure())
    }

    // --- A batch that was sent ---

    /// Finds out what became of a batch, and sees to it that it is applied once.
    fn settle(&mut self) -> Progress {
        let Some(unsettled) = self.unsettled.take() else { return Progress::Made };
        let within_ms = self.within_ms(&unsettled.staged);
        let change = unsettled.commit.change;
        if unsettled.staged.is_empty() {
            // Nobody waits. What comes later must not find it applied afterwards.
            return match self.wire.void(change, within_ms) {
                Ok(_) => Progress::Made,
                Err(loss) => self.still_unsettled(unsettled, loss),
            };
        }
        let found = match self.wire.look_up(&[change], within_ms) {
            Ok(found) => found.contains(&change),
            Err(loss) => return self.still_unsettled(unsettled, loss),
        };
        self.shared.metrics.repeats.add(u64::from(!found));
        let result = if found { Err(Loss::Duplicate) } else { self.commit_again(&unsettled) };
        match result {
            Ok(Committed::Conflict(rows)) => {
                // A first attempt that was late may be what is in conflict with this one. It is found now, or never:
                // a version that was expected does not come back.
                match self.wire.look_up(&[change], within_ms) {
                    Ok(found) if found.contains(&change) => self.done(unsettled),
                    Ok(_) => self.again(unsettled.staged, rows),
                    Err(loss) => return self.still_unsettled(unsettled, loss),
                }
                Progress::Made
            }
            Ok(Committed::Done) | Err(Loss::Duplicate) => {
                self.done(unsettled);
                Progress::Made
            }
            Err(loss) => self.still_unsettled(unsettled, loss),
        }
    }

    fn commit_again(&mut self, unsettled: &Unsettled) -> Asked<Committed> {
        let within_ms = self.commit_ms(&unsettled.staged, &unsettled.commit);
        self.wire.commit(&unsettled.commit, within_ms)
    }

    fn still_unsettled(&mut self, unsettled: Unsettled, loss: Loss) -> Progress {
        self.unsettled = Some(unsettled);
        match loss {
            Loss::Lost(error) | Loss::Refused(error) => self.lost(&error),
            Loss::Again(_) | Loss::Duplicate => {
                self.tries += 1;
                self.pause();
            }
        }
        Progress::Stopped
    }

    /// A batch is committed.
    fn done(&mut self, unsettled: Unsettled) {
        let Unsettled { commit, staged, calls } = unsettled;
        self.tries = 0;
        self.shared.patience.succeeded();
        self.shared.metrics.batch_calls.record(calls as u64);
        {
            let mut known = self.shared.known.lock();
            commit.rows().for_each(|(key, row)| known.set(key.clone(), row));
        }
        if self.wire.take_not_replicated() {
            self.shared.events.not_replicated(&commit);
        }
        self.shared.watched.committed(commit.entries.iter().map(|entry| &entry.log));
        self.acked.add(&commit, self.now_ms());
        let now_us = self.shared.clock.monotonic_us();
        let timed = staged.iter().filter_map(|staged| staged.request.ticket.asked_us());
        timed.for_each(|asked_us| self.shared.metrics.ack.record(now_us.saturating_sub(asked_us)));
        Self::answer(staged.into_iter().map(|Staged { request, answer }| (request.ticket, answer)));
        // Whoever copies entries appends all of them, and none must come between.
        let is_copy = commit.entries.iter().all(|entry| entry.op == Op::Entry);
        if self.wire.take_over() && !is_copy {
            self.remove_over(&commit);
        }
    }

    /// Removes what is over in the logs of this batch. Nobody waits for it, and nobody sees the difference: where it fails,
    /// the next batch finds it once more.
    fn remove_over(&mut self, commit: &Commit) {
        let mut logs: Vec<LogName> = commit.keys.iter().map(|effect| effect.key.log.clone()).collect();
        logs.dedup();
        for log in logs {
            let change = self.ids.next(self.shared.clock.now_ms());
            let within_ms = self.within_ms(&[]);
            match self.wire.expire(&log, change, within_ms) {
                Ok(()) => {}
                Err(Loss::Lost(error)) => return self.lost(&error),
                Err(Loss::Again(_) | Loss::Refused(_) | Loss::Duplicate) => return,
            }
        }
    }

    /// The calls of a batch that came to nothing are the first of the next one.
    fn again(&mut self, staged: Vec<Staged>, rows: Vec<(Key, Row)>) {
        self.tries += 1;
        self.shared.metrics.conflicts.add(1);
        {
            let mut known = self.shared.known.lock();
            for (key, row) in &rows {
                known.set(key.clone(), row.clone());
            }
        }
        self.just_read = rows.into_iter().collect();
        self.waiting.put_back(staged.into_iter().map(|staged| staged.request));
    }

    /// Lets others go first.
    fn pause(&mut self) {
        self.shared.metrics.retries.add(1);
        let pause_us = self.retry.jitter_us(self.tries);
        self.shared.clock.sleep_us(pause_us);
    }

    fn answer(answers: impl IntoIterator<Item = (Ticket, Result<Answer>)>) {
        let mut outlets: Vec<Arc<dyn Outlet>> = Vec::new();
        for (ticket, answer) in answers {
            let outlet = ticket.answer(answer);
            if !outlets.iter().any(|known| Arc::ptr_eq(known, &outlet)) {
                outlets.push(outlet);
            }
        }
        for outlet in outlets {
            outlet.flush();
        }
    }

    // --- Functions that run once more ---

    /// Whether the connection is kept for functions that run. Those that take too long have to do without the lock, and
    /// nothing stays locked where their next tries came too late and are answered.
    fn waits_for_next_tries(&mut self) -> bool {
        let Some(until_ms) = self.next_tries.locked_until_ms() else { return false };
        let is_awaited = self.next_tries.are_awaited();
        let is_over = if is_awaited {
            self.now_ms() >= until_ms || self.shared.patience.is_ending()
        } else {
            !self.next_tries.are_here(&self.waiting)
        };
        if is_over {
            self.unlock();
        }
        is_awaited && !is_over
    }

    fn unlock(&mut self) {
        if self.next_tries.unlock() {
            let within_ms = self.within_ms(&[]);
            self.wire.unlock(within_ms);
        }
    }

    // --- The next batch ---

    fn run_next(&mut self) {
        // All that wait now were called before this was read, so it is new enough for each of them.
        let just_read = std::mem::take(&mut self.just_read);
        // The next tries that keys are locked for come before all else.
        let has_locked = self.next_tries.locked_until_ms().is_some();
        let first = self.waiting.front().filter(|_| !has_locked);
        let first_is_whole = first.is_some_and(|request| reads_whole(&request.work));
        let result = if first_is_whole { self.run_whole() } else { self.run_batch_of_keys(&just_read) };
        match result {
            Ok(()) => {}
            Err(Loss::Lost(error) | Loss::Refused(error)) => self.lost(&error),
            Err(Loss::Again(error)) => {
                self.tries += 1;
                self.retry.note(error.message());
                self.pause();
            }
            Err(Loss::Duplicate) => self.tries += 1,
        }
    }

    /// The call in front is about a whole log: it is done alone.
    fn run_whole(&mut self) -> Asked<()> {
        let Some(request) = self.waiting.pop_front() else { return Ok(()) };
        let Some(request) = self.next_tries.unless_held(request) else { return Ok(()) };
        let Request { work: Work::Write(rule), .. } = &request else {
            let is_read = matches!(request.work, Work::Read(_));
            if !is_read {
                // What its caller asked before must not see the compacted log.
                self.pass_reads(|caller| request.ticket.is_of(caller));
            }
            let side = if is_read { &self.shared.reader } else { &self.shared.keeper };
            side.give(request);
            return Ok(());
        };
        let lock = self.lock(None);
        let within_ms = self.deadlines.whole_ms(&request);
        let rows = match self.wire.read_log(&request.log, lock, within_ms) {
            Ok(rows) => rows,
            Err(Loss::Refused(error)) => {
                Self::answer([(request.ticket, Err(error))]);
                return Ok(());
            }
            Err(loss) => {
                self.waiting.put_back([request].into_iter());
                return Err(loss);
            }
        };
        let mut batch = Batch::default();
        let answer = fold_whole(&mut batch, &request.log, &**rule, &rows, self.wire.now_ms());
        self.commit(batch, vec![Staged { request, answer }], lock)
    }

    /// Whether it is time to keep others from changing what is read.
    fn lock(&self, first: Option<&Request>) -> Lock {
        let tries = self.tries.max(first.map_or(0, Request::tries));
        let is_contended = self.is_contended && first.is_some_and(|first| first.work.has_function());
        if tries >= FREE_TRIES || is_contended { Lock::Held } else { Lock::Free }
    }

    /// Folds the calls in front into a batch and commits it.
    fn run_batch_of_keys(&mut self, just_read: &HashMap<Key, Row>) -> Asked<()> {
        let locked = self.next_tries.take_locked(&mut self.waiting);
        let first = self.waiting.front();
        let lock = if locked.is_some() { Lock::Held } else { self.lock(first) };
        // Functions of one thread run while their keys are locked: those of others are not.
        let caller = first.filter(|first| lock == Lock::Held && first.work.has_function());
        let caller = caller.map(|first| first.ticket.outlet());
        let calls_max = match &caller {
            _ if self.one_by_one > 0 => 1,
            Some(_) => LOCKED_CALLS_MAX,
            None => BATCH_CALLS_MAX,
        };
        let count = self.waiting.first_while(calls_max, |request| match &caller {
            Some(caller) => request.work.has_function() && request.ticket.is_of(caller),
            None => !reads_whole(&request.work),
        });
        if lock == Lock::Held && locked.is_none() {
            // Before others wait for these rows.
            self.pass_reads(|caller| {
                self.waiting.iter().take(count).any(|request| request.ticket.is_of(caller))
            });
        }
        let rows = if let Some(rows) = locked {
            rows
        } else {
            self.is_contended = false;
            self.read_ahead(count, lock, just_read)?
        };
        let mut batch = Batch::default();
        let mut staged: Vec<Staged> = Vec::new();
        let now_ms = self.wire.now_ms();
        let mut left = count;
        while left > 0
            && batch.size_bytes() < BATCH_BYTES_MAX
            && batch.rows() < BATCH_ROWS_MAX
            && let Some(request) = self.waiting.pop_front()
        {
            left -= 1;
            let Some(request) = self.next_tries.unless_held(request) else { continue };
            match fold(&mut batch, &rows, &request, (staged.is_empty(), now_ms)) {
                Folded::Answer(answer) => staged.push(Staged { request, answer }),
                Folded::Conflict(values) => {
                    let told = self.next_tries.tell((request, values), &mut self.waiting, (&rows, now_ms));
                    left = left.saturating_sub(told.len() - 1);
                    Self::answer(told);
                    if let Some(caller) = &caller {
                        self.is_contended = true;
                        self.next_tries.lock(Arc::clone(caller), rows, self.now_ms());
                        if self.next_tries.locked_until_ms().is_some() {
                            self.one_by_one = self.one_by_one.saturating_sub(count - left.min(count));
                            return Ok(());
                        }
                        break;
                    }
                }
                Folded::Later => {
                    self.waiting.put_back([request].into_iter());
                    break;
                }
            }
        }
        self.one_by_one = self.one_by_one.saturating_sub(count - left.min(count));
        self.commit(batch, staged, lock)
    }

    /// What the keys have that the first calls read.
    fn read_ahead(&mut self, count: usize, lock: Lock, just_read: &HashMap<Key, Row>) -> Asked<Rows> {
        let now_ms = self.wire.now_ms();
        let first = self.waiting.iter().take(count);
        let ahead = ReadAhead::of(first, &mut self.shared.known.lock(), just_read, (lock, now_ms));
        let mut found = Vec::new();
        if !ahead.wanted().is_empty() {
            self.shared.metrics.reads_ahead.add(1);
            found = match self.wire.read(ahead.wanted(), lock, self.within_ms(&[])) {
                Ok(found) => found,
                Err(Loss::Refused(error)) => {
                    self.refuse_first(count, &error);
                    return Err(Loss::Again(error));
                }
                Err(loss) => return Err(loss),
            };
        }
        Ok(ahead.with(found, &mut self.shared.known.lock()))
    }

    /// The server refuses what these calls need.
    fn refuse_first(&mut self, count: usize, error: &Error) {
        let refused = self.waiting.take(count);
        Self::answer(refused.into_iter().map(|request| (request.ticket, Err(error.clone()))));
    }

    /// Commits a batch and answers its calls.
    fn commit(&mut self, batch: Batch, staged: Vec<Staged>, lock: Lock) -> Asked<()> {
        if staged.is_empty() && lock == Lock::Free {
            return Ok(());
        }
        let commit = batch.commit(self.ids.next(self.shared.clock.now_ms()));
        let calls = staged.len();
        let unsettled = Unsettled { commit, staged, calls };
        if unsettled.commit.is_empty() {
            // Reads alone: nothing is to be committed.
            if lock == Lock::Held {
                let within_ms = self.within_ms(&unsettled.staged);
                self.wire.unlock(within_ms);
            }
            self.done(unsettled);
            return Ok(());
        }
        self.pass_reads(|caller| unsettled.staged.iter().any(|staged| staged.request.ticket.is_of(caller)));
        let within_ms = self.commit_ms(&unsettled.staged, &unsettled.commit);
        let result = self.wire.commit(&unsettled.commit, within_ms);
        match result {
            Ok(Committed::Done) => self.done(unsettled),
            Ok(Committed::Conflict(rows)) => self.again(unsettled.staged, rows),
            Err(Loss::Lost(error)) => {
                self.unsettled = Some(unsettled);
                self.lost(&error);
            }
            // Another batch has this name: a bug, which the next name does not have.
            Err(loss @ (Loss::Again(_) | Loss::Duplicate)) => {
                self.waiting.put_back(unsettled.staged.into_iter().map(|staged| staged.request));
                return Err(loss);
            }
            Err(Loss::Refused(error)) => self.refused(unsettled.staged, error),
        }
        Ok(())
    }

    /// A read that one of these callers called before must not see what is written next: it begins first. Where that takes
    /// long, nobody else is held up for it any more, and the read is rejected.
    fn pass_reads(&self, is_theirs: impl Fn(&Arc<dyn Outlet>) -> bool) {
        let started_ms = self.now_ms();
        let is_over = || self.shared.patience.is_ending() && self.now_ms() >= started_ms + PASS_AT_END_MS;
        self.shared.reader.let_pass(is_theirs, is_over, SILENCE_MS_MAX.min(self.shared.timeout_ms));
    }

    /// One of the calls is refused; which one shows when they are made one at a time.
    fn refused(&mut self, mut staged: Vec<Staged>, error: Error) {
        if staged.len() > 1 {
            self.one_by_one = staged.len();
            self.waiting.put_back(staged.into_iter().map(|staged| staged.request));
        } else if let Some(Staged { request, .. }) = staged.pop() {
            Self::answer([(request.ticket, Err(error))]);
        }
    }
}

impl<W: Wire + 'static> Core for ServerCore<W> {
    type Done = ();

    fn run_batch(&mut self, requests: Vec<Request>) {
        // It was read before these were called.
        self.just_read.clear();
        self.next_tries.arrived(requests, &mut self.waiting);
        self.work();
    }

    fn take_tasks(&mut self, _: Phase) -> Vec<Task<()>> {
        Vec::new()
    }

    fn task_done(&mut self, (): ()) {}

    fn next_due_ms(&self) -> Option<u64> {
        // A deadline may be before the next try.
        let deadline_ms = self.first_deadline_ms().unwrap_or(u64::MAX);
        let try_ms = || self.retry.due_ms().unwrap_or_else(|| self.now_ms());
        let work_ms = self.has_work().then(|| try_ms().min(deadline_ms));
        self.next_tries.locked_until_ms().map(|until_ms| deadline_ms.min(until_ms)).or(work_ms)
    }

    fn tick(&mut self) {
        self.work();
    }

    fn is_busy(&self) -> bool {
        false
    }

    fn has_calls_before(&self, end: &Ticket) -> bool {
        let staged = self.unsettled.iter().flat_map(|unsettled| &unsettled.staged);
        staged
            .map(|staged| &staged.request)
            .chain(self.waiting.iter())
            .any(|request| request.ticket.asked_us() <= end.asked_us())
            || self.next_tries.hold_calls_of(end)
    }

    fn is_waiting(&self) -> bool {
        // A batch of which nobody waits for an answer may wait for the server for ever.
        !self.waiting.is_empty() || self.has_unsettled_callers()
    }

    fn has_work_beside(&self) -> bool {
        let is_compaction = |request: &Request| matches!(request.work, Work::Compact | Work::Maintain(_));
        self.shared.keeper.is_busy() || self.waiting.iter().any(is_compaction)
    }

    fn abandon(&mut self, caller: &Arc<dyn Outlet>) {
        if self.next_tries.have_locked_for(caller) {
            self.unlock();
        }
        let Self { next_tries, waiting, unsettled, .. } = self;
        next_tries.abandon(caller, waiting);
        let staged = || unsettled.iter().flat_map(|unsettled| &unsettled.staged);
        let open = || waiting.iter().chain(staged().map(|staged| &staged.request));
        next_tries.forget_gone(|gone| open().any(|request| request.ticket.is_of(gone)));
        self.work();
    }

    fn finish(&mut self, _: Finish) -> Result<()> {
        self.unlock();
        self.work();
        match std::mem::take(&mut self.given_up) {
            GivenUp { calls: 0, .. } => Ok(()),
            GivenUp { calls, unknown } => {
                Err(Error::not_settled_at_end(calls, unknown, self.retry.last_failure()))
            }
        }
    }

    fn distrust_memory(&mut self) {
        self.shared.known.lock().clear();
        self.wire.close();
        self.next_tries.unlock();
    }
}
