//! The web configuration file: its keys, which are those of Prometheus's exporter-toolkit, as values.
//!
//! Mirrors `web/tls_config.go` and `web/handler.go` of exporter-toolkit, and is stricter where its file would be
//! accepted and mean less than it seems to: TLS keys without a certificate, a certificate given twice, a rate limit
//! that lets nothing through. Reading the files that it names is [`pem`]'s.

pub(crate) mod credential;
pub(crate) mod pem;
pub(crate) mod tls;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::header::{
    CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS, X_XSS_PROTECTION,
};

use self::credential::PasswordHash;
use self::tls::ServerTls;
use super::fault::Fault;
use super::key;
use super::node::{self, Content, Entry, Node};

/// What a web configuration file asks for.
#[derive(Debug)]
pub struct WebConfig {
    /// `None`: plain HTTP.
    pub tls: Option<ServerTls>,
    /// Whether HTTP/2 is offered, which it is over TLS alone.
    pub http2: bool,
    /// Headers of every answer, which replace the exporter's own of the same name.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Who may ask, by name; empty: anybody.
    pub users: BTreeMap<String, PasswordHash>,
    /// `None`: no limit.
    pub rate_limit: Option<RateLimit>,
}

/// A limit on requests: a bucket of tokens, full at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Time in which one token comes back; above zero.
    pub interval: Duration,
    /// Most tokens, and so most requests at once; from 1 to a million.
    pub burst: u32,
}

/// Times [`super::reader::MOST`] it is still a time span that can be computed with.
const MAX_BURST: u32 = 1_000_000;

const SECTIONS: &[&str] = &[
    "tls_server_config",
    "http_server_config",
    "basic_auth_users",
    "rate_limit",
];

/// The headers that can be set.
const HEADERS: &[&str] = &[
    "Content-Security-Policy",
    "Strict-Transport-Security",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "X-XSS-Protection",
];

/// Reads the text of a web configuration file, along with all files that it names, found or not.
///
/// The paths are relative to the folder of `path`.
///
/// # Errors
/// Every fault there is.
pub fn read(path: &Path, text: &str) -> (Result<WebConfig, Vec<Fault>>, Vec<PathBuf>) {
    let mut config = WebConfig {
        tls: None,
        http2: true,
        headers: Vec::new(),
        users: BTreeMap::new(),
        rate_limit: None,
    };
    let mut reader = Reader {
        folder: path.parent().unwrap_or(Path::new("")),
        faults: Vec::new(),
        files: Vec::new(),
    };
    let root = match node::read(path, text) {
        Ok(root) => root,
        Err(fault) => return (Err(vec![fault]), Vec::new()),
    };
    for entry in reader.mapping(&root, "the file", SECTIONS) {
        let value = &entry.value;
        match entry.key.as_str() {
            "tls_server_config" => config.tls = reader.tls(value),
            "http_server_config" => reader.http(value, &mut config),
            "basic_auth_users" => config.users = reader.users(value),
            _ => config.rate_limit = reader.rate_limit(entry),
        }
    }
    let result = if reader.faults.is_empty() {
        Ok(config)
    } else {
        Err(reader.faults)
    };
    (result, reader.files)
}

/// Turns nodes into values, noting every fault and every file named.
struct Reader<'a> {
    folder: &'a Path,
    faults: Vec<Fault>,
    files: Vec<PathBuf>,
}

