//! What one JavaScript thread has: its stores, its waiting promises, and the way back from the writers.
//!
//! ```text
//! writer ──deliver──> ready list ──one wake-up──> a slice of promises a turn of the event loop, until none is left
//! ```
//!
//! The wake-up is a threadsafe function that does not keep the process alive by itself; it does while
//! calls are waiting. What a turn and a slice are is told in `turns.rs`.
//!
//! Invariant: `waiting_count` is the number of calls that were queued and not settled; the threadsafe
//! function holds the event loop if and only if it is not zero. While anything is due later, a turn is planned.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use super::host::Host;
use super::hub::Hub;
use super::js::{Deferred, Fallible, Js, Kept, Value};
use super::json::Json;
use super::outlet::{Backlog, EnvironmentOutlet, join_threads, wake_up};
use super::predicted::Predictions;
use super::store::Store;
use super::turns::{Steps, Turns, weight};
use crate::data::text::{Piece, TextKind, Texts};
use crate::error::{Error, Result};
use crate::store::answer::Answer;
use crate::store::backend::Backend;
use crate::store::ticket::Outlet;
use crate::store::ticket::Ticket;

/// At exit, functions given to `update` run at most so often: one may be made so that it never comes to an end.
const ROUNDS_AT_EXIT_MAX: u32 = 1000;

/// What happens with the answer of a call.
pub enum Then {
    /// It settles a promise.
    Settle(Deferred),
    /// Another answer, made of it, settles a promise.
    SettleAs(Deferred, Box<dyn FnOnce(Answer) -> Answer>),
    /// It settles a promise with undefined, whatever it says.
    SettleUndefined(Deferred),
    /// It goes on.
    Do(GoOn),
}

