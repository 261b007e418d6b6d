//! The faults of a configuration, each with its place and its remedy.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::oslo::OsloError;
use super::url_error::UrlError;

/// A fault of the configuration.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("{origin}: unknown setting{}; {}", shown(name), hint(*nearest))]
    UnknownKey {
        origin: String,
        name: String,
        nearest: Option<&'static str>,
    },
    #[error("the environment variable {name} does not match any setting; {}", hint(nearest.as_deref()))]
    UnknownVariable {
        name: String,
        nearest: Option<String>,
    },
    #[error("{origin}: unknown key{}; {}", shown(name), web_hint(*nearest, known))]
    UnknownWebKey {
        origin: String,
        name: String,
        nearest: Option<&'static str>,
        known: &'static [&'static str],
    },
    #[error("{origin}: {what}")]
    Syntax { origin: String, what: String },
    #[error("{origin}: `{name}` is `{text}`; expected {expected}")]
    Value {
        origin: String,
        name: &'static str,
        text: String,
        expected: &'static str,
    },
    #[error("cannot read {} ({origin}); make it readable by the exporter's user", path.display())]
    Read {
        path: PathBuf,
        origin: String,
        source: io::Error,
    },
    #[error(transparent)]
    Oslo(OsloError),
    #[error("{origin}: {source}")]
    Url {
        origin: String,
        // The message already contains its text.
        source: UrlError,
    },
    #[error("{origin}: both `database.url` and `database.url-file` are set here; remove one")]
    TwoUrls { origin: String },
    #[error(
        "no database is configured; set --cinder.config-file /etc/cinder/cinder.conf, --database.url-file, or the \
         environment variable OPENSTACK_HEARTBEAT_DATABASE_URL"
    )]
    NoDatabase,
    #[error("{place} does not set `connection` in [database], and no other database URL is set")]
    NoConnection { place: String },
    #[error(
        "{origin}: `poll.stale-after` is {}, which is less than three times `poll.interval` ({}); raise it or poll \
         more often",
        humantime::format_duration(*stale_after),
        humantime::format_duration(*poll_interval)
    )]
    StaleTooSoon {
        origin: String,
        stale_after: Duration,
        poll_interval: Duration,
    },
    #[error(
        "`database.query-timeout` ({}) must be less than `poll.stale-after` ({}); otherwise a slow answer is stale \
         when it arrives",
        humantime::format_duration(*query_timeout),
        humantime::format_duration(*stale_after)
    )]
    QueryTooLong {
        query_timeout: Duration,
        stale_after: Duration,
    },
    #[error("failed to merge the settings")]
    Merge(#[from] config::ConfigError),
}

/// Returns the advice for an unknown setting.
fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(
        || "`--help` lists all settings".to_owned(),
        |name| format!("did you mean `{name}`?"),
    )
}

/// Returns the advice for an unknown key of the web configuration file.
fn web_hint(nearest: Option<&str>, known: &[&str]) -> String {
    nearest.map_or_else(
        || format!("valid keys are {}", known.join(", ")),
        |name| format!("did you mean `{name}`?"),
    )
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