impl Reader<'_> {
    fn fault(&mut self, origin: &str, what: impl Into<String>) {
        self.faults.push(Fault::Syntax {
            origin: origin.to_owned(),
            what: what.into(),
        });
    }

    /// Returns the entries of a mapping whose keys are known; none of what is no mapping.
    fn mapping<'n>(
        &mut self,
        node: &'n Node,
        name: &str,
        known: &'static [&'static str],
    ) -> Vec<&'n Entry> {
        let mut entries = self.open_mapping(node, name);
        entries.retain(|entry| {
            let is_known = known.contains(&entry.key.as_str());
            if !is_known {
                self.faults.push(Fault::UnknownWebKey {
                    origin: entry.origin.clone(),
                    name: entry.key.clone(),
                    nearest: key::nearest(&entry.key, known.iter().copied()),
                    known,
                });
            }
            is_known
        });
        entries
    }

    /// Returns the entries of a mapping whose keys can be anything.
    fn open_mapping<'n>(&mut self, node: &'n Node, name: &str) -> Vec<&'n Entry> {
        match &node.content {
            Content::Nothing => Vec::new(),
            Content::Mapping(entries) => entries.iter().collect(),
            _ => {
                self.fault(&node.origin, format!("{name} must hold keys and values"));
                Vec::new()
            }
        }
    }

    /// Returns a text; what is empty counts as not given.
    fn text<'n>(&mut self, entry: &'n Entry) -> Option<&'n str> {
        match &entry.value.content {
            Content::Nothing => None,
            Content::Text(text) => Some(text.as_str()).filter(|text| !text.is_empty()),
            _ => {
                let what = format!("`{}` takes one value", entry.key);
                self.fault(&entry.origin, what);
                None
            }
        }
    }

    /// Returns the texts of a list, each with its place.
    fn list<'n>(&mut self, entry: &'n Entry) -> Vec<(&'n str, &'n str)> {
        let items = match &entry.value.content {
            Content::Nothing => return Vec::new(),
            Content::List(items) => items,
            _ => {
                let what = format!("`{}` takes a list, such as [one, two]", entry.key);
                self.fault(&entry.origin, what);
                return Vec::new();
            }
        };
        let mut texts = Vec::new();
        for item in items {
            match &item.content {
                Content::Text(text) => texts.push((text.as_str(), item.origin.as_str())),
                _ => self.fault(&item.origin, format!("`{}` lists texts", entry.key)),
            }
        }
        texts
    }

    /// Returns a truth value, in any of the forms that YAML 1.1 has for it.
    fn flag(&mut self, entry: &Entry) -> Option<bool> {
        let text = self.text(entry)?;
        let flag = match text.to_lowercase().as_str() {
            "true" | "yes" | "on" | "y" => Some(true),
            "false" | "no" | "off" | "n" => Some(false),
            _ => None,
        };
        if flag.is_none() {
            self.value(entry, text, "true or false");
        }
        flag
    }

    /// Notes a value that its key does not take; never one that could be secret.
    fn value(&mut self, entry: &Entry, text: &str, expected: &str) {
        let what = format!("`{}` is `{text}`, which is not {expected}", entry.key);
        self.fault(&entry.value.origin, what);
    }

    fn http(&mut self, node: &Node, config: &mut WebConfig) {
        for entry in self.mapping(node, "http_server_config", &["http2", "headers"]) {
            if entry.key == "http2" {
                config.http2 = self.flag(entry).unwrap_or(true);
            } else {
                config.headers = self.headers(&entry.value);
            }
        }
    }

    fn headers(&mut self, node: &Node) -> Vec<(HeaderName, HeaderValue)> {
        let mut headers = Vec::new();
        for entry in self.mapping(node, "headers", HEADERS) {
            let Some(text) = self.text(entry) else {
                continue;
            };
            let any = "a header's value: one line of visible characters";
            let (header, allowed, expected): (_, &[&str], _) = match entry.key.as_str() {
                "X-Content-Type-Options" => (X_CONTENT_TYPE_OPTIONS, &["nosniff"], "nosniff"),
                "X-Frame-Options" => {
                    let allowed = &["deny", "sameorigin"];
                    (X_FRAME_OPTIONS, allowed, "deny or sameorigin")
                }
                "X-XSS-Protection" => (X_XSS_PROTECTION, &[], any),
                "Content-Security-Policy" => (CONTENT_SECURITY_POLICY, &[], any),
                _ => (STRICT_TRANSPORT_SECURITY, &[], any),
            };
            match HeaderValue::try_from(text) {
                Ok(value) if allowed.is_empty() || allowed.contains(&text) => {
                    headers.push((header, value));
                }
                _ => self.value(entry, text, expected),
            }
        }
        headers
    }

    fn users(&mut self, node: &Node) -> BTreeMap<String, PasswordHash> {
        let mut users = BTreeMap::new();
        for entry in self.open_mapping(node, "basic_auth_users") {
            // A name may be shown; what stands in the place of a hash may be a password.
            let hash = PasswordHash::parse(self.text(entry).unwrap_or_default());
            match hash {
                Ok(hash) if !entry.key.contains(':') => {
                    users.insert(entry.key.clone(), hash);
                }
                Ok(_) => self.fault(&entry.origin, "a user's name can't hold a colon"),
                Err(fault) => self.fault(&entry.origin, fault.to_string()),
            }
        }
        users
    }

    fn rate_limit(&mut self, section: &Entry) -> Option<RateLimit> {
        let mut interval = Duration::ZERO;
        let mut burst = 0;
        for entry in self.mapping(&section.value, "rate_limit", &["interval", "burst"]) {
            let Some(text) = self.text(entry) else {
                continue;
            };
            if entry.key == "interval" {
                match humantime::parse_duration(text) {
                    _ if text == "0" => {}
                    Ok(duration) if duration <= super::reader::MOST => interval = duration,
                    _ => self.value(
                        entry,
                        text,
                        "a duration such as 100ms or 2s, or 0 for no limit",
                    ),
                }
            } else {
                match text.parse() {
                    Ok(number @ ..=MAX_BURST) => burst = number,
                    _ => self.value(entry, text, "a whole number of requests, up to a million"),
                }
            }
        }
        if interval.is_zero() {
            return None;
        }
        if burst == 0 {
            self.fault(
                &section.origin,
                "rate_limit with an interval and without `burst` would refuse every request; set `burst` to how many \
                 may come at once, at least 1",
            );
            return None;
        }
        Some(RateLimit { interval, burst })
    }
}

#[cfg(test)]
mod tests;
