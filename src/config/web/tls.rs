//! The section `tls_server_config`.

use std::path::PathBuf;

use tokio_rustls::rustls::{NamedGroup, SupportedCipherSuite};

use super::file::WebFile;
use super::go_tls::{self, ClientAuth, Version};
use super::pem::{Pem, PemContent};
use crate::config::node::{Content, Entry, Node};

/// The TLS settings of the server.
#[derive(Debug)]
pub struct ServerTls {
    /// Where the section starts, for faults of the section as a whole.
    pub origin: String,
    /// The server's certificate and its chain.
    pub certificate: Pem,
    /// Its private key.
    pub key: Pem,
    /// The authorities that issue clients' certificates; set if and only if these are verified.
    pub client_ca: Option<Pem>,
    /// The certificate required from clients.
    pub client_auth: ClientAuth,
    /// Allowed alternative names of clients' certificates, compared exactly; `None`: all names.
    pub allowed_sans: Option<Vec<String>>,
    /// The lowest version.
    pub min_version: Version,
    /// The highest version, not below the lowest.
    pub max_version: Version,
    /// Cipher suites of TLS 1.2, best first; `None`: all suites of rustls. As in Go, TLS 1.3 always enables all of its
    /// suites.
    pub cipher_suites: Option<Vec<SupportedCipherSuite>>,
    /// Curves, best first; empty: all curves.
    pub curves: Vec<NamedGroup>,
    /// Whether the server's order of cipher suites takes precedence over the client's.
    pub server_order: bool,
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

/// The keys as given, before a check of their combination.
#[derive(Default)]
struct Given {
    cert: [Option<Pem>; 2],
    key: [Option<Pem>; 2],
    client_ca: [Option<Pem>; 2],
    client_auth: Option<ClientAuth>,
    allowed_sans: Option<Vec<String>>,
    min_version: Option<Version>,
    max_version: Option<Version>,
    cipher_suites: Option<Vec<SupportedCipherSuite>>,
    curves: Vec<NamedGroup>,
    server_order: Option<bool>,
}

/// Reads the section; `None` if it is empty or has a fault.
pub(super) fn read(web: &mut WebFile, node: &Node) -> Option<ServerTls> {
    let mut given = Given::default();
    let entries = web.mapping(node, "tls_server_config", KEYS);
    for entry in &entries {
        read_entry(web, entry, &mut given);
    }
    if entries.is_empty() {
        return None;
    }
    let origin = node.origin.clone();
    let certificate = either(web, given.cert, "cert", &origin);
    let key = either(web, given.key, "key", &origin);
    let client_auth = given.client_auth.unwrap_or(ClientAuth::None);
    let has_ca = given.client_ca.iter().flatten().next().is_some();
    let client_ca = if client_auth.verifies() {
        either(web, given.client_ca, "client_ca", &origin)
    } else {
        if has_ca {
            web.fault(
                &origin,
                "a client_ca needs a client_auth_type that verifies: RequireAndVerifyClientCert or \
                 VerifyClientCertIfGiven",
            );
        }
        None
    };
    let allowed_sans = given.allowed_sans;
    if allowed_sans.is_some() && !client_auth.requires() {
        web.fault(
            &origin,
            "`client_allowed_sans` needs a client_auth_type that requires a certificate: \
             RequireAndVerifyClientCert or RequireAnyClientCert",
        );
    }
    let min_version = given.min_version.unwrap_or(Version::Tls12);
    let max_version = given.max_version.unwrap_or(Version::Tls13);
    if min_version > max_version {
        web.fault(&origin, "`min_version` is above `max_version`");
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

fn read_entry(web: &mut WebFile, entry: &Entry, given: &mut Given) {
    match entry.key.as_str() {
        "cert" => given.cert[0] = inline(web, entry),
        "cert_file" => given.cert[1] = file(web, entry),
        "key" => given.key[0] = inline(web, entry),
        "key_file" => given.key[1] = file(web, entry),
        "client_ca" => given.client_ca[0] = inline(web, entry),
        "client_ca_file" => given.client_ca[1] = file(web, entry),
        "client_auth_type" => {
            given.client_auth = choice(web, entry, go_tls::AUTH_TYPES, go_tls::client_auth);
        }
        "client_allowed_sans" => {
            given.allowed_sans = allowed_sans(web, entry);
        }
        "min_version" => {
            given.min_version = choice(web, entry, go_tls::VERSIONS, go_tls::version);
        }
        "max_version" => {
            given.max_version = choice(web, entry, go_tls::VERSIONS, go_tls::version);
        }
        "cipher_suites" => {
            let suites = choices(web, entry, go_tls::SUITES, go_tls::suite);
            let some = !suites.is_empty();
            given.cipher_suites = some.then(|| suites.into_iter().flatten().collect());
        }
        "curve_preferences" => {
            given.curves = choices(web, entry, go_tls::CURVES, go_tls::curve);
        }
        _ => given.server_order = web.flag(entry),
    }
}

/// Returns the one of two alternatives that was given.
fn either(web: &mut WebFile, ways: [Option<Pem>; 2], name: &str, origin: &str) -> Option<Pem> {
    match ways {
        [Some(one), None] | [None, Some(one)] => Some(one),
        [None, None] => {
            web.fault(
                origin,
                format!("tls_server_config needs `{name}_file` or `{name}`"),
            );
            None
        }
        [Some(_), Some(file)] => {
            let what = format!("both `{name}` and `{name}_file` are set; remove one");
            web.fault(&file.origin, what);
            None
        }
    }
}

/// Returns the names; `None` if any name is allowed.
fn allowed_sans(web: &mut WebFile, entry: &Entry) -> Option<Vec<String>> {
    match &entry.value.content {
        Content::Nothing => return None,
        Content::List(items) if items.is_empty() => {
            let what =
                "an empty `client_allowed_sans` admits no client; add a name or remove the key";
            web.fault(&entry.origin, what);
        }
        _ => {}
    }
    let sans = web.list(entry).into_iter();
    Some(sans.map(|(san, _)| san.to_owned()).collect())
}

fn inline(web: &mut WebFile, entry: &Entry) -> Option<Pem> {
    let text = web.text(entry)?;
    Some(Pem {
        origin: entry.origin.clone(),
        content: PemContent::Text(text.into()),
    })
}

fn file(web: &mut WebFile, entry: &Entry) -> Option<Pem> {
    let path: PathBuf = web.folder.join(web.text(entry)?);
    web.files.push(path.clone());
    Some(Pem {
        origin: entry.origin.clone(),
        content: PemContent::File(path),
    })
}

fn choice<T>(
    web: &mut WebFile,
    entry: &Entry,
    expected: &str,
    parse: fn(&str) -> Option<T>,
) -> Option<T> {
    let text = web.text(entry)?;
    let parsed = parse(text);
    if parsed.is_none() {
        web.value(entry, text, expected);
    }
    parsed
}

fn choices<T>(
    web: &mut WebFile,
    entry: &Entry,
    expected: &str,
    parse: fn(&str) -> Option<T>,
) -> Vec<T> {
    let mut parsed = Vec::new();
    for (text, origin) in web.list(entry) {
        if let Some(value) = parse(text) {
            parsed.push(value);
        } else {
            let what = format!("`{}` contains `{text}`; expected {expected}", entry.key);
            web.fault(origin, what);
        }
    }
    parsed
}
