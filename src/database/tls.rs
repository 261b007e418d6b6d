//! TLS towards the database: certificate files, and names that rustls can express.

use std::path::Path;

use rustls_pki_types::pem::{self, PemObject as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use sqlx::error::DatabaseError;
use tokio::net::lookup_host;
use tokio_rustls::rustls::RootCertStore;

use super::error::Error;
use super::handshake::Words;
use super::target::Target;
use crate::config::certificate;
use crate::config::tls::TlsMode;

/// How to connect to the server.
#[derive(Debug)]
pub(super) struct Route {
    /// The name or address to connect to, which is also the name that TLS asks for.
    pub host: String,
    /// Encryption and verification.
    pub mode: TlsMode,
}

/// Returns the ways to the server with this mode, to be tried in turn.
///
/// rustls needs a name that a certificate can contain, even where no name is verified. Any other is resolved here.
///
/// # Errors
/// The name has to be verified, or its address has a zone, or it can't be resolved.
pub(super) async fn routes(target: &Target, mode: TlsMode) -> Result<Vec<Route>, Error> {
    let host = target.host();
    let route = |host: String| Route { host, mode };
    let invalid = match ServerName::try_from(host) {
        Err(error) if mode != TlsMode::Disabled => error,
        _ => return Ok(vec![route(host.to_owned())]),
    };
    let words = Words::of(target.url.engine);
    let remedy = match host.split_once('%') {
        Some((_, zone)) => format!(
            "an IPv6 address with a zone (%{zone}) can't be used with TLS: use a name or an address without a zone, or \
             disable TLS with {} in the database URL",
            words.disabled
        ),
        None if mode == TlsMode::VerifyFull => format!(
            "no certificate can contain the name `{host}`: use the server's name or its full address, or verify only \
             the certificate's authority with {}",
            words.verify_ca
        ),
        None if target.url.socket.is_some() => return Ok(vec![route("localhost".to_owned())]),
        None => {
            let addresses = lookup_host((host, target.port())).await;
            let addresses =
                addresses.map_err(|error| Error::Connect(target.login(), error.into()))?;
            return Ok(addresses.map(|at| route(at.ip().to_string())).collect());
        }
    };
    let source = sqlx::Error::Tls(invalid.into());
    Err(Error::Tls(target.login(), remedy, source))
}

/// Reads a file at every connect, so that a renewed one takes effect.
async fn read(option: &'static str, path: &Path) -> Result<Vec<u8>, Error> {
    let content = tokio::fs::read(path).await;
    content.map_err(|source| Error::TlsFile(option, path.to_owned(), source))
}

fn unusable(option: &'static str, path: &Path, fault: impl Into<String>) -> Error {
    Error::TlsContent(option, path.to_owned(), fault.into())
}

/// Returns the content of a file of certificates, after a check of each.
async fn certificates(
    option: &'static str,
    path: &Path,
    check: impl Fn(CertificateDer<'_>) -> Result<(), String>,
) -> Result<Vec<u8>, Error> {
    let content = read(option, path).await?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&content).collect();
    let found = found.map_err(|error| unusable(option, path, malformed(&error)))?;
    if found.is_empty() {
        let expected = "holds no certificate in PEM, which starts with -----BEGIN CERTIFICATE-----";
        return Err(unusable(option, path, expected));
    }
    for certificate in found {
        check(certificate).map_err(|fault| unusable(option, path, fault))?;
    }
    Ok(content)
}

/// Returns what is wrong with a file that is not PEM. rustls shows lines as lists of bytes.
fn malformed(error: &pem::Error) -> String {
    let fault = match error {
        pem::Error::MissingSectionEnd { end_marker } => {
            let label = String::from_utf8_lossy(end_marker);
            format!("it lacks the line -----END {label}-----")
        }
        pem::Error::IllegalSectionStart { .. } => {
            "a line starts with -----BEGIN but does not end with -----".to_owned()
        }
        other => other.to_string(),
    };
    format!("is not valid PEM: {fault}")
}

/// Reads the certificates of authorities.
pub(super) async fn authorities(option: &'static str, path: &Path) -> Result<Vec<u8>, Error> {
    let check = |certificate: CertificateDer<'_>| {
        let added = RootCertStore::empty().add(certificate);
        added.map_err(|error| format!("holds a certificate that can't be read: {error}"))
    };
    certificates(option, path, check).await
}

/// Reads the client's certificate, with those that lead to its authority.
pub(super) async fn client_certificate(
    option: &'static str,
    path: &Path,
) -> Result<Vec<u8>, Error> {
    certificates(option, path, |certificate| certificate::check(&certificate)).await
}

