//! One connection to the primary of a server, driven by the thread that owns it: it asks, and waits for the answer or
//! the end of its patience.
//!
//! Invariant: a session is used only while nothing is on its way; after a loss or a silence it is given up, and with it
//! whatever was on its way.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio_postgres::error::SqlState;
use tokio_postgres::{AsyncMessage, Client};

use crate::error::Error;
use crate::postgres::dial::{self, DialFailure};
use crate::postgres::metrics::ServerMetrics;
use crate::postgres::schema;
use crate::postgres::schema_name::SchemaName;
use crate::postgres::server_clock::ServerClock;
use crate::postgres::target::{HostTarget, Target, Trust};
use crate::postgres::tls::Tls;
use crate::postgres::wire::{Asked, Loss};

/// The part of the server that waits for a standby. Its warnings say that a wait ended without it: a commit is on the
/// primary alone. Their SQLSTATE does not tell them from others, and their words are in the server's language.
const WAITS_FOR_STANDBY: &str = "SyncRepWaitForLSN";

/// The server ended a session whose transaction took too long: a setting since version 17.
const TRANSACTION_TIMEOUT: &str = "25P04";

/// The first statement fixes what a transaction of this kind sees.
const BEGIN_SNAPSHOT: &str = "\
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL idle_in_transaction_session_timeout = '5s'; SELECT 1";

/// How long the server may take to hear that it is to stop.
const STOP_WITHIN: Duration = Duration::from_secs(1);

/// Something that the statements name is not there.
const CHANGED_TABLES: [SqlState; 4] = [
    SqlState::UNDEFINED_TABLE,
    SqlState::UNDEFINED_COLUMN,
    SqlState::INVALID_SCHEMA_NAME,
    SqlState::DATATYPE_MISMATCH,
];

/// What a session needs to know of its server.
#[derive(Clone)]
pub struct Server {
    /// Where it is.
    pub target: Arc<Target>,
    /// Whom to trust.
    pub tls: Arc<Tls>,
    /// The schema.
    pub schema: SchemaName,
    /// What is counted.
    pub metrics: Arc<ServerMetrics>,
    /// Its clock.
    pub clock: Arc<ServerClock>,
}

/// See the header of this file.
pub struct Session {
    server: Server,
    runtime: Option<Runtime>,
    live: Option<Live>,
    host: String,
    /// Whether a server said that it gave up waiting for a standby, also on a connection that is gone.
    is_alone: Arc<AtomicBool>,
}

/// A connection that is open.
struct Live {
    client: Client,
    trust: Trust,
    driver: JoinHandle<()>,
}

/// What becomes of a question whose answer is late.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Late {
    IsStopped,
    GoesOn,
}

impl Session {
    /// A session with this server, not opened yet.
    #[must_use]
    pub fn new(server: Server) -> Self {
        let host = server.target.to_string();
        Self { server, runtime: None, live: None, host, is_alone: Arc::default() }
    }

