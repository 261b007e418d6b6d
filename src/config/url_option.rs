//! The options after the `?` of a database URL, and which of them are harmless to ignore.

use std::path::PathBuf;

use super::percent::decode;
use super::url_error::UrlError;

/// The options of a URL's query that are not taken yet, in order. Options without a value are dropped.
pub(super) struct Options(Vec<(String, String)>);

impl Options {
    pub(super) fn parse(query: &str) -> Self {
        let decode = |text: &str| decode(&text.replace('+', " "));
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        Self(
            pairs
                .filter_map(|(key, value)| Some((decode(key)?, decode(value)?)))
                .collect(),
        )
    }

    /// Takes an option by any of these names; the last one wins if it was given several times.
    ///
    /// The names are in lower case, without `-` and `_`: `ssl_ca`, `ssl-ca` and `sslca` are equal.
    pub(super) fn take(&mut self, names: &[&str]) -> Option<String> {
        let taken = self
            .0
            .extract_if(.., |(key, _)| names.contains(&plain(key).as_str()));
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
            _ => Err(UrlError::Flag { option }),
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| plain(key) == name)
    }

    /// Returns the names of the remaining options, except the harmless ones.
    pub(super) fn ignored(self) -> Vec<String> {
        self.0
            .into_iter()
            .map(|(key, _)| key)
            .filter(|key| !HARMLESS.contains(&plain(key).as_str()))
            .collect()
    }
}

/// Options that change neither the database that is read nor the security of the connection.
const HARMLESS: [&str; 22] = [
    "applicationname",
    "autocommit",
    "binaryprefix",
    "charset",
    "clientencoding",
    "clientflag",
    "collation",
    "compress",
    "connecttimeout",
    "fallbackapplicationname",
    "keepalives",
    "keepalivescount",
    "keepalivesidle",
    "keepalivesinterval",
    "localinfile",
    "maxallowedpacket",
    "plugin",
    "programname",
    "readtimeout",
    "sqlmode",
    "useunicode",
    "writetimeout",
];

fn plain(key: &str) -> String {
    key.to_lowercase().replace(['-', '_'], "")
}
