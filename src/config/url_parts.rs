//! The parts of a database URL: user, password, host, port, database, and the options after the `?`.
//!
//! Mirrors the pattern of `_parse_url` in `sqlalchemy/engine/url.py`: a password may contain a raw `/`, `#`, `?` or `:`.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;

use super::option_names::{
    contains_option, is_about_tls, is_of_name, is_password, plain, value_of,
};
use super::url_error::UrlError;

/// The parts of a URL before its options, decoded; `None` for an empty part.
pub(super) struct Address {
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) host: Option<String>,
    pub(super) port: Option<String>,
    pub(super) database: Option<String>,
}

impl Address {
    /// Splits the text after `://` into its parts and its options.
    pub(super) fn split(rest: &str) -> Result<(Self, Options), UrlError> {
        let (user, password, rest) = split_user(rest);
        if rest.contains('@') {
            return Err(UrlError::RawAt);
        }
        if [" #", " ;"].iter().any(|comment| rest.contains(comment)) {
            return Err(UrlError::Comment);
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, database) = rest.split_once('/').unwrap_or((rest, ""));
        if is_several_hosts(host) {
            return Err(UrlError::SeveralHosts);
        }
        let (host, port) = split_port(host)?;
        // In libpq's native form, a host that starts with an encoded slash is the folder of a socket.
        let host = match host.get(..3) {
            Some("%2F" | "%2f") => decode(host),
            _ => Some(host.to_owned()).filter(|host| !host.is_empty()),
        };
        let address = Self {
            user,
            password,
            host,
            port: port.map(str::to_owned),
            database: decode(database),
        };
        if address.database.as_deref().is_some_and(contains_option) {
            return Err(UrlError::HiddenOption("the database name".to_owned()));
        }
        Ok((address, Options::parse(query)?))
    }
}

/// Splits off user and password: the user ends at the first `:`, the password at the first `@` after it.
/// A user without a password may contain `@`.
fn split_user(rest: &str) -> (Option<String>, Option<String>, &str) {
    let end = rest.find([':', '/']).unwrap_or(rest.len());
    let (user, after) = rest.split_at(end);
    let secret = after.strip_prefix(':');
    if let Some((password, rest)) = secret.and_then(|secret| secret.split_once('@')) {
        return (decode(user), decode(password), rest);
    }
    match user.rfind('@') {
        Some(at) => (decode(&user[..at]), None, &rest[at + 1..]),
        None => (None, None, rest),
    }
}

fn split_port(text: &str) -> Result<(&str, Option<&str>), UrlError> {
    let (host, after) = match text.strip_prefix('[') {
        Some(inner) => inner.split_once(']').ok_or(UrlError::Host)?,
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    match after.strip_prefix(':') {
        None if !after.is_empty() => Err(UrlError::Host),
        port => Ok((host, port)),
    }
}

/// Returns whether a text is a list of hosts, each perhaps with its port, and not a password without its `@`.
fn is_several_hosts(text: &str) -> bool {
    let is_host = |part: &str| {
        let port = part.rsplit_once(':').map_or("", |(_, port)| port);
        part.starts_with('[') || port.chars().all(|c| c.is_ascii_digit())
    };
    text.contains(',') && text.split(',').all(is_host)
}

/// The options of a URL's query that are not taken yet: names and values in order.
pub(super) struct Options(pub(super) Vec<(String, String)>);

impl Options {
    /// Parses a query as Python's `parse_qsl` does: only `&` separates options.
    ///
    /// # Errors
    /// A name or a value that shows that another separator was written. The option behind it would be lost, and with it
    /// perhaps the verification of the server. An option of TLS without a value, which has no effect in `SQLAlchemy`.
    fn parse(query: &str) -> Result<Self, UrlError> {
        let decoded = |text: &str| decode(&text.replace('+', " "));
        let mut pairs = Vec::new();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let Some(name) = decoded(name) else {
                if value.is_empty() {
                    continue;
                }
                return Err(UrlError::OptionName);
            };
            if !name.chars().all(|c| is_of_name(c) || c == '.') {
                return Err(UrlError::OptionName);
            }
            match decoded(value) {
                // A password may contain anything.
                Some(value) if !is_password(&name) && contains_option(&value) => {
                    return Err(UrlError::HiddenOption(value_of(&name)));
                }
                Some(value) => pairs.push((name, value)),
                None if is_about_tls(&plain(&name)) => return Err(UrlError::NoValue(name)),
                None => {}
            }
        }
        Ok(Self(pairs))
    }

    /// Takes an option by any of these names; the last one wins if it was given several times.
    ///
    /// The names are in lower case, without `-` and `_`: `ssl_ca`, `ssl-ca` and `sslca` are equal.
    pub(super) fn take(&mut self, names: &[&str]) -> Option<String> {
        let is_named = |key: &str| names.contains(&plain(key).as_str());
        let taken = self.0.extract_if(.., |(key, _)| is_named(key));
        taken.last().map(|(_, value)| value)
    }

    pub(super) fn path(&mut self, name: &str) -> Option<PathBuf> {
        self.take(&[name]).map(PathBuf::from)
    }

    /// Takes a boolean, in any form that SQLAlchemy's `asbool` accepts.
    pub(super) fn flag(&mut self, option: &'static str) -> Result<Option<bool>, UrlError> {
        let Some(value) = self.take(&[&plain(option)]) else {
            return Ok(None);
        };
        match value.trim().to_lowercase().as_str() {
            "true" | "yes" | "on" | "y" | "t" | "1" => Ok(Some(true)),
            "false" | "no" | "off" | "n" | "f" | "0" => Ok(Some(false)),
            _ => Err(UrlError::Flag(option)),
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.count(name) > 0
    }

    /// Returns how many times an option is given.
    pub(super) fn count(&self, name: &str) -> usize {
        let keys = self.0.iter().map(|(key, _)| plain(key));
        keys.filter(|key| key == name).count()
    }
}

/// Decodes a part of a URL; `None` if it is empty.
fn decode(text: &str) -> Option<String> {
    let text = percent_decode_str(text).decode_utf8_lossy();
    Some(text.into_owned()).filter(|text| !text.is_empty())
}
