//! How a connection is encrypted: by `sslmode`, and by where the host is.
//!
//! "Here" is a loopback address, or `localhost`. A socket is never encrypted.
//!
//! | sslmode                          | here                            | elsewhere            |
//! |----------------------------------|---------------------------------|----------------------|
//! | none, allow                      | plain, or TLS if that is wanted | TLS, verified        |
//! | prefer                           | TLS if it is offered, or plain  | TLS, verified        |
//! | require, verify-ca, verify-full  | TLS, verified                   | TLS, verified        |
//! | no-verify                        | TLS, with anybody               | TLS, with anybody    |
//! | disable                          | plain                           | plain                |
//!
//! "Verified" is the chain of the certificate and the host's name in it.

use tokio_postgres::config::ChannelBinding;

use super::place::Place;
use super::settings::{Setting, Settings};
use crate::error::{Error, Result};

/// Whether a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// Never.
    Plain,
    /// Only if the server refuses it otherwise.
    PlainFirst,
    /// If the server offers it.
    TlsFirst,
    /// Always.
    Tls,
}

/// Whose certificate is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// One that is signed by a known authority and names the host.
    Verified,
    /// Anybody's.
    Anybody,
}

/// What `sslmode` and `channel_binding` ask for.
#[derive(Clone, Copy)]
pub struct Policy {
    mode: Option<Mode>,
    channel_binding: ChannelBinding,
}

/// The values of `sslmode` that differ.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Disable,
    Allow,
    Prefer,
    Verified,
    NoVerify,
}

impl Policy {
    /// The policy that is set.
    ///
    /// # Errors
    /// `ERR_INVALID_ARG_VALUE` for a value that is not known, and for two that exclude each other.
    pub fn of(settings: &Settings) -> Result<Self> {
        let mode = settings.text("sslmode")?.map(|setting| Mode::parse(&setting)).transpose()?;
        let channel_binding = match settings.text("channel_binding")? {
            None => ChannelBinding::Prefer,
            Some(setting) => match setting.value() {
                "disable" => ChannelBinding::Disable,
                "prefer" => ChannelBinding::Prefer,
                "require" if mode == Some(Mode::Disable) => {
                    return Err(
                        setting.wrong("is 'require', which needs TLS, and sslmode is 'disable'; change one")
                    );
                }
                "require" => ChannelBinding::Require,
                _ => return Err(setting.wrong("must be disable, prefer or require")),
            },
        };
        Ok(Self { mode, channel_binding })
    }

    /// Whether a login is bound to the TLS connection.
    #[must_use]
    pub fn channel_binding(self) -> ChannelBinding {
        self.channel_binding
    }

    /// Whether a connection to `place` is encrypted.
    ///
    /// # Errors
    /// `ERR_INVALID_ARG_VALUE` for a socket where TLS is needed.
    pub fn encryption(self, place: &Place) -> Result<Encryption> {
        let needs_tls = self.channel_binding == ChannelBinding::Require;
        if place.is_socket() && needs_tls {
            return Err(Error::wrong_value(format!(
                "'channel_binding' is 'require', which needs TLS, and {} is a socket, which has none",
                place.name()
            )));
        }
        Ok(match self.mode {
            _ if place.is_socket() => Encryption::Plain,
            Some(Mode::Disable) => Encryption::Plain,
            None | Some(Mode::Allow) if place.is_here() && !needs_tls => Encryption::PlainFirst,
            Some(Mode::Prefer) if place.is_here() && !needs_tls => Encryption::TlsFirst,
            _ => Encryption::Tls,
        })
    }

    /// Whose certificate is accepted at `place`. What may also be plain gains nothing from knowing who answers.
    #[must_use]
    pub fn trust(self, place: &Place) -> Trust {
        match self.mode {
            None | Some(Mode::Allow | Mode::Prefer) if place.is_here() => Trust::Anybody,
            Some(Mode::NoVerify) => Trust::Anybody,
            _ => Trust::Verified,
        }
    }
}

impl Mode {
    fn parse(setting: &Setting) -> Result<Self> {
        Ok(match setting.value() {
            "disable" => Self::Disable,
            "allow" => Self::Allow,
            "prefer" => Self::Prefer,
            "require" | "verify-ca" | "verify-full" => Self::Verified,
            "no-verify" => Self::NoVerify,
            _ => {
                return Err(setting
                    .wrong("must be disable, allow, prefer, require, verify-ca, verify-full or no-verify"));
            }
        })
    }
}
