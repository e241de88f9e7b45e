//! Turns of the event loop: work for JavaScript is handed over once a turn, and in bounded slices.
//!
//! ```text
//! wake-up ──> a slice: a few promises ─microtasks─> a few more ─microtasks─> …
//!                └──plan──> relay ──> wake-up: the loop has turned, the next slice, or nothing is left
//! ```
//!
//! What a promise sets off runs as microtasks, before anything else of the event loop. So promises are settled a few at
//! a time, and the next few behind theirs: the clock that ends a slice counts the caller's work, too.
//!
//! A threadsafe function that is called while it runs runs again before the loop goes on. Two of them that call each
//! other do not: the second runs in this turn or the next one, and what it calls in the turn after that. Such a turn
//! needs no timer, which a test may have replaced. Bun and Deno run several of them in a turn; there, `setImmediate` is
//! what waits for the next, as it was when the addon was loaded.
//!
//! Invariant: while a turn is planned, nothing is handed over before it comes; each slice has planned one.

use std::cell::Cell;

use super::js::{Fallible, Js, Kept, Value};
use super::outlet::{WakeUp, wake_up};
use crate::vfs::monotonic_us;
use napi::ValueType;
use napi::threadsafe_function::ThreadsafeFunctionCallMode;

/// How long promises are settled, and what that sets off runs, before the event loop has its turn.
const SLICE_US: u64 = 3000;
/// What a few promises may set off before the clock is looked at again.
const FEW_US: u64 = 250;
const FEW_WEIGHT_MAX: u32 = 64;
/// Answers from memory may weigh so much before a turn of the event loop is waited for.
const UNPLANNED_WEIGHT_MAX: u32 = 16;
/// To parse so much takes about as long as all else that an answer takes.
const WEIGHT_BYTES: usize = 1024;

/// What an answer with so much text weighs.
pub fn weight(bytes: usize) -> u32 {
    1 + u32::try_from(bytes / WEIGHT_BYTES).unwrap_or(FEW_WEIGHT_MAX)
}

