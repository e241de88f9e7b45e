//! The scheduler behind `CompactionScheduler`: JavaScript's own `setInterval`, so that it keeps the
//! process alive as any interval does.
//!
//! Invariant: a timer exists if and only if the scheduler is running.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::calls::Calls;
use super::js::{Fallible, Js, Kept, Value};
use super::stores::Handle;
use crate::data::name::LogName;
use crate::error::Error;

/// Longer intervals make `setInterval` fire at once.
const INTERVAL_MS_MAX: f64 = 2_147_483_647.0;
/// An hour.
pub const INTERVAL_MS_DEFAULT: f64 = 3_600_000.0;

/// See the header of this file.
pub struct Scheduler {
    /// Milliseconds between two looks.
    pub interval_ms: Cell<f64>,
    timer: RefCell<Option<Kept>>,
    /// The storage; `None` for the module's.
    handle: Option<Rc<Handle>>,
}

impl Scheduler {
    /// A scheduler that is not running.
    pub fn new(interval_ms: f64, handle: Option<Rc<Handle>>) -> Fallible<Self> {
        check_interval(interval_ms)?;
        Ok(Self { interval_ms: Cell::new(interval_ms), timer: RefCell::default(), handle })
    }

    /// Sets the interval for the next start.
    pub fn set_interval_ms(&self, interval_ms: f64) -> Fallible<()> {
        check_interval(interval_ms)?;
        self.interval_ms.set(interval_ms);
        Ok(())
    }

    /// True between `start` and `stop`.
    pub fn is_running(&self) -> bool {
        self.timer.borrow().is_some()
    }

    /// Starts the interval, unless it runs.
    pub fn start(&self, js: Js, logs: Vec<LogName>) -> Fallible<()> {
        if self.is_running() {
            return Ok(());
        }
        let handle = self.handle.clone();
        let look = js.function("compactWhereDue", move |js| {
            let calls = match &handle {
                Some(handle) => Calls::on(js, handle),
                None => Calls::on_default(js),
            };
            // A storage that was closed has nothing to compact.
            if let Ok(calls) = calls {
                calls.compact_where_due(&logs);
            }
        })?;
        let global = js.global()?;
        let interval = js.number(self.interval_ms.get())?;
        let timer = js.call(js.get(global, "setInterval")?, global, &[look, interval])?;
        *self.timer.borrow_mut() = Some(js.keep(timer)?);
        Ok(())
    }

    /// Ends the interval, if it runs.
    pub fn stop(&self, js: Js) -> Fallible<()> {
        let Some(timer) = self.timer.borrow_mut().take() else { return Ok(()) };
        let global = js.global()?;
        let cleared =
            js.kept(&timer).and_then(|timer| js.call(js.get(global, "clearInterval")?, global, &[timer]));
        js.release(timer);
        cleared.map(|_: Value| ())
    }
}

fn check_interval(interval_ms: f64) -> Fallible<()> {
    if (1.0..=INTERVAL_MS_MAX).contains(&interval_ms) {
        return Ok(());
    }
    Err(Error::wrong_value(format!(
        "The argument 'intervalMs' is {interval_ms}; give milliseconds from 1 to {INTERVAL_MS_MAX}"
    ))
    .into())
}
