//! The writers of this process, and the handles that JavaScript threads have on them.
//!
//! Invariant: one writer a data folder and choice of options in a process, however many threads and
//! `Storage` objects use it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, LazyLock, Weak};

use parking_lot::Mutex;

use super::environment::{Environment, Then};
use super::host::Use;
use super::hub::{Hub, Sink};
use super::js::{Fallible, Js, Value};
use super::options::Config;
use super::rotation::Rotating;
use super::update::Predicted;
use crate::error::{Error, Result};
use crate::files::options::Options;
use crate::store::writer::Writer;
use crate::vfs::RealFileSystem;

type Writers = HashMap<(PathBuf, Options), (Weak<Writer>, Arc<Hub>)>;

static WRITERS: LazyLock<Mutex<Writers>> = LazyLock::new(Mutex::default);

/// A writer as one JavaScript thread uses it.
pub struct Store {
    /// The writer.
    pub writer: Arc<Writer>,
    /// Who listens to what happens in it.
    pub hub: Arc<Hub>,
    /// Calls of this thread that are not settled: while there are any, reads queue behind them.
    pub pending: Cell<usize>,
    /// What collections' keys will have once the pending calls are done, as far as that is known.
    pub predicted: Predicted,
    handles: Cell<usize>,
}

/// What a `Storage` object has; the store may be shared with others.
pub struct Handle {
    /// Who listens to what happens in the folder; stays when this handle is closed.
    pub hub: Arc<Hub>,
    /// When the logs are rotated.
    pub rotation: Option<Rc<Rotating>>,
    /// `None` once it was closed.
    store: RefCell<Option<Rc<Store>>>,
}

impl Handle {
    /// Opens the folder that `config` names.
    pub fn open(js: Js, environment: &Rc<Environment>, config: &Config) -> Fallible<Rc<Self>> {
        let (writer, hub) = writer_for(config)?;
        environment.hook_exit(js)?;
        let mut stores = environment.stores.borrow_mut();
        let known = stores.iter().find(|store| Arc::ptr_eq(&store.writer, &writer)).cloned();
        let store = known.unwrap_or_else(|| {
            let store = Rc::new(Store {
                writer,
                hub: Arc::clone(&hub),
                pending: Cell::new(0),
                predicted: Predicted::default(),
                handles: Cell::new(0),
            });
            stores.push(Rc::clone(&store));
            store
        });
        store.handles.set(store.handles.get() + 1);
        let rotation = config.rotation.clone().map(Rotating::new).map(Rc::new);
        Ok(Rc::new(Self { hub, rotation, store: RefCell::new(Some(store)) }))
    }

    /// The store, unless this handle was closed.
    pub fn store(&self) -> Result<Rc<Store>> {
        self.store.borrow().clone().ok_or_else(Error::closed)
    }

    /// Refuses further calls; the promise resolves when the earlier ones are finished.
    pub fn close(&self, js: Js, environment: &Rc<Environment>) -> Fallible<Value> {
        let (deferred, promise) = js.promise()?;
        let Some(store) = self.store.borrow_mut().take() else {
            js.settle(deferred, js.undefined());
            return Ok(promise);
        };
        let writer = Arc::clone(&store.writer);
        store.handles.set(store.handles.get() - 1);
        let user = Rc::clone(&store);
        let then = Then::Do(Box::new(move |environment, js, answer| {
            let is_last = store.handles.get() == 0;
            if is_last {
                environment.stores.borrow_mut().retain(|known| !Rc::ptr_eq(known, &store));
            }
            let its_use = if is_last { Use::Ends } else { Use::Goes };
            if let Ok(host) = environment.host()
                && let Err(refusal) = host.closed(js, store.hub.id(), its_use)
            {
                js.uncaught(refusal);
            }
            // Where this was the last user, the writer's threads end here; they have nothing left to do.
            drop(store);
            js.settle(deferred, answer.map_err(Into::into).and_then(|_| js.undefined()));
        }));
        let ticket = environment.ticket(js, &user, then);
        // So that the threads end at once when the writer is dropped.
        writer.close(ticket);
        Ok(promise)
    }
}

fn writer_for(config: &Config) -> Result<(Arc<Writer>, Arc<Hub>)> {
    let key = (config.data_folder.clone(), config.options);
    let mut writers = WRITERS.lock();
    if let Some((writer, hub)) = writers.get(&key)
        && let Some(writer) = writer.upgrade()
    {
        return Ok((writer, Arc::clone(hub)));
    }
    let hub = Hub::new();
    let files = Arc::new(RealFileSystem::new());
    let sink = Arc::new(Sink(Arc::clone(&hub)));
    let writer = Arc::new(Writer::start(files, config.data_folder.clone(), config.options, sink)?);
    writers.retain(|_, (writer, _)| writer.strong_count() > 0);
    writers.insert(key, (Arc::downgrade(&writer), Arc::clone(&hub)));
    Ok((writer, hub))
}
