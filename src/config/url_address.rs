//! User, password, host, port and database in a database URL.
//!
//! Mirrors the pattern of `_parse_url` in `sqlalchemy/engine/url.py`: a password may contain a raw `/`, `#`, `?` or `:`.

use super::percent::decode;
use super::url_error::UrlError;
use super::url_option::Options;

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
        let port = port.map(str::to_owned);
        let database = decode(database);
        Ok((
            Self {
                user,
                password,
                host,
                port,
                database,
            },
            Options::parse(query),
        ))
    }
}

/// Splits off user and password: the user ends at the first `:`, the password at the first `@` after it.
/// A user without a password may contain `@`.
fn split_user(rest: &str) -> (Option<String>, Option<String>, &str) {
    let end = rest.find([':', '/']).unwrap_or(rest.len());
    let (user, after) = rest.split_at(end);
    if let Some((password, rest)) = after
        .strip_prefix(':')
        .and_then(|after| after.split_once('@'))
    {
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
