//! Where the server is and how to reach it, from a URL and libpq's environment variables.
//!
//! Each host is one `HostTarget`, to be tried in order. Without a host it is `localhost`.
//!
//! Invariant: neither `Debug` nor `Display` nor an error here shows a password, a key, or the URL.

use std::fmt::{self, Debug, Display};
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};

use super::certificates::Certificates;
use super::encryption::{Encryption, Policy, Trust};
use super::passwords::Passwords;
use super::place::{Place, places};
use super::read_file::ReadFile;
use super::settings::{Environment, Setting, Settings};
use super::url::Url;
use crate::error::{Error, Result};

/// How long one host may take to open a connection, all steps together, if `connect_timeout` does not say.
const CONNECT_SECONDS: u64 = 10;
/// How long one address of a host may take to answer at all. A host may have several.
const ADDRESS_SECONDS: u64 = 3;
/// A connection that carries nothing is tested after this time, so that a silent loss of the network is seen.
const KEEPALIVE_IDLE_SECONDS: u64 = 30;
const KEEPALIVE_INTERVAL_SECONDS: u64 = 10;
const KEEPALIVE_RETRIES: u32 = 3;

/// One host of a target.
#[derive(Clone)]
pub struct HostTarget {
    name: String,
    user: String,
    database: String,
    config: Config,
    encryption: Encryption,
    trust: Trust,
    timeout: Option<Duration>,
    password_note: Option<String>,
}

/// Where the server is and how to reach it. It displays as its hosts.
pub struct Target {
    hosts: Vec<HostTarget>,
    certificates: Certificates,
}

impl HostTarget {
    /// What a person calls it: `host:port`, or the path of the socket.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The user who logs in.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Name of the database.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database
    }

    /// How to connect to this host alone. Its mode of TLS is that of the first try; see `encryption`.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The same host, with another name for its sessions.
    #[must_use]
    pub fn with_application(&self, name: &str) -> Self {
        let mut host = self.clone();
        host.config.application_name(name);
        host
    }

    /// Whether the connection is encrypted.
    #[must_use]
    pub fn encryption(&self) -> Encryption {
        self.encryption
    }

    /// Whose certificate is accepted.
    #[must_use]
    pub fn trust(&self) -> Trust {
        self.trust
    }

    /// How long opening a connection may take; `None` is without end.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Why the password file gave no password, if it is not usable. No reason to fail: a server may want none.
    #[must_use]
    pub fn password_note(&self) -> Option<&str> {
        self.password_note.as_deref()
    }
}

impl Target {
    /// A target from `url`, with `environment` for what it lacks, and the files that both name.
    ///
    /// # Errors
    /// `ERR_INVALID_ARG_VALUE` names what is wrong, without any value that may be secret.
    pub fn parse(url: &str, environment: Environment, read_file: ReadFile) -> Result<Self> {
        let url = Url::parse(url)?;
        let settings = Settings::new(&url, environment);
        check_session(&settings)?;
        let common = Common::of(&settings)?;
        let passwords = Passwords::of(&settings, read_file)?;
        let hosts = places(&settings)?.into_iter().map(|place| common.host(&place, &passwords));
        let hosts = hosts.collect::<Result<Vec<_>>>()?;
        let is_encrypted = hosts.iter().any(|host| host.encryption != Encryption::Plain);
        let certificates =
            if is_encrypted { Certificates::read(&settings, read_file)? } else { Certificates::default() };
        Ok(Self { hosts, certificates })
    }

    /// The hosts, in the order in which they are tried; at least one.
    #[must_use]
    pub fn hosts(&self) -> &[HostTarget] {
        &self.hosts
    }

    /// Certificates and keys for TLS.
    #[must_use]
    pub fn certificates(&self) -> &Certificates {
        &self.certificates
    }
}

impl Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, host) in self.hosts.iter().enumerate() {
            let comma = if number == 0 { "" } else { ", " };
            write!(f, "{comma}{}", host.name)?;
        }
        Ok(())
    }
}

impl Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

impl Debug for HostTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostTarget")
            .field("name", &self.name)
            .field("user", &self.user)
            .field("database", &self.database)
            .field("encryption", &self.encryption)
            .field("trust", &self.trust)
            .finish_non_exhaustive()
    }
}

