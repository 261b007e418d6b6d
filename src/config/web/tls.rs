//! The section `tls_server_config`.

use tokio_rustls::rustls::{NamedGroup, SupportedCipherSuite};

use super::file::WebFile;
use super::go_tls::{self, Choice, ClientAuth, Version};
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

/// Reads the section; `None` if it is empty or has a fault.
pub(super) fn read(web: &mut WebFile, node: &Node) -> Option<ServerTls> {
    let entries = web.mapping(node, "tls_server_config", KEYS);
    if entries.is_empty() {
        return None;
    }
    let find = |key: &str| entries.iter().copied().find(|entry| entry.key == key);
    let origin = node.origin.clone();
    let certificate = either(web, find, "cert", &origin);
    let key = either(web, find, "key", &origin);
    let auth = choice(web, find("client_auth_type"), go_tls::AUTH_TYPES);
    let client_auth = auth.unwrap_or(ClientAuth::None);
    let client_ca = if client_auth.verifies() {
        either(web, find, "client_ca", &origin)
    } else {
        if given(web, find, "client_ca").iter().any(Option::is_some) {
            web.fault(
                &origin,
                "a client_ca needs a client_auth_type that verifies: RequireAndVerifyClientCert or \
                 VerifyClientCertIfGiven",
            );
        }
        None
    };
    let allowed_sans = allowed_sans(web, find("client_allowed_sans"));
    if allowed_sans.is_some() && !client_auth.requires() {
        web.fault(
            &origin,
            "`client_allowed_sans` needs a client_auth_type that requires a certificate: \
             RequireAndVerifyClientCert or RequireAnyClientCert",
        );
    }
    let mut version = |name| choice(web, find(name), go_tls::VERSIONS);
    let min_version = version("min_version").unwrap_or(Version::Tls12);
    let max_version = version("max_version").unwrap_or(Version::Tls13);
    if min_version > max_version {
        web.fault(&origin, "`min_version` is above `max_version`");
    }
    let suites = choices(web, find("cipher_suites"), go_tls::SUITES);
    let some = !suites.is_empty();
    let curves = choices(web, find("curve_preferences"), go_tls::CURVES);
    let order = find("prefer_server_cipher_suites").and_then(|entry| web.flag(entry));
    Some(ServerTls {
        origin,
        certificate: certificate?,
        key: key?,
        client_ca,
        client_auth,
        allowed_sans,
        min_version,
        max_version,
        cipher_suites: some.then(|| suites.into_iter().flatten().collect()),
        curves,
        server_order: order.unwrap_or(true),
    })
}

/// Returns the one of two alternatives that was given.
fn either<'n>(
    web: &mut WebFile,
    find: impl Fn(&str) -> Option<&'n Entry>,
    name: &str,
    origin: &str,
) -> Option<Pem> {
    match given(web, find, name) {
        [Some(one), None] | [None, Some(one)] => return Some(one),
        [None, None] => {
            let what = format!("tls_server_config needs `{name}_file` or `{name}`");
            web.fault(origin, what);
        }
        [Some(_), Some(file)] => {
            let what = format!("both `{name}` and `{name}_file` are set; remove one");
            web.fault(&file.origin, what);
        }
    }
    None
}

/// Returns the text given inline, and the one in a file.
fn given<'n>(
    web: &mut WebFile,
    find: impl Fn(&str) -> Option<&'n Entry>,
    name: &str,
) -> [Option<Pem>; 2] {
    let mut pem = |name: &str, content: fn(&mut WebFile, &str) -> PemContent| {
        let entry = find(name)?;
        let origin = entry.origin.clone();
        let text = web.text(entry)?;
        let content = content(web, text);
        Some(Pem { origin, content })
    };
    let inline = pem(name, |_, text| PemContent::Text(text.into()));
    let file = pem(&format!("{name}_file"), |web, text| {
        let path = web.folder.join(text);
        web.files.push(path.clone());
        PemContent::File(path)
    });
    [inline, file]
}

/// Returns the names; `None` if any name is allowed.
fn allowed_sans(web: &mut WebFile, entry: Option<&Entry>) -> Option<Vec<String>> {
    let entry = entry?;
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

fn choice<T>(web: &mut WebFile, entry: Option<&Entry>, (expected, parse): Choice<T>) -> Option<T> {
    let entry = entry?;
    let text = web.text(entry)?;
    let parsed = parse(text);
    if parsed.is_none() {
        web.value(entry, text, expected);
    }
    parsed
}

fn choices<T>(web: &mut WebFile, entry: Option<&Entry>, (expected, parse): Choice<T>) -> Vec<T> {
    let mut parsed = Vec::new();
    let Some(entry) = entry else {
        return parsed;
    };
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
