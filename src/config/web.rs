//! The web configuration file, whose keys are those of Prometheus's exporter-toolkit.
//!
//! Mirrors `web/tls_config.go` and `web/handler.go` of exporter-toolkit, but refuses misleading files: TLS keys without
//! a certificate, a certificate given twice, a rate limit that allows no request. [`pem`] reads the files named here.

pub(crate) mod credential;
mod file;
pub(crate) mod go_tls;
pub(crate) mod pem;
pub(crate) mod tls;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};

use self::credential::PasswordHash;
use self::file::WebFile;
use self::tls::ServerTls;
use super::fault::Fault;
use super::node::{self, Entry, Node};
use super::values::MAX_DURATION;

/// The content of a web configuration file.
#[derive(Debug, Default)]
pub struct WebConfig {
    /// `None`: plain HTTP.
    pub tls: Option<ServerTls>,
    /// Whether to offer HTTP/2, which needs TLS.
    pub http2: bool,
    /// Headers of every response; they replace the exporter's headers of the same name.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Password hashes by user name; if empty, no login is needed.
    pub users: BTreeMap<String, PasswordHash>,
    /// `None`: no limit.
    pub rate_limit: Option<RateLimit>,
}

/// A limit on requests: a token bucket, initially full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Time to refill one token; above zero.
    pub interval: Duration,
    /// Capacity of the bucket, the largest burst of requests; from 1 to a million.
    pub burst: u32,
}

/// The largest burst. Multiplied by [`MAX_DURATION`], it does not overflow a time span.
const MAX_BURST: u32 = 1_000_000;

const SECTIONS: &[&str] = &[
    "tls_server_config",
    "http_server_config",
    "basic_auth_users",
    "rate_limit",
];

/// The headers that the file can set.
const HEADERS: &[&str] = &[
    "Content-Security-Policy",
    "Strict-Transport-Security",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "X-XSS-Protection",
];

/// Reads the text of a web configuration file. Also returns all files that it names, whether they exist or not.
///
/// Paths in the file are relative to the folder of `path`.
///
/// # Errors
/// All faults.
pub fn read(path: &Path, text: &str) -> (Result<WebConfig, Vec<Fault>>, Vec<PathBuf>) {
    let mut config = WebConfig {
        http2: true,
        ..WebConfig::default()
    };
    let mut file = WebFile {
        folder: path.parent().unwrap_or(Path::new("")),
        faults: Vec::new(),
        files: Vec::new(),
    };
    let (documents, faults) = node::read(path, text);
    if !faults.is_empty() {
        return (Err(faults), Vec::new());
    }
    let root = documents.first();
    for entry in root.map_or_else(Vec::new, |root| file.mapping(root, "the file", SECTIONS)) {
        let value = &entry.value;
        match entry.key.as_str() {
            "tls_server_config" => config.tls = tls::read(&mut file, value),
            "http_server_config" => http(&mut file, value, &mut config),
            "basic_auth_users" => config.users = users(&mut file, value),
            _ => config.rate_limit = rate_limit(&mut file, entry),
        }
    }
    let is_valid = file.faults.is_empty();
    let result = is_valid.then_some(config).ok_or(file.faults);
    (result, file.files)
}

fn http(file: &mut WebFile, node: &Node, config: &mut WebConfig) {
    for entry in file.mapping(node, "http_server_config", &["http2", "headers"]) {
        if entry.key == "http2" {
            config.http2 = file.flag(entry).unwrap_or(true);
        } else {
            config.headers = headers(file, &entry.value);
        }
    }
}

fn headers(file: &mut WebFile, node: &Node) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = Vec::new();
    for entry in file.mapping(node, "headers", HEADERS) {
        let Some(text) = file.text(entry) else {
            continue;
        };
        let allowed: &[&str] = match entry.key.as_str() {
            "X-Content-Type-Options" => &["nosniff"],
            "X-Frame-Options" => &["deny", "sameorigin"],
            _ => &[],
        };
        match (
            HeaderName::try_from(&entry.key),
            HeaderValue::try_from(text),
        ) {
            (Ok(name), Ok(value)) if allowed.is_empty() || allowed.contains(&text) => {
                headers.push((name, value));
            }
            _ if allowed.is_empty() => file.value(entry, text, "one line of visible characters"),
            _ => file.value(entry, text, &allowed.join(" or ")),
        }
    }
    headers
}

fn users(file: &mut WebFile, node: &Node) -> BTreeMap<String, PasswordHash> {
    let mut users = BTreeMap::new();
    for entry in file.open_mapping(node, "basic_auth_users") {
        // Never show the value: it may be a password instead of a hash.
        let hash = PasswordHash::parse(file.text(entry).unwrap_or_default());
        match hash {
            Ok(hash) if !entry.key.contains(':') => {
                users.insert(entry.key.clone(), hash);
            }
            Ok(_) => file.fault(&entry.origin, "a user name cannot contain a colon"),
            Err(fault) => file.fault(&entry.origin, fault.to_string()),
        }
    }
    users
}

fn rate_limit(file: &mut WebFile, section: &Entry) -> Option<RateLimit> {
    let mut interval = Duration::ZERO;
    let mut burst = 0;
    for entry in file.mapping(&section.value, "rate_limit", &["interval", "burst"]) {
        let Some(text) = file.text(entry) else {
            continue;
        };
        if entry.key == "interval" {
            match humantime::parse_duration(text) {
                _ if text == "0" => {}
                Ok(duration) if duration <= MAX_DURATION => interval = duration,
                _ => {
                    let expected = "a duration such as 100ms or 2s, or 0 for no limit";
                    file.value(entry, text, expected);
                }
            }
        } else {
            match text.parse() {
                Ok(number @ ..=MAX_BURST) => burst = number,
                _ => file.value(entry, text, "a whole number of requests, up to a million"),
            }
        }
    }
    if interval.is_zero() {
        return None;
    }
    if burst == 0 {
        file.fault(
            &section.origin,
            "rate_limit with an interval but without `burst` would refuse every request; set `burst` to the number of \
             simultaneous requests to allow, at least 1",
        );
        return None;
    }
    Some(RateLimit { interval, burst })
}

#[cfg(test)]
mod tests;
