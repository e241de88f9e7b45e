//! Opens a connection to one host, and says what went wrong if it cannot.
//!
//! | failure                                             | lasts | error                    |
//! |-----------------------------------------------------|-------|--------------------------|
//! | 28xxx, no password for a server that wants one      | yes   | `ERR_SERVER_LOGIN`       |
//! | 3D000                                               | yes   | `ERR_SERVER_DATABASE`    |
//! | 42501: no right to connect                          | yes   | `ERR_SERVER_RIGHTS`      |
//! | certificates, no TLS, no channel binding            | yes   | `ERR_SERVER_TLS`         |
//! | 0Axxx, 22xxx: the start is not understood           | yes   | `ERR_SERVER`             |
//! | other SQLSTATEs: starting up (57P03), full (53300)  | no    | `ERR_SERVER_UNREACHABLE` |
//! | refused, reset, no such host, timeout, a standby    | no    | `ERR_SERVER_UNREACHABLE` |
//!
//! To pgbouncer all of these are 08P01, so its words decide: a wrong login lasts, a server behind it that is away passes.

use std::error::Error as _;
use std::io;

use tokio::time;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::DbError;
use tokio_postgres::{Client, Config, Connection, Socket};

use super::target::{Encryption, HostTarget};
use super::tls::{self, Stream, Tls, TlsFailure};
use crate::error::Error;

/// A connection that is open: who asks, and what carries it and must be polled.
pub type Opened = (Client, Connection<Socket, Stream<Socket>>);

/// A connection that was not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DialFailure {
    /// Another try ends the same way, until somebody changes the server or the settings.
    Lasting(Error),
    /// Another try, or another host, may succeed.
    Passing(Error),
}

impl DialFailure {
    /// What went wrong.
    #[must_use]
    pub fn error(&self) -> &Error {
        match self {
            Self::Lasting(error) | Self::Passing(error) => error,
        }
    }

    /// Whether another try ends the same way.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        matches!(self, Self::Lasting(_))
    }
}

/// Opens a connection to `target` that takes writes.
///
/// # Errors
/// See the table above.
pub async fn connect(target: &HostTarget, tls: &Tls) -> Result<Opened, DialFailure> {
    let Some(timeout) = target.timeout() else {
        return connect_in_time(target, tls).await;
    };
    time::timeout(timeout, connect_in_time(target, tls)).await.unwrap_or_else(|_| {
        let seconds = timeout.as_secs();
        Err(passing(target, &format!("it did not answer within {seconds} s (connect_timeout)")))
    })
}

async fn connect_in_time(target: &HostTarget, tls: &Tls) -> Result<Opened, DialFailure> {
    let first = match attempt(target.config(), target, tls).await {
        Ok(opened) => return Ok(opened),
        Err(error) => error,
    };
    let may_want_tls = target.encryption() == Encryption::PlainFirst && refuses_start(&first);
    if may_want_tls {
        let mut config = target.config().clone();
        config.ssl_mode(SslMode::Require);
        match attempt(&config, target, tls).await {
            Ok(opened) => return Ok(opened),
            // A server without TLS said all that it has to say the first time.
            Err(error) if error.as_db_error().is_some() => return Err(explain(&error, target)),
            Err(_) => {}
        }
    }
    Err(explain(&first, target))
}

async fn attempt(config: &Config, target: &HostTarget, tls: &Tls) -> Result<Opened, tokio_postgres::Error> {
    config.connect(tls.connector(target.trust())).await
}

/// Whether the server, or a pooler, may refuse the connection only because it is plain.
fn refuses_start(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some_and(|error| matches!(error.code().code(), "28000" | "08P01"))
}

fn passing(target: &HostTarget, reason: &str) -> DialFailure {
    DialFailure::Passing(Error::server_unreachable(target.name(), reason))
}

fn explain(error: &tokio_postgres::Error, target: &HostTarget) -> DialFailure {
    let source = error.source();
    if let Some(refusal) = source.and_then(|source| source.downcast_ref::<DbError>()) {
        return explain_refusal(refusal, target);
    }
    if let Some(failure) = source.and_then(|source| source.downcast_ref::<TlsFailure>()) {
        return match failure {
            TlsFailure::Network(_) => passing(target, &failure.to_string()),
            TlsFailure::Refused(reason) => DialFailure::Lasting(Error::server_tls(target.name(), reason)),
        };
    }
    if let Some(failure) = source.and_then(|source| source.downcast_ref::<io::Error>()) {
        if let Some(reason) = tls::failure_of_rustls(failure) {
            return DialFailure::Lasting(Error::server_tls(target.name(), &tls::explain(reason)));
        }
        return explain_io(failure, target);
    }
    explain_words(error, target)
}

