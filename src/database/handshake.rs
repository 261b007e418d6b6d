//! What each failed handshake with a database means, and its remedy.

use tokio_rustls::rustls::{AlertDescription, CertificateError, Error as TlsError};

use crate::config::certificate::{VERSION_1, is_version_1};
use crate::config::database_url::Engine;
use crate::error::chain;

/// The options of an engine's URL, for messages.
pub(super) struct Words {
    pub ca: &'static str,
    pub cert: &'static str,
    pub key: &'static str,
    pub verify_ca: &'static str,
    pub disabled: &'static str,
}

impl Words {
    pub(super) fn of(engine: Engine) -> Self {
        match engine {
            Engine::Postgres => Self {
                ca: "sslrootcert",
                cert: "sslcert",
                key: "sslkey",
                verify_ca: "sslmode=verify-ca",
                disabled: "sslmode=disable",
            },
            Engine::MySql | Engine::Sqlite => Self {
                ca: "ssl_ca",
                cert: "ssl_cert",
                key: "ssl_key",
                verify_ca: "ssl-mode=VERIFY_CA (or ssl_check_hostname=false beside ssl_ca)",
                disabled: "ssl-mode=DISABLED",
            },
        }
    }
}

/// Returns the error of rustls within one of the driver.
fn of_rustls(error: &sqlx::Error) -> Option<&TlsError> {
    match error {
        sqlx::Error::Io(io) => io.get_ref()?.downcast_ref(),
        sqlx::Error::Tls(error) => error.downcast_ref(),
        _ => None,
    }
}

/// Returns what is wrong and the remedy for a failed handshake.
pub(super) fn remedy(engine: Engine, host: &str, error: &sqlx::Error) -> String {
    use AlertDescription::{
        AccessDenied, BadCertificate, CertificateExpired, CertificateRequired, CertificateUnknown,
        UnknownCA, UnsupportedCertificate,
    };
    let words = Words::of(engine);
    if chain(error).contains("not support TLS") {
        return "the server offers no TLS, but the database URL requires it; enable TLS on the server"
            .to_owned();
    }
    // The engines have translated the driver's other faults of its configuration, and the parser of URLs knows pairs only.
    if matches!(error, sqlx::Error::Configuration(_)) {
        return format!(
            "{} and {} must be given together; where the database URL lacks one, PGSSLCERT or PGSSLKEY of the \
             environment counts",
            words.cert, words.key
        );
    }
    // Before the handshake, rustls looks at the client's certificate.
    let owner = match error {
        sqlx::Error::Tls(_) => "the client's certificate",
        _ => "the server's certificate",
    };
    match of_rustls(error) {
        Some(error) if is_version_1(error) => format!("{owner} {VERSION_1}"),
        Some(TlsError::InvalidCertificate(cause)) => {
            format!("{owner} {}", fault(engine, host, cause))
        }
        Some(TlsError::InconsistentKeys(_)) => {
            format!("{} and {} do not belong together", words.cert, words.key)
        }
        Some(TlsError::AlertReceived(
            AccessDenied
            | BadCertificate
            | CertificateExpired
            | CertificateRequired
            | CertificateUnknown
            | UnknownCA
            | UnsupportedCertificate,
        )) => format!(
            "the server refuses the client's certificate: check {} and {} in the database URL, and the authority \
             that the server trusts",
            words.cert, words.key
        ),
        _ => format!(
            "the server must support TLS 1.2 or 1.3, and have an RSA key of 2048 to 8192 bits, or an ECDSA key on P-256 \
             or P-384, or an Ed25519 key; {} in the database URL disables TLS",
            words.disabled
        ),
    }
}

/// Returns what is wrong with the server's certificate, and the remedy.
fn fault(engine: Engine, host: &str, cause: &CertificateError) -> String {
    use CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet,
        NotValidYetContext, UnknownIssuer,
    };
    let words = Words::of(engine);
    match cause {
        NotValidForName | NotValidForNameContext { .. } => {
            let presented = match cause {
                NotValidForNameContext { presented, .. } if !presented.is_empty() => {
                    format!(" but {}", presented.join(", "))
                }
                _ => String::new(),
            };
            let own = match engine {
                Engine::Postgres => "",
                _ => "; MySQL's own certificates name no host",
            };
            format!(
                "does not contain the name {host}{presented}: connect by a name that it contains, or issue one with \
                 this name in subjectAltName, or verify only its authority with {}{own}",
                words.verify_ca
            )
        }
        Expired | ExpiredContext { .. } => {
            "has expired: renew it, and restart the server or make it reload the file".to_owned()
        }
        NotValidYet | NotValidYetContext { .. } => {
            "is not valid yet: check the clock of this machine".to_owned()
        }
        UnknownIssuer => format!(
            "is signed by an unknown authority: set {} to the file of the authority's certificate",
            words.ca
        ),
        other if other.to_string().contains("CaUsedAsEndEntity") => {
            "is a CA certificate (CA:TRUE) and can't be used for a server: issue one with basicConstraints=CA:FALSE"
                .to_owned()
        }
        _ => format!(
            "can't be used: check it, and {} in the database URL",
            words.ca
        ),
    }
}
