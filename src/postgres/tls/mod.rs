//! TLS for tokio-postgres, on rustls with ring. `tls` makes connections, `verifier` says whom they trust, `stream` carries
//! them, `x509` reads from a certificate what rustls does not say, and `failure` says what went wrong.

mod failure;
mod stream;
#[expect(clippy::module_inception, reason = "a file has the name of its type")]
mod tls;
mod verifier;
mod x509;

pub use failure::{TlsFailure, explain, failure_of_rustls};
pub use stream::Stream;
pub use tls::{Connector, Tls};
