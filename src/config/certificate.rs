//! What rustls requires of a certificate, in words.
//!
//! webpki reads only certificates of X.509 version 3, even where nothing is verified. `openssl x509 -req` makes
//! version 1 unless it gets extensions.

use rustls_pki_types::CertificateDer;
use tokio_rustls::rustls::Error;
use tokio_rustls::rustls::server::ParsedCertificate;

/// What is wrong with a certificate of version 1, and the remedy; follows the certificate's owner.
pub(crate) const VERSION_1: &str = "has X.509 version 1, which this program can't read: issue one of version 3, for example with openssl x509 \
     -req -extfile FILE, where FILE has a line such as subjectAltName=DNS:HOST";

/// Returns whether an error is about a certificate of version 1, of either side.
pub(crate) fn is_version_1(error: &Error) -> bool {
    // rustls has no variant for it; it passes on webpki's.
    matches!(error, Error::InvalidCertificate(_))
        && error.to_string().contains("UnsupportedCertVersion")
}

/// Checks that rustls can present a certificate.
///
/// # Errors
/// What is wrong with it, to follow its owner.
pub(crate) fn check(certificate: &CertificateDer<'_>) -> Result<(), String> {
    match ParsedCertificate::try_from(certificate) {
        Ok(_) => Ok(()),
        Err(error) if is_version_1(&error) => Err(VERSION_1.to_owned()),
        Err(error) => Err(format!("can't be read: {error}")),
    }
}
