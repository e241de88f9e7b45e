//! A thread for calls about whole logs, with a connection of its own, so that they do not wait for commits nor hold them
//! up. Started with the first call.
//!
//! ```text
//! core ──give──> queue ──> asks the server ──snapshot──> begun ──> answer
//!                            └── unbegun ──┘               └ passed: a later write of its thread did not wait for it
//! ```
//!
//! Invariant: calls are answered in their order, each once, and none sees what its thread called later: a write waits
//! until the reads before it have begun, and a moment for their answers. A read that it passed is not put again when its
//! answer is lost.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::error::{Error, Result};
use crate::postgres::tries::{SILENCE_MS_MAX, Tries};
use crate::postgres::wire::{Asked, Loss};
use crate::store::answer::Answer;
use crate::store::inbox::REQUEST_BYTES;
use crate::store::request::{Request, Work};
use crate::store::ticket::Outlet;
use crate::thread::spawn;

/// So long a write waits for the answer to an earlier read of its thread that has begun. Until then, an answer that is lost
/// is asked for once more.
const ANSWER_WAIT_US: u64 = 200_000;

/// The answer to a read of at most so many keys is short.
const SHORT_KEYS_MAX: usize = 100;

/// So often who waits looks whether an end has come.
const LOOK_US: u64 = 100_000;

/// Answers calls about whole logs.
pub trait Side: Send {
    /// The answer; `begun` is called once it is fixed what it will be.
    ///
    /// # Errors
    /// See `Loss`.
    fn answer(&mut self, request: &Request, begun: &dyn Fn(), within_ms: u64) -> Asked<Answer>;

    /// A call is rejected with this.
    fn failed(&mut self, request: &Request, error: &Error);
}

/// See the header of this file.
pub struct Reader {
    asker: Arc<Asker>,
    started: Mutex<Option<(Sender<Request>, JoinHandle<()>)>>,
}

/// What the thread and those who call it share.
struct Asker {
    side: Arc<Mutex<dyn Side>>,
    tries: Tries,
    /// What the calls weigh that are not answered.
    waiting_bytes: Arc<AtomicUsize>,
    progress: Progress,
}

#[derive(Default)]
struct Progress {
    counts: Mutex<Counts>,
    changed: Condvar,
}

/// How many calls were given and answered.
#[derive(Default)]
struct Counts {
    given: u64,
    answered: u64,
    /// Those that have not begun.
    unbegun: VecDeque<Given>,
    /// The one that has begun and is not answered.
    begun: Option<Begun>,
}

struct Begun {
    given: Given,
    at_us: u64,
    is_late: bool,
}

struct Given {
    number: u64,
    caller: Arc<dyn Outlet>,
    /// A later write of its caller did not wait for it.
    is_passed: bool,
}

impl Counts {
    /// How long a write of these callers waits, in microseconds, for what was given up to this number; 0 when it need not.
    fn wait_us(&self, last: u64, is_theirs: &impl Fn(&Arc<dyn Outlet>) -> bool, now_us: u64) -> u64 {
        let is_earlier = |given: &Given| given.number <= last && is_theirs(&given.caller);
        if self.unbegun.iter().any(is_earlier) {
            return u64::MAX;
        }
        let begun = self.begun.as_ref().filter(|begun| is_earlier(&begun.given));
        begun.map_or(0, |begun| (begun.at_us + ANSWER_WAIT_US).saturating_sub(now_us))
    }

    /// A write of these callers waits no longer.
    fn pass(&mut self, last: u64, is_theirs: &impl Fn(&Arc<dyn Outlet>) -> bool) {
        let begun = self.begun.iter_mut().map(|begun| &mut begun.given);
        for given in begun.chain(&mut self.unbegun) {
            given.is_passed |= given.number <= last && is_theirs(&given.caller);
        }
    }
}

impl Progress {
    fn given(&self, caller: Arc<dyn Outlet>) {
        let mut counts = self.counts.lock();
        counts.given += 1;
        let number = counts.given;
        counts.unbegun.push_back(Given { number, caller, is_passed: false });
    }

