//! What is set for a connection: the parts of the URL, and behind them libpq's environment variables.
//!
//! Invariant: an error names the setting and where it stands, and never its value.

use super::url::Url;
use crate::error::{Error, Result};

/// libpq's environment variables, by keyword.
const VARIABLES: [(&str, &str); 15] = [
    ("application_name", "PGAPPNAME"),
    ("channel_binding", "PGCHANNELBINDING"),
    ("connect_timeout", "PGCONNECT_TIMEOUT"),
    ("dbname", "PGDATABASE"),
    ("host", "PGHOST"),
    ("hostaddr", "PGHOSTADDR"),
    ("passfile", "PGPASSFILE"),
    ("password", "PGPASSWORD"),
    ("port", "PGPORT"),
    ("sslcert", "PGSSLCERT"),
    ("sslkey", "PGSSLKEY"),
    ("sslmode", "PGSSLMODE"),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("target_session_attrs", "PGTARGETSESSIONATTRS"),
    ("user", "PGUSER"),
];

/// Looks up an environment variable.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The settings of one connection.
#[derive(Clone, Copy)]
pub struct Settings<'a> {
    url: &'a Url,
    environment: Environment<'a>,
}

/// A setting and where it stands.
pub struct Setting {
    keyword: &'static str,
    value: String,
    variable: Option<&'static str>,
}

impl Setting {
    /// Its text.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// An error about it: `what` goes on after its name, such as "must be a number".
    #[must_use]
    pub fn wrong(&self, what: &str) -> Error {
        wrong(self.keyword, self.variable, what)
    }

    /// Its items, divided by commas.
    pub fn list(&self) -> impl Iterator<Item = &str> {
        self.value.split(',')
    }
}

fn wrong(keyword: &str, variable: Option<&str>, what: &str) -> Error {
    Error::wrong_value(match variable {
        Some(variable) => format!("The environment variable {variable} {what}"),
        None => format!("'{keyword}' in the url {what}"),
    })
}

impl<'a> Settings<'a> {
    /// The parts of `url`, and `environment` for those that it lacks.
    #[must_use]
    pub fn new(url: &'a Url, environment: Environment<'a>) -> Self {
        Self { url, environment }
    }

    /// Value of an environment variable that is no setting of its own; an empty one counts as none.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<String> {
        (self.environment)(name).filter(|value| !value.is_empty())
    }

    /// The setting of that keyword, if there is one.
    ///
    /// # Errors
    /// `ERR_INVALID_ARG_VALUE` when it is not UTF-8.
    pub fn text(&self, keyword: &'static str) -> Result<Option<Setting>> {
        if let Some(bytes) = self.url.get(keyword) {
            let value = String::from_utf8(bytes.to_vec())
                .map_err(|_| wrong(keyword, None, "is not UTF-8 after its %XX are replaced"))?;
            return Ok(Some(Setting { keyword, value, variable: None }));
        }
        let variable = VARIABLES.iter().find(|(of, _)| *of == keyword).map(|(_, variable)| *variable);
        let found = variable.and_then(|variable| Some((variable, self.variable(variable)?)));
        Ok(found.map(|(variable, value)| Setting { keyword, value, variable: Some(variable) }))
    }

    /// The password, which need not be UTF-8.
    #[must_use]
    pub fn password(&self) -> Option<Vec<u8>> {
        let given = self.url.get("password").map(<[u8]>::to_vec);
        given.or_else(|| self.variable("PGPASSWORD").map(String::into_bytes))
    }

    /// A whole number.
    ///
    /// # Errors
    /// `ERR_INVALID_ARG_VALUE` when it is none.
    pub fn number(&self, keyword: &'static str) -> Result<Option<u64>> {
        let Some(setting) = self.text(keyword)? else {
            return Ok(None);
        };
        let number = setting.value.parse::<u32>().map_err(|_| setting.wrong("must be a whole number"))?;
        Ok(Some(number.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_goes_before_the_environment() {
        let url = Url::parse("postgres://u@h/?sslmode=&keepalives_idle=7").expect("a url");
        let environment = |name: &str| match name {
            "PGUSER" => Some("other".to_owned()),
            "PGSSLMODE" => Some("require".to_owned()),
            "PGPORT" => Some(String::new()),
            "PGPASSWORD" => Some("secret".to_owned()),
            _ => None,
        };
        let settings = Settings::new(&url, &environment);
        let text = |keyword| settings.text(keyword).expect("UTF-8").map(|found| found.value);
        assert_eq!(text("user").as_deref(), Some("u"));
        assert_eq!(text("sslmode").as_deref(), Some("require"));
        assert_eq!(text("port"), None);
        assert_eq!(settings.password().as_deref(), Some(b"secret".as_slice()));
        assert_eq!(settings.number("keepalives_idle"), Ok(Some(7)));
        assert_eq!(settings.number("keepalives_count"), Ok(None));
    }

    #[test]
    fn an_error_names_the_place_and_not_the_value() {
        let url = Url::parse("postgres://h/?connect_timeout=canary&user=%FF").expect("a url");
        let settings = Settings::new(&url, &|_| None);
        let error = settings.number("connect_timeout").expect_err("no number");
        assert_eq!(error.message(), "'connect_timeout' in the url must be a whole number");
        assert!(settings.text("user").is_err());
        let environment = |name: &str| (name == "PGCONNECT_TIMEOUT").then(|| "canary".to_owned());
        let url = Url::default();
        let error = Settings::new(&url, &environment).number("connect_timeout").expect_err("no number");
        assert_eq!(error.message(), "The environment variable PGCONNECT_TIMEOUT must be a whole number");
    }
}
