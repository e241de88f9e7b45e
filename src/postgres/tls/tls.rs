//! Makes TLS connections by the policy of a target.
//!
//! Invariant: the cryptography is ring's, named here; a provider that another library of the process installed is not used.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};

use super::failure::TlsFailure;
use super::stream::Stream;
use super::verifier::{Anybody, Verified};
use crate::error::{Error, Result};
use crate::postgres::target::{Certificates, Target, Trust};

/// How TLS connections to the hosts of a target are made.
#[derive(Clone)]
pub struct Tls {
    verified: Arc<ClientConfig>,
    anybody: Arc<ClientConfig>,
}

impl Tls {
    /// For the hosts of `target`.
    ///
    /// # Errors
    /// `ERR_INVALID_ARG_VALUE` for certificates and keys that cannot be used.
    pub fn new(target: &Target) -> Result<Self> {
        let provider = Arc::new(ring::default_provider());
        let certificates = target.certificates();
        let known = certificates.roots().unwrap_or_default();
        let verified =
            Verified::new(Arc::clone(&provider), authorities(certificates.roots())?, known.to_vec())
                .map_err(|error| {
                    Error::wrong_value(format!("The file of sslrootcert cannot be used: {error}"))
                })?;
        let anybody = Anybody(Arc::clone(&provider));
        Ok(Self {
            verified: config(&provider, Arc::new(verified), certificates)?,
            anybody: config(&provider, Arc::new(anybody), certificates)?,
        })
    }

    /// Makes connections to a host that is trusted like this.
    #[must_use]
    pub fn connector(&self, trust: Trust) -> Connector {
        Connector(match trust {
            Trust::Verified => Arc::clone(&self.verified),
            Trust::Anybody => Arc::clone(&self.anybody),
        })
    }
}

fn authorities(given: Option<&[CertificateDer<'static>]>) -> Result<RootCertStore> {
    let Some(given) = given else {
        return Ok(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() });
    };
    let mut roots = RootCertStore::empty();
    for (number, certificate) in given.iter().enumerate() {
        roots.add(certificate.clone()).map_err(|error| {
            Error::wrong_value(format!(
                "Certificate {} in the file of sslrootcert is damaged: {error}",
                number + 1
            ))
        })?;
    }
    Ok(roots)
}

fn config(
    provider: &Arc<CryptoProvider>,
    verifier: Arc<dyn ServerCertVerifier>,
    certificates: &Certificates,
) -> Result<Arc<ClientConfig>> {
    let builder = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::internal(&format!("no version of TLS: {error}")))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match certificates.client() {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            builder.with_client_auth_cert(chain.to_vec(), key.clone_key()).map_err(|error| {
                Error::wrong_value(format!(
                    "The files of sslcert and sslkey cannot be used together: {error}"
                ))
            })?
        }
    };
    // A server of PostgreSQL gives no tickets.
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// Makes connections to one host.
#[derive(Clone)]
pub struct Connector(Arc<ClientConfig>);

/// A connection that will be made by TLS.
pub struct Connect {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl<S> MakeTlsConnect<S> for Connector
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Stream<S>;
    type TlsConnect = Connect;
    type Error = TlsFailure;

    fn make_tls_connect(&mut self, host: &str) -> std::result::Result<Connect, TlsFailure> {
        // Also asked for a connection that stays plain: to a socket, which has no name.
        let host = if host.is_empty() { "localhost" } else { host };
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| TlsFailure::Refused("its name cannot stand in a certificate".to_owned()))?;
        Ok(Connect { config: Arc::clone(&self.0), name })
    }
}

