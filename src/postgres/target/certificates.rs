//! Certificates and keys for TLS, from the files of `sslrootcert`, `sslcert` and `sslkey`.
//!
//! Without `sslrootcert`, or with `system`, the authorities are those built in (Mozilla's). The files that libpq looks for
//! in the home folder are not read.

use std::path::Path;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::read_file::ReadFile;
use super::settings::{Setting, Settings};
use crate::error::Result;
use crate::vfs::SettingsFile;

/// Certificates and keys for TLS.
#[derive(Default)]
pub struct Certificates {
    roots: Option<Vec<CertificateDer<'static>>>,
    client: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
}

impl Certificates {
    /// Those of the files that are set.
    ///
    /// # Errors
    /// `ERR_INVALID_ARG_VALUE` for a file that cannot be read, holds something else, or must not be open to others.
    pub fn read(settings: &Settings, read_file: ReadFile) -> Result<Self> {
        let roots = settings.text("sslrootcert")?.filter(|setting| setting.value() != "system");
        let roots = roots.map(|setting| read_certificates(&setting, read_file)).transpose()?;
        let client = match (settings.text("sslcert")?, settings.text("sslkey")?) {
            (Some(chain), Some(key)) => {
                Some((read_certificates(&chain, read_file)?, read_key(&key, read_file)?))
            }
            (None, None) => None,
            (Some(one), None) => return Err(one.wrong("is given without sslkey; give both")),
            (None, Some(one)) => return Err(one.wrong("is given without sslcert; give both")),
        };
        Ok(Self { roots, client })
    }

    /// The authorities of `sslrootcert`; `None` are those built in.
    #[must_use]
    pub fn roots(&self) -> Option<&[CertificateDer<'static>]> {
        self.roots.as_deref()
    }

    /// The client's certificates, its own first, and its key.
    #[must_use]
    pub fn client(&self) -> Option<(&[CertificateDer<'static>], &PrivateKeyDer<'static>)> {
        self.client.as_ref().map(|(chain, key)| (chain.as_slice(), key))
    }
}

fn read(setting: &Setting, read_file: ReadFile) -> Result<SettingsFile> {
    read_file(Path::new(setting.value())).map_err(|error| {
        setting.wrong(&format!("names the file '{}', which cannot be read: {error}", setting.value()))
    })
}

fn read_certificates(setting: &Setting, read_file: ReadFile) -> Result<Vec<CertificateDer<'static>>> {
    let file = read(setting, read_file)?;
    let found: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(file.bytes()).collect();
    found.ok().filter(|found| !found.is_empty()).ok_or_else(|| {
        setting.wrong(&format!(
            "names the file '{}', which is not one of certificates in PEM (-----BEGIN CERTIFICATE-----)",
            setting.value()
        ))
    })
}

fn read_key(setting: &Setting, read_file: ReadFile) -> Result<PrivateKeyDer<'static>> {
    let file = read(setting, read_file)?;
    let wrong = |reason: &str| setting.wrong(&format!("names the file '{}', {reason}", setting.value()));
    if file.is_open_to_others() {
        return Err(wrong("which other users of this machine may read: chmod 600"));
    }
    PrivateKeyDer::from_pem_slice(file.bytes()).map_err(|_| {
        wrong("which has no key in PEM, or one that a password protects, which is not supported")
    })
}
