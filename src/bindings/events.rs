//! Events on their way from a folder's writer to the listeners and loggers of every thread that uses it.
//!
//! ```text
//! writer ──tell──> Hub ──> each thread that listens or logs ──> listeners, logger
//!                   └────> where nobody does, a problem is printed by the oldest thread
//! ```
//!
//! Listeners of the module's functions belong to whichever folder the default storage has, also before it is
//! opened. A thread that listens to nothing is not woken up.
//!
//! Invariant: a problem that is to be printed is heard, logged, or printed once; never lost while a thread lives.

use std::cell::RefCell;
use std::sync::{Arc, Weak};

use napi::ValueType;
use parking_lot::Mutex;

use super::arguments::describe;
use super::environment::{Environment, EnvironmentOutlet};
use super::js::{Fallible, Js, Kept, Value};
use super::stores::threads;
use crate::error::Error;
use crate::store::event::EVENTS;
use crate::store::event::Notice;
use crate::store::event::NoticeSink;
use crate::visible::made_visible;

/// An event for one thread.
#[derive(Clone)]
pub struct ForThread {
    notice: Arc<Notice>,
    hub: Option<Arc<Hub>>,
    is_printed_here: bool,
}

/// Who listens to one folder's events; shared by all threads.
#[derive(Default)]
pub struct Hub {
    members: Mutex<Vec<Member>>,
}

struct Member {
    thread: Weak<EnvironmentOutlet>,
    /// Listeners by `Notice::event_index`, those that only observe included.
    wanted: [usize; EVENTS.len()],
    /// Without those that only observe.
    heard: [usize; EVENTS.len()],
    logger: Option<bool>,
}

impl Hub {
    fn member<R>(&self, thread: &Arc<EnvironmentOutlet>, change: impl FnOnce(&mut Member) -> R) -> R {
        let mut members = self.members.lock();
        members.retain(|member| member.thread.strong_count() > 0);
        let known = members.iter().position(|member| member.thread.ptr_eq(&Arc::downgrade(thread)));
        let at = known.unwrap_or_else(|| {
            members.push(Member {
                thread: Arc::downgrade(thread),
                wanted: [0; EVENTS.len()],
                heard: [0; EVENTS.len()],
                logger: None,
            });
            members.len() - 1
        });
        change(&mut members[at])
    }

    /// Prints a problem that no promise tells, unless somebody listens or logs.
    pub fn print_unless_heard(&self, environment: &Environment, code: &'static str, message: String) {
        let message = made_visible(message);
        let notice = Notice { code, message, payload: String::new(), is_printed: true };
        let event = notice.event_index();
        let is_heard = self.members.lock().iter().any(|member| {
            member.thread.strong_count() > 0 && (member.heard[event] > 0 || member.logger.is_some())
        });
        if !is_heard {
            let event = ForThread { notice: Arc::new(notice), hub: None, is_printed_here: true };
            environment.outlet.tell(event);
        }
    }
}

/// Where a writer tells.
pub struct Sink(pub Arc<Hub>);

/// The hub itself goes along with each event, so that a thread knows which folder it is about.
impl NoticeSink for Sink {
    fn tell(&self, notice: Notice) {
        let event = notice.event_index();
        let notice = Arc::new(notice);
        let for_thread = |is_printed_here| ForThread {
            notice: Arc::clone(&notice),
            hub: Some(Arc::clone(&self.0)),
            is_printed_here,
        };
        let (mut is_heard, mut is_logged) = (false, false);
        let mut wanted = Vec::new();
        for member in &*self.0.members.lock() {
            let Some(thread) = member.thread.upgrade() else { continue };
            is_logged |= member.logger.is_some();
            if member.wanted[event] > 0 || member.logger == Some(true) {
                wanted.push((thread, member.heard[event] > 0));
            }
        }
        for (thread, listens) in wanted {
            is_heard |= thread.tell(for_thread(false)) && listens;
        }
        if !notice.is_printed || is_heard || is_logged {
            return;
        }
        if !threads().iter().any(|thread| thread.tell(for_thread(true))) {
            eprintln!("progressive-storage: {}: {}", notice.code, notice.message);
        }
    }
}

/// What the option `logger` says. It holds the object as a mere `Value` until all options are accepted, so that one
/// that is refused with them is let go of.
pub enum LoggerChoice<Logger = Value> {
    /// Not given: problems are warnings of the process.
    Default,
    /// `null` or `false`.
    Silent,
    /// A console-like object.
    To(Logger),
}