/// What is written there goes to the server that takes writes, whatever is asked for.
fn check_session(settings: &Settings) -> Result<()> {
    match settings.text("target_session_attrs")? {
        Some(setting) if !["any", "primary", "read-write"].contains(&setting.value()) => {
            Err(setting.wrong("must be read-write, primary or any: a storage writes"))
        }
        _ => Ok(()),
    }
}

/// What all hosts share.
struct Common {
    policy: Policy,
    user: String,
    database: String,
    timeout: Option<Duration>,
    config: Config,
}

impl Common {
    fn of(settings: &Settings) -> Result<Self> {
        let policy = Policy::of(settings)?;
        let user = match settings.text("user")? {
            Some(setting) => setting.value().to_owned(),
            None => ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| settings.variable(name)).ok_or_else(|| {
                Error::wrong_value("The url names no user, and the environment has no PGUSER; write postgres://USER@host/database")
            })?,
        };
        let database =
            settings.text("dbname")?.map_or_else(|| user.clone(), |found| found.value().to_owned());
        let application = settings.text("application_name")?;
        let given = settings.number("connect_timeout")?;
        let seconds = given.unwrap_or(CONNECT_SECONDS);
        let timeout = (seconds > 0).then(|| Duration::from_secs(seconds));
        let mut config = Config::new();
        config
            .user(user.as_str())
            .dbname(database.as_str())
            .application_name(application.as_ref().map_or("progressive-storage", Setting::value))
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .channel_binding(policy.channel_binding());
        if timeout.is_some() {
            config.connect_timeout(Duration::from_secs(given.unwrap_or(ADDRESS_SECONDS)));
        }
        set_keepalives(&mut config, settings)?;
        Ok(Self { policy, user, database, timeout, config })
    }

    fn host(&self, place: &Place, passwords: &Passwords) -> Result<HostTarget> {
        let encryption = self.policy.encryption(place)?;
        let mut config = self.config.clone();
        config.host(place.host()).port(place.port()).ssl_mode(match encryption {
            Encryption::Plain | Encryption::PlainFirst => SslMode::Disable,
            Encryption::TlsFirst => SslMode::Prefer,
            Encryption::Tls => SslMode::Require,
        });
        if let Some(address) = place.address() {
            config.hostaddr(address);
        }
        let (password, password_note) = passwords.find(place, &self.database, &self.user);
        if let Some(password) = password {
            config.password(password);
        }
        Ok(HostTarget {
            name: place.name(),
            user: self.user.clone(),
            database: self.database.clone(),
            config,
            encryption,
            trust: self.policy.trust(place),
            timeout: self.timeout,
            password_note,
        })
    }
}