type GoOn = Box<dyn FnOnce(&Rc<Environment>, Js<'_>, Result<Answer>)>;
type Later = Box<dyn FnOnce(&Rc<Environment>, Js<'_>)>;

/// What is to be done in a slice.
enum Due {
    /// The answer of a call that waits.
    Answer(usize, Result<Answer>),
    /// What could have been done at once, but for the turn of the event loop.
    Later(Later, u32),
}

impl Due {
    fn weight(&self) -> u32 {
        match self {
            Self::Answer(_, answer) => answer.as_ref().map_or(1, |answer| weight(answer.text_bytes())),
            Self::Later(_, weight) => *weight,
        }
    }
}

struct Waiting {
    store: Rc<Store>,
    then: Then,
    /// What the call sets.
    predictions: Predictions,
}

/// An answer of several pieces that is put together one piece at a time, the event loop having its turn between.
struct Assembly {
    store: Rc<Store>,
    deferred: Deferred,
    kind: TextKind,
    pieces: std::vec::IntoIter<Piece>,
    whole: Kept,
}

/// Whether the thread waits for answers, so that its event loop must not end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hold {
    Yes,
    No,
}

/// See the header of this file.
pub struct Environment {
    /// Values into text and back.
    pub json: Json,
    /// When this thread's event loop has its turn.
    pub turns: Turns,
    /// The way back from other threads.
    pub outlet: Arc<EnvironmentOutlet>,
    /// What is ready and not settled yet, in order.
    backlog: RefCell<VecDeque<Due>>,
    /// How many of them are `Due::Later`.
    later_count: Cell<usize>,
    /// Large answers, in part.
    assemblies: RefCell<VecDeque<Assembly>>,
    waiting: RefCell<Vec<Option<Waiting>>>,
    free: RefCell<Vec<usize>>,
    waiting_count: Cell<usize>,
    /// Open stores, one for each folder and choice of options.
    stores: RefCell<Vec<Rc<Store>>>,
    host: RefCell<Option<Rc<Host>>>,
    is_exit_hooked: Cell<bool>,
    /// The listener of `exit` was called, so nobody will wait for what is called from now on.
    is_exiting: Cell<bool>,
}

impl Steps for Environment {
    fn settle_more(js: Js<'_>) {
        Self::here(js, |environment| environment.settle_more(js));
    }

    fn turned(js: Js<'_>) {
        Self::here(js, |environment| {
            environment.turns.turned();
            environment.turn(js);
        });
    }

    fn relay(js: Js<'_>) {
        Self::here(js, |environment| environment.relay());
    }
}

impl Environment {
    /// The environment of this thread, made at its first use.
    pub fn of(js: Js<'_>) -> Fallible<'_, Rc<Self>> {
        let env = js.env();
        if let Ok(Some(known)) = env.get_instance_data::<Rc<Self>>() {
            return Ok(Rc::clone(known));
        }
        let environment = Rc::new(Self::new(js)?);
        let made = Rc::clone(&environment);
        env.set_instance_data(made, (), |_| {})
            .map_err(|_| Error::internal("no place for this thread's data"))?;
        let at_end = Rc::clone(&environment);
        js.at_end(move || at_end.end())?;
        join_threads(&environment.outlet);
        Ok(environment)
    }

    /// Does this with the environment of the thread, if there is one.
    fn here(js: Js<'_>, work: impl FnOnce(&Rc<Self>)) {
        if let Ok(environment) = Self::of(js) {
            work(&environment);
        }
    }

    fn new(js: Js<'_>) -> Fallible<'_, Self> {
        let outlet = EnvironmentOutlet::new();
        outlet.connect(wake_up(js, |js| {
            Self::here(js, |environment| {
                if environment.turns.is_turn() {
                    environment.turn(js);
                }
            });
        })?);
        Ok(Self {
            json: Json::new(js)?,
            turns: Turns::new::<Self>(js)?,
            outlet,
            backlog: RefCell::default(),
            later_count: Cell::new(0),
            assemblies: RefCell::default(),
            waiting: RefCell::default(),
            free: RefCell::default(),
            waiting_count: Cell::new(0),
            stores: RefCell::default(),
            host: RefCell::default(),
            is_exit_hooked: Cell::new(false),
            is_exiting: Cell::new(false),
        })
    }

    /// The functions of `lib/`.
    pub fn host(&self) -> Result<Rc<Host>> {
        self.host.borrow().clone().ok_or_else(|| Error::internal("lib/ is not loaded"))
    }

    /// `lib/` is loaded.
    pub fn connect(&self, host: Host) {
        *self.host.borrow_mut() = Some(Rc::new(host));
    }

    /// This thread's store of a backend.
    pub fn store_of(&self, backend: Arc<dyn Backend>, hub: &Arc<Hub>) -> Rc<Store> {
        let mut stores = self.stores.borrow_mut();
        if let Some(known) = stores.iter().find(|store| Arc::ptr_eq(&store.backend, &backend)) {
            return Rc::clone(known);
        }
        let store = Store::new(backend, hub);
        stores.push(Rc::clone(&store));
        store
    }

    /// No handle of this thread uses the store any more.
    pub fn forget(&self, store: &Rc<Store>) {
        self.stores.borrow_mut().retain(|known| !Rc::ptr_eq(known, store));
    }

    /// A ticket for a call on `store`; `then` says what happens with its answer.
    pub fn ticket(&self, js: Js<'_>, store: &Rc<Store>, then: Then) -> Ticket {
        self.ticket_for(js, store, then, Predictions::new())
    }

    /// The same for a call that sets what was predicted last.
    pub fn ticket_of_change(&self, js: Js<'_>, store: &Rc<Store>, then: Then) -> Ticket {
        self.ticket_for(js, store, then, store.predicted.of_call())
    }

    fn ticket_for(&self, js: Js<'_>, store: &Rc<Store>, then: Then, predictions: Predictions) -> Ticket {
        let waiting = Waiting { store: Rc::clone(store), then, predictions };
        let is_first = store.pending.replace(store.pending.get() + 1) == 0;
        self.one_more_waits(js);
        let mut all = self.waiting.borrow_mut();
        let id = if let Some(id) = self.free.borrow_mut().pop() {
            all[id] = Some(waiting);
            id
        } else {
            all.push(Some(waiting));
            all.len() - 1
        };
        let mut ticket = Ticket::new(Arc::clone(&self.outlet) as Arc<dyn Outlet>, id);
        if is_first {
            ticket.follow_nothing();
        }
        ticket
    }

    fn one_more_waits(&self, js: Js<'_>) {
        if self.waiting_count.replace(self.waiting_count.get() + 1) == 0 {
            self.hold_event_loop(js, Hold::Yes);
        }
    }

    fn one_less_waits(&self, js: Js<'_>) {
        if self.waiting_count.replace(self.waiting_count.get() - 1) == 1 {
            self.hold_event_loop(js, Hold::No);
        }
    }

    #[expect(deprecated, reason = "cloning the function, as is advised, allocates at each first call")]
    fn hold_event_loop(&self, js: Js<'_>, hold: Hold) {
        let env = js.env();
        self.outlet.with_wake_up(|wake_up| {
            // While the environment goes down there is no loop to hold.
            let _ = if hold == Hold::Yes { wake_up.refer(&env) } else { wake_up.unref(&env) };
        });
    }

    /// The event loop has had its turn: a slice of what is ready, and one piece of a large answer.
    pub fn turn(self: &Rc<Self>, js: Js<'_>) {
        if !self.take_ready(js) {
            return;
        }
        if !self.turns.plan(js) {
            self.settle_all(js);
            return;
        }
        self.assemble_piece(js);
        self.turns.begin();
        self.settle_few(js);
    }

    /// The few that were settled have set off what they set off.
    pub fn settle_more(self: &Rc<Self>, js: Js<'_>) {
        if self.turns.is_time_left() {
            self.settle_few(js);
        }
    }

    fn settle_few(self: &Rc<Self>, js: Js<'_>) {
        let few = self.turns.few();
        let mut settled = 0;
        while settled < few
            && let Some(due) = self.pop_backlog()
        {
            settled += due.weight();
            self.settle_one(js, due);
        }
        if !self.backlog.borrow().is_empty() && !self.turns.go_on_behind_microtasks(js) {
            self.settle_all(js);
        }
    }

    /// The wake-up for the turn that was planned.
    pub fn relay(&self) {
        self.turns.relayed();
        self.outlet.wake();
    }

    /// Settles a promise without a call to the writer: now, or after a turn of the event loop where callers have had
    /// many answers since the last.
    pub fn answer(self: &Rc<Self>, js: Js<'_>, deferred: Deferred, answer: Result<Answer>) {
        let weight = weight(answer.as_ref().map_or(0, Answer::text_bytes));
        let settle = move |this: &Rc<Self>, js: Js| {
            js.settle(deferred, answer.map_err(Into::into).and_then(|answer| this.value_of(js, answer)));
        };
        if self.may_go_on(js, weight) { settle(self, js) } else { self.later(js, weight, Box::new(settle)) }
    }

    /// Whether what would go on at once may do so; `weight` is that of what it settles.
    pub fn may_go_on(&self, js: Js<'_>, weight: u32) -> bool {
        self.turns.may_answer_now(js, weight) && self.later_count.get() == 0
    }

    /// Does this after a turn of the event loop, and plans that turn: where nothing is under way, no other wake-up comes.
    /// Where there are no turns any more, as the thread ends, does it at once.
    pub fn later(self: &Rc<Self>, js: Js<'_>, weight: u32, later: Later) {
        if !self.turns.plan(js) {
            later(self, js);
            return;
        }
        self.one_more_waits(js);
        self.later_count.set(self.later_count.get() + 1);
        self.backlog.borrow_mut().push_back(Due::Later(later, weight));
    }

    /// Settles everything that is ready, now; tells how much that was.
    fn settle_all(self: &Rc<Self>, js: Js<'_>) -> usize {
        let mut settled = 0;
        while self.take_ready(js) {
            while let Some(due) = self.pop_backlog() {
                self.settle_one(js, due);
                settled += 1;
            }
            while self.assemble_piece(js) {
                settled += 1;
            }
        }
        settled
    }

    /// Fetches what is ready. False where nothing is left to be done: the next answer wakes this thread.
    fn take_ready(self: &Rc<Self>, js: Js<'_>) -> bool {
        let is_more = !self.backlog.borrow().is_empty() || !self.assemblies.borrow().is_empty();
        let Some(taken) = self.outlet.take(if is_more { Backlog::Some } else { Backlog::Empty }) else {
            return false;
        };
        let answers = taken.answers.into_iter().map(|(id, answer)| Due::Answer(id, answer));
        self.backlog.borrow_mut().extend(answers);
        for event in taken.events {
            match self.host() {
                Ok(host) => js.scoped(|js| host.take(js, &event)),
                Err(error) => eprintln!("progressive-storage: {}", error.message()),
            }
        }
        true
    }

    fn pop_backlog(&self) -> Option<Due> {
        self.backlog.borrow_mut().pop_front()
    }

    fn settle_one(self: &Rc<Self>, js: Js<'_>, due: Due) {
        match due {
            Due::Answer(id, answer) => self.settle_answer(js, id, answer),
            Due::Later(later, _) => {
                self.later_count.set(self.later_count.get() - 1);
                self.one_less_waits(js);
                js.scoped(|js| later(self, js));
            }
        }
    }

    fn settle_answer(self: &Rc<Self>, js: Js<'_>, id: usize, answer: Result<Answer>) {
        let waiting = self.waiting.borrow_mut()[id].take();
        self.free.borrow_mut().push(id);
        let Some(Waiting { store, then, predictions }) = waiting else { return };
        store.predicted.settled(predictions);
        let (then, answer) = match then {
            Then::SettleAs(deferred, map) => (Then::Settle(deferred), answer.map(map)),
            then => (then, answer),
        };
        js.scoped(|js| {
            self.no_longer_waiting(js, &store);
            match then {
                Then::Settle(deferred) | Then::SettleAs(deferred, _) => {
                    self.settle(js, &store, deferred, answer);
                }
                Then::SettleUndefined(deferred) => {
                    js.settle(deferred, answer.map_err(Into::into).and_then(|_| js.undefined()));
                }
                Then::Do(go_on) => go_on(self, js, answer),
            }
        });
    }

    /// Settles a promise with an answer of this store, or begins to put a large one together.
    pub fn settle(&self, js: Js<'_>, store: &Rc<Store>, deferred: Deferred, answer: Result<Answer>) {
        match answer {
            Ok(Answer::Texts(texts)) if texts.pieces.len() > 1 => {
                self.begin_assembly(js, Rc::clone(store), deferred, texts);
            }
            answer => {
                let value = answer.map_err(Into::into).and_then(|answer| self.value_of(js, answer));
                js.settle(deferred, value);
            }
        }
    }

    fn no_longer_waiting(&self, js: Js<'_>, store: &Store) {
        store.pending.set(store.pending.get() - 1);
        self.one_less_waits(js);
    }

    fn begin_assembly(&self, js: Js<'_>, store: Rc<Store>, deferred: Deferred, texts: Texts) {
        let mut pieces = texts.pieces.into_iter();
        let first = pieces.next().unwrap_or_else(|| Piece::Text(String::new()));
        match self.json.parse(js, &first.text()).and_then(|whole| js.keep(whole)) {
            Ok(whole) => {
                store.pending.set(store.pending.get() + 1);
                self.one_more_waits(js);
                let assembly = Assembly { store, deferred, kind: texts.kind, pieces, whole };
                self.assemblies.borrow_mut().push_back(assembly);
            }
            Err(refusal) => js.settle(deferred, Err(refusal)),
        }
    }

    /// Adds a piece to the answer whose turn it is. False when there is none.
    fn assemble_piece(&self, js: Js<'_>) -> bool {
        let Some(mut assembly) = self.assemblies.borrow_mut().pop_front() else { return false };
        js.scoped(|js| {
            let piece = assembly.pieces.next();
            let added = js.kept(&assembly.whole).and_then(|whole| {
                if let Some(piece) = piece {
                    self.json.merge(js, assembly.kind, whole, &piece)?;
                }
                Ok(whole)
            });
            if added.is_ok() && assembly.pieces.len() > 0 {
                self.assemblies.borrow_mut().push_back(assembly);
            } else {
                self.no_longer_waiting(js, &assembly.store);
                js.settle(assembly.deferred, added);
            }
        });
        true
    }

    /// An answer as a JavaScript value.
    pub fn value_of<'scope>(&self, js: Js<'scope>, answer: Answer) -> Fallible<'scope, Value<'scope>> {
        match answer {
            Answer::Null => js.null(),
            Answer::Bool(truth) => js.bool(truth),
            Answer::Number(number) => js.number(number),
            Answer::Json(text) => self.json.parse(js, &text),
            Answer::Texts(texts) => self.json.merged(js, texts),
            Answer::Undefined
            | Answer::Written(_)
            | Answer::Cursor(_)
            | Answer::Whole(_)
            | Answer::Piece(_)
            | Answer::Conflict(_)
            | Answer::ConflictBehind(_) => js.undefined(),
        }
    }

    /// From now on, `process.exit()` and a natural end finish what was called.
    pub fn hook_exit<'scope>(self: &Rc<Self>, js: Js<'scope>) -> Fallible<'scope, ()> {
        if self.is_exit_hooked.replace(true) {
            return Ok(());
        }
        let process = js.get(js.global()?, "process")?;
        if js.type_of(process)? != napi::ValueType::Object {
            return Ok(());
        }
        let finish = js.function("finishProgressiveStorage", |js| {
            Self::here(js, |environment| {
                environment.is_exiting.set(true);
                environment.finish(js);
            });
        })?;
        js.call(js.get(process, "once")?, process, &[js.string("exit")?, finish])?;
        Ok(())
    }

    /// After a call: listeners of `exit` that were added later than ours may call, too, and each may be the last one.
    pub fn finish_if_exiting(self: &Rc<Self>, js: Js<'_>) {
        if self.is_exiting.get() {
            self.finish(js);
        }
    }

    /// Waits until all that was called is on disk and the mirrors are current. Functions given to
    /// `update` may have to run again for that.
    fn finish(self: &Rc<Self>, js: Js<'_>) {
        for _ in 0..ROUNDS_AT_EXIT_MAX {
            self.flush_stores();
            // An update that met another value waits again: it comes to an end, as each time somebody else got on.
            // Where nothing waits any more, nothing was called since: to flush again could only take long again,
            // where another process holds the lock.
            if self.waiting_count.get() == 0 || self.settle_all(js) == 0 || self.waiting_count.get() == 0 {
                return;
            }
        }
    }

    fn flush_stores(&self) {
        let stores = self.stores.borrow().clone();
        // All of them at once: each may have to wait for another process.
        let ends: Vec<_> = stores.iter().map(|store| store.backend.begin_end()).collect();
        for end in ends {
            if let Err(error) = end.wait() {
                // The process ends: standard error is all that is left to tell it.
                eprintln!("progressive-storage: {}", error.message());
            }
        }
    }

    /// The thread ends: nothing of JavaScript can be touched any more.
    fn end(&self) {
        for store in self.stores.borrow().iter() {
            store.backend.abandon(Arc::clone(&self.outlet) as Arc<dyn Outlet>);
        }
        self.flush_stores();
        self.outlet.disconnect();
        // What is left holds promises of a thread that is gone.
        self.waiting.borrow_mut().clear();
        self.backlog.borrow_mut().clear();
        self.assemblies.borrow_mut().clear();
        self.stores.borrow_mut().clear();
    }
}