/// Reads the client's private key.
pub(super) async fn key(option: &'static str, path: &Path) -> Result<Vec<u8>, Error> {
    let content = read(option, path).await?;
    match PrivateKeyDer::from_pem_slice(&content) {
        Ok(_) => Ok(content),
        Err(_) => Err(unusable(
            option,
            path,
            "holds no private key in PEM without a passphrase, which starts with -----BEGIN PRIVATE KEY----- or similar",
        )),
    }
}

/// Returns whether the same login may be possible without TLS, as PREFERRED of MySQL and `prefer` of libpq try it.
pub(super) fn is_refused(error: &Error) -> bool {
    match error {
        Error::Tls(..) => true,
        // PostgreSQL has no entry in pg_hba.conf for an encrypted connection; MySQL has no such accounts.
        Error::Auth(_, _, source) => {
            let code = source.as_database_error().and_then(DatabaseError::code);
            code.as_deref() == Some("28000")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    /// Checks the hosts of the routes, or a part of the message.
    fn check(url: &str, expected: Result<&[&str], &str>) {
        let target = Target::fixture(url);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        match (
            runtime.block_on(routes(&target, target.tls_mode())),
            expected,
        ) {
            (Ok(routes), Ok(hosts)) => {
                let found: Vec<&str> = routes.iter().map(|route| route.host.as_str()).collect();
                assert_eq!(found, hosts, "{url}");
            }
            (Err(error), Err(part)) => {
                let message = error.to_string();
                assert!(message.contains(part), "{url}: {message}");
            }
            (found, _) => panic!("{url}: {found:?}"),
        }
    }

    #[test]
    fn only_a_name_that_no_certificate_can_contain_is_resolved() {
        for host in ["db", "db.example.org.", "my_db", "192.0.2.1"] {
            check(
                &format!("mysql://u@{host}/d?ssl-mode=REQUIRED"),
                Ok(&[host]),
            );
        }
        check("mysql://u@[::1]/d?ssl-mode=REQUIRED", Ok(&["::1"]));
        check("mysql://u@127.1/d?ssl-mode=DISABLED", Ok(&["127.1"]));
        for options in [
            "ssl-mode=REQUIRED",
            "ssl-mode=VERIFY_CA",
            "ssl-mode=PREFERRED",
        ] {
            check(&format!("mysql://u@127.1/d?{options}"), Ok(&["127.0.0.1"]));
        }
        check("mysql://u@a-/d?unix_socket=/x", Ok(&["localhost"]));
        // As in libpq, the socket is not encrypted.
        check(
            "postgresql://u@/d?host=/x&sslmode=verify-full",
            Ok(&["localhost"]),
        );
    }

    #[test]
    fn a_name_that_has_to_be_verified_or_has_a_zone_is_an_error_with_a_remedy() {
        let verified = "mysql://u@127.1/d?ssl-mode=VERIFY_IDENTITY";
        check(
            verified,
            Err("verify only the certificate's authority with ssl-mode=VERIFY_CA"),
        );
        let verified = "postgresql://u@127.1/d?sslmode=verify-full";
        check(
            verified,
            Err("verify only the certificate's authority with sslmode=verify-ca"),
        );
        let zone = "an IPv6 address with a zone (%eth0) can't be used with TLS";
        check("mysql://u@[fe80::1%eth0]/d?ssl-mode=REQUIRED", Err(zone));
        check("mysql://u@[fe80::1%eth0]/d", Err(zone));
        check(
            "mysql://u@[fe80::1%eth0]/d?ssl-mode=DISABLED",
            Ok(&["fe80::1%eth0"]),
        );
    }

    #[test]
    fn a_file_that_is_not_pem_is_told_from_one_without_a_certificate() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (begin, end) = ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----");
        for (content, expected) in [
            (String::new(), "holds no certificate in PEM"),
            (
                format!("{begin}\nMIIB\n"),
                "is not valid PEM: it lacks the line -----END CERTIFICATE-----",
            ),
            (
                "-----BEGIN CERTIFICATE\nMIIB\n".to_owned(),
                "is not valid PEM: a line starts with -----BEGIN but does not end with -----",
            ),
            (
                format!("{begin}\nM!IB\n{end}\n"),
                "is not valid PEM: base64 decode error",
            ),
            (
                format!("{begin}\nMIIB\n{end}\n"),
                "holds a certificate that can't be read",
            ),
        ] {
            std::fs::write(&file, &content).unwrap();
            let error = runtime.block_on(authorities("ssl_ca", &file)).unwrap_err();
            let expected = format!("ssl_ca {} {expected}", file.display());
            assert!(error.to_string().starts_with(&expected), "{error}");
        }
    }
}
