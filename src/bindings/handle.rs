//! A folder that a `Storage` object has open, until it is closed.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::{Rc, Weak};
use std::sync::Arc;

use super::environment::{Environment, Then};
use super::host::Use;
use super::hub::Hub;
use super::js::{Fallible, Js, Value};
use super::last_looks::{LastLooks, Looker};
use super::options::Config;
use super::rotation::Rotating;
use super::store::{Store, backend_for};
use crate::error::{Error, Result};

/// What a `Storage` object has; the store may be shared with others.
pub struct Handle {
    /// Who listens to what happens in the folder; stays when this handle is closed.
    pub hub: Arc<Hub>,
    /// When the logs are rotated.
    pub rotation: Option<Rc<Rotating>>,
    /// Where the files are; `None` for a server.
    pub data_folder: Option<PathBuf>,
    /// `None` once it was closed.
    store: RefCell<Option<Rc<Store>>>,
    /// Those who have to look for changes once more when it is closed.
    watches: RefCell<Vec<Weak<dyn Looker>>>,
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
        let store = environment.store_of(backend, &hub);
        store.more_handles();
        let rotation = config.rotation.clone().map(Rotating::new).map(Rc::new);
        let data_folder = config.place.data_folder().map(Path::to_owned);
        let store = RefCell::new(Some(store));
        Ok(Rc::new(Self { hub, rotation, data_folder, store, watches: RefCell::default() }))
    }

    /// The store, unless this handle was closed.
    pub fn store(&self) -> Result<Rc<Store>> {
        self.store.borrow().clone().ok_or_else(Error::closed)
    }

    /// A watch looks for changes here. In a folder they are noted with the writing.
    pub fn is_watched(&self, watch: &Rc<dyn Looker>) {
        if self.data_folder.is_none() {
            let mut all = self.watches.borrow_mut();
            all.retain(|known| known.strong_count() > 0);
            all.push(Rc::downgrade(watch));
        }
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
        store.fewer_handles();
        let (user, used) = (Rc::clone(&store), Rc::clone(&store));
        let then = Then::Do(Box::new(move |environment, js, answer| {
            let is_last = !store.has_handles();
            if is_last {
                environment.forget(&store);
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
        let close = move |environment: &Rc<Environment>, js: Js<'_>| {
            let ticket = environment.ticket(js, &user, then);
            // So that the threads end at once when the backend is dropped.
            drop(user);
            backend.close(ticket);
        };
        // What was called before is looked for by then.
        let watches = self.watches.take().into_iter().filter_map(|watch| watch.upgrade()).collect();
        LastLooks::take(js, environment, (used, watches), Box::new(close));
        Ok(promise)
    }
}
