//! A password file: libpq's `.pgpass`, one login a line.
//!
//! ```text
//! host:port:database:user:password
//! ```
//!
//! `*` for one of the first four matches anything; `\` makes the next character an ordinary one; a line that begins with
//! `#` is a comment. The first line that matches has the password.

/// Whose password is looked for.
#[derive(Clone, Copy)]
pub struct Login<'a> {
    /// Host or address; the folder of a socket.
    pub host: &'a str,
    /// Port in digits.
    pub port: &'a str,
    /// Name of the database.
    pub database: &'a str,
    /// Name of the user.
    pub user: &'a str,
}

/// Folders of sockets that libpq was built with: their logins are of `localhost`.
const USUAL_SOCKET_FOLDERS: [&str; 3] = ["/tmp", "/var/run/postgresql", "/run/postgresql"];

/// The password for `login` in the `text` of a file.
#[must_use]
pub fn find_password(text: &[u8], login: Login) -> Option<Vec<u8>> {
    let is_usual_socket = USUAL_SOCKET_FOLDERS.contains(&login.host);
    text.split(|&byte| byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| !line.starts_with(b"#"))
        .find_map(|line| {
            let rest = behind_field(line, login.host)
                .or_else(|| behind_field(line, "localhost").filter(|_| is_usual_socket))?;
            let rest = behind_field(rest, login.port)?;
            let rest = behind_field(rest, login.database)?;
            behind_field(rest, login.user).map(password)
        })
}

/// What stands behind the first field of `text`, if that field matches `wanted`.
fn behind_field<'a>(text: &'a [u8], wanted: &str) -> Option<&'a [u8]> {
    if let Some(rest) = text.strip_prefix(b"*:") {
        return Some(rest);
    }
    let mut wanted = wanted.bytes();
    let mut at = 0;
    loop {
        match text.get(at)? {
            b':' => return wanted.next().is_none().then(|| &text[at + 1..]),
            b'\\' => at += 1,
            _ => {}
        }
        if text.get(at).copied() != wanted.next() {
            return None;
        }
        at += 1;
    }
}

/// The last field without its escapes.
fn password(text: &[u8]) -> Vec<u8> {
    let mut found = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b':' => break,
            b'\\' => found.push(bytes.next().unwrap_or(b'\\')),
            _ => found.push(byte),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGIN: Login<'_> = Login { host: "h", port: "5432", database: "db", user: "u" };

    fn found(text: &str, login: Login) -> Option<String> {
        find_password(text.as_bytes(), login).map(|found| String::from_utf8(found).expect("UTF-8"))
    }

    #[test]
    fn the_first_line_that_matches_has_the_password() {
        for (text, password) in [
            ("", None),
            ("h:5432:db:u:p", Some("p")),
            ("h:5432:db:u:p\r\n", Some("p")),
            ("h:5432:db:u:", Some("")),
            ("#h:5432:db:u:no\nh:5432:db:u:p\n", Some("p")),
            ("x:5432:db:u:no\nh:5432:db:u:p", Some("p")),
            ("h:5432:db:u:first\nh:5432:db:u:second", Some("first")),
            ("*:*:*:*:p", Some("p")),
            ("*:*:*:u2:no\n*:5432:*:u:p", Some("p")),
            ("h*:5432:db:u:no", None),
            ("h:5432:db:u", None),
            ("h:5432:db", None),
            ("hh:5432:db:u:no", None),
            (":5432:db:u:no", None),
            ("\\h:5432:db:u:p", Some("p")),
            ("h:5432:db:u:a\\:b\\\\c", Some("a:b\\c")),
            ("h:5432:db:u:a:b", Some("a")),
            ("h:5432:db:u:a\\", Some("a\\")),
        ] {
            assert_eq!(found(text, LOGIN).as_deref(), password, "{text:?}");
        }
    }

    #[test]
    fn colons_in_names_are_escaped() {
        let login = Login { host: "::1", user: "a\\b", ..LOGIN };
        assert_eq!(found("\\:\\:1:5432:db:a\\\\b:p", login).as_deref(), Some("p"));
        assert_eq!(found("::1:5432:db:a\\b:p", login), None);
    }

    #[test]
    fn a_usual_socket_is_localhost() {
        let text = "localhost:5432:db:u:p";
        assert_eq!(found(text, Login { host: "/tmp", ..LOGIN }).as_deref(), Some("p"));
        assert_eq!(found(text, Login { host: "/elsewhere", ..LOGIN }), None);
        assert_eq!(found("/tmp:5432:db:u:q", Login { host: "/tmp", ..LOGIN }).as_deref(), Some("q"));
    }
}