/// What the server says.
fn explain_refusal(refusal: &DbError, target: &HostTarget) -> DialFailure {
    let code = refusal.code().code();
    let message = refusal.message();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    let (name, user) = (target.name(), target.user());
    // pgbouncer's words. Its "server login has been failing" is no wrong password: the server behind it is away.
    let is_pooler = code == "08P01";
    let is_login = code.starts_with("28")
        || (is_pooler && says(&["authentication failed", "no such user", "SSL required"]));
    let is_database = code == "3D000" || (is_pooler && says(&["no such database"]));
    let is_not_understood = code.starts_with("0A")
        || code.starts_with("22")
        || (is_pooler && says(&["unsupported startup parameter"]));
    match code {
        _ if is_login => DialFailure::Lasting(Error::server_login(name, user, message)),
        _ if is_database => DialFailure::Lasting(Error::server_database(name, target.database())),
        "42501" => DialFailure::Lasting(Error::server_rights(name, user, message)),
        _ if is_not_understood => DialFailure::Lasting(Error::server(name, code, message)),
        code => passing(target, &format!("it says: {message} (SQLSTATE {code})")),
    }
}

fn explain_io(error: &io::Error, target: &HostTarget) -> DialFailure {
    match error.kind() {
        // The words of tokio-postgres for the answer to SHOW transaction_read_only; the system has a number.
        io::ErrorKind::PermissionDenied if error.raw_os_error().is_none() => {
            passing(target, "it takes no writes: it is a standby, or its default is read-only")
        }
        // Of the proof that the server knows the password.
        io::ErrorKind::InvalidInput if error.to_string().contains("SCRAM") => {
            DialFailure::Lasting(Error::server_login(
                target.name(),
                target.user(),
                "it could not prove that it knows the password itself",
            ))
        }
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            passing(target, "it closed the connection during the login")
        }
        _ => passing(target, &error.to_string()),
    }
}

