//! The faults of a configuration, each with its place and its remedy.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use humantime::format_duration as span;

use super::oslo::{OsloError, read_remedy};
use super::url_error::UrlError;

/// A fault of the configuration.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("{origin}: unknown {kind}{}; {advice}", shown(name))]
    Unknown {
        origin: String,
        /// `setting` or `key`.
        kind: &'static str,
        name: String,
        advice: String,
    },
    #[error("the environment variable {name} does not match any setting; {advice}")]
    UnknownVariable { name: String, advice: String },
    #[error("{origin}: {what}")]
    Syntax { origin: String, what: String },
    #[error("{origin}: `{name}` is `{text}`; expected {expected}")]
    Value {
        origin: String,
        name: &'static str,
        text: String,
        expected: &'static str,
    },
    #[error("cannot read {} ({origin}); {}", path.display(), read_remedy(source))]
    Read {
        path: PathBuf,
        origin: String,
        source: io::Error,
    },
    #[error("{origin}: expected the path of a file, which contains the URL; found the URL itself")]
    UrlAsFile { origin: String },
    #[error(
        "{origin}: expected the path of a configuration file; found a URL: set it in `database.url-file`"
    )]
    UrlAsPlace { origin: String },
    #[error(transparent)]
    Oslo(OsloError),
    // The message already contains the text of its source.
    #[error("{origin}: database URL: {source}")]
    Url { origin: String, source: UrlError },
    #[error("source {source_name}: no database is configured; set {remedy}")]
    NoDatabase {
        source_name: String,
        /// The settings that can give it.
        remedy: String,
    },
    #[error(
        "{place} does not set `connection` in [{group}], and no other database URL is set; set it there, or set \
         {remedy}{other_sources}"
    )]
    NoConnection {
        place: String,
        group: &'static str,
        /// The setting of the source that can give it.
        remedy: String,
        /// The sources of options that are not read, after a semicolon; empty if there are none.
        other_sources: String,
    },
    #[error(
        "{of}`database.query-timeout` ({}) must be less than `poll.stale-after` ({}); otherwise a slow answer is stale \
         when it arrives",
        span(*query_timeout),
        span(*stale_after)
    )]
    QueryTooLong {
        /// See [`of_source`].
        of: String,
        query_timeout: Duration,
        stale_after: Duration,
    },
    #[error(
        "{origin}: {of}`poll.stale-after` is {}, which is less than three times `poll.interval` ({}); raise it or poll \
         more often",
        span(*stale_after),
        span(*poll_interval)
    )]
    StaleTooSoon {
        origin: String,
        /// See [`of_source`].
        of: String,
        stale_after: Duration,
        poll_interval: Duration,
    },
    #[error("failed to merge the settings")]
    Merge(#[from] config::ConfigError),
}

impl Fault {
    pub(crate) fn syntax(origin: impl Into<String>, what: impl Into<String>) -> Self {
        let (origin, what) = (origin.into(), what.into());
        Self::Syntax { origin, what }
    }

    pub(super) fn read(path: impl Into<PathBuf>, origin: &str, source: io::Error) -> Self {
        let (path, origin): (PathBuf, _) = (path.into(), origin.to_owned());
        if is_url(&path) {
            return Self::UrlAsFile { origin };
        }
        Self::Read {
            path,
            origin,
            source,
        }
    }
}

/// Returns whether a path is a URL, which contains a password.
pub(super) fn is_url(path: &Path) -> bool {
    path.to_string_lossy().contains("://")
}

/// Returns the beginning of a fault of this source; empty for a fault of what is for all sources.
pub(super) fn of_source(source: Option<&str>) -> String {
    source.map_or(String::new(), |name| format!("source {name}: "))
}

/// Returns a name in quotes, unless it could be a secret pasted in its place, such as a URL.
pub(super) fn shown(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.chars().all(plain) {
        format!(" `{name}`")
    } else {
        String::new()
    }
}
