//! Certificates and keys, in the file or beside it, and how they are read.

use std::path::PathBuf;

use rustls_pki_types::pem::{Error, PemObject as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::{ExposeSecret as _, SecretString};

use crate::config::fault::Fault;

/// Where a text in PEM is.
#[derive(Debug)]
pub enum Pem {
    /// In the web configuration file.
    Text(SecretString),
    /// In a file of its own.
    File(PathBuf),
}

/// A text in PEM, and where it was named.
#[derive(Debug)]
pub struct Source {
    /// File and line of the web configuration file.
    pub origin: String,
    /// Where to read it.
    pub pem: Pem,
}

impl Source {
    /// Returns all certificates, at least one.
    ///
    /// # Errors
    /// The file can't be read, or has no certificate.
    pub(crate) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, Fault> {
        let text = self.read()?;
        let certificates: Result<Vec<_>, Error> =
            CertificateDer::pem_slice_iter(text.expose_secret().as_bytes()).collect();
        match certificates {
            Ok(certificates) if !certificates.is_empty() => Ok(certificates),
            _ => Err(self.fault("a certificate in PEM, from -----BEGIN CERTIFICATE----- on")),
        }
    }

    /// Returns the first private key.
    ///
    /// # Errors
    /// The file can't be read, or has no key that is not encrypted.
    pub(crate) fn key(&self) -> Result<PrivateKeyDer<'static>, Fault> {
        let text = self.read()?;
        PrivateKeyDer::from_pem_slice(text.expose_secret().as_bytes()).map_err(|_| {
            self.fault(
                "a private key in PEM without a passphrase, such as from -----BEGIN PRIVATE KEY----- on",
            )
        })
    }

    fn read(&self) -> Result<SecretString, Fault> {
        match &self.pem {
            Pem::Text(text) => Ok(text.clone()),
            // What is not UTF-8 is no PEM, and replaced letters make none.
            Pem::File(path) => match std::fs::read(path) {
                Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned().into()),
                Err(source) => Err(Fault::Read {
                    path: path.clone(),
                    origin: self.origin.clone(),
                    source,
                }),
            },
        }
    }

    fn fault(&self, expected: &str) -> Fault {
        let place = match &self.pem {
            Pem::Text(_) => "this value".to_owned(),
            Pem::File(path) => path.display().to_string(),
        };
        Fault::Syntax {
            origin: self.origin.clone(),
            what: format!("{place} is not {expected}"),
        }
    }
}
