//! Connections to a real PostgreSQL server with TLS. It needs the server's binaries and openssl, so it runs only when it
//! is asked to: `cargo test --test dial -- --ignored`. The server is private, in a temporary folder, and is stopped.
#![cfg(all(unix, feature = "postgres"))]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use progressive_storage::error::Code;
use progressive_storage::postgres::dial::{DialFailure, connect};
use progressive_storage::postgres::target::Target;
use progressive_storage::postgres::tls::Tls;
use progressive_storage::vfs::read_settings_file;
use tempfile::TempDir;

const PASSWORD: &str = "canary/:@ ü";
const ENCODED_PASSWORD: &str = "canary%2F%3A%40%20%C3%BC";
const VERIFIED: &str = "sslmode=verify-full&sslrootcert=CERTIFICATES/authority.pem&channel_binding=require";

/// A server with a certificate for `localhost` and `db.example`.
struct Server {
    folder: TempDir,
    binaries: PathBuf,
    port: u16,
}

impl Server {
    fn start() -> Self {
        let versions = fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed");
        let binaries = versions.map(|version| version.expect("a folder").path().join("bin"));
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("set");
        let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port");
        let server = Self { folder, binaries: binaries.max().expect("a version"), port: free.port() };
        let password = server.path("password");
        fs::write(&password, PASSWORD).expect("written");
        let data = server.data();
        server
            .run("initdb", &["-D", &data, "-U", "owner", "-A", "scram-sha-256", "--pwfile", &password, "-N"]);
        let certificate = |name: &str| fs::read(certificates().join(name)).expect("a certificate");
        server.install(&certificate("host.pem"), &certificate("host.key"));
        fs::write(format!("{data}/authority.pem"), certificate("authority.pem")).expect("written");
        let configuration = format!(
            "port = {}\nunix_socket_directories = '{}'\nssl = on\nssl_ca_file = 'authority.pem'\nfsync = off\n",
            server.port,
            server.folder.path().display()
        );
        fs::write(format!("{data}/postgresql.auto.conf"), configuration).expect("written");
        let access = "local all all scram-sha-256\n\
                      hostssl all \"db.example\" all cert\n\
                      hostssl all secure all scram-sha-256\n\
                      hostnossl all secure all reject\n\
                      host all all all scram-sha-256\n";
        fs::write(format!("{data}/pg_hba.conf"), access).expect("written");
        server.run("pg_ctl", &["-D", &data, "-w", "-l", &server.path("log"), "start"]);
        server
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn data(&self) -> String {
        self.path("data")
    }

    /// Gives the server a certificate and its key.
    fn install(&self, certificate: &[u8], key: &[u8]) {
        fs::write(format!("{}/server.crt", self.data()), certificate).expect("written");
        let path = format!("{}/server.key", self.data());
        fs::write(&path, key).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("set");
        if is_root() {
            assert!(Command::new("chown").args(["postgres", &path]).status().expect("chown runs").success());
        }
    }

    /// Runs a program of the server, which refuses to run as root.
    fn run(&self, program: &str, arguments: &[&str]) {
        let program = self.binaries.join(program);
        let mut command = Command::new(if is_root() { Path::new("runuser") } else { &program });
        if is_root() {
            command.args(["-u", "postgres", "--"]).arg(&program);
        }
        command.args(arguments).current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
        assert!(command.status().expect("it runs").success(), "{} {arguments:?}", program.display());
    }

    fn sql(&self, statement: &str) {
        self.select("postgres://owner:PASSWORD@SOCKET/postgres", statement).expect("done");
    }

    fn fill_in(&self, url: &str) -> String {
        let folder = self.folder.path().display().to_string();
        url.replace("PASSWORD", ENCODED_PASSWORD)
            .replace("SOCKET", &format!("{}:{}", folder.replace('/', "%2F"), self.port))
            .replace("PORT", &self.port.to_string())
            .replace("CERTIFICATES", &certificates().display().to_string())
            .replace("FOLDER", &folder)
    }

    /// The first column of the first row.
    fn select(&self, url: &str, statement: &str) -> Result<Option<String>, DialFailure> {
        let target = Target::parse(&self.fill_in(url), &|_| None, &read_settings_file).expect("a target");
        let tls = Tls::new(&target).expect("usable");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (client, connection) = connect(&target.hosts()[0], &tls).await?;
            let connection = tokio::spawn(connection);
            let rows = client.simple_query(statement).await.expect("an answer");
            drop(client);
            connection.await.expect("no panic").expect("a clean end");
            Ok(rows.iter().find_map(|row| match row {
                tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                _ => None,
            }))
        })
    }

    fn is_encrypted(&self, url: &str) -> Result<bool, DialFailure> {
        let answer = self.select(url, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")?;
        Ok(answer.as_deref() == Some("t"))
    }

    fn failure(&self, url: &str) -> (bool, Code, String) {
        let failure = self.select(url, "SELECT 1").expect_err(url);
        let message = failure.error().message().to_owned();
        assert!(!message.contains("canary"), "{message}");
        (failure.is_lasting(), failure.error().code(), message)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.run("pg_ctl", &["-D", &self.data(), "-m", "immediate", "stop"]);
    }
}

fn certificates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificates")
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().expect("id runs");
    output.stdout.starts_with(b"0\n")
}

