//! Failures of a place that is a server. `host` is what a person calls the server: its name and port, never the URL.
//!
//! Invariant: no text here holds a password, nor the URL in which one may stand.

use super::Code;
use super::error::{Error, Outcome};

impl Error {
    /// A call was not settled in its time; `bound` says when that was over, such as `within 30000 ms`.
    #[must_use]
    pub fn timeout(bound: &str, outcome: Outcome, last_failure: &str) -> Self {
        let what_is_so = match outcome {
            Outcome::Unknown => {
                "whether the change was made is not known: read the value again before you repeat the call"
            }
            _ => "nothing was changed",
        };
        let reason = if last_failure.is_empty() { String::new() } else { format!(" ({last_failure})") };
        let message = format!("The server did not settle the call {bound}{reason}; {what_is_so}");
        Self::new(Code::Timeout, message).with_outcome(outcome)
    }

    /// The process or thread ended while calls waited for a server.
    #[must_use]
    pub fn not_settled_at_end(calls: usize, unknown: usize, last_failure: &str) -> Self {
        let reason = if last_failure.is_empty() { String::new() } else { format!(" ({last_failure})") };
        let (what_is_so, outcome) = if unknown == 0 {
            ("nothing was changed by them".to_owned(), Outcome::KnownUnchanged)
        } else {
            (format!("of {unknown} it is not known whether the change was made"), Outcome::Unknown)
        };
        let calls_text = if calls == 1 { "1 call".to_owned() } else { format!("{calls} calls") };
        let message = format!("The server did not settle {calls_text} before the end{reason}; {what_is_so}");
        Self::new(Code::Timeout, message).with_outcome(outcome)
    }

    /// No host answers, or none of those that do takes writes.
    #[must_use]
    pub fn server_unreachable(hosts: &str, reason: &str) -> Self {
        Self::new(
            Code::ServerUnreachable,
            format!(
                "No PostgreSQL server that takes writes answers at {hosts}: {reason}. Check that it runs, and the host and port in the url"
            ),
        )
    }

    /// The answer to a read did not arrive, and what was written since would show in the next one.
    #[must_use]
    pub fn answer_lost(reason: &str) -> Self {
        Self::new(
            Code::ServerUnreachable,
            format!(
                "The answer to a read did not arrive ({reason}), and later calls of this thread have changed the data since. Call it again"
            ),
        )
        .with_outcome(Outcome::Unchanged)
    }

    /// The user or the password is refused.
    #[must_use]
    pub fn server_login(host: &str, user: &str, reason: &str) -> Self {
        Self::new(
            Code::ServerLogin,
            format!(
                "The server at {host} refuses the user '{user}': {reason}. Check user and password in the url, PGPASSWORD or the password file"
            ),
        )
    }

    /// There is no such database.
    #[must_use]
    pub fn server_database(host: &str, database: &str) -> Self {
        Self::new(
            Code::ServerDatabase,
            format!(
                "The server at {host} has no database '{database}'; create it, or name another one at the end of the url"
            ),
        )
    }

    /// No connection by TLS, or none that can be trusted.
    #[must_use]
    pub fn server_tls(host: &str, reason: &str) -> Self {
        Self::new(
            Code::ServerTls,
            format!(
                "No trusted TLS connection to {host}: {reason}. Give sslrootcert=FILE in the url for a server with a certificate of your own; sslmode=no-verify trusts any server"
            ),
        )
    }

    /// The role lacks a right.
    #[must_use]
    pub fn server_rights(host: &str, user: &str, reason: &str) -> Self {
        Self::new(
            Code::ServerRights,
            format!(
                "The user '{user}' may not do this on the server at {host}: {reason}. Let the owner of the database run 'progressive-storage postgres init'"
            ),
        )
    }

    /// The server is too old.
    #[must_use]
    pub fn server_version(host: &str, version: &str) -> Self {
        Self::new(
            Code::ServerVersion,
            format!("The server at {host} is PostgreSQL {version}; 14 or newer is needed"),
        )
    }

    /// The database has another encoding.
    #[must_use]
    pub fn server_encoding(host: &str, database: &str, encoding: &str) -> Self {
        Self::new(
            Code::ServerEncoding,
            format!(
                "The database '{database}' at {host} keeps text as {encoding}, which cannot hold all of it; create one with ENCODING 'UTF8'"
            ),
        )
    }

    /// The schema is newer, or unknown.
    #[must_use]
    pub fn schema_version(schema: &str, found: &str, known: u32) -> Self {
        let is_older = found.parse::<u32>().is_ok_and(|found| found < known);
        let what_to_do = if is_older {
            "as the owner of the tables, run `progressive-storage postgres init`, which brings them up to date"
        } else {
            "update the package on this host"
        };
        Self::new(
            Code::SchemaVersion,
            format!(
                "The schema '{schema}' has version {found}, and this version of progressive-storage knows {known}; {what_to_do}"
            ),
        )
    }

    /// The tables are not ours, or somebody changed them.
    #[must_use]
    pub fn schema_changed(schema: &str, what: &str) -> Self {
        Self::new(
            Code::SchemaChanged,
            format!(
                "The tables in the schema '{schema}' are not as this package made them: {what}. Restore them, or give another schema with the option 'schema'"
            ),
        )
    }

    /// `progressive-storage migrate` moved the data to another place.
    #[must_use]
    pub fn schema_moved(schema: &str, place: &str) -> Self {
        Self::new(
            Code::Moved,
            format!(
                "The data of the schema '{schema}' was moved to {place}. Use that place; to go on with this schema as it was, let its owner remove the row 'moved' of its table 'meta' and the constraint 'moved' of its table 'entry'"
            ),
        )
    }

    /// A statement failed for a reason that trying again does not remove.
    #[must_use]
    pub fn server(host: &str, sql_state: &str, reason: &str) -> Self {
        Self::new(
            Code::Server,
            format!("The server at {host} refused a statement: {reason} (SQLSTATE {sql_state})"),
        )
    }
}
