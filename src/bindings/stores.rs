//! The backends of this process, and the handles that JavaScript threads have on them.
//!
//! Invariant: one backend a data folder and choice of options in a process, however many threads and
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
use crate::files::place::{self, Opening};
use crate::game::{LOGS, log_name};
use crate::store::backend::Backend;
use crate::vfs::RealFileSystem;

type Backends = HashMap<(PathBuf, Options), (Weak<dyn Backend>, Arc<Hub>)>;

static BACKENDS: LazyLock<Mutex<Backends>> = LazyLock::new(Mutex::default);

/// A place as one JavaScript thread uses it.
pub struct Store {
    /// The place that keeps the data.
    pub backend: Arc<dyn Backend>,
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
    pub fn open<'scope>(
        js: Js<'scope>,
        environment: &Rc<Environment>,
        config: &Config,
    ) -> Fallible<'scope, Rc<Self>> {
        let (backend, hub) = backend_for(config)?;
        environment.hook_exit(js)?;
        let mut stores = environment.stores.borrow_mut();
        let known = stores.iter().find(|store| Arc::ptr_eq(&store.backend, &backend)).cloned();
        let store = known.unwrap_or_else(|| {
            let store = Rc::new(Store {
                backend,
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
    pub fn close<'scope>(
        &self,
        js: Js<'scope>,
        environment: &Rc<Environment>,
    ) -> Fallible<'scope, Value<'scope>> {
        let (deferred, promise) = js.promise()?;
        let Some(store) = self.store.borrow_mut().take() else {
            js.settle(deferred, js.undefined());
            return Ok(promise);
        };
        let backend = Arc::clone(&store.backend);
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
            // Where this was the last user, its threads end here; they have nothing left to do.
            drop(store);
            js.settle(deferred, answer.map_err(Into::into).and_then(|_| js.undefined()));
        }));
        let ticket = environment.ticket(js, &user, then);
        // So that the threads end at once when the backend is dropped.
        backend.close(ticket);
        Ok(promise)
    }
}

fn backend_for(config: &Config) -> Result<(Arc<dyn Backend>, Arc<Hub>)> {
    let key = (config.data_folder.clone(), config.options);
    let mut backends = BACKENDS.lock();
    if let Some((backend, hub)) = backends.get(&key)
        && let Some(backend) = backend.upgrade()
    {
        return Ok((backend, Arc::clone(hub)));
    }
    let hub = Hub::new();
    let sink = Arc::new(Sink(Arc::clone(&hub)));
    let opening = Opening {
        files: Arc::new(RealFileSystem::new()),
        data_folder: config.data_folder.clone(),
        options: config.options,
        mirrored: LOGS.iter().map(|name| log_name(name)).collect(),
    };
    let backend: Arc<dyn Backend> = Arc::new(place::open(opening, sink)?);
    backends.retain(|_, (backend, _)| backend.strong_count() > 0);
    backends.insert(key, (Arc::downgrade(&backend), Arc::clone(&hub)));
    Ok((backend, hub))
}
