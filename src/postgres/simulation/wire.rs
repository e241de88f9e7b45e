//! The wire between a client and a simulated server: each question meets its fate.
//!
//! Invariant: a client that crashed asks nothing more.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::data::name::LogName;
use crate::error::Error;
use crate::postgres::change_id::ChangeId;
use crate::postgres::simulation::fate::{Fate, Fates};
use crate::postgres::simulation::server::SimulatedServer;
use crate::postgres::wire::{Asked, Commit, Committed, Key, Lock, Loss, Row, Wire};
use crate::vfs::FileSystemRef;

/// What a client and the one who watches it share.
pub struct Line {
    /// The server.
    pub server: Arc<Mutex<SimulatedServer>>,
    /// What happens to messages.
    pub fates: Arc<Mutex<Fates>>,
    /// The client's clock.
    pub clock: FileSystemRef,
}

/// See the header of this file.
pub struct SimulatedWire {
    client: usize,
    line: Line,
    is_open: bool,
    has_crashed: Arc<Mutex<bool>>,
}

/// How a message ends that is not lost.
enum Way {
    /// The answer arrives.
    Answered,
    /// The server does it, and nobody hears of it.
    Unanswered,
    /// The server does it later.
    Late(u8),
}

impl SimulatedWire {
    /// A wire that is not connected. `has_crashed` tells the watcher that the client is dead.
    pub fn new(client: usize, line: Line, has_crashed: Arc<Mutex<bool>>) -> Self {
        Self { client, line, is_open: false, has_crashed }
    }

    fn lost(&mut self) -> Loss {
        self.close();
        Loss::Lost(Error::server_unreachable("simulated", "the connection broke"))
    }

    fn crash(&mut self) {
        *self.has_crashed.lock() = true;
    }

    /// A message is sent.
    fn send(&mut self, within_ms: u64) -> Asked<Way> {
        if *self.has_crashed.lock() {
            return Err(self.lost());
        }
        self.line.clock.sleep_us(1000);
        self.line.server.lock().message();
        let fate = self.line.fates.lock().draw();
        match fate {
            Fate::Fine => Ok(Way::Answered),
            Fate::Slow(after_ms) if u64::from(after_ms) < within_ms => {
                self.line.clock.sleep_us(u64::from(after_ms) * 1000);
                Ok(Way::Answered)
            }
            Fate::Unanswered => Ok(Way::Unanswered),
            Fate::Late(messages) => Ok(Way::Late(messages)),
            Fate::Again => {
                self.line.server.lock().unlock(self.client);
                Err(SimulatedServer::again())
            }
            Fate::Refused => {
                self.close();
                Err(Loss::Refused(Error::server_unreachable("simulated", "a refusal")))
            }
            Fate::Unheard => Err(self.lost()),
            Fate::Slow(_) | Fate::Stalled => {
                self.line.clock.sleep_us(within_ms * 1000);
                Err(self.lost())
            }
            Fate::CrashBefore => {
                self.crash();
                Err(self.lost())
            }
            Fate::CrashAfter => {
                self.crash();
                Ok(Way::Unanswered)
            }
        }
    }

    /// A question that changes nothing.
    fn ask<T>(&mut self, within_ms: u64, answer: impl FnOnce(&SimulatedServer) -> T) -> Asked<T> {
        match self.send(within_ms)? {
            Way::Answered => Ok(answer(&self.line.server.lock())),
            Way::Unanswered | Way::Late(_) => Err(self.lost()),
        }
    }
}

impl Wire for SimulatedWire {
    fn open(&mut self, within_ms: u64) -> Asked<()> {
        self.ask(within_ms, |_| ())?;
        self.is_open = true;
        Ok(())
    }

    fn is_open(&self) -> bool {
        self.is_open
    }

    fn close(&mut self) {
        self.is_open = false;
        self.line.server.lock().unlock(self.client);
    }

    fn host(&self) -> String {
        "simulated".to_owned()
    }

    fn read(&mut self, keys: &[Key], lock: Lock, within_ms: u64) -> Asked<Vec<Row>> {
        if lock == Lock::Held && !self.line.server.lock().lock(self.client, keys) {
            // A real server would wait for a while first.
            return Err(SimulatedServer::again());
        }
        self.ask(within_ms, |server| keys.iter().map(|key| server.row(key)).collect())
    }

    fn read_log(&mut self, _: &LogName, _: Lock, within_ms: u64) -> Asked<Vec<Row>> {
        self.ask(within_ms, |_| Vec::new())
    }

    fn unlock(&mut self, _: u64) {
        self.line.server.lock().unlock(self.client);
    }

    fn commit(&mut self, commit: &Commit, within_ms: u64) -> Asked<Committed> {
        let keys = || commit.keys.iter().map(|effect| &effect.key);
        if self.line.server.lock().is_locked(self.client, keys()) {
            return Err(SimulatedServer::again());
        }
        let way = self.send(within_ms);
        // Its transaction ends with it.
        self.line.server.lock().unlock(self.client);
        match way? {
            Way::Answered => self.line.server.lock().commit(commit),
            Way::Unanswered => {
                let _ = self.line.server.lock().commit(commit);
                Err(self.lost())
            }
            Way::Late(messages) => {
                self.line.server.lock().send_late(messages, commit.clone());
                Err(self.lost())
            }
        }
    }

    fn look_up(&mut self, changes: &[ChangeId], within_ms: u64) -> Asked<HashSet<ChangeId>> {
        self.ask(within_ms, |server| server.found(changes))
    }

    fn take_not_replicated(&mut self) -> bool {
        self.line.server.lock().take_not_replicated()
    }

    fn now_ms(&self) -> i64 {
        self.line.server.lock().heard_ms().unwrap_or_else(|| self.line.clock.now_ms())
    }

    fn take_over(&mut self) -> bool {
        self.line.server.lock().take_over()
    }

    fn expire(&mut self, log: &LogName, change: ChangeId, within_ms: u64) -> Asked<()> {
        match self.send(within_ms)? {
            Way::Answered => self.line.server.lock().expire(log, change),
            Way::Unanswered => {
                self.line.server.lock().expire(log, change);
                return Err(self.lost());
            }
            Way::Late(_) => return Err(self.lost()),
        }
        Ok(())
    }

    fn void(&mut self, change: ChangeId, within_ms: u64) -> Asked<bool> {
        match self.send(within_ms)? {
            Way::Answered => Ok(self.line.server.lock().void(change)),
            Way::Unanswered => {
                self.line.server.lock().void(change);
                Err(self.lost())
            }
            Way::Late(_) => Err(self.lost()),
        }
    }
}