    /// It is fixed what the answer to this call will be.
    fn begun(&self, number: u64, at_us: u64) {
        let mut counts = self.counts.lock();
        if counts.unbegun.front().is_some_and(|first| first.number == number)
            && let Some(given) = counts.unbegun.pop_front()
        {
            let is_late = given.is_passed;
            counts.begun = Some(Begun { given, at_us, is_late });
        }
        drop(counts);
        self.changed.notify_all();
    }

    /// The call that is asked for begins, or begins once more. False: a write passed it, and it must not.
    fn begin(&self) -> bool {
        let mut counts = self.counts.lock();
        if let Some(begun) = counts.begun.take() {
            counts.unbegun.push_front(begun.given);
        }
        counts.unbegun.front().is_none_or(|given| !given.is_passed)
    }

    /// Whether the call that has begun did so after a write had passed it: its answer may show that.
    fn has_begun_late(&self) -> bool {
        self.counts.lock().begun.as_ref().is_some_and(|begun| begun.is_late)
    }

    /// The call is answered, whether it had begun or not.
    fn answered(&self, number: u64) {
        let mut counts = self.counts.lock();
        counts.begun = None;
        if counts.unbegun.front().is_some_and(|first| first.number == number) {
            counts.unbegun.pop_front();
        }
        counts.answered = number;
        drop(counts);
        self.changed.notify_all();
    }

    /// Waits until a write of these callers may pass the calls that were given until now, or there is no time left.
    fn pass(
        &self,
        is_theirs: impl Fn(&Arc<dyn Outlet>) -> bool,
        now_us: impl Fn() -> u64,
        left_us: impl Fn() -> u64,
    ) {
        let mut counts = self.counts.lock();
        let last = counts.given;
        loop {
            let wait_us = counts.wait_us(last, &is_theirs, now_us()).min(left_us()).min(LOOK_US);
            if wait_us == 0 {
                break;
            }
            // Whatever ends the wait: what has begun may have to begin once more by now.
            self.changed.wait_for(&mut counts, Duration::from_micros(wait_us));
        }
        counts.pass(last, &is_theirs);
    }
}

impl Reader {
    /// A reader that asks this side, and keeps in `waiting_bytes` what its calls weigh.
    pub fn new(side: Arc<Mutex<dyn Side>>, tries: Tries, waiting_bytes: Arc<AtomicUsize>) -> Self {
        let asker = Asker { side, tries, waiting_bytes, progress: Progress::default() };
        Self { asker: Arc::new(asker), started: Mutex::default() }
    }

    /// Answers a call, soon.
    pub fn give(&self, request: Request) {
        let mut started = self.started.lock();
        if started.is_none() {
            match self.start() {
                Ok(thread) => *started = Some(thread),
                // To ask here would hold up the thread that calls.
                Err(error) => return request.ticket.answer(Err(Error::no_thread(&error))).flush(),
            }
        }
        self.asker.progress.given(request.ticket.outlet());
        self.asker.waiting_bytes.fetch_add(request.size_bytes + REQUEST_BYTES, Ordering::Relaxed);
        if let Some((sender, _)) = &*started {
            // The receiver lives as long as the sender.
            let _ = sender.send(request);
        }
    }

    /// Whether calls wait for their answer.
    pub fn is_busy(&self) -> bool {
        let counts = self.asker.progress.counts.lock();
        counts.answered < counts.given
    }

    fn start(&self) -> std::io::Result<(Sender<Request>, JoinHandle<()>)> {
        let (sender, requests) = channel::<Request>();
        let asker = Arc::clone(&self.asker);
        let work = move || requests.into_iter().for_each(|request| asker.answer(request));
        let thread = spawn("ps-reader", Box::new(work))?;
        Ok((sender, thread))
    }