impl LoggerChoice {
    /// Reads the option.
    pub fn parse(js: Js, value: Value, kind: ValueType) -> Fallible<Self> {
        match kind {
            ValueType::Null => Ok(Self::Silent),
            ValueType::Boolean if !js.is_truthy(value)? => Ok(Self::Silent),
            ValueType::Object if js.type_of(js.get(value, "warn")?)? == ValueType::Function => {
                Ok(Self::To(value))
            }
            _ => {
                let found = describe(js, value);
                Err(Error::wrong_type(format!(
                    "The option 'logger' must be an object with a method 'warn', such as console, or null for none, \
                     not {found}"
                ))
                .into())
            }
        }
    }

    fn keep(self, js: Js) -> Fallible<LoggerChoice<Kept>> {
        Ok(match self {
            Self::Default => LoggerChoice::Default,
            Self::Silent => LoggerChoice::Silent,
            Self::To(logger) => LoggerChoice::To(js.keep(logger)?),
        })
    }
}

impl LoggerChoice<Kept> {
    fn says(&self) -> Option<bool> {
        match self {
            Self::Default => None,
            Self::Silent => Some(false),
            Self::To(_) => Some(true),
        }
    }

    fn release(self, js: Js) {
        if let Self::To(logger) = self {
            js.release(logger);
        }
    }
}

struct Listener {
    /// `None`: the default storage, whichever folder it has.
    hub: Option<Arc<Hub>>,
    event: usize,
    function: Kept,
    is_once: bool,
    /// What it hears is printed as if nobody had heard it.
    is_observer: bool,
}

/// Listeners and loggers of one thread.
#[derive(Default)]
pub struct Events {
    listeners: RefCell<Vec<Listener>>,
    loggers: RefCell<Vec<(Arc<Hub>, Kept)>>,
    default_hub: RefCell<Option<Arc<Hub>>>,
    /// What `configure` said before the default storage was opened.
    default_logger: RefCell<Option<LoggerChoice<Kept>>>,
}

impl Events {
    /// Adds a listener; `hub` is `None` for the default storage.
    pub fn add(
        &self,
        js: Js,
        thread: &Arc<EnvironmentOutlet>,
        hub: Option<&Arc<Hub>>,
        listener: [Value; 3],
        is_once: bool,
    ) -> Fallible<()> {
        let [event, function, options] = listener;
        let (event, function) = (event_name(js, event)?, check_function(js, function)?);
        let is_observer = observes(js, options)?;
        let function = js.keep(function)?;
        let listener = Listener { hub: hub.cloned(), event, function, is_once, is_observer };
        self.listeners.borrow_mut().push(listener);
        self.publish(thread, hub);
        Ok(())
    }

    /// Removes the listener that was added last with this function.
    pub fn remove(
        &self,
        js: Js,
        thread: &Arc<EnvironmentOutlet>,
        hub: Option<&Arc<Hub>>,
        event: Value,
        function: Value,
    ) -> Fallible<()> {
        let (event, function) = (event_name(js, event)?, check_function(js, function)?);
        let mut place = None;
        for (at, known) in self.listeners.borrow().iter().enumerate() {
            if known.event == event && is_of(known, hub) && js.is_same(js.kept(&known.function)?, function)? {
                place = Some(at);
            }
        }
        if let Some(at) = place {
            let removed = self.listeners.borrow_mut().remove(at);
            js.release(removed.function);
            self.publish(thread, hub);
        }
        Ok(())
    }

    /// The default storage was opened in this folder.
    pub fn default_opened(&self, js: Js, thread: &Arc<EnvironmentOutlet>, hub: &Arc<Hub>) {
        let before = self.default_hub.replace(Some(Arc::clone(hub)));
        if let Some(before) = before.filter(|before| !Arc::ptr_eq(before, hub)) {
            self.publish(thread, Some(&before));
        }
        self.publish(thread, Some(hub));
        if let Some(choice) = self.default_logger.take() {
            self.choose(js, thread, hub, choice);
        }
    }

