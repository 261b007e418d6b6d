//! The section `tls_server_config`: what Go's names mean to rustls, and which of them it does not have.

use std::path::PathBuf;

use tokio_rustls::rustls::crypto::ring::cipher_suite::{
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
};
use tokio_rustls::rustls::crypto::ring::kx_group::{SECP256R1, SECP384R1, X25519};
use tokio_rustls::rustls::{NamedGroup, SupportedCipherSuite};

use super::Reader;
use super::pem::{Pem, Source};
use crate::config::node::{Content, Entry, Node};

/// How the server is secured.
#[derive(Debug)]
pub struct ServerTls {
    /// Where the section starts, for what is wrong with it as a whole.
    pub origin: String,
    /// The server's certificate, and those that vouch for it.
    pub certificate: Source,
    /// Its key.
    pub key: Source,
    /// Who vouches for clients; given where they are verified, and only there.
    pub client_ca: Option<Source>,
    /// What is asked of clients.
    pub client_auth: ClientAuth,
    /// Alternative names of which a client's certificate must have one, letter by letter; `None`: any will do.
    pub allowed_sans: Option<Vec<String>>,
    /// The lowest version.
    pub min_version: Version,
    /// The highest version, not below the lowest.
    pub max_version: Version,
    /// Cipher suites of TLS 1.2, best first; `None`: all that rustls has. Those of TLS 1.3 can't be chosen, as in Go.
    pub cipher_suites: Option<Vec<SupportedCipherSuite>>,
    /// Curves, best first; empty: all that there are.
    pub curves: Vec<NamedGroup>,
    /// Whether the server's order of cipher suites counts, rather than the client's.
    pub server_order: bool,
}

/// What is asked of a client, by the names of Go's `tls.ClientAuthType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// `NoClientCert`: nothing.
    None,
    /// `RequestClientCert`: a certificate, which may be missing, and is not verified.
    Request,
    /// `RequireAnyClientCert`: a certificate and its key, which nobody needs to vouch for.
    RequireAny,
    /// `VerifyClientCertIfGiven`: a certificate that `client_ca` vouches for, or none.
    VerifyIfGiven,
    /// `RequireAndVerifyClientCert`: a certificate that `client_ca` vouches for.
    RequireAndVerify,
}

impl ClientAuth {
    /// Returns whether somebody must vouch for a client.
    #[must_use]
    pub(crate) fn verifies(self) -> bool {
        matches!(self, Self::VerifyIfGiven | Self::RequireAndVerify)
    }

    /// Returns whether a client can't do without a certificate.
    #[must_use]
    pub(crate) fn requires(self) -> bool {
        matches!(self, Self::RequireAny | Self::RequireAndVerify)
    }
}

/// A version of TLS that rustls has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    Tls12,
    Tls13,
}

const KEYS: &[&str] = &[
    "cert",
    "key",
    "client_ca",
    "cert_file",
    "key_file",
    "client_ca_file",
    "client_auth_type",
    "client_allowed_sans",
    "min_version",
    "max_version",
    "cipher_suites",
    "curve_preferences",
    "prefer_server_cipher_suites",
];

/// Go's names of cipher suites of TLS 1.2.
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

/// Go lists these too, and they can't be chosen: all are in force where TLS 1.3 is.
const TLS13_SUITES: &[&str] = &[
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
];

const VERSIONS: &str = "TLS12 or TLS13: older versions are broken, and not built in";
const AUTH_TYPES: &str = "NoClientCert, RequestClientCert, RequireAnyClientCert, VerifyClientCertIfGiven or \
                          RequireAndVerifyClientCert";
const SUITES: &str = "a cipher suite that is built in: TLS_ECDHE_ECDSA_ or TLS_ECDHE_RSA_ followed by \
                      WITH_AES_128_GCM_SHA256, WITH_AES_256_GCM_SHA384 or WITH_CHACHA20_POLY1305_SHA256; those with \
                      CBC, and those without ECDHE, are weak";
const CURVES: &str = "a curve that is built in: X25519, CurveP256 or CurveP384";

/// The keys as they were given, before it is asked whether they go together.
#[derive(Default)]
struct Given {
    cert: [Option<Source>; 2],
    key: [Option<Source>; 2],
    client_ca: [Option<Source>; 2],
    client_auth: Option<ClientAuth>,
    allowed_sans: Option<Vec<String>>,
    min_version: Option<Version>,
    max_version: Option<Version>,
    cipher_suites: Option<Vec<SupportedCipherSuite>>,
    curves: Vec<NamedGroup>,
    server_order: Option<bool>,
}