    /// Waits until no call of these callers that was given would see what is written from now on; so long at most, and no
    /// longer once it is over.
    pub fn let_pass(
        &self,
        is_theirs: impl Fn(&Arc<dyn Outlet>) -> bool,
        is_over: impl Fn() -> bool,
        within_ms: u64,
    ) {
        let clock = &self.asker.tries.clock;
        let now_us = || clock.monotonic_us();
        let until_us = now_us() + within_ms * 1000;
        let left_us = || if is_over() { 0 } else { until_us.saturating_sub(now_us()) };
        self.asker.progress.pass(is_theirs, now_us, left_us);
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let is_idle = !self.is_busy();
        if let Some((sender, thread)) = self.started.lock().take() {
            drop(sender);
            // One that still asks a server that is away ends by itself, and nobody waits for its answer.
            if is_idle {
                // A panic answers the call by its ticket; the thread has no other result.
                let _ = thread.join();
            }
        }
    }
}

impl Asker {
    fn answer(&self, request: Request) {
        let asked_us = request.ticket.asked_us().unwrap_or_else(|| self.tries.clock.monotonic_us());
        let weight = request.size_bytes + REQUEST_BYTES;
        let number = self.progress.counts.lock().answered + 1;
        let begun = || self.progress.begun(number, self.tries.clock.monotonic_us());
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut reason = String::from("the server is away");
            self.tries.until_answered(asked_us, |left_ms| {
                if !self.progress.begin() {
                    return Err(Loss::Refused(Error::answer_lost(&reason)));
                }
                // What takes long because there is much of it has all of its time.
                let keys = if let Work::Read(query) = &request.work { query.keys().len() } else { 0 };
                let is_short = (1..=SHORT_KEYS_MAX).contains(&keys);
                let within_ms = if is_short { left_ms.min(SILENCE_MS_MAX) } else { left_ms };
                let answer = self.side.lock().answer(&request, &begun, within_ms);
                match answer {
                    Ok(_) if self.progress.has_begun_late() => {
                        Err(Loss::Refused(Error::answer_lost("it came too late")))
                    }
                    Err(Loss::Lost(error) | Loss::Again(error)) => {
                        error.message().clone_into(&mut reason);
                        Err(Loss::Lost(error))
                    }
                    other => other,
                }
            })
        }));
        let result: Result<Answer> =
            caught.unwrap_or_else(|_| Err(Error::internal("a read of a whole log failed")));
        if let Err(error) = &result {
            self.side.lock().failed(&request, error);
        }
        self.waiting_bytes.fetch_sub(weight, Ordering::Relaxed);
        request.ticket.answer(result).flush();
        self.progress.answered(number);
    }
}