    /// What `configure` said about the logger.
    pub fn set_default_logger(
        &self,
        js: Js,
        thread: &Arc<EnvironmentOutlet>,
        choice: LoggerChoice,
    ) -> Fallible<()> {
        let choice = choice.keep(js)?;
        let hub = self.default_hub.borrow().clone();
        match hub {
            Some(hub) => self.choose(js, thread, &hub, choice),
            None => self.keep_for_default(js, Some(choice)),
        }
        Ok(())
    }

    fn keep_for_default(&self, js: Js, choice: Option<LoggerChoice<Kept>>) {
        if let Some(before) = self.default_logger.replace(choice) {
            before.release(js);
        }
    }

    /// What `new Storage` said about the logger.
    pub fn set_logger(
        &self,
        js: Js,
        thread: &Arc<EnvironmentOutlet>,
        hub: &Arc<Hub>,
        choice: LoggerChoice,
    ) -> Fallible<()> {
        if !matches!(choice, LoggerChoice::Default) {
            self.choose(js, thread, hub, choice.keep(js)?);
        }
        Ok(())
    }

    fn choose(&self, js: Js, thread: &Arc<EnvironmentOutlet>, hub: &Arc<Hub>, choice: LoggerChoice<Kept>) {
        hub.member(thread, |member| member.logger = choice.says());
        let mut loggers = self.loggers.borrow_mut();
        if let Some(at) = loggers.iter().position(|(known, _)| Arc::ptr_eq(known, hub)) {
            let (_, before) = loggers.swap_remove(at);
            js.release(before);
        }
        if let LoggerChoice::To(logger) = choice {
            loggers.push((Arc::clone(hub), logger));
        }
    }

    /// The default storage was closed, if it was the one in this folder: its logger is kept for when it is opened
    /// again, there or elsewhere.
    pub fn default_closed(&self, js: Js, thread: &Arc<EnvironmentOutlet>, hub: &Arc<Hub>) {
        if !self.default_hub.borrow().as_ref().is_some_and(|default| Arc::ptr_eq(default, hub)) {
            return;
        }
        *self.default_hub.borrow_mut() = None;
        let kept = {
            let mut loggers = self.loggers.borrow_mut();
            let place = loggers.iter().position(|(known, _)| Arc::ptr_eq(known, hub));
            place.map(|at| LoggerChoice::To(loggers.swap_remove(at).1))
        };
        let is_silent = hub.member(thread, |member| member.logger) == Some(false);
        self.keep_for_default(js, kept.or_else(|| is_silent.then_some(LoggerChoice::Silent)));
        self.choose(js, thread, hub, LoggerChoice::Default);
        self.publish(thread, Some(hub));
    }

    /// The last storage of this thread in that folder was closed: nothing is told there any more.
    pub fn closed(&self, js: Js, thread: &Arc<EnvironmentOutlet>, hub: &Arc<Hub>) {
        let listeners = self.listeners.take();
        let is_there = |listener: &Listener| listener.hub.as_ref().is_some_and(|of| Arc::ptr_eq(of, hub));
        let (gone, stay): (Vec<_>, Vec<_>) = listeners.into_iter().partition(is_there);
        *self.listeners.borrow_mut() = stay;
        for listener in gone {
            js.release(listener.function);
        }
        self.choose(js, thread, hub, LoggerChoice::Default);
        self.publish(thread, Some(hub));
    }

    /// Tells the folder's hub how many listeners there are.
    fn publish(&self, thread: &Arc<EnvironmentOutlet>, hub: Option<&Arc<Hub>>) {
        let Some(hub) = hub.cloned().or_else(|| self.default_hub.borrow().clone()) else { return };
        let (mut wanted, mut heard) = ([0; EVENTS.len()], [0; EVENTS.len()]);
        for listener in self.listeners.borrow().iter().filter(|listener| self.concerns(listener, &hub)) {
            wanted[listener.event] += 1;
            heard[listener.event] += usize::from(!listener.is_observer);
        }
        hub.member(thread, |member| (member.wanted, member.heard) = (wanted, heard));
    }

    fn concerns(&self, listener: &Listener, hub: &Arc<Hub>) -> bool {
        let default = self.default_hub.borrow();
        listener.hub.as_ref().or(default.as_ref()).is_some_and(|of| Arc::ptr_eq(of, hub))
    }

