//! Go's names for TLS options, and their equivalents in rustls.

use tokio_rustls::rustls::crypto::ring::ALL_CIPHER_SUITES;
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

/// Go's names of the cipher suites of TLS 1.3. They cannot be chosen: TLS 1.3 always enables all of them.
const TLS13_SUITES: &[&str] = &[
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
];

/// A description of valid names, and the value of each.
pub(super) type Choice<T> = (&'static str, fn(&str) -> Option<T>);

pub(super) const VERSIONS: Choice<Version> = (
    "TLS12 or TLS13; older versions are insecure and not supported",
    version,
);
pub(super) const AUTH_TYPES: Choice<ClientAuth> = (
    "NoClientCert, RequestClientCert, RequireAnyClientCert, VerifyClientCertIfGiven or RequireAndVerifyClientCert",
    client_auth,
);
/// The inner `None` is a suite of TLS 1.3, which has no effect.
pub(super) const SUITES: Choice<Option<SupportedCipherSuite>> = (
    "a supported cipher suite: TLS_ECDHE_ECDSA_ or TLS_ECDHE_RSA_ followed by WITH_AES_128_GCM_SHA256, \
     WITH_AES_256_GCM_SHA384 or WITH_CHACHA20_POLY1305_SHA256; suites with CBC or without ECDHE are weak",
    suite,
);
pub(super) const CURVES: Choice<NamedGroup> =
    ("a supported curve: X25519, CurveP256 or CurveP384", curve);

fn client_auth(name: &str) -> Option<ClientAuth> {
    match name {
        "NoClientCert" => Some(ClientAuth::None),
        "RequestClientCert" => Some(ClientAuth::Request),
        // The second is the old name of the first.
        "RequireAnyClientCert" | "RequireClientCert" => Some(ClientAuth::RequireAny),
        "VerifyClientCertIfGiven" => Some(ClientAuth::VerifyIfGiven),
        "RequireAndVerifyClientCert" => Some(ClientAuth::RequireAndVerify),
        _ => None,
    }
}

fn version(name: &str) -> Option<Version> {
    match name {
        "TLS12" => Some(Version::Tls12),
        "TLS13" => Some(Version::Tls13),
        _ => None,
    }
}

/// Go and rustls use the same names of suites of TLS 1.2.
#[expect(clippy::option_option, reason = "unknown, or known but without effect")]
fn suite(name: &str) -> Option<Option<SupportedCipherSuite>> {
    if TLS13_SUITES.contains(&name) {
        return Some(None);
    }
    let mut suites = ALL_CIPHER_SUITES.iter();
    let found =
        suites.find(|suite| suite.tls13().is_none() && suite.suite().as_str() == Some(name));
    found.map(|suite| Some(*suite))
}

fn curve(name: &str) -> Option<NamedGroup> {
    match name {
        "X25519" => Some(NamedGroup::X25519),
        "CurveP256" => Some(NamedGroup::secp256r1),
        "CurveP384" => Some(NamedGroup::secp384r1),
        _ => None,
    }
}