#[cfg(all(test, feature = "simulation"))]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::data::name::LogName;
    use crate::postgres::wire::Loss;
    use crate::store::query::Query;
    use crate::store::ticket::Ticket;
    use crate::vfs::FileSystem;
    use crate::vfs::simulated::SimulatedDisk;

    #[derive(Default)]
    struct Answered(Mutex<Vec<Result<Answer>>>);

    impl Outlet for Answered {
        fn deliver(&self, _: usize, answer: Result<Answer>) {
            self.0.lock().push(answer);
        }

        fn flush(&self) {}
    }

    /// A side that does what it is told, step by step.
    struct Told(mpsc::Receiver<Step>);

    #[derive(Clone, Copy)]
    enum Step {
        Begin,
        Lose,
        Answer,
    }

    impl Side for Told {
        fn answer(&mut self, _: &Request, begun: &dyn Fn(), _: u64) -> Asked<Answer> {
            loop {
                match self.0.recv() {
                    Ok(Step::Begin) => begun(),
                    Ok(Step::Answer) => return Ok(Answer::Undefined),
                    Ok(Step::Lose) | Err(_) => return Err(Loss::Lost(Error::internal("it is lost"))),
                }
            }
        }

        fn failed(&mut self, _: &Request, _: &Error) {}
    }

    /// A reader, the callers that ask it, and what it is told.
    struct Scene {
        clock: SimulatedDisk,
        reader: Reader,
        caller: Arc<Answered>,
        steps: mpsc::Sender<Step>,
        waiting_bytes: Arc<AtomicUsize>,
    }

    impl Scene {
        fn new() -> Self {
            let (steps, told) = mpsc::channel();
            let clock = SimulatedDisk::new();
            let tries = Tries { clock: Arc::new(clock.outsider()), timeout_ms: 60_000 };
            let waiting_bytes = Arc::<AtomicUsize>::default();
            let reader = Reader::new(Arc::new(Mutex::new(Told(told))), tries, Arc::clone(&waiting_bytes));
            Self { clock, reader, caller: Arc::default(), steps, waiting_bytes }
        }

        fn read(&self) {
            let caller = Arc::clone(&self.caller) as Arc<dyn Outlet>;
            self.reader.give(Request {
                log: LogName::new("players").expect("a name"),
                is_collection: true,
                work: Work::Read(Query::All),
                size_bytes: 0,
                ticket: Ticket::new(caller, 0),
            });
        }

        fn tell(&self, step: Step) {
            self.steps.send(step).expect("it asks");
        }

        fn wait_until(&self, is_so: impl Fn(&Counts) -> bool) {
            while !is_so(&self.reader.asker.progress.counts.lock()) {
                std::thread::yield_now();
            }
        }

        /// How long a write of this caller would wait.
        fn wait_us(&self, is_own: bool) -> u64 {
            let now_us = self.clock.outsider().monotonic_us();
            self.reader.asker.progress.counts.lock().wait_us(u64::MAX, &|_| is_own, now_us)
        }
    }

    #[test]
    fn a_write_waits_only_for_the_reads_of_its_own_thread() {
        let scene = Scene::new();
        scene.read();
        assert_eq!(scene.wait_us(false), 0);
        assert_eq!(scene.wait_us(true), u64::MAX);
        scene.tell(Step::Begin);
        scene.wait_until(|counts| counts.begun.is_some());
        assert_eq!(scene.wait_us(true), ANSWER_WAIT_US);
        scene.clock.advance_ms(ANSWER_WAIT_US / 1000);
        assert_eq!(scene.wait_us(true), 0);
        assert_eq!(scene.waiting_bytes.load(Ordering::Relaxed), REQUEST_BYTES);
        assert!(scene.reader.is_busy());
        scene.tell(Step::Answer);
        scene.wait_until(|counts| counts.answered == 1);
        assert_eq!(scene.waiting_bytes.load(Ordering::Relaxed), 0);
        assert!(!scene.reader.is_busy() && scene.caller.0.lock().pop().expect("an answer").is_ok());
    }

    #[test]
    fn an_answer_that_is_lost_is_asked_for_again_unless_a_write_passed_the_read() {
        for is_passed in [false, true] {
            let scene = Scene::new();
            scene.read();
            scene.tell(Step::Begin);
            scene.wait_until(|counts| counts.begun.is_some());
            scene.reader.let_pass(|_| false, || false, 60_000);
            if is_passed {
                scene.clock.advance_ms(ANSWER_WAIT_US / 1000);
                scene.reader.let_pass(|_| true, || false, 60_000);
            }
            scene.tell(Step::Lose);
            if !is_passed {
                scene.wait_until(|counts| counts.begun.is_none());
                assert_eq!(scene.wait_us(true), u64::MAX, "a write waits once more");
                scene.tell(Step::Begin);
                scene.tell(Step::Answer);
            }
            scene.wait_until(|counts| counts.answered == 1);
            let answer = scene.caller.0.lock().pop().expect("an answer");
            assert_eq!(answer.is_ok(), !is_passed);
        }
    }

    #[test]
    fn a_read_that_a_write_passed_before_it_began_does_not_begin() {
        let scene = Scene::new();
        scene.read();
        scene.read();
        scene.reader.let_pass(|_| true, || true, 60_000);
        scene.tell(Step::Begin);
        scene.tell(Step::Answer);
        scene.wait_until(|counts| counts.answered == 2);
        let answers: Vec<bool> = scene.caller.0.lock().iter().map(Result::is_ok).collect();
        assert_eq!(answers, [false, false], "also the one that was asked for already");
    }
}