#[test]
#[ignore = "it starts a PostgreSQL server"]
fn connections_that_are_opened() {
    let server = Server::start();
    server.sql("CREATE ROLE secure LOGIN PASSWORD 'x'");
    server.sql("CREATE ROLE \"db.example\" LOGIN");
    for (url, is_encrypted) in [
        ("postgres://owner:PASSWORD@SOCKET/postgres", false),
        ("postgres://owner:PASSWORD@localhost:PORT/postgres", false),
        ("postgres://owner:PASSWORD@127.0.0.1:PORT/postgres?sslmode=disable", false),
        ("postgres://owner:PASSWORD@127.0.0.1:PORT/postgres?sslmode=prefer", true),
        ("postgres://owner:PASSWORD@127.0.0.1:PORT/postgres?channel_binding=require", true),
        ("postgres://owner:PASSWORD@127.0.0.1:PORT/postgres?sslmode=no-verify&channel_binding=require", true),
        // The server takes this one only by TLS.
        ("postgres://secure:x@127.0.0.1:PORT/postgres", true),
        (&format!("postgres://owner:PASSWORD@localhost:PORT/postgres?{VERIFIED}"), true),
        (&format!("postgres://owner:PASSWORD@db.example:PORT/postgres?hostaddr=127.0.0.1&{VERIFIED}"), true),
    ] {
        assert_eq!(server.is_encrypted(url), Ok(is_encrypted), "{url}");
    }
    // A client certificate instead of a password.
    fs::copy(certificates().join("host.key"), server.path("client.key")).expect("copied");
    fs::set_permissions(server.path("client.key"), fs::Permissions::from_mode(0o600)).expect("set");
    let by_certificate = "postgres://db.example@localhost:PORT/postgres?sslrootcert=CERTIFICATES/authority.pem\
                          &sslmode=require&sslcert=CERTIFICATES/host.pem&sslkey=FOLDER/client.key";
    assert_eq!(server.is_encrypted(by_certificate), Ok(true));
    let name = server.select(by_certificate, "SELECT current_setting('application_name')");
    assert_eq!(name, Ok(Some("progressive-storage".to_owned())));
}

#[test]
#[ignore = "it starts a PostgreSQL server"]
fn connections_that_are_refused() {
    let server = Server::start();
    server.sql("CREATE DATABASE readonly");
    server.sql("ALTER DATABASE readonly SET default_transaction_read_only = on");
    server.sql("CREATE DATABASE private");
    server.sql("REVOKE CONNECT ON DATABASE private FROM public");
    server.sql("CREATE ROLE bot LOGIN PASSWORD 'x'");
    let other_name = format!("db.other:PORT/postgres?hostaddr=127.0.0.1&{VERIFIED}");
    for (user, place, is_lasting, code, reason) in [
        (
            "owner:canary",
            "localhost:PORT/postgres",
            true,
            Code::ServerLogin,
            "password authentication failed",
        ),
        ("owner", "localhost:PORT/postgres", true, Code::ServerLogin, "none is given"),
        ("nobody:canary", "localhost:PORT/postgres", true, Code::ServerLogin, "'nobody'"),
        ("db.example", "localhost:PORT/postgres?sslmode=no-verify", true, Code::ServerLogin, "certificate"),
        ("owner:PASSWORD", "localhost:PORT/missing", true, Code::ServerDatabase, "'missing'"),
        ("bot:x", "localhost:PORT/private", true, Code::ServerRights, "permission denied"),
        ("owner:PASSWORD", "localhost:PORT/readonly", false, Code::ServerUnreachable, "takes no writes"),
        (
            "owner:PASSWORD",
            "localhost:PORT/postgres?sslmode=require",
            true,
            Code::ServerTls,
            "not known here",
        ),
        ("owner:PASSWORD", &other_name, true, Code::ServerTls, "another host: db.example"),
    ] {
        let url = format!("postgres://{user}@{place}");
        let (lasts, found, message) = server.failure(&url);
        assert_eq!((lasts, found), (is_lasting, code), "{url}: {message}");
        assert!(message.contains(reason), "{url}: {message}");
    }
}

#[test]
#[ignore = "it starts a PostgreSQL server"]
fn a_login_is_bound_to_every_kind_of_certificate() {
    let server = Server::start();
    let url = "postgres://owner:PASSWORD@localhost:PORT/postgres?sslmode=no-verify&channel_binding=require";
    for (key, signature) in [
        ("ec -pkeyopt ec_paramgen_curve:prime256v1", "-sha1"),
        ("ec -pkeyopt ec_paramgen_curve:prime256v1", "-sha256"),
        ("ec -pkeyopt ec_paramgen_curve:secp384r1", "-sha384"),
        ("ec -pkeyopt ec_paramgen_curve:prime256v1", "-sha512"),
        ("rsa:2048", "-sha256"),
        ("rsa:2048", "-sha512"),
        ("rsa:2048", "-sha384 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32"),
        ("ed25519", ""),
    ] {
        let (certificate, secret) = (server.path("new.pem"), server.path("new.key"));
        let arguments = format!(
            "req -x509 -nodes -subj /CN=x -newkey {key} {signature} -keyout {secret} -out {certificate}"
        );
        let made = Command::new("openssl").args(arguments.split_whitespace()).stderr(Stdio::null()).status();
        assert!(made.expect("openssl runs").success(), "{arguments}");
        server.install(&fs::read(&certificate).expect("read"), &fs::read(&secret).expect("read"));
        // Not reloaded, since nothing says when that is over.
        let data = server.data();
        server.run("pg_ctl", &["-D", &data, "-w", "-l", &server.path("log"), "-m", "fast", "restart"]);
        if key == "ed25519" {
            // Its signature has no hash to bind the login with.
            let (is_lasting, code, message) = server.failure(url);
            assert_eq!((is_lasting, code), (true, Code::ServerTls), "{message}");
            assert_eq!(server.is_encrypted(&url.replace("require", "prefer")), Ok(true));
        } else {
            assert_eq!(server.is_encrypted(url), Ok(true), "{key} {signature}");
        }
    }
}