    /// How a person calls the server: the host that was connected last.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether there is a connection. What the server said while nobody asked, such as good-bye, is heard first.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let (Some(runtime), Some(live)) = (&self.runtime, &self.live) else { return false };
        runtime.block_on(async {
            // Once to look at the socket, once for the task that reads it, once for what it leaves.
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
        });
        !live.client.is_closed()
    }

    /// Connects to the primary and checks the schema, which is made where it is missing.
    ///
    /// # Errors
    /// `Lost` where no server answers that takes writes; `Refused` for what does not pass by itself.
    pub fn open(&mut self, within_ms: u64) -> Asked<()> {
        self.close();
        let hosts: Vec<HostTarget> = self.server.target.hosts().to_vec();
        let each_ms = (within_ms / hosts.len().max(1) as u64).max(1);
        let mut failures: Vec<Error> = Vec::new();
        let mut refused = None;
        for host in hosts {
            host.name().clone_into(&mut self.host);
            match self.open_host(&host, each_ms) {
                Ok(()) => return Ok(()),
                Err(Loss::Refused(error)) => refused = Some(error),
                Err(Loss::Lost(error) | Loss::Again(error)) => failures.push(error),
                Err(Loss::Duplicate) => {}
            }
            self.close();
        }
        match refused {
            // Another host may answer later.
            Some(error) if failures.is_empty() => Err(Loss::Refused(error)),
            Some(error) => Err(Loss::Lost(error)),
            None => match failures.pop() {
                // It names the host, and says what to do.
                Some(only) if failures.is_empty() => Err(Loss::Lost(only)),
                last => {
                    let hosts = self.server.target.to_string();
                    let reasons: Vec<&str> = failures.iter().chain(&last).map(Error::message).collect();
                    Err(Loss::Lost(Error::server_unreachable(&hosts, &reasons.join("; "))))
                }
            },
        }
    }

    fn open_host(&mut self, host: &HostTarget, within_ms: u64) -> Asked<()> {
        if self.runtime.is_none() {
            let runtime = Builder::new_current_thread().enable_all().build();
            self.runtime = Some(runtime.map_err(|error| Loss::Lost(Error::no_thread(&error)))?);
        }
        let Some(runtime) = &self.runtime else { return Ok(()) };
        let tls = &self.server.tls;
        let dialled = runtime.block_on(async {
            tokio::time::timeout(Duration::from_millis(within_ms), dial::connect(host, tls)).await
        });
        let (client, mut connection) = match dialled {
            Err(_) => return Err(silent(host.name(), within_ms)),
            Ok(Err(DialFailure::Passing(error))) => return Err(Loss::Lost(error)),
            Ok(Err(DialFailure::Lasting(error))) => return Err(Loss::Refused(error)),
            Ok(Ok(connected)) => connected,
        };
        let is_alone = Arc::clone(&self.is_alone);
        let driver = runtime.spawn(async move {
            while let Some(Ok(message)) =
                std::future::poll_fn(|context| connection.poll_message(context)).await
            {
                if let AsyncMessage::Notice(notice) = message
                    && notice.routine() == Some(WAITS_FOR_STANDBY)
                {
                    is_alone.store(true, Ordering::Relaxed);
                }
            }
        });
        self.live = Some(Live { client, trust: host.trust(), driver });
        self.check(within_ms)
    }

    /// Whether this is a primary with tables that are known.
    fn check(&mut self, within_ms: u64) -> Asked<()> {
        let text = self.server.schema.fill_in(schema::SERVER);
        let asked_ms = self.server.clock.asked_ms();
        let row = self.run(within_ms, async |client| client.query_one(&text, &[]).await)?;
        let (is_standby, number): (bool, i32) = (row.get(0), row.get(1));
        let (version, encoding): (String, String) = (row.get(2), row.get(3));
        let (has_schema, has_tables): (bool, bool) = (row.get(4), row.get(5));
        let host = self.host.clone();
        if number < schema::SERVER_VERSION_MIN {
            return Err(Loss::Refused(Error::server_version(&host, &version)));
        }
        if encoding != "UTF8" {
            let database = self.server.target.hosts().first().map_or("", HostTarget::database);
            return Err(Loss::Refused(Error::server_encoding(&host, database, &encoding)));
        }
        if is_standby {
            return Err(Loss::Lost(Error::server_unreachable(&host, "it takes no writes (a standby)")));
        }
        self.server.clock.heard(row.get(6), asked_ms);
        if !has_tables {
            self.make_tables(has_schema, within_ms)?;
        }
        self.check_tables(within_ms)
    }

    fn check_tables(&mut self, within_ms: u64) -> Asked<()> {
        let schema_name = self.server.schema.clone();
        let text = schema_name.fill_in(schema::TABLES_FOUND);
        let row = self.run(within_ms, async |client| client.query_one(&text, &[]).await)?;
        let version: Option<String> = row.get(0);
        let columns: String = row.get::<_, Option<String>>(1).unwrap_or_default();
        let version = version.unwrap_or_else(|| "none".to_owned());
        if version.parse::<u32>().ok() != Some(schema::VERSION) {
            let error = Error::schema_version(schema_name.as_str(), &version, schema::VERSION);
            return Err(Loss::Refused(error));
        }
        if let Some(place) = row.get::<_, Option<String>>(2) {
            return Err(Loss::Refused(Error::schema_moved(schema_name.as_str(), &place)));
        }
        let found: Vec<&str> = columns.split(", ").collect();
        match schema::COLUMNS.iter().find(|column| !found.contains(column)) {
            Some(missing) => {
                let what = format!("'{missing}' is missing");
                Err(Loss::Refused(Error::schema_changed(schema_name.as_str(), &what)))
            }
            None => Ok(()),
        }
    }

    /// Makes schema and tables; it is no failure where another host was faster.
    fn make_tables(&mut self, has_schema: bool, within_ms: u64) -> Asked<()> {
        let schema_name = self.server.schema.clone();
        let make_schema = if has_schema { "" } else { "CREATE SCHEMA {schema}; " };
        let text = schema_name.fill_in(&format!(
            "BEGIN; SET LOCAL lock_timeout = '5s'; {make_schema}{} COMMIT",
            schema::TABLES
        ));
        let made = self.run(within_ms, async |client| client.batch_execute(&text).await);
        if made.is_ok() {
            let text = schema_name.fill_in(schema::COMPRESSION);
            if self.run(within_ms, async |client| client.batch_execute(&text).await).is_err() {
                self.roll_back(within_ms);
            }
            return Ok(());
        }
        let _ = self.run(within_ms, async |client| client.batch_execute("ROLLBACK").await);
        match made {
            // Names that exist by now: another host made them at the same time, or is about to.
            Err(Loss::Again(error)) => {
                let text = schema_name.fill_in(schema::SERVER);
                let row = self.run(within_ms, async |client| client.query_one(&text, &[]).await)?;
                if row.get(5) { Ok(()) } else { Err(Loss::Again(error)) }
            }
            other => other,
        }
    }

    /// Asks something, and waits for the answer so long at most. A server that is late is told to stop: else it may wait
    /// for a lock for ever, for nobody.
    ///
    /// # Errors
    /// See `Loss`. After `Lost` the session is closed.
    pub fn run<T>(
        &mut self,
        within_ms: u64,
        ask: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>,
    ) -> Asked<T> {
        self.ask(within_ms, Late::IsStopped, ask)
    }

    /// The same for what may go on when it is late, such as a commit: it may be waiting for a standby, and would be there
    /// without it if it was stopped.
    ///
    /// # Errors
    /// See `run`.
    pub fn run_commit<T>(
        &mut self,
        within_ms: u64,
        ask: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>,
    ) -> Asked<T> {
        self.ask(within_ms, Late::GoesOn, ask)
    }

    /// Begins a transaction that shows the data of this moment.
    ///
    /// # Errors
    /// See `run`.
    pub fn begin_snapshot(&mut self, within_ms: u64) -> Asked<()> {
        self.run(within_ms, async |client| client.batch_execute(BEGIN_SNAPSHOT).await)
    }

    /// Ends a transaction. A connection that cannot even do that is of no use.
    pub fn roll_back(&mut self, within_ms: u64) {
        if self.run(within_ms, async |client| client.batch_execute("ROLLBACK").await).is_err() {
            self.close();
        }
    }

    fn ask<T>(
        &mut self,
        within_ms: u64,
        late: Late,
        ask: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>,
    ) -> Asked<T> {
        let (Some(runtime), Some(live)) = (&self.runtime, &self.live) else {
            return Err(Loss::Lost(Error::server_unreachable(&self.host, "the connection was closed")));
        };
        self.server.metrics.round_trips.add(1);
        let mut answer = None;
        drive(
            runtime,
            within_ms,
            pin!(async {
                answer = Some(ask(&live.client).await);
            }),
        );
        match answer {
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) => Err(self.failed(Some(&error), late, within_ms)),
            None => Err(self.failed(None, late, within_ms)),
        }
    }

    /// What a failure, or none within that time, means. After `Lost` the session is closed.
    fn failed(&mut self, error: Option<&tokio_postgres::Error>, late: Late, within_ms: u64) -> Loss {
        let loss = if let Some(error) = error {
            self.loss(error)
        } else {
            if late == Late::IsStopped {
                self.stop_server();
            }
            silent(&self.host, within_ms)
        };
        if matches!(loss, Loss::Lost(_)) {
            self.close();
        }
        loss
    }

    /// Asks the server to end what it does: it may be waiting for a lock, with others behind it.
    fn stop_server(&self) {
        let (Some(runtime), Some(live)) = (&self.runtime, &self.live) else { return };
        let token = live.client.cancel_token();
        let connector = self.server.tls.connector(live.trust);
        runtime.block_on(async {
            // It is of use where the server can be reached, and nothing is lost where it cannot.
            let _ = tokio::time::timeout(STOP_WITHIN, token.cancel_query(connector)).await;
        });
    }

    /// What a failure means for who asked.
    fn loss(&self, error: &tokio_postgres::Error) -> Loss {
        let Some(refused) = error.as_db_error() else {
            return Loss::Lost(Error::server_unreachable(&self.host, &text_of(error)));
        };
        let (state, reason) = (refused.code(), refused.message());
        let class = &state.code()[..2];
        let is_open = *state == SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN;
        let is_again = (class == "40" && !is_open)
            || [SqlState::LOCK_NOT_AVAILABLE, SqlState::QUERY_CANCELED, SqlState::DUPLICATE_SCHEMA]
                .contains(state)
            || [SqlState::DUPLICATE_TABLE, SqlState::DUPLICATE_OBJECT].contains(state);
        let error = || Error::server(&self.host, state.code(), reason);
        if *state == SqlState::UNIQUE_VIOLATION && refused.constraint() == Some("entry_change") {
            Loss::Duplicate
        } else if *state == SqlState::CHECK_VIOLATION && refused.constraint() == Some("moved") {
            let schema_name = self.server.schema.as_str();
            Loss::Refused(Error::schema_moved(schema_name, "another place, which the table 'meta' names"))
        } else if is_again || [SqlState::UNIQUE_VIOLATION, SqlState::CHECK_VIOLATION].contains(state) {
            Loss::Again(error())
        } else if is_open
            || matches!(class, "08" | "57")
            || state.code() == TRANSACTION_TIMEOUT
            || [
                SqlState::READ_ONLY_SQL_TRANSACTION,
                SqlState::TOO_MANY_CONNECTIONS,
                SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
            ]
            .contains(state)
        {
            Loss::Lost(Error::server_unreachable(&self.host, reason))
        } else if *state == SqlState::INSUFFICIENT_PRIVILEGE {
            Loss::Refused(Error::server_rights(&self.host, self.user(), reason))
        } else if CHANGED_TABLES.contains(state) {
            Loss::Refused(Error::schema_changed(self.server.schema.as_str(), reason))
        } else {
            Loss::Refused(error())
        }
    }

    fn user(&self) -> &str {
        self.server.target.hosts().first().map_or("", HostTarget::user)
    }

    /// Whether the server said since the last call that it did not wait for a standby.
    pub fn take_not_replicated(&self) -> bool {
        self.is_alone.swap(false, Ordering::Relaxed)
    }

    /// Gives the connection up.
    pub fn close(&mut self) {
        let (Some(runtime), Some(Live { client, driver, .. })) = (&self.runtime, self.live.take()) else {
            return;
        };
        drop(client);
        driver.abort();
        // The socket is closed when the task is dropped, which takes a turn of the runtime.
        let _ = runtime.block_on(driver);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.close();
    }
}

/// Runs a future to its end, or so long at most. It is no generic function: each question would have a copy of its own.
fn drive(runtime: &Runtime, within_ms: u64, future: Pin<&mut dyn Future<Output = ()>>) {
    let within = Duration::from_millis(within_ms);
    // Whether it came to its end shows in what it leaves.
    let _ = runtime.block_on(async { tokio::time::timeout(within, future).await });
}

fn silent(host: &str, within_ms: u64) -> Loss {
    Loss::Lost(Error::server_unreachable(host, &format!("no answer within {within_ms} ms")))
}

fn text_of(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