/// Failures that tokio-postgres has words for and no type.
fn explain_words(error: &tokio_postgres::Error, target: &HostTarget) -> DialFailure {
    let words = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    let login =
        |reason: &str| DialFailure::Lasting(Error::server_login(target.name(), target.user(), reason));
    let tls = |reason: &str| DialFailure::Lasting(Error::server_tls(target.name(), reason));
    match words.as_str() {
        "password missing" => {
            let note = target.password_note().map(|note| format!("; {note}")).unwrap_or_default();
            login(&format!("it wants a password, and none is given{note}"))
        }
        "unsupported authentication method" | "unsupported SASL mechanism" => {
            login("it wants a login by Kerberos, GSSAPI, SSPI or OAuth, which is not supported")
        }
        "server did not use channel binding" => {
            tls("it does not bind the login to the TLS connection, and channel_binding is 'require'")
        }
        "server does not support TLS" => {
            tls("it has TLS switched off. For a network in which nobody can listen there is sslmode=disable")
        }
        _ if error.is_closed() => passing(target, "it closed the connection during the login"),
        words => passing(target, words),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use super::*;
    use crate::error::Code;
    use crate::postgres::target::Target;

    /// Connects to a server that answers whatever it is sent with `answers`, one a message, and then hangs up.
    fn failure(answers: Vec<Vec<u8>>, parameters: &str) -> DialFailure {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let is_over = Arc::new(AtomicBool::new(false));
        let is_over_there = Arc::clone(&is_over);
        let server = thread::spawn(move || {
            // Who is refused without TLS may come back with it.
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                if is_over_there.load(Ordering::SeqCst) {
                    return;
                }
                let mut message = [0; 4096];
                for answer in &answers {
                    if matches!(stream.read(&mut message), Ok(1..)) {
                        let _ = stream.write_all(answer);
                    }
                }
            }
        });
        let failure = dial(&format!("postgres://u:canary@127.0.0.1:{port}/db?{parameters}"));
        is_over.store(true, Ordering::SeqCst);
        TcpStream::connect(("127.0.0.1", port)).expect("the server is there");
        server.join().expect("no panic");
        assert!(!format!("{failure:?} {}", failure.error()).contains("canary"));
        failure
    }

    fn dial(url: &str) -> DialFailure {
        let read_file = |_: &std::path::Path| Err(io::ErrorKind::NotFound.into());
        let target = Target::parse(url, &|_| None, &read_file).expect("a target");
        let tls = Tls::new(&target).expect("usable");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(connect(&target.hosts()[0], &tls)).err().expect("a failure")
    }

    fn message(kind: u8, content: &[u8]) -> Vec<u8> {
        let size = u32::try_from(content.len() + 4).expect("short");
        [&[kind], size.to_be_bytes().as_slice(), content].concat()
    }

    fn refusal(code: &str, text: &str) -> Vec<u8> {
        message(b'E', format!("SFATAL\0VFATAL\0C{code}\0M{text}\0\0").as_bytes())
    }

    #[test]
    fn what_the_server_says_decides_whether_it_lasts() {
        for (code, text, expected) in [
            ("28P01", "password authentication failed", Some(Code::ServerLogin)),
            ("28000", "no pg_hba.conf entry", Some(Code::ServerLogin)),
            ("3D000", "database \"db\" does not exist", Some(Code::ServerDatabase)),
            ("42501", "permission denied for database", Some(Code::ServerRights)),
            ("08P01", "no such user: u", Some(Code::ServerLogin)),
            ("08P01", "no such database: db", Some(Code::ServerDatabase)),
            ("08P01", "unsupported startup parameter: x", Some(Code::Server)),
            ("08P01", "server login has been failing, try again later (server_login_retry)", None),
            ("08P01", "no more connections allowed (max_client_conn)", None),
            ("0A000", "unsupported frontend protocol", Some(Code::Server)),
            ("57P03", "the database system is starting up", None),
            ("53300", "sorry, too many clients already", None),
            ("57P01", "terminating connection due to administrator command", None),
            ("XX000", "something else", None),
        ] {
            let failure = failure(vec![refusal(code, text)], "sslmode=disable");
            let code_expected = expected.unwrap_or(Code::ServerUnreachable);
            assert_eq!(
                (failure.is_lasting(), failure.error().code()),
                (expected.is_some(), code_expected),
                "{code}"
            );
            let is_told = code_expected == Code::ServerDatabase || failure.error().message().contains(text);
            assert!(is_told, "{}", failure.error());
        }
    }

    #[test]
    fn a_server_without_tls_is_told_from_one_that_is_away() {
        for answer in [b"N", b"H"] {
            let failure = failure(vec![answer.to_vec()], "sslmode=require");
            assert_eq!((failure.is_lasting(), failure.error().code()), (true, Code::ServerTls));
            assert!(failure.error().message().contains("TLS switched off"), "{}", failure.error());
        }
        let no_tls = failure(vec![b"S".to_vec(), b"HTTP/1.1 400 Bad Request".to_vec()], "sslmode=require");
        assert_eq!((no_tls.is_lasting(), no_tls.error().code()), (true, Code::ServerTls));
        for answers in [vec![], vec![b"S".to_vec()]] {
            let failure = failure(answers, "sslmode=require");
            assert_eq!((failure.is_lasting(), failure.error().code()), (false, Code::ServerUnreachable));
        }
    }

    #[test]
    fn a_refusal_of_a_plain_connection_is_kept_if_there_is_no_tls() {
        let both = failure(vec![refusal("28000", "no encryption")], "");
        assert_eq!((both.is_lasting(), both.error().code()), (true, Code::ServerLogin));
        assert!(both.error().message().contains("no encryption"), "{}", both.error());
    }

    #[test]
    fn a_login_that_cannot_be_is_explained() {
        let kerberos = failure(vec![message(b'R', &7_u32.to_be_bytes())], "sslmode=disable");
        assert!(
            kerberos.is_lasting() && kerberos.error().message().contains("Kerberos"),
            "{}",
            kerberos.error()
        );
        let wants_password = message(b'R', &3_u32.to_be_bytes());
        let none = failure(vec![wants_password], "sslmode=disable&password=");
        assert!(none.is_lasting() && none.error().message().contains("none is given"), "{}", none.error());
    }

    #[test]
    fn nobody_is_unreachable() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let failure = dial(&format!("postgres://u@127.0.0.1:{port}/db"));
        assert_eq!((failure.is_lasting(), failure.error().code()), (false, Code::ServerUnreachable));
        assert!(failure.error().message().contains(&format!("127.0.0.1:{port}")));
        let socket = dial("postgres://u@%2Fnowhere/db");
        assert_eq!((socket.is_lasting(), socket.error().code()), (false, Code::ServerUnreachable));
        assert!(socket.error().message().contains("/nowhere/.s.PGSQL.5432"), "{}", socket.error());
    }
}