impl Reader<'_> {
    /// Returns how the server is secured: `None` for an empty section, and along with a fault.
    pub(super) fn tls(&mut self, node: &Node) -> Option<ServerTls> {
        let mut given = Given::default();
        let entries = self.mapping(node, "tls_server_config", KEYS);
        for entry in &entries {
            self.tls_entry(entry, &mut given);
        }
        if entries.is_empty() {
            return None;
        }
        let origin = node.origin.clone();
        let certificate = self.either(given.cert, "cert", &origin);
        let key = self.either(given.key, "key", &origin);
        let client_auth = given.client_auth.unwrap_or(ClientAuth::None);
        let has_ca = given.client_ca.iter().flatten().next().is_some();
        let client_ca = if client_auth.verifies() {
            self.either(given.client_ca, "client_ca", &origin)
        } else {
            if has_ca {
                self.fault(
                    &origin,
                    "a client_ca needs a client_auth_type that verifies: RequireAndVerifyClientCert, or \
                     VerifyClientCertIfGiven",
                );
            }
            None
        };
        let allowed_sans = given.allowed_sans;
        if allowed_sans.is_some() && !client_auth.requires() {
            self.fault(
                &origin,
                "`client_allowed_sans` needs a client_auth_type that requires a certificate: \
                 RequireAndVerifyClientCert, or RequireAnyClientCert",
            );
        }
        let min_version = given.min_version.unwrap_or(Version::Tls12);
        let max_version = given.max_version.unwrap_or(Version::Tls13);
        if min_version > max_version {
            self.fault(&origin, "`min_version` is above `max_version`");
        }
        Some(ServerTls {
            origin,
            certificate: certificate?,
            key: key?,
            client_ca,
            client_auth,
            allowed_sans,
            min_version,
            max_version,
            cipher_suites: given.cipher_suites,
            curves: given.curves,
            server_order: given.server_order.unwrap_or(true),
        })
    }

    fn tls_entry(&mut self, entry: &Entry, given: &mut Given) {
        match entry.key.as_str() {
            "cert" => given.cert[0] = self.inline(entry),
            "cert_file" => given.cert[1] = self.file(entry),
            "key" => given.key[0] = self.inline(entry),
            "key_file" => given.key[1] = self.file(entry),
            "client_ca" => given.client_ca[0] = self.inline(entry),
            "client_ca_file" => given.client_ca[1] = self.file(entry),
            "client_auth_type" => {
                given.client_auth = self.choice(entry, AUTH_TYPES, client_auth);
            }
            "client_allowed_sans" => {
                given.allowed_sans = self.allowed_sans(entry);
            }
            "min_version" => {
                given.min_version = self.choice(entry, VERSIONS, version);
            }
            "max_version" => {
                given.max_version = self.choice(entry, VERSIONS, version);
            }
            "cipher_suites" => {
                let suites = self.choices(entry, SUITES, suite);
                let some = !suites.is_empty();
                given.cipher_suites = some.then(|| suites.into_iter().flatten().collect());
            }
            "curve_preferences" => {
                given.curves = self.choices(entry, CURVES, curve);
            }
            _ => given.server_order = self.flag(entry),
        }
    }

    /// Returns the one of two ways to give something that was taken.
    fn either(&mut self, ways: [Option<Source>; 2], name: &str, origin: &str) -> Option<Source> {
        match ways {
            [Some(one), None] | [None, Some(one)] => Some(one),
            [None, None] => {
                self.fault(
                    origin,
                    format!("tls_server_config needs `{name}_file` or `{name}`"),
                );
                None
            }
            [Some(_), Some(file)] => {
                let what = format!("both `{name}` and `{name}_file` are given; leave one out");
                self.fault(&file.origin, what);
                None
            }
        }
    }

    /// Returns the names; `None` where none are asked for.
    fn allowed_sans(&mut self, entry: &Entry) -> Option<Vec<String>> {
        match &entry.value.content {
            Content::Nothing => return None,
            Content::List(items) if items.is_empty() => {
                let what =
                    "an empty `client_allowed_sans` lets nobody in; name one, or leave it out";
                self.fault(&entry.origin, what);
            }
            _ => {}
        }
        let sans = self.list(entry).into_iter();
        Some(sans.map(|(san, _)| san.to_owned()).collect())
    }

    fn inline(&mut self, entry: &Entry) -> Option<Source> {
        let text = self.text(entry)?;
        Some(Source {
            origin: entry.origin.clone(),
            pem: Pem::Text(text.into()),
        })
    }

    fn file(&mut self, entry: &Entry) -> Option<Source> {
        let path: PathBuf = self.folder.join(self.text(entry)?);
        self.files.push(path.clone());
        Some(Source {
            origin: entry.origin.clone(),
            pem: Pem::File(path),
        })
    }

    fn choice<T>(
        &mut self,
        entry: &Entry,
        expected: &str,
        parse: fn(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(entry)?;
        let parsed = parse(text);
        if parsed.is_none() {
            self.value(entry, text, expected);
        }
        parsed
    }

    fn choices<T>(
        &mut self,
        entry: &Entry,
        expected: &str,
        parse: fn(&str) -> Option<T>,
    ) -> Vec<T> {
        let mut parsed = Vec::new();
        for (text, origin) in self.list(entry) {
            if let Some(value) = parse(text) {
                parsed.push(value);
            } else {
                let what = format!("`{text}` in `{}` is not {expected}", entry.key);
                self.fault(origin, what);
            }
        }
        parsed
    }
}

fn client_auth(name: &str) -> Option<ClientAuth> {
    Some(match name {
        "NoClientCert" => ClientAuth::None,
        "RequestClientCert" => ClientAuth::Request,
        // The second is an old name of the first.
        "RequireAnyClientCert" | "RequireClientCert" => ClientAuth::RequireAny,
        "VerifyClientCertIfGiven" => ClientAuth::VerifyIfGiven,
        "RequireAndVerifyClientCert" => ClientAuth::RequireAndVerify,
        _ => return None,
    })
}

fn version(name: &str) -> Option<Version> {
    match name {
        "TLS12" => Some(Version::Tls12),
        "TLS13" => Some(Version::Tls13),
        _ => None,
    }
}

/// Returns the suite of TLS 1.2; inside, `None` for one of TLS 1.3, which changes nothing.
#[expect(clippy::option_option, reason = "unknown, and known without effect")]
fn suite(name: &str) -> Option<Option<SupportedCipherSuite>> {
    if TLS13_SUITES.contains(&name) {
        return Some(None);
    }
    let mut suites = CIPHER_SUITES.iter();
    let found = suites.find(|(known, _)| *known == name)?;
    Some(Some(found.1))
}

fn curve(name: &str) -> Option<NamedGroup> {
    match name {
        "X25519" => Some(X25519.name()),
        "CurveP256" => Some(SECP256R1.name()),
        "CurveP384" => Some(SECP384R1.name()),
        _ => None,
    }
}
