//! The parts of a database URL: user, password, host, port, database, and the options after the `?`.
//!
//! Mirrors the pattern of `_parse_url` in `sqlalchemy/engine/url.py`: a password may contain a raw `/`, `#`, `?` or `:`.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;

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
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, database) = rest.split_once('/').unwrap_or((rest, ""));
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
        Ok((address, Options::parse(query)))
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

/// The options of a URL's query that are not taken yet, in order. Options without a value are dropped.
pub(super) struct Options(Vec<(String, String)>);

impl Options {
    pub(super) fn parse(query: &str) -> Self {
        let decode = |text: &str| decode(&text.replace('+', " "));
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let decoded = pairs.filter_map(|(key, value)| Some((decode(key)?, decode(value)?)));
        Self(decoded.collect())
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
        self.0.iter().any(|(key, _)| plain(key) == name)
    }

    /// Returns the names of the remaining options, except the harmless ones.
    pub(super) fn ignored(self) -> Vec<String> {
        let keys = self.0.into_iter().map(|(key, _)| key);
        let matters = |key: &String| !HARMLESS.split(' ').any(|name| name == plain(key));
        keys.filter(matters).collect()
    }
}

/// Options that change neither the database that is read nor the security of the connection.
const HARMLESS: &str = "applicationname autocommit binaryprefix charset clientencoding clientflag collation compress \
                        connecttimeout fallbackapplicationname keepalives keepalivescount keepalivesidle \
                        keepalivesinterval localinfile maxallowedpacket plugin programname readtimeout sqlmode \
                        useunicode writetimeout";

fn plain(key: &str) -> String {
    key.to_lowercase().replace(['-', '_'], "")
}

/// Decodes a part of a URL; `None` if it is empty.
fn decode(text: &str) -> Option<String> {
    let text = percent_decode_str(text).decode_utf8_lossy();
    Some(text.into_owned()).filter(|text| !text.is_empty())
}
