//! TLS towards the database: certificate files, and the remedy for a failed handshake.

use std::path::Path;

use super::error::Error;
use crate::config::tls::TlsMode;
use crate::error::chain;

/// Reads a certificate or key file. It is read at every connect, so that a renewed file takes effect.
pub(super) async fn pem(option: &'static str, path: &Path) -> Result<Vec<u8>, Error> {
    let content = tokio::fs::read(path).await;
    content.map_err(|source| Error::TlsFile(option, path.to_owned(), source))
}

/// Returns the remedy for a failed handshake.
pub(super) fn remedy(mode: TlsMode, error: &sqlx::Error) -> &'static str {
    if chain(error).contains("not support TLS") {
        return "the server offers no TLS, but the database URL requires it; enable TLS on the server";
    }
    match mode {
        TlsMode::VerifyFull => {
            "the certificate must be valid for this host name and signed by ssl_ca (sslrootcert) or by a system CA"
        }
        TlsMode::VerifyCa => {
            "the certificate must be signed by ssl_ca (sslrootcert) or by a system CA"
        }
        TlsMode::Disabled | TlsMode::Preferred | TlsMode::Required => {
            "the server must support TLS 1.2 or 1.3; ssl-mode=DISABLED (sslmode=disable) in the database URL \
             disables TLS"
        }
    }
}