impl<S> TlsConnect<S> for Connect
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Stream<S>;
    type Error = TlsFailure;
    type Future = Pin<Box<dyn Future<Output = std::result::Result<Stream<S>, TlsFailure>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move {
            let connector = tokio_rustls::TlsConnector::from(self.config);
            Ok(Stream::new(connector.connect(self.name, stream).await?))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rustls::ServerConfig;
    use rustls::pki_types::PrivateKeyDer;
    use rustls::pki_types::pem::PemObject;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
    use tokio_postgres::tls::TlsStream;

    use super::*;
    use crate::vfs::SettingsFile;

    const AUTHORITY: &str = include_str!("../../../tests/certificates/authority.pem");
    const HOST: &str = include_str!("../../../tests/certificates/host.pem");
    const HOST_KEY: &str = include_str!("../../../tests/certificates/host.key");
    const OWN_KEY: &str = include_str!("../../../tests/certificates/own.key");

    fn read_file(path: &Path) -> std::io::Result<SettingsFile> {
        let text = match path.to_str() {
            Some("authority") => AUTHORITY,
            Some("host") => HOST,
            Some("host-key") => HOST_KEY,
            Some("own-key") => OWN_KEY,
            Some("damaged") => "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            _ => return Err(std::io::ErrorKind::NotFound.into()),
        };
        Ok(SettingsFile::new(text, false))
    }

    fn tls(parameters: &str) -> Result<Tls> {
        let url = format!("postgres://u@db.example/db?{parameters}");
        Target::parse(&url, &|_| None, &read_file).and_then(|target| Tls::new(&target))
    }

    fn acceptor(
        key: &str,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> tokio_rustls::TlsAcceptor {
        let certificate = CertificateDer::from_pem_slice(HOST.as_bytes()).expect("a certificate");
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
        let resolver = rustls::sign::CertifiedKey::new(
            vec![certificate],
            ring::sign::any_supported_type(&key).expect("a key to sign with"),
        );
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .expect("versions")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(resolver)));
        tokio_rustls::TlsAcceptor::from(Arc::new(config))
    }

    /// A handshake with a server that answers "hello" with "welcome"; what the client got, or why it has nothing.
    async fn shake_hands(
        mut connector: Connector,
        host: &str,
        acceptor: tokio_rustls::TlsAcceptor,
    ) -> std::result::Result<Vec<u8>, TlsFailure> {
        let (near, far) = tokio::io::duplex(64);
        let server = async {
            let mut stream = acceptor.accept(far).await?;
            let mut hello = [0; 5];
            stream.read_exact(&mut hello).await?;
            assert_eq!(&hello, b"hello");
            stream.write_all(b"welcome").await?;
            stream.shutdown().await
        };
        let client = async {
            let connect = MakeTlsConnect::<DuplexStream>::make_tls_connect(&mut connector, host)?;
            let mut stream = connect.connect(near).await?;
            let _ = stream.channel_binding();
            stream.write_all(b"hello").await?;
            stream.flush().await?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await?;
            Ok::<_, TlsFailure>(answer)
        };
        futures(server, client).await.1
    }

    /// Both at once.
    async fn futures<A, B>(first: impl Future<Output = A>, second: impl Future<Output = B>) -> (A, B) {
        let (mut first, mut second) = (std::pin::pin!(first), std::pin::pin!(second));
        let (mut first_done, mut second_done) = (None, None);
        std::future::poll_fn(|context| {
            use std::task::Poll;
            if first_done.is_none()
                && let Poll::Ready(done) = first.as_mut().poll(context)
            {
                first_done = Some(done);
            }
            if second_done.is_none()
                && let Poll::Ready(done) = second.as_mut().poll(context)
            {
                second_done = Some(done);
            }
            if first_done.is_some() && second_done.is_some() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        (first_done.expect("done"), second_done.expect("done"))
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
    }

    const BOTH: [&[&rustls::SupportedProtocolVersion]; 2] =
        [&[&rustls::version::TLS12], &[&rustls::version::TLS13]];

    #[test]
    fn bytes_go_both_ways() {
        let tls = tls("sslrootcert=authority").expect("usable");
        for versions in BOTH {
            let connector = tls.connector(Trust::Verified);
            let answer = run(shake_hands(connector, "db.example", acceptor(HOST_KEY, versions)));
            assert_eq!(answer.expect("an answer"), b"welcome");
        }
    }

    #[test]
    fn another_host_is_refused_unless_anybody_is_trusted() {
        let tls = tls("sslrootcert=authority").expect("usable");
        for versions in BOTH {
            let refused =
                run(shake_hands(tls.connector(Trust::Verified), "other", acceptor(HOST_KEY, versions)));
            assert!(refused.is_err_and(|failure| failure.to_string().contains("another host: db.example")));
            let answer =
                run(shake_hands(tls.connector(Trust::Anybody), "other", acceptor(HOST_KEY, versions)));
            assert_eq!(answer.expect("an answer"), b"welcome");
        }
    }

    #[test]
    fn an_unknown_authority_is_refused() {
        for parameters in ["", "sslrootcert=system"] {
            let connector = tls(parameters).expect("usable").connector(Trust::Verified);
            let refused = run(shake_hands(connector, "db.example", acceptor(HOST_KEY, BOTH[1])));
            assert!(refused.is_err_and(|failure| failure.to_string().contains("not known here")));
        }
    }

    #[test]
    fn who_lacks_the_key_is_refused_also_where_anybody_is_trusted() {
        let tls = tls("sslrootcert=authority").expect("usable");
        for versions in BOTH {
            for trust in [Trust::Verified, Trust::Anybody] {
                let refused =
                    run(shake_hands(tls.connector(trust), "db.example", acceptor(OWN_KEY, versions)));
                assert!(matches!(refused, Err(TlsFailure::Refused(_))), "{trust:?}: {refused:?}");
            }
        }
    }

    #[test]
    fn certificates_and_keys_must_be_usable() {
        assert!(tls("sslcert=host&sslkey=host-key").is_ok());
        for (parameters, reason) in [
            ("sslrootcert=damaged", "Certificate 1 in the file of sslrootcert"),
            ("sslcert=host&sslkey=own-key", "cannot be used together"),
        ] {
            let error = tls(parameters).err().expect("refused");
            assert!(error.is_type_error() && error.message().contains(reason), "{error}");
        }
    }

    #[test]
    fn a_broken_connection_is_no_refusal() {
        let connector = tls("").expect("usable").connector(Trust::Verified);
        let broken = run(async {
            let (near, far) = tokio::io::duplex(64);
            drop(far);
            let mut connector = connector;
            let connect = MakeTlsConnect::<DuplexStream>::make_tls_connect(&mut connector, "db.example")?;
            connect.connect(near).await.map(|_| ())
        });
        assert!(matches!(broken, Err(TlsFailure::Network(_))), "{broken:?}");
    }
}