    /// An event has arrived on this thread.
    pub fn take(&self, environment: &Environment, js: Js, event: &ForThread) {
        if event.is_printed_here {
            return warn(js, &event.notice);
        }
        let Some(hub) = &event.hub else { return };
        if let Err(refusal) = self.log(js, hub, &event.notice) {
            js.uncaught(refusal);
        }
        for function in self.take_functions(js, &environment.outlet, hub, event.notice.event_index()) {
            let called = environment
                .parse(js, &event.notice.payload)
                .and_then(|payload| js.call(function, js.undefined()?, &[payload]));
            if let Err(refusal) = called {
                js.uncaught(refusal);
            }
        }
    }

    /// The functions to be called, in the order in which they were added.
    fn take_functions(
        &self,
        js: Js,
        thread: &Arc<EnvironmentOutlet>,
        hub: &Arc<Hub>,
        event: usize,
    ) -> Vec<Value> {
        let mut functions = Vec::new();
        let mut used_up = Vec::new();
        let is_called = |listener: &Listener| listener.event == event && self.concerns(listener, hub);
        {
            let mut listeners = self.listeners.borrow_mut();
            for known in listeners.iter().filter(|known| is_called(known)) {
                functions.extend(js.kept(&known.function).ok());
            }
            let mut at = 0;
            while at < listeners.len() {
                if listeners[at].is_once && is_called(&listeners[at]) {
                    used_up.push(listeners.remove(at));
                } else {
                    at += 1;
                }
            }
        }
        if !used_up.is_empty() {
            self.publish(thread, Some(hub));
        }
        for listener in used_up {
            js.release(listener.function);
        }
        functions
    }

    fn log(&self, js: Js, hub: &Arc<Hub>, notice: &Notice) -> Fallible<()> {
        let loggers = self.loggers.borrow();
        let Some((_, logger)) = loggers.iter().find(|(known, _)| Arc::ptr_eq(known, hub)) else {
            return Ok(());
        };
        let logger = js.kept(logger)?;
        drop(loggers);
        let mut method = js.get(logger, if notice.is_news() { "info" } else { "warn" })?;
        if js.type_of(method)? != ValueType::Function {
            if notice.is_news() {
                return Ok(());
            }
            method = js.get(logger, "warn")?;
        }
        let text = format!("progressive-storage: [{}] {}", notice.code, notice.message);
        js.call(method, logger, &[js.string(&text)?])?;
        Ok(())
    }
}

fn is_of(listener: &Listener, hub: Option<&Arc<Hub>>) -> bool {
    match (&listener.hub, hub) {
        (None, None) => true,
        (Some(known), Some(hub)) => Arc::ptr_eq(known, hub),
        _ => false,
    }
}

fn event_name(js: Js, event: Value) -> Fallible<usize> {
    if js.type_of(event)? != ValueType::String {
        let found = describe(js, event);
        return Err(Error::wrong_type(format!("The argument 'event' must be a string, not {found}")).into());
    }
    let name = js.text(event)?;
    EVENTS.iter().position(|known| *known == name).ok_or_else(|| {
        Error::wrong_value(format!("There is no event {name:?}; the events are {}", EVENTS.join(", "))).into()
    })
}

/// The option `observe`.
fn observes(js: Js, options: Value) -> Fallible<bool> {
    match js.type_of(options)? {
        ValueType::Undefined => Ok(false),
        ValueType::Object => js.is_truthy(js.get(options, "observe")?),
        _ => {
            let found = describe(js, options);
            Err(Error::wrong_type(format!("The argument 'options' must be an object, not {found}")).into())
        }
    }
}

fn check_function(js: Js, function: Value) -> Fallible<Value> {
    if js.type_of(function)? == ValueType::Function {
        return Ok(function);
    }
    let found = describe(js, function);
    Err(Error::wrong_type(format!("The argument 'listener' must be a function, not {found}")).into())
}

/// `process.emitWarning`, which prints to standard error unless the bot listens.
fn warn(js: Js, notice: &Notice) {
    let emit = || -> Fallible<()> {
        let process = js.get(js.global()?, "process")?;
        let options = js.object()?;
        js.set(options, "type", js.string("ProgressiveStorageWarning")?)?;
        js.set(options, "code", js.string(notice.code)?)?;
        js.call(js.get(process, "emitWarning")?, process, &[js.string(&notice.message)?, options])?;
        Ok(())
    };
    if emit().is_err() {
        eprintln!("progressive-storage: {}: {}", notice.code, notice.message);
    }
}
