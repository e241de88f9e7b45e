//! What is read from a certificate besides what rustls says of it.
//!
//! ```text
//! Certificate    SEQUENCE { body, algorithm, signature }
//! body           SEQUENCE { [0] version?, serial number, algorithm, issuer, validity, … }
//! validity       SEQUENCE { not before, not after }        UTCTime or GeneralizedTime
//! algorithm      SEQUENCE { OID, parameters? }
//! ```
//!
//! Nothing here is a check: bytes that are no certificate give `None`.

use ring::digest;

const SEQUENCE: u8 = 0x30;
const OBJECT: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// `1.2.840.113549.1.1`, in front of RSA's algorithms.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
/// `1.2.840.10045.4`, in front of those of ECDSA.
const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04];
/// `2.16.840.1.101.3.4.2`, in front of hashes.
const HASHES: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];

/// The channel binding `tls-server-end-point` of RFC 5929: the certificate's hash, by the hash of its signature, or by
/// SHA-256 where that is MD5 or SHA-1. `None` where the signature has no such hash, as with Ed25519; libpq refuses those.
#[must_use]
pub fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let algorithm = signature_hash(certificate)?;
    Some(digest::digest(algorithm, certificate).as_ref().to_vec())
}

fn signature_hash(certificate: &[u8]) -> Option<&'static digest::Algorithm> {
    let (content, _) = take(certificate, SEQUENCE)?;
    let (_body, rest) = take(content, SEQUENCE)?;
    let (algorithm, _) = take(rest, SEQUENCE)?;
    let (object, parameters) = take(algorithm, OBJECT)?;
    if let Some(algorithm) = object.strip_prefix(RSA) {
        return match algorithm {
            // With MD5, SHA-1, SHA-256.
            [4 | 5 | 11] => Some(&digest::SHA256),
            [12] => Some(&digest::SHA384),
            [13] => Some(&digest::SHA512),
            [10] => pss_hash(parameters),
            _ => None,
        };
    }
    match object.strip_prefix(ECDSA)? {
        // With SHA-1, SHA-256.
        [1] | [3, 2] => Some(&digest::SHA256),
        [3, 3] => Some(&digest::SHA384),
        [3, 4] => Some(&digest::SHA512),
        _ => None,
    }
}

/// The hash in the parameters of RSA-PSS: `SEQUENCE { [0] { SEQUENCE { OID } }, … }`, without which it is SHA-1.
fn pss_hash(parameters: &[u8]) -> Option<&'static digest::Algorithm> {
    let (parameters, _) = take(parameters, SEQUENCE)?;
    let Some((tagged, _)) = take(parameters, 0xa0) else {
        return Some(&digest::SHA256);
    };
    let (algorithm, _) = take(tagged, SEQUENCE)?;
    let (object, _) = take(algorithm, OBJECT)?;
    match object.strip_prefix(HASHES) {
        Some([1]) => Some(&digest::SHA256),
        Some([2]) => Some(&digest::SHA384),
        Some([3]) => Some(&digest::SHA512),
        _ => None,
    }
}

/// From when until when a certificate is valid, as `YYYYMMDDhhmmss` in UTC.
#[must_use]
pub fn validity(certificate: &[u8]) -> Option<(String, String)> {
    let (content, _) = take(certificate, SEQUENCE)?;
    let (body, _) = take(content, SEQUENCE)?;
    let behind_version = take(body, 0xa0).map_or(body, |(_, rest)| rest);
    let (_serial_number, rest) = take(behind_version, 0x02)?;
    let (_algorithm, rest) = take(rest, SEQUENCE)?;
    let (_issuer, rest) = take(rest, SEQUENCE)?;
    let (validity, _) = take(rest, SEQUENCE)?;
    let (not_before, rest) = time(validity)?;
    let (not_after, _) = time(rest)?;
    Some((not_before, not_after))
}

fn time(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (text, century, rest) = match take(bytes, UTC_TIME) {
        // RFC 5280: 00 to 49 are of this century.
        Some((text, rest)) => (text, if text.first()? < &b'5' { "20" } else { "19" }, rest),
        None => take(bytes, GENERALIZED_TIME).map(|(text, rest)| (text, "", rest))?,
    };
    let digits = std::str::from_utf8(text.strip_suffix(b"Z")?).ok()?;
    let time = format!("{century}{digits}");
    let is_time = time.len() == 14 && time.bytes().all(|byte| byte.is_ascii_digit());
    is_time.then_some((time, rest))
}

/// Content of the DER element at the start of `bytes`, which must have that tag, and what follows it.
fn take(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first().filter(|_| found == tag)?;
    let (size, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (size, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
            (size.iter().fold(0, |size, &byte| size << 8 | usize::from(byte)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(size)
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    use super::*;

    fn der(pem: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate")
    }

    macro_rules! certificate {
        ($name:literal) => {
            der(include_str!(concat!("../../../tests/certificates/", $name, ".pem")))
        };
    }

    /// The hashes are those of `openssl x509 -outform der | sha…sum`.
    #[test]
    fn the_hash_is_that_of_the_signature() {
        for (certificate, starts_with, size_bytes) in [
            (certificate!("rsa-md5"), 0x9b69_fb1f_a559_6fb7, 32),
            (certificate!("ecdsa-sha1"), 0x105e_7a59_2a86_7103, 32),
            (certificate!("ecdsa-sha256"), 0xbcc8_99cd_ff8c_4e3c, 32),
            (certificate!("ecdsa-sha384"), 0x084f_5eed_654a_9d4c, 48),
            (certificate!("rsa-pss-sha384"), 0x38a4_ac55_393e_05a6, 48),
            (certificate!("ecdsa-sha512"), 0xa27c_6d78_c3b6_f73d, 64),
            (certificate!("rsa-sha512"), 0xaa65_05ad_6e7c_6812, 64),
        ] {
            let hash = end_point(&certificate).expect("a hash");
            let start = u64::from_be_bytes(hash[..8].try_into().expect("8 bytes"));
            assert_eq!((start, hash.len()), (starts_with, size_bytes));
        }
    }

    #[test]
    fn a_signature_without_a_hash_gives_no_channel_binding() {
        assert_eq!(end_point(&certificate!("ed25519")), None);
    }

    #[test]
    fn both_kinds_of_time_are_read() {
        let times = ("20200101000000".to_owned(), "21200101000000".to_owned());
        assert_eq!(validity(&certificate!("ecdsa-sha256")), Some(times));
        let last_century =
            [UTC_TIME, 13, b'5', b'0', b'0', b'1', b'0', b'1', b'0', b'0', b'0', b'0', b'0', b'0', b'Z'];
        assert_eq!(time(&last_century).map(|(time, _)| time).as_deref(), Some("19500101000000"));
    }

    #[test]
    fn a_damaged_certificate_gives_none() {
        let certificate = certificate!("rsa-pss-sha384");
        for size_bytes in 0..certificate.len() {
            let cut = &certificate[..size_bytes];
            assert_eq!((end_point(cut), validity(cut)), (None, None), "cut to {size_bytes} bytes");
        }
        for at in 0..certificate.len() {
            for value in [0, 0x7f, 0x80, 0x84, 0xff] {
                let mut damaged = certificate.to_vec();
                damaged[at] = value;
                // Any answer will do, as long as there is one.
                let _ = (end_point(&damaged), validity(&damaged));
            }
        }
    }
}
