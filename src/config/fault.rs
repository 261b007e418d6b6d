//! Everything that can be wrong with the configuration, each with its place and its remedy.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::{database_url, oslo};

/// One thing that is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("{origin}: unknown setting{}; {}", shown(name), hint(*nearest))]
    UnknownKey {
        origin: String,
        name: String,
        nearest: Option<&'static str>,
    },
    #[error("the environment variable {name} names no setting; {}", hint(nearest.as_deref()))]
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
    #[error("{origin}: `{name}` is `{text}`, which is not {expected}")]
    Value {
        origin: String,
        name: &'static str,
        text: String,
        expected: &'static str,
    },
    #[error("cannot read {} ({origin}); it must be readable for the exporter's user", path.display())]
    Read {
        path: PathBuf,
        origin: String,
        source: io::Error,
    },
    #[error(transparent)]
    Oslo(oslo::Error),
    #[error("{origin}: {source}")]
    Url {
        origin: String,
        // Its text is in ours already.
        source: database_url::Error,
    },
    #[error("{origin}: both `database.url` and `database.url-file` are given here; leave one out")]
    TwoUrls { origin: String },
    #[error(
        "no database is named: give --cinder.config-file /etc/cinder/cinder.conf, or --database.url-file, or the \
         environment variable OPENSTACK_HEARTBEAT_DATABASE_URL"
    )]
    NoDatabase,
    #[error("{place} does not set `connection` in [database], and no other database URL is given")]
    NoConnection { place: String },
    #[error(
        "{origin}: `poll.stale-after` is {}, which is less than three times `poll.interval` ({}); raise it, or poll \
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
        "`database.query-timeout` ({}) must be less than `poll.stale-after` ({}), or a slow answer would be too old \
         to be shown when it is there",
        humantime::format_duration(*query_timeout),
        humantime::format_duration(*stale_after)
    )]
    QueryTooLong {
        query_timeout: Duration,
        stale_after: Duration,
    },
    #[error("the settings cannot be merged")]
    Merge(#[from] config::ConfigError),
}

/// Returns what to say after the name of something unknown.
fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(
        || "`--help` lists those there are".to_owned(),
        |name| format!("did you mean `{name}`?"),
    )
}

/// Returns what to say after an unknown key of the web configuration file.
fn web_hint(nearest: Option<&str>, known: &[&str]) -> String {
    nearest.map_or_else(
        || format!("here there are {}", known.join(", ")),
        |name| format!("did you mean `{name}`?"),
    )
}

/// Returns a name in quotes, unless it could be something else than a name that was pasted there, such as a URL.
fn shown(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.chars().all(plain) {
        format!(" `{name}`")
    } else {
        String::new()
    }
}
