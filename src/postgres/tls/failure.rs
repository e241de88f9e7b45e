//! What went wrong with TLS, in words for a person.

use std::error::Error;
use std::fmt::{self, Display};
use std::io;

use rustls::{AlertDescription, CertificateError};

/// No connection by TLS.
#[derive(Debug)]
pub enum TlsFailure {
    /// The network failed in the middle of the handshake; another try may succeed.
    Network(io::Error),
    /// Another try ends the same way.
    Refused(String),
}

impl Display for TlsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(error) => write!(f, "the connection broke in the TLS handshake: {error}"),
            Self::Refused(reason) => f.write_str(reason),
        }
    }
}

impl Error for TlsFailure {}

impl From<io::Error> for TlsFailure {
    fn from(error: io::Error) -> Self {
        match failure_of_rustls(&error) {
            Some(reason) => Self::Refused(explain(reason)),
            None => Self::Network(error),
        }
    }
}

/// The failure of rustls in a failure to read or write, if it is one.
#[must_use]
pub fn failure_of_rustls(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// What `error` means.
#[must_use]
pub fn explain(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(error) => explain_certificate(error),
        rustls::Error::AlertReceived(alert) => explain_alert(*alert),
        rustls::Error::PeerIncompatible(_) => {
            "the server speaks no version of TLS that is known here (1.2 and 1.3), or no common cipher"
                .to_owned()
        }
        rustls::Error::InvalidMessage(_) => "what the server sends is not TLS".to_owned(),
        error => error.to_string(),
    }
}

fn explain_certificate(error: &CertificateError) -> String {
    let of_its_own = "the server's certificate is signed by itself, and is not in sslrootcert";
    match error {
        CertificateError::UnknownIssuer => {
            "the server's certificate is signed by an authority that is not known here".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has expired; renew it, or check the clock of this machine".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet; check the clock of this machine".to_owned()
        }
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            "the server's certificate names no host (it has no subjectAltName)".to_owned()
        }
        CertificateError::NotValidForNameContext { presented, .. } => {
            // rustls writes DnsName("…") and IpAddress(…).
            let names: Vec<String> = presented.iter().take(5).map(|name| bare(name)).collect();
            format!("the server's certificate is for another host: {}", names.join(", "))
        }
        CertificateError::NotValidForName => "the server's certificate is for another host".to_owned(),
        CertificateError::Revoked => "the server's certificate was revoked".to_owned(),
        CertificateError::BadSignature => "a signature in the server's certificates is wrong".to_owned(),
        // webpki's name for it.
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            of_its_own.to_owned()
        }
        CertificateError::Other(other) if other.to_string().contains("UnsupportedCertVersion") => {
            "the server's certificate is of X.509 version 1; make one of version 3, with a subjectAltName"
                .to_owned()
        }
        error => format!("the server's certificate cannot be accepted ({error})"),
    }
}

fn bare(name: &str) -> String {
    let inside = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
    inside.trim_matches('"').to_owned()
}

fn explain_alert(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateRequired => {
            "the server wants a client certificate; give sslcert=FILE and sslkey=FILE".to_owned()
        }
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateUnknown
        | AlertDescription::AccessDenied
        | AlertDescription::DecryptError => {
            format!("the server refuses the client certificate of sslcert ({alert:?})")
        }
        AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure => {
            format!("the server and this program have no version or cipher of TLS in common ({alert:?})")
        }
        AlertDescription::UnrecognisedName => "the server does not know itself by this name".to_owned(),
        alert => format!("the server ended the TLS handshake ({alert:?})"),
    }
}
