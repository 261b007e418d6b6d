//! Go's names for TLS options, and their equivalents in rustls.

use tokio_rustls::rustls::crypto::ring::cipher_suite::{
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
};
use tokio_rustls::rustls::crypto::ring::kx_group::{SECP256R1, SECP384R1, X25519};
use tokio_rustls::rustls::{NamedGroup, SupportedCipherSuite};

/// The certificate required from a client, by the names of Go's `tls.ClientAuthType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// `NoClientCert`: none.
    None,
    /// `RequestClientCert`: an optional certificate, which is not verified.
    Request,
    /// `RequireAnyClientCert`: a certificate and its key, without a check of its issuer.
    RequireAny,
    /// `VerifyClientCertIfGiven`: a certificate issued by `client_ca`, or none.
    VerifyIfGiven,
    /// `RequireAndVerifyClientCert`: a certificate issued by `client_ca`.
    RequireAndVerify,
}

impl ClientAuth {
    /// Returns whether the issuer of a client's certificate is checked.
    pub(crate) fn verifies(self) -> bool {
        matches!(self, Self::VerifyIfGiven | Self::RequireAndVerify)
    }

    /// Returns whether a client must have a certificate.
    pub(crate) fn requires(self) -> bool {
        matches!(self, Self::RequireAny | Self::RequireAndVerify)
    }
}

/// A version of TLS that rustls supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    Tls12,
    Tls13,
}

/// Go's names of the cipher suites of TLS 1.2.
static CIPHER_SUITES: &[(&str, SupportedCipherSuite)] = &[
    (
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    (
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
];

/// Go's names of the cipher suites of TLS 1.3. They cannot be chosen: TLS 1.3 always enables all of them.
const TLS13_SUITES: &[&str] = &[
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
];

pub(super) const VERSIONS: &str = "TLS12 or TLS13; older versions are insecure and not supported";
pub(super) const AUTH_TYPES: &str = "NoClientCert, RequestClientCert, RequireAnyClientCert, VerifyClientCertIfGiven or \
                          RequireAndVerifyClientCert";
pub(super) const SUITES: &str = "a supported cipher suite: TLS_ECDHE_ECDSA_ or TLS_ECDHE_RSA_ followed by \
                      WITH_AES_128_GCM_SHA256, WITH_AES_256_GCM_SHA384 or WITH_CHACHA20_POLY1305_SHA256; suites \
                      with CBC or without ECDHE are weak";
pub(super) const CURVES: &str = "a supported curve: X25519, CurveP256 or CurveP384";

pub(super) fn client_auth(name: &str) -> Option<ClientAuth> {
    Some(match name {
        "NoClientCert" => ClientAuth::None,
        "RequestClientCert" => ClientAuth::Request,
        // The second is the old name of the first.
        "RequireAnyClientCert" | "RequireClientCert" => ClientAuth::RequireAny,
        "VerifyClientCertIfGiven" => ClientAuth::VerifyIfGiven,
        "RequireAndVerifyClientCert" => ClientAuth::RequireAndVerify,
        _ => return None,
    })
}

pub(super) fn version(name: &str) -> Option<Version> {
    match name {
        "TLS12" => Some(Version::Tls12),
        "TLS13" => Some(Version::Tls13),
        _ => None,
    }
}

/// Returns the suite of TLS 1.2; the inner `None` is a suite of TLS 1.3, which has no effect.
#[expect(clippy::option_option, reason = "unknown, or known but without effect")]
pub(super) fn suite(name: &str) -> Option<Option<SupportedCipherSuite>> {
    if TLS13_SUITES.contains(&name) {
        return Some(None);
    }
    let mut suites = CIPHER_SUITES.iter();
    let found = suites.find(|(known, _)| *known == name)?;
    Some(Some(found.1))
}

pub(super) fn curve(name: &str) -> Option<NamedGroup> {
    match name {
        "X25519" => Some(X25519.name()),
        "CurveP256" => Some(SECP256R1.name()),
        "CurveP384" => Some(SECP384R1.name()),
        _ => None,
    }
}
