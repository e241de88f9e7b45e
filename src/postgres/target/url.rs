//! A PostgreSQL URL taken apart, as libpq does it.
//!
//! ```text
//! postgres://user:password@host:port,host:port/database?name=value&name=value
//! ```
//!
//! Every part may be missing. A part is kept under libpq's keyword for it (`user`, `host`, …), and so is each parameter:
//! a parameter `host` replaces the hosts in front. Several hosts are one text with commas.
//!
//! Invariant: no error here repeats a piece of the URL, except the name of a parameter. A `@` that is written as such
//! divides login and hosts and stands nowhere else: otherwise a password with a `/` or `@` in it would be taken for
//! something that may be shown.

use std::collections::BTreeMap;

use crate::error::{Error, Result};

/// What may stand behind the `?`, by libpq's names.
const PARAMETERS: [&str; 20] = [
    "application_name",
    "channel_binding",
    "connect_timeout",
    "dbname",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "passfile",
    "password",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "target_session_attrs",
    "tcp_user_timeout",
    "user",
];

/// The parts of a URL, by libpq's keywords. An empty part is a missing one.
#[derive(Default)]
pub struct Url(BTreeMap<&'static str, Vec<u8>>);

impl Url {
    /// Takes `text` apart.
    ///
    /// # Errors
    /// `ERR_INVALID_ARG_VALUE` for what is no such URL, or has a parameter that is not known.
    pub fn parse(text: &str) -> Result<Self> {
        let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
        let rest =
            rest.ok_or_else(|| Error::wrong_value("The url must begin with postgres:// or postgresql://"))?;
        if text.contains(char::is_control) {
            return Err(Error::wrong_value(
                "The url holds a line break or another control character; remove it",
            ));
        }
        let mut url = Self::default();
        let (login, rest) = divide_login(rest)?;
        if let Some(login) = login {
            url.take_login(login)?;
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (hosts, rest) = rest.split_at(end);
        url.take_hosts(hosts)?;
        let (database, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        url.put("dbname", decode(database.trim_start_matches('/'), "the name of the database")?);
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            url.take_parameter(parameter)?;
        }
        Ok(url)
    }

    /// The part of that keyword, if the URL has one.
    #[must_use]
    pub fn get(&self, keyword: &str) -> Option<&[u8]> {
        self.0.get(keyword).map(Vec::as_slice)
    }

    fn put(&mut self, keyword: &'static str, value: Vec<u8>) {
        if !value.is_empty() {
            self.0.insert(keyword, value);
        }
    }

    fn take_login(&mut self, login: &str) -> Result<()> {
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        if user.contains('?') {
            return Err(misplaced());
        }
        self.put("user", decode(user, "the user")?);
        self.put("password", decode(password, "the password")?);
        Ok(())
    }

    fn take_hosts(&mut self, text: &str) -> Result<()> {
        let (mut hosts, mut ports) = (Vec::new(), Vec::new());
        for one in text.split(',') {
            let (host, port) = divide_port(one)?;
            hosts.push(host);
            ports.push(port);
        }
        let is_given = |parts: &[&str]| parts.iter().any(|part| !part.is_empty());
        if hosts.len() > 1 || is_given(&hosts) {
            self.put("host", decode(&hosts.join(","), "the host")?);
        }
        if is_given(&ports) {
            self.put("port", decode(&ports.join(","), "the port")?);
        }
        Ok(())
    }

    fn take_parameter(&mut self, parameter: &str) -> Result<()> {
        let (name, value) = parameter.split_once('=').ok_or_else(|| {
            Error::wrong_value(
                "A parameter in the url has no '='; write ?name=value, and several with '&' between them",
            )
        })?;
        let name = String::from_utf8(decode(name, "the name of a parameter")?).unwrap_or_default();
        // What Java's driver and others call it.
        let (name, value) =
            if name == "ssl" && value == "true" { ("sslmode", "require") } else { (&*name, value) };
        let keyword = PARAMETERS.into_iter().find(|keyword| *keyword == name).ok_or_else(|| refused(name))?;
        self.0.remove(keyword);
        self.put(keyword, decode(value, &format!("the parameter '{keyword}'"))?);
        Ok(())
    }
}

/// The login in front of the `@`, if there is one, and what follows.
fn divide_login(text: &str) -> Result<(Option<&str>, &str)> {
    let Some((login, rest)) = text.split_once('@') else {
        return Ok((None, text));
    };
    if login.contains('/') {
        return Err(misplaced());
    }
    if rest.contains('@') {
        return Err(misplaced());
    }
    Ok((Some(login), rest))
}

fn misplaced() -> Error {
    Error::wrong_value(
        "The url cannot be taken apart: in the user, the password and the parameters, write %40 for '@', %2F for '/' and %3F for '?'; only the '@' between login and host stays as it is",
    )
}

/// One host, without the brackets of an IPv6 address, and its port.
fn divide_port(text: &str) -> Result<(&str, &str)> {
    let Some(text) = text.strip_prefix('[') else {
        return match text.split_once(':') {
            Some((_, port)) if port.contains(':') => Err(Error::wrong_value(
                "A host in the url has more than one ':'; write an IPv6 address in brackets, as in [::1]:5432, and %3A for a ':' in user or password",
            )),
            divided => Ok(divided.unwrap_or((text, ""))),
        };
    };
    let (address, behind) =
        text.split_once(']').filter(|(address, _)| !address.is_empty()).ok_or_else(|| {
            Error::wrong_value("A '[' in the url has no address with a ']' behind it; write [::1]:5432")
        })?;
    match behind.strip_prefix(':') {
        Some(port) => Ok((address, port)),
        None if behind.is_empty() => Ok((address, "")),
        None => {
            Err(Error::wrong_value("Behind the ']' of an address in the url, only ':' and a port may stand"))
        }
    }
}

/// Why a parameter is not taken. Its value is not shown.
fn refused(name: &str) -> Error {
    if name == "options" {
        return Error::wrong_value(
            "The parameter 'options' in the url is not supported: poolers such as pgbouncer refuse it; use ALTER ROLE … SET for settings of a user",
        );
    }
    let shown: String = name.chars().take(40).collect();
    Error::wrong_value(format!(
        "The url has the parameter '{shown}', which is not known; known are {}",
        PARAMETERS.join(", ")
    ))
}

/// Bytes that a text with `%XX` stands for.
fn decode(text: &str, what: &str) -> Result<Vec<u8>> {
    let wrong = || {
        Error::wrong_value(format!(
            "In {what} in the url, a '%' is not followed by two hexadecimal digits that stand for a character; write %25 for a '%'"
        ))
    };
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|digit| char::from(digit).to_digit(16)).ok_or_else(wrong);
        let value = u8::try_from(digit()? * 16 + digit()?).unwrap_or(0);
        if value == 0 {
            return Err(wrong());
        }
        decoded.push(value);
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &Url) -> String {
        let parts = url.0.iter().map(|(name, value)| format!("{name}={}", String::from_utf8_lossy(value)));
        parts.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn urls_are_taken_apart_as_libpq_does() {
        for (url, parts) in [
            ("postgres://", ""),
            ("postgresql:///db", "dbname=db"),
            ("postgres://h", "host=h"),
            ("postgres://u@h/db", "dbname=db host=h user=u"),
            ("postgres://u:p@h:1/db", "dbname=db host=h password=p port=1 user=u"),
            ("postgres://u:p?#:&=@h", "host=h password=p?#:&= user=u"),
            ("postgres://u%40x:p%2F%3A%25@h", "host=h password=p/:% user=u@x"),
            ("postgres://:p@h", "host=h password=p"),
            ("postgres://a,b/db", "dbname=db host=a,b"),
            ("postgres://a:1,b:2,c/db", "dbname=db host=a,b,c port=1,2,"),
            ("postgres://[::1]:6,[fe80::1],h:7", "host=::1,fe80::1,h port=6,,7"),
            ("postgres://%2Fvar%2Frun/db", "dbname=db host=/var/run"),
            ("postgres:///db?host=/var/run&port=9", "dbname=db host=/var/run port=9"),
            ("postgres://h/a?host=b&dbname=c", "dbname=c host=b"),
            ("postgres://h?sslmode=require", "host=h sslmode=require"),
            ("postgres://h/?ssl=true", "host=h sslmode=require"),
            ("postgres://h/?user=u&password=p%40", "host=h password=p@ user=u"),
            ("postgres://h/?user=&sslmode=a&sslmode=b", "host=h sslmode=b"),
            ("postgres://h/d%C3%A4", "dbname=dä host=h"),
        ] {
            let taken = Url::parse(url).map(|url| shown(&url));
            assert_eq!(taken.as_deref(), Ok(parts), "{url}");
        }
    }

    #[test]
    fn what_is_no_url_is_refused_without_a_word_of_it() {
        for (url, reason) in [
            ("mysql://u:canary@h/db", "must begin with"),
            ("u:canary@h/db", "must begin with"),
            ("postgres:u:canary@h/db", "must begin with"),
            ("postgres://u:can\nary@h", "control character"),
            ("postgres://u:x@canary@h/db", "%40"),
            ("postgres://u:canary/x@h/db", "%2F"),
            ("postgres://u:canary/x:y@h/db?x@y", "%2F"),
            ("postgres://u:x@canary/y@h/db", "%40"),
            ("postgres://h?password=canary@x", "%3F"),
            ("postgres://h/db?password=canary@x", "%2F"),
            ("postgres://canary:canary:x/db", "IPv6"),
            ("postgres://u:canary%@h", "the password"),
            ("postgres://u:canary%4@h", "the password"),
            ("postgres://u:canary%zz@h", "the password"),
            ("postgres://u:canary%00@h", "the password"),
            ("postgres://u:canary%é@h", "the password"),
            ("postgres://h/db?password=canary%", "the parameter 'password'"),
            ("postgres://[canary/db", "no address"),
            ("postgres://[]/db", "no address"),
            ("postgres://[::1]canary/db", "Behind the ']'"),
            ("postgres://h/db?canary", "has no '='"),
            ("postgres://h/db?options=-c%20canary", "poolers"),
            ("postgres://h/db?schema=canary", "'schema', which is not known"),
            ("postgres://h/db?sslpassword=canary", "'sslpassword', which is not known"),
            ("postgres://h/db?ssl=canary", "'ssl', which is not known"),
        ] {
            let error = Url::parse(url).err().unwrap_or_else(|| panic!("{url} is refused"));
            assert!(error.is_type_error() && error.message().contains(reason), "{url}: {error}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{url}: {error}");
        }
    }
}