/// What turns call on this thread: functions of a type, as callbacks from JavaScript capture nothing.
pub trait Steps: 'static {
    /// Behind the microtasks that a few promises set off.
    fn settle_more(js: Js<'_>);
    /// When the loop has turned, where `setImmediate` says so.
    fn turned(js: Js<'_>);
    /// When the relay runs: calls `Turns::relayed` and wakes the thread again.
    fn relay(js: Js<'_>);
}

/// How the next turn is waited for.
enum Way {
    /// See the header of this file.
    Relay(WakeUp),
    /// `setImmediate` with the function that it calls.
    Immediate(Kept, Kept),
}

/// See the header of this file.
pub struct Turns {
    way: Way,
    is_planned: Cell<bool>,
    /// The relay has run: the next wake-up is the turn that was planned.
    is_relayed: Cell<bool>,
    /// When this turn's slice began.
    began_us: Cell<u64>,
    /// What was answered at once since the loop has turned, as far as that is known.
    answered_weight: Cell<u32>,
    /// How much is settled between two looks at the clock.
    few_weight: Cell<u32>,
    few_began_us: Cell<u64>,
    /// A promise that is resolved, its method `then`, and what it is called with to go on behind all microtasks.
    resolved: Kept,
    then: Kept,
    go_on: Kept,
}

impl Turns {
    /// For this thread; takes the functions of JavaScript as they are now.
    pub fn new<S: Steps>(js: Js<'_>) -> Fallible<'_, Self> {
        let (deferred, resolved) = js.promise()?;
        js.settle(deferred, js.undefined());
        let settle_more = js.function("settleMore", S::settle_more)?;
        let now_us = monotonic_us();
        Ok(Self {
            way: Way::new::<S>(js)?,
            is_planned: Cell::new(false),
            is_relayed: Cell::new(false),
            began_us: Cell::new(now_us),
            answered_weight: Cell::new(0),
            few_weight: Cell::new(FEW_WEIGHT_MAX / 4),
            few_began_us: Cell::new(now_us),
            resolved: js.keep(resolved)?,
            then: js.keep(js.get(resolved, "then")?)?,
            go_on: js.keep(after_microtasks(js, settle_more)?)?,
        })
    }

    /// A wake-up has come. False where it must wait for the turn that is planned.
    pub fn is_turn(&self) -> bool {
        if self.is_planned.get() && !self.is_relayed.get() {
            return false;
        }
        self.turned();
        true
    }

    /// The next wake-up is the turn that was planned.
    pub fn relayed(&self) {
        self.is_relayed.set(true);
    }

    /// The loop has turned.
    pub fn turned(&self) {
        self.is_planned.set(false);
        self.is_relayed.set(false);
        self.answered_weight.set(0);
    }

    /// Makes sure that a turn is planned. False where there are none any more, as the thread ends.
    pub fn plan(&self, js: Js<'_>) -> bool {
        if self.is_planned.get() {
            return true;
        }
        let is_planned = match &self.way {
            Way::Relay(relay) => relay.call((), ThreadsafeFunctionCallMode::NonBlocking) == napi::Status::Ok,
            Way::Immediate(set_immediate, turned) => {
                let call = || js.call(js.kept(set_immediate)?, js.global()?, &[js.kept(turned)?]);
                call().is_ok()
            }
        };
        self.is_planned.set(is_planned);
        is_planned
    }

    /// A slice begins.
    pub fn begin(&self) {
        self.began_us.set(monotonic_us());
    }

    /// So much may be settled before the clock is looked at again.
    pub fn few(&self) -> u32 {
        self.few_began_us.set(monotonic_us());
        self.few_weight.get()
    }

    /// Calls `Environment::settle_more` behind the microtasks that are there. False where that does not go, as the
    /// thread ends.
    pub fn go_on_behind_microtasks(&self, js: Js<'_>) -> bool {
        let call = || js.call(js.kept(&self.then)?, js.kept(&self.resolved)?, &[js.kept(&self.go_on)?]);
        call().is_ok()
    }

    /// Whether there is time in this slice; a few were settled, and what they set off has run.
    pub fn is_time_left(&self) -> bool {
        let now_us = monotonic_us();
        let took_us = now_us - self.few_began_us.get();
        let weight = self.few_weight.get();
        if took_us > FEW_US {
            self.few_weight.set((weight / 2).max(1));
        } else if took_us < FEW_US / 2 {
            self.few_weight.set((weight * 2).min(FEW_WEIGHT_MAX));
        }
        now_us - self.began_us.get() < SLICE_US
    }

    /// Whether an answer of this weight may be given at once: callers that await one after the other would keep the
    /// event loop from its turns by microtasks alone.
    pub fn may_answer_now(&self, js: Js<'_>, weight: u32) -> bool {
        if self.is_planned.get() {
            return monotonic_us() - self.began_us.get() < SLICE_US;
        }
        let answered = self.answered_weight.get().saturating_add(weight);
        self.answered_weight.set(answered);
        if answered >= UNPLANNED_WEIGHT_MAX {
            self.begin();
            self.plan(js);
        }
        true
    }
}

impl Way {
    fn new<S: Steps>(js: Js<'_>) -> Fallible<'_, Self> {
        let global = js.global()?;
        let set_immediate = js.get(global, "setImmediate")?;
        if is_node(js)? || js.type_of(set_immediate)? != ValueType::Function {
            return Ok(Self::Relay(wake_up(js, S::relay)?));
        }
        let turned = js.function("turned", S::turned)?;
        Ok(Self::Immediate(js.keep(set_immediate)?, js.keep(turned)?))
    }
}

/// A microtask that calls `work` once there are no others: callers have functions around their calls, each of which is a
/// microtask more. Where `process.nextTick` is none that works, the next turn of the event loop goes on.
fn after_microtasks<'scope>(js: Js<'scope>, work: Value<'scope>) -> Fallible<'scope, Value<'scope>> {
    let process = js.get(js.global()?, "process")?;
    if js.type_of(process)? != ValueType::Object {
        return Ok(work);
    }
    let next_tick = js.get(process, "nextTick")?;
    if js.type_of(next_tick)? != ValueType::Function {
        return Ok(work);
    }
    js.call(js.get(next_tick, "bind")?, next_tick, &[process, work])
}

/// Whether this is Node.js itself, not a runtime that shows its name for the sake of compatibility.
fn is_node(js: Js<'_>) -> Fallible<'_, bool> {
    let process = js.get(js.global()?, "process")?;
    if js.type_of(process)? != ValueType::Object {
        return Ok(false);
    }
    let versions = js.get(process, "versions")?;
    let has = |name| Ok::<_, super::js::Refusal>(js.type_of(js.get(versions, name)?)? == ValueType::String);
    Ok(has("node")? && !has("bun")? && !has("deno")?)
}
