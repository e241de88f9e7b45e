//! Whose certificate is accepted. The proof that the server has the certificate's key is always checked.
//!
//! A certificate that stands in `sslrootcert` itself is accepted for the names in it, while it is valid, also where it is
//! signed by itself: that is how the manual of PostgreSQL makes one, and rustls alone would refuse it.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::x509;
use crate::data::time;

/// Accepts what a known authority signed for the host.
#[derive(Debug)]
pub struct Verified {
    by_authority: Arc<WebPkiServerVerifier>,
    known: Vec<CertificateDer<'static>>,
}

impl Verified {
    /// By the authorities in `roots`, and by the certificates in `known` themselves.
    ///
    /// # Errors
    /// When there is no authority.
    pub fn new(
        provider: Arc<CryptoProvider>,
        roots: RootCertStore,
        known: Vec<CertificateDer<'static>>,
    ) -> Result<Self, rustls::client::VerifierBuilderError> {
        let by_authority = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
        Ok(Self { by_authority, known })
    }
}

impl ServerCertVerifier for Verified {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.known.iter().any(|known| known == certificate) {
            check_time(certificate, now)?;
            verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
            return Ok(ServerCertVerified::assertion());
        }
        self.by_authority.verify_server_cert(certificate, chain, name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_authority.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_authority.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by_authority.supported_verify_schemes()
    }
}

fn check_time(certificate: &[u8], now: UnixTime) -> Result<(), Error> {
    let (not_before, not_after) = x509::validity(certificate).ok_or(CertificateError::BadEncoding)?;
    let now_ms = i64::try_from(now.as_secs()).unwrap_or(i64::MAX / 1000).saturating_mul(1000);
    let now: String = time::iso(now_ms).chars().filter(char::is_ascii_digit).take(14).collect();
    match () {
        () if now < not_before => Err(CertificateError::NotValidYet.into()),
        () if now > not_after => Err(CertificateError::Expired.into()),
        () => Ok(()),
    }
}

/// Accepts any certificate.
#[derive(Debug)]
pub struct Anybody(pub Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use rustls::crypto::ring;
    use rustls::pki_types::pem::PemObject;

    use super::*;
    use crate::postgres::tls::explain;

    const AUTHORITY: &str = include_str!("../../../tests/certificates/authority.pem");
    const HOST: &str = include_str!("../../../tests/certificates/host.pem");
    const NAMELESS: &str = include_str!("../../../tests/certificates/nameless.pem");
    const OWN: &str = include_str!("../../../tests/certificates/own.pem");
    /// 2020-01-01 and 2120-01-01: when the certificates are valid.
    const VALID_SECONDS: std::ops::Range<u64> = 1_577_836_800..4_733_510_400;

    fn der(pem: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate")
    }

    /// What a person reads about `pem` at `host`, where the certificates of `known` are known; nothing if it is accepted.
    fn judge_at(known: &str, pem: &str, host: &str, seconds: u64) -> String {
        let mut roots = RootCertStore::empty();
        roots.add(der(known)).expect("an authority");
        let provider = Arc::new(ring::default_provider());
        let verified = Verified::new(provider, roots, vec![der(known)]).expect("a verifier");
        let name = ServerName::try_from(host.to_owned()).expect("a name");
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        let judged = verified.verify_server_cert(&der(pem), &[], &name, &[], now);
        judged.map_or_else(|error| explain(&error), |_| String::new())
    }

    fn judge(known: &str, pem: &str, host: &str) -> String {
        judge_at(known, pem, host, VALID_SECONDS.start)
    }

    #[test]
    fn what_an_authority_signed_is_accepted_for_its_names() {
        for host in ["db.example", "DB.example", "a.pool.example", "10.0.0.7", "localhost"] {
            assert_eq!(judge(AUTHORITY, HOST, host), "", "{host}");
        }
        for host in ["example", "a.b.pool.example", "10.0.0.8", "db.example.org"] {
            let expected = "the server's certificate is for another host: db.example, *.pool.example, 10.0.0.7, localhost";
            assert_eq!(judge(AUTHORITY, HOST, host), expected, "{host}");
        }
        let expected = "the server's certificate names no host (it has no subjectAltName)";
        assert_eq!(judge(AUTHORITY, NAMELESS, "db.example"), expected);
    }

    #[test]
    fn what_nobody_known_signed_is_refused() {
        let expected = "the server's certificate is signed by an authority that is not known here";
        assert_eq!(judge(OWN, HOST, "db.example"), expected);
        let expected = "the server's certificate is signed by itself, and is not in sslrootcert";
        assert_eq!(judge(AUTHORITY, OWN, "db.example"), expected);
    }

    #[test]
    fn a_certificate_of_its_own_is_accepted_if_it_is_known() {
        assert_eq!(judge(OWN, OWN, "db.example"), "");
        assert_eq!(judge(HOST, HOST, "10.0.0.7"), "", "signed by another, and known itself");
        let expected = "the server's certificate is for another host: db.example";
        assert_eq!(judge(OWN, OWN, "other.example"), expected);
    }

    #[test]
    fn the_time_is_checked() {
        for (known, pem) in [(AUTHORITY, HOST), (OWN, OWN)] {
            let early = judge_at(known, pem, "db.example", VALID_SECONDS.start - 1);
            assert!(early.contains("not valid yet"), "{early}");
            let late = judge_at(known, pem, "db.example", VALID_SECONDS.end + 1);
            assert!(late.contains("has expired"), "{late}");
            assert_eq!(judge_at(known, pem, "db.example", VALID_SECONDS.end), "");
        }
    }
}
