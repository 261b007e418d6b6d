//! Certificates and keys in PEM, inline or in separate files.

use std::path::PathBuf;

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::{ExposeSecret as _, SecretString};

use crate::config::fault::Fault;

/// Where to read a text in PEM.
#[derive(Debug)]
pub enum PemContent {
    /// In the web configuration file.
    Text(SecretString),
    /// In a separate file.
    File(PathBuf),
}

/// A text in PEM, and where it is configured.
#[derive(Debug)]
pub struct Pem {
    /// File and line of the web configuration file.
    pub origin: String,
    /// The text or its file.
    pub content: PemContent,
}

impl Pem {
    /// Returns all certificates, at least one.
    ///
    /// # Errors
    /// The file cannot be read or contains no certificate.
    pub(crate) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, Fault> {
        let text = self.read()?;
        let found = CertificateDer::pem_slice_iter(text.expose_secret().as_bytes());
        let found: Result<Vec<_>, _> = found.collect();
        let expected = "a certificate in PEM, which starts with -----BEGIN CERTIFICATE-----";
        let some = found.ok().filter(|found| !found.is_empty());
        some.ok_or_else(|| self.fault(expected))
    }

    /// Returns the first private key.
    ///
    /// # Errors
    /// The file cannot be read or contains no unencrypted key.
    pub(crate) fn key(&self) -> Result<PrivateKeyDer<'static>, Fault> {
        let text = self.read()?;
        PrivateKeyDer::from_pem_slice(text.expose_secret().as_bytes()).map_err(|_| {
            self.fault(
                "a private key in PEM without a passphrase, which starts with -----BEGIN PRIVATE KEY----- or similar",
            )
        })
    }

    fn read(&self) -> Result<SecretString, Fault> {
        match &self.content {
            PemContent::Text(text) => Ok(text.clone()),
            // Bytes that are not UTF-8 are not PEM, nor are their replacement characters.
            PemContent::File(path) => match std::fs::read(path) {
                Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned().into()),
                Err(source) => Err(Fault::read(path, &self.origin, source)),
            },
        }
    }

    fn fault(&self, expected: &str) -> Fault {
        let place = match &self.content {
            PemContent::Text(_) => "this value".to_owned(),
            PemContent::File(path) => path.display().to_string(),
        };
        Fault::syntax(&self.origin, format!("{place} is not {expected}"))
    }
}