fn set_keepalives(config: &mut Config, settings: &Settings) -> Result<()> {
    // 0 is the system's default to libpq, and ours here.
    let number = |keyword| settings.number(keyword).map(|found| found.filter(|number| *number > 0));
    let seconds =
        |keyword, default| number(keyword).map(|found| Duration::from_secs(found.unwrap_or(default)));
    let retries = number("keepalives_count")?.and_then(|count| u32::try_from(count).ok());
    config
        .keepalives(settings.number("keepalives")? != Some(0))
        .keepalives_idle(seconds("keepalives_idle", KEEPALIVE_IDLE_SECONDS)?)
        .keepalives_interval(seconds("keepalives_interval", KEEPALIVE_INTERVAL_SECONDS)?)
        .keepalives_retries(retries.unwrap_or(KEEPALIVE_RETRIES));
    if let Some(milliseconds) = number("tcp_user_timeout")? {
        config.tcp_user_timeout(Duration::from_millis(milliseconds));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use tokio_postgres::config::{ChannelBinding, Host};

    use super::*;
    use crate::vfs::SettingsFile;

    const AUTHORITY: &str = include_str!("../../../tests/certificates/authority.pem");
    const KEY: &str = include_str!("../../../tests/certificates/host.key");

    fn read_file(path: &Path) -> io::Result<SettingsFile> {
        Ok(match path.to_str() {
            Some("authority") => SettingsFile::new(AUTHORITY, true),
            Some("authorities") => SettingsFile::new(format!("{AUTHORITY}\n{AUTHORITY}"), true),
            Some("key") => SettingsFile::new(KEY, false),
            Some("open-key") => SettingsFile::new(KEY, true),
            Some("text") => SettingsFile::new("canary", false),
            Some("/home/u/.pgpass" | "passwords") => {
                SettingsFile::new("a:1:db:u:first\n/tmp:5432:*:*:socket\n*:*:*:u:canary\n", false)
            }
            Some("/open/.pgpass") => SettingsFile::new("*:*:*:*:canary", true),
            _ => return Err(io::ErrorKind::NotFound.into()),
        })
    }

    fn parse_with(url: &str, variables: &[(&str, &str)]) -> Result<Target> {
        let environment =
            |name: &str| variables.iter().find(|(of, _)| *of == name).map(|(_, value)| (*value).to_owned());
        Target::parse(url, &environment, &read_file)
    }

    fn parse(url: &str) -> Target {
        parse_with(url, &[]).unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    /// Each host with its policy.
    fn policies(target: &Target) -> String {
        let shown = target
            .hosts()
            .iter()
            .map(|host| format!("{} {:?} {:?}", host.name(), host.encryption(), host.trust()));
        shown.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn hosts_and_ports() {
        for (url, hosts) in [
            ("postgres://u@", "localhost:5432"),
            ("postgres://u@/db", "localhost:5432"),
            ("postgres://u@h", "h:5432"),
            ("postgres://u@h:1", "h:1"),
            ("postgres://u@a:1,b,c:3/db", "a:1, b:5432, c:3"),
            ("postgres://u@a,b/db?port=7", "a:7, b:7"),
            ("postgres://u@a,,b", "a:5432, localhost:5432, b:5432"),
            ("postgres://u@[::1]:1,[fe80::2]", "[::1]:1, [fe80::2]:5432"),
            ("postgres://u@%2Ftmp:6", "/tmp/.s.PGSQL.6"),
            ("postgres://u@/db?host=/var/run/postgresql/", "/var/run/postgresql/.s.PGSQL.5432"),
            ("postgres://u@/db?host=a,/tmp,b&port=1,2,3", "a:1, /tmp/.s.PGSQL.2, b:3"),
            ("postgres://u@/db?hostaddr=10.0.0.7,::1", "10.0.0.7:5432, [::1]:5432"),
            ("postgres://u@a,b/db?hostaddr=10.0.0.7,", "a:5432, b:5432"),
        ] {
            assert_eq!(parse(url).to_string(), hosts, "{url}");
        }
    }

    #[test]
    fn each_host_has_a_config_of_its_own() {
        let target = parse("postgres://u:p@a:1,b:2/db?hostaddr=10.0.0.7,10.0.0.8&application_name=x");
        let config = target.hosts()[1].config();
        assert_eq!(config.get_hosts(), [Host::Tcp("b".to_owned())]);
        assert_eq!(config.get_hostaddrs().len(), 1);
        assert_eq!(config.get_ports(), [2]);
        assert_eq!((config.get_user(), config.get_dbname()), (Some("u"), Some("db")));
        assert_eq!(config.get_password(), Some(b"p".as_slice()));
        assert_eq!(config.get_application_name(), Some("x"));
        assert_eq!(config.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
        assert_eq!(config.get_channel_binding(), ChannelBinding::Prefer);
        assert_eq!(config.get_ssl_mode(), SslMode::Require);
    }

    #[test]
    fn the_environment_fills_what_the_url_lacks() {
        let variables = [
            ("PGHOST", "a,b"),
            ("PGPORT", "1,2"),
            ("PGHOSTADDR", "10.0.0.7,10.0.0.8"),
            ("PGUSER", "someone"),
            ("PGPASSWORD", "secret"),
            ("PGDATABASE", "data"),
            ("PGSSLMODE", "no-verify"),
            ("PGAPPNAME", "bot"),
            ("PGCONNECT_TIMEOUT", "7"),
            ("PGTARGETSESSIONATTRS", "primary"),
            ("PGCHANNELBINDING", "require"),
        ];
        let target = parse_with("postgres://", &variables).expect("a target");
        assert_eq!(policies(&target), "a:1 Tls Anybody; b:2 Tls Anybody");
        let host = &target.hosts()[0];
        assert_eq!((host.user(), host.database()), ("someone", "data"));
        assert_eq!(host.timeout(), Some(Duration::from_secs(7)));
        let config = host.config();
        assert_eq!(config.get_password(), Some(b"secret".as_slice()));
        assert_eq!(config.get_application_name(), Some("bot"));
        assert_eq!(config.get_connect_timeout(), Some(&Duration::from_secs(7)));
        assert_eq!(config.get_hostaddrs().len(), 1);
        assert_eq!(config.get_channel_binding(), ChannelBinding::Require);
        let of_the_url = parse_with(
            "postgres://u:p@h:9/db?hostaddr=::1&sslmode=disable&channel_binding=prefer",
            &variables,
        );
        assert_eq!(policies(&of_the_url.expect("a target")), "h:9 Plain Verified");
    }

    #[test]
    fn the_user_of_the_system_is_the_last_choice() {
        let target = parse_with("postgres://h", &[("USER", "me")]).expect("a target");
        assert_eq!((target.hosts()[0].user(), target.hosts()[0].database()), ("me", "me"));
        let error = parse_with("postgres://h", &[]).expect_err("no user");
        assert!(error.message().contains("PGUSER"), "{error}");
    }

    #[test]
    fn encryption_follows_from_the_mode_and_the_host() {
        let here = ["localhost", "LocalHost", "127.0.0.1", "127.9.9.9", "[::1]", "[::ffff:127.0.0.1]"];
        let away = ["db.example", "localhost.example", "10.0.0.7", "[fe80::1]"];
        for (mode, policy_here, policy_away) in [
            ("", "PlainFirst Anybody", "Tls Verified"),
            ("allow", "PlainFirst Anybody", "Tls Verified"),
            ("prefer", "TlsFirst Anybody", "Tls Verified"),
            ("require", "Tls Verified", "Tls Verified"),
            ("verify-ca", "Tls Verified", "Tls Verified"),
            ("verify-full", "Tls Verified", "Tls Verified"),
            ("no-verify", "Tls Anybody", "Tls Anybody"),
        ] {
            let hosts = here.iter().map(|host| (host, policy_here));
            for (host, policy) in hosts.chain(away.iter().map(|host| (host, policy_away))) {
                let target = parse(&format!("postgres://u@{host}/db?sslmode={mode}"));
                assert_eq!(policies(&target), format!("{host}:5432 {policy}"), "{mode}");
            }
            let socket = parse(&format!("postgres://u@%2Ftmp/db?sslmode={mode}"));
            assert_eq!(socket.hosts()[0].encryption(), Encryption::Plain, "{mode}");
        }
        for host in here.iter().chain(&away) {
            let target = parse(&format!("postgres://u@{host}/db?sslmode=disable"));
            assert_eq!(target.hosts()[0].config().get_ssl_mode(), SslMode::Disable);
        }
    }

    #[test]
    fn an_address_decides_where_a_host_is() {
        let target = parse("postgres://u@localhost,db.example/db?hostaddr=10.0.0.7,127.0.0.1");
        assert_eq!(policies(&target), "localhost:5432 Tls Verified; db.example:5432 PlainFirst Anybody");
    }

    #[test]
    fn channel_binding_needs_tls() {
        let target = parse("postgres://u@localhost,h/db?channel_binding=require");
        assert_eq!(policies(&target), "localhost:5432 Tls Anybody; h:5432 Tls Verified");
    }

    #[test]
    fn passwords_come_from_a_file() {
        let password = |url: &str, variables: &[(&str, &str)]| {
            let target = parse_with(url, variables).expect("a target");
            let found =
                target.hosts().iter().map(|host| host.config().get_password().map(String::from_utf8_lossy));
            found.map(|found| found.unwrap_or_default().into_owned()).collect::<Vec<_>>().join(",")
        };
        let home = [("HOME", "/home/u")];
        assert_eq!(password("postgres://u@a:1,b/db", &home), "first,canary");
        assert_eq!(password("postgres://x@%2Ftmp,b/db", &home), "socket,");
        assert_eq!(password("postgres://u:p@a:1/db", &home), "p");
        assert_eq!(password("postgres://u@a:1/db", &[("PGPASSWORD", "q"), home[0]]), "q");
        assert_eq!(password("postgres://u@a:1/db", &[("PGPASSFILE", "passwords")]), "first");
        assert_eq!(password("postgres://u@a:1/db?passfile=passwords", &[]), "first");
        assert_eq!(password("postgres://u@a:1/db", &[]), "");
        assert_eq!(password("postgres://u@a:1/db", &[("PGPASSFILE", "missing"), home[0]]), "");
    }

    #[test]
    fn a_password_file_that_cannot_be_used_is_noted() {
        let note = |variables: &[(&str, &str)]| {
            let target = parse_with("postgres://u@h/db", variables).expect("a target");
            assert_eq!(target.hosts()[0].config().get_password(), None);
            target.hosts()[0].password_note().unwrap_or_default().to_owned()
        };
        assert_eq!(note(&[("HOME", "/nowhere")]), "");
        assert!(note(&[("PGPASSFILE", "missing")]).contains("'missing' cannot be read"));
        let open = note(&[("HOME", "/open")]);
        assert!(open.contains("/.pgpass' is not used") && open.contains("chmod 600"), "{open}");
        assert!(!open.contains("canary"));
    }

    #[test]
    fn files_of_certificates() {
        let target = parse("postgres://u@h/db?sslrootcert=authorities&sslcert=authority&sslkey=key");
        assert_eq!(target.certificates().roots().map(<[_]>::len), Some(2));
        assert_eq!(target.certificates().client().map(|(chain, _)| chain.len()), Some(1));
        for url in ["postgres://u@h/db?sslrootcert=system", "postgres://u@h/db"] {
            assert!(parse(url).certificates().roots().is_none());
        }
        let unused = parse("postgres://u@h/db?sslmode=disable&sslrootcert=missing");
        assert!(unused.certificates().roots().is_none(), "no TLS, so the file is not read");
    }

    #[test]
    fn times() {
        let host = |parameters: &str| parse(&format!("postgres://u@h/db?{parameters}")).hosts()[0].clone();
        let usual = host("");
        assert_eq!(usual.timeout(), Some(Duration::from_secs(CONNECT_SECONDS)));
        assert_eq!(usual.config().get_connect_timeout(), Some(&Duration::from_secs(ADDRESS_SECONDS)));
        assert!(usual.config().get_keepalives());
        assert_eq!(usual.config().get_keepalives_idle(), Duration::from_secs(KEEPALIVE_IDLE_SECONDS));
        assert_eq!(host("connect_timeout=0").timeout(), None);
        assert_eq!(host("connect_timeout=0").config().get_connect_timeout(), None);
        assert!(!host("keepalives=0").config().get_keepalives());
        let set = host(
            "keepalives=1&keepalives_idle=5&keepalives_interval=6&keepalives_count=7&tcp_user_timeout=800",
        );
        let config = set.config();
        assert_eq!(config.get_keepalives_idle(), Duration::from_secs(5));
        assert_eq!(config.get_keepalives_interval(), Some(Duration::from_secs(6)));
        assert_eq!(config.get_keepalives_retries(), Some(7));
        assert_eq!(config.get_tcp_user_timeout(), Some(&Duration::from_millis(800)));
    }

    #[test]
    fn what_is_wrong_is_named_without_secrets() {
        for (url, reason) in [
            ("mysql://u:canary@h", "must begin with postgres://"),
            ("postgres://u:canary@h:0/db", "'port' in the url must be a number"),
            ("postgres://u:canary@h:x/db", "'port' in the url must be a number"),
            ("postgres://u:canary@h:70000/db", "'port' in the url must be a number"),
            ("postgres://u:canary/db?user=u", "'port' in the url must be a number"),
            ("postgres://u:canary@a,b,c/db?port=1,2", "'port' in the url has 2 items, and 3 hosts are given"),
            ("postgres://u:canary@h/db?port=1,2", "'port' in the url has 2 items, and 1 host is given"),
            (
                "postgres://u:canary@a,b/db?hostaddr=10.0.0.7",
                "'hostaddr' in the url has 1 item, and 2 hosts are given",
            ),
            ("postgres://u:canary@a/db?hostaddr=x", "'hostaddr' in the url must be an address"),
            ("postgres://u:canary@a%20b/db", "'host' in the url has a character"),
            ("postgres://u:canary@/db?host=%40abstract", "'host' in the url is an abstract socket"),
            ("postgres://u%FF:canary@h/db", "'user' in the url is not UTF-8"),
            ("postgres://u:canary@h/%FF", "'dbname' in the url is not UTF-8"),
            ("postgres://u:canary@h/db?sslmode=on", "'sslmode' in the url must be disable, allow"),
            ("postgres://u:canary@h/db?channel_binding=on", "'channel_binding' in the url must be disable"),
            ("postgres://u:canary@h/db?channel_binding=require&sslmode=disable", "needs TLS, and sslmode"),
            ("postgres://u:canary@%2Ftmp/db?channel_binding=require", "/tmp/.s.PGSQL.5432 is a socket"),
            ("postgres://u:canary@h/db?target_session_attrs=standby", "must be read-write, primary or any"),
            ("postgres://u:canary@h/db?target_session_attrs=read-only", "must be read-write, primary or any"),
            (
                "postgres://u:canary@h/db?connect_timeout=soon",
                "'connect_timeout' in the url must be a whole number",
            ),
            (
                "postgres://u:canary@h/db?connect_timeout=-1",
                "'connect_timeout' in the url must be a whole number",
            ),
            ("postgres://u:canary@h/db?keepalives_count=x", "'keepalives_count' in the url must be"),
            ("postgres://u:canary@h/db?tcp_user_timeout=x", "'tcp_user_timeout' in the url must be"),
            ("postgres://u:canary@h/db?options=-c%20x%3D1", "'options' in the url is not supported"),
            ("postgres://u:canary@h/db?pgbouncer=true", "'pgbouncer', which is not known"),
            (
                "postgres://u:canary@h/db?sslrootcert=missing",
                "names the file 'missing', which cannot be read",
            ),
            ("postgres://u:canary@h/db?sslrootcert=text", "is not one of certificates in PEM"),
            ("postgres://u:canary@h/db?sslrootcert=key", "is not one of certificates in PEM"),
            ("postgres://u:canary@h/db?sslcert=authority", "is given without sslkey"),
            ("postgres://u:canary@h/db?sslkey=key", "is given without sslcert"),
            ("postgres://u:canary@h/db?sslcert=authority&sslkey=text", "has no key in PEM"),
            ("postgres://u:canary@h/db?sslcert=authority&sslkey=open-key", "chmod 600"),
        ] {
            let error = parse_with(url, &[]).err().unwrap_or_else(|| panic!("{url} is refused"));
            assert!(error.is_type_error() && error.message().contains(reason), "{url}: {error}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{url}: {error}");
        }
        let error = parse_with("postgres://u@h", &[("PGSSLMODE", "canary")]).expect_err("refused");
        assert!(error.message().starts_with("The environment variable PGSSLMODE must be disable"), "{error}");
        assert!(!error.message().contains("canary"));
    }

    #[test]
    fn no_password_is_shown() {
        let given = parse("postgres://u:canary@h/db?sslcert=authority&sslkey=key");
        let of_the_environment =
            parse_with("postgres://u@h/db", &[("PGPASSWORD", "canary")]).expect("a target");
        let of_a_file = parse_with("postgres://u@h/db?passfile=passwords", &[]).expect("a target");
        for target in [given, of_the_environment, of_a_file] {
            let host = &target.hosts()[0];
            assert_eq!(host.config().get_password(), Some(b"canary".as_slice()));
            let shown = format!("{target} {target:?} {target:#?} {host:?} {:?}", host.config());
            assert!(!shown.contains("canary") && !shown.contains("99, 97, 110"), "{shown}");
        }
    }
}
