//! The one table of all settings: flags, environment variables, YAML keys, help and reference are made from it.

use super::credential;

/// A setting, as one can give it.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name: `poll.interval` is the flag `--poll.interval`, the variable
    /// `OPENSTACK_HEARTBEAT_POLL_INTERVAL` and `interval` below `poll` in the YAML file.
    pub name: &'static str,
    /// What stands for the value in the help.
    pub value_name: &'static str,
    /// What the value must be, in the words of the error for one that is not.
    pub accepts: &'static str,
    /// The value where none is given, if there is one that does not depend on other settings.
    pub default: Option<&'static str>,
    /// What is taken where none is given, in words, if that depends on other settings.
    pub otherwise: Option<&'static str>,
    /// Whether it can be given several times, or as a list.
    pub list: bool,
    /// Whether its value must never be shown; such a setting has no flag, which would show in the process list.
    pub secret: bool,
    /// Whether it is `true` or `false`, and its flag alone says `true`.
    pub switch: bool,
    /// The values that it takes, where these are a few words.
    pub choices: &'static [&'static str],
    /// Group and option of cinder.conf that say it as well.
    pub option: Option<(&'static str, &'static str)>,
    /// The credential of systemd that holds it, or what the file holds that it names.
    pub credential: Option<&'static str>,
    /// What it takes for a change to be in force.
    pub uptake: Uptake,
    /// The heading in the help.
    pub group: &'static str,
    /// One sentence.
    pub help: &'static str,
}

/// What it takes for a change of a setting to be in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uptake {
    /// Loading the configuration anew.
    Reload,
    /// Starting anew.
    Restart,
}

const CINDER: &str = "Cinder";
const DATABASE: &str = "Database";
const POLLING: &str = "Polling";
const SKEW: &str = "Clock skew";
const WEB: &str = "Web";
const LOG: &str = "Log";

/// What stands for a value, and what it must be.
type Kind = (&'static str, &'static str);

const FILE: Kind = ("FILE", "the path of a file");
const FOLDER: Kind = ("DIR", "the path of a folder");
const SPAN: Kind = (
    "DURATION",
    "a duration of at most 366 days, such as 60s, 90s or 5m",
);
const PERIOD: Kind = (
    "DURATION",
    "a duration from 100ms to 366 days, such as 500ms, 5s or 1m",
);

const fn key(
    group: &'static str,
    name: &'static str,
    (value_name, accepts): Kind,
    default: Option<&'static str>,
    help: &'static str,
) -> Key {
    Key {
        name,
        value_name,
        accepts,
        default,
        otherwise: None,
        list: false,
        secret: false,
        switch: false,
        choices: &[],
        option: None,
        credential: None,
        uptake: Uptake::Reload,
        group,
        help,
    }
}

const fn list(key: Key) -> Key {
    Key { list: true, ..key }
}

const fn in_cinder_conf(group: &'static str, option: &'static str, key: Key) -> Key {
    Key {
        option: Some((group, option)),
        ..key
    }
}

const fn as_credential(name: &'static str, key: Key) -> Key {
    Key {
        credential: Some(name),
        ..key
    }
}

const fn fixed(key: Key) -> Key {
    Key {
        uptake: Uptake::Restart,
        ..key
    }
}

const fn switch(group: &'static str, name: &'static str, help: &'static str) -> Key {
    Key {
        switch: true,
        choices: &["true", "false"],
        uptake: Uptake::Restart,
        ..key(
            group,
            name,
            ("BOOLEAN", "true or false"),
            Some("false"),
            help,
        )
    }
}

/// Every setting, in the order of the help.
pub static KEYS: &[Key] = &[
    list(key(
        CINDER,
        "cinder.config-file",
        FILE,
        None,
        "cinder.conf, from which the database URL and the intervals are taken; repeatable, the last wins",
    )),
    list(key(
        CINDER,
        "cinder.config-dir",
        FOLDER,
        None,
        "Folder whose *.conf files are read like --cinder.config-file; repeatable",
    )),
    in_cinder_conf(
        "DEFAULT",
        "service_down_time",
        key(
            CINDER,
            "cinder.service-down-time",
            SPAN,
            Some("60s"),
            "Age beyond which a service is down; Cinder's option service_down_time",
        ),
    ),
    in_cinder_conf(
        "DEFAULT",
        "report_interval",
        key(
            CINDER,
            "cinder.report-interval",
            SPAN,
            Some("10s"),
            "Time between the heartbeats of a service; Cinder's option report_interval",
        ),
    ),
    Key {
        secret: true,
        option: Some(("database", "connection")),
        credential: Some(credential::URL),
        ..key(
            DATABASE,
            "database.url",
            ("URL", "a database URL"),
            None,
            "Database URL, such as mysql://user:password@host/cinder; has no flag, which the process list would show",
        )
    },
    key(
        DATABASE,
        "database.url-file",
        FILE,
        None,
        "File that holds the database URL",
    ),
    as_credential(
        credential::PASSWORD,
        key(
            DATABASE,
            "database.password-file",
            FILE,
            None,
            "File that holds the password, instead of the one in the database URL",
        ),
    ),
    key(
        DATABASE,
        "database.connect-timeout",
        PERIOD,
        Some("3s"),
        "Limit on connecting and logging in",
    ),
    key(
        DATABASE,
        "database.query-timeout",
        PERIOD,
        Some("5s"),
        "Limit on one poll's statement; less than poll.stale-after",
    ),
    key(
        POLLING,
        "poll.interval",
        PERIOD,
        Some("5s"),
        "Time between two polls; at most the scrape interval, so that every scrape finds a fresh picture",
    ),
    Key {
        otherwise: Some("30s, at least 3 polls"),
        ..key(
            POLLING,
            "poll.stale-after",
            SPAN,
            None,
            "Age at which the picture of an unreachable database is withheld",
        )
    },
    key(
        SKEW,
        "skew.visibility-delay",
        SPAN,
        Some("2s"),
        "Longest time from a heartbeat's stamp until a poll can see it; add the lag of a read replica",
    ),
    key(
        SKEW,
        "skew.max-drift",
        (
            "PPM",
            "a whole number of parts per million from 1 to 100000",
        ),
        Some("500"),
        "Largest drift of a host's clock against the database's, in parts per million",
    ),
    fixed(list(key(
        WEB,
        "web.listen-address",
        (
            "ADDRESS",
            "an address such as :10390, 127.0.0.1:10390 or [::1]:10390",
        ),
        Some(":10390"),
        "Address to listen on, such as :10390 or [::1]:10390; repeatable",
    ))),
    switch(
        WEB,
        "web.systemd-socket",
        "Listen on the sockets that systemd passes, instead of on addresses",
    ),
    fixed(key(
        WEB,
        "web.telemetry-path",
        (
            "PATH",
            "a path of its own that starts with a slash, such as /metrics",
        ),
        Some("/metrics"),
        "Path of the metrics",
    )),
    switch(
        WEB,
        "web.enable-lifecycle",
        "Reload the configuration on POST /-/reload, as on SIGHUP",
    ),
    fixed(key(
        WEB,
        "web.config.file",
        FILE,
        None,
        "TLS, users and a rate limit, in the format of Prometheus's exporter-toolkit; read again when it changes",
    )),
    Key {
        choices: &["debug", "info", "warn", "error"],
        ..key(
            LOG,
            "log.level",
            ("LEVEL", "debug, info, warn or error"),
            Some("info"),
            "Least severity to log",
        )
    },
    Key {
        choices: &["logfmt", "json"],
        ..fixed(key(
            LOG,
            "log.format",
            ("FORMAT", "logfmt or json"),
            Some("logfmt"),
            "Format of the log on standard error",
        ))
    },
];

/// Name of the setting that names the YAML file, and so can't stand in it.
pub(crate) const CONFIG_FILE: &str = "config.file";

const PREFIX: &str = "OPENSTACK_HEARTBEAT_";

impl Key {
    /// Returns the name of the environment variable.
    #[must_use]
    pub fn variable(&self) -> String {
        variable(self.name)
    }

    /// Returns what is taken where none is given, for people.
    #[must_use]
    pub(crate) fn shown_default(&self) -> Option<&'static str> {
        self.default.or(self.otherwise)
    }

    /// Returns whether there is a flag of this name.
    #[must_use]
    pub fn has_flag(&self) -> bool {
        !self.secret
    }
}

/// Returns the name of the environment variable of a setting.
#[must_use]
pub(crate) fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.to_uppercase().replace(['.', '-'], "_"))
}

/// Returns the setting of this name.
#[must_use]
pub(crate) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// Returns the candidate that resembles a misspelt name most, if any does.
#[must_use]
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// Returns the variable that resembles a misspelt one most, if any does.
#[must_use]
pub(crate) fn nearest_variable(name: &str) -> Option<String> {
    // What they all begin with would make each resemble every other.
    let rest = name.strip_prefix(PREFIX)?;
    let known: Vec<String> = KEYS.iter().map(Key::variable).collect();
    let rests = known.iter().filter_map(|known| known.strip_prefix(PREFIX));
    nearest(rest, rests).map(|rest| format!("{PREFIX}{rest}"))
}

/// Returns whether a variable is meant for us, though it names no setting.
///
/// Kubernetes sets `OPENSTACK_HEARTBEAT_EXPORTER_SERVICE_HOST` and its like for a service of our name; they are
/// nobody's mistake.
#[must_use]
pub(crate) fn is_stray_variable(name: &str) -> bool {
    name.starts_with(PREFIX)
        && !name.starts_with("OPENSTACK_HEARTBEAT_EXPORTER_")
        && name != variable(CONFIG_FILE)
        && !KEYS.iter().any(|key| key.variable() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_gives_the_variable() {
        assert_eq!(
            find("poll.stale-after").unwrap().variable(),
            "OPENSTACK_HEARTBEAT_POLL_STALE_AFTER"
        );
    }

    #[test]
    fn the_nearest_name_is_found_and_nonsense_has_none() {
        let names = || KEYS.iter().map(|key| key.name);
        assert_eq!(nearest("poll.intervall", names()), Some("poll.interval"));
        assert_eq!(
            nearest("web.listen_address", names()),
            Some("web.listen-address")
        );
        assert_eq!(nearest("xyzzy", names()), None);
    }

    #[test]
    fn the_nearest_variable_is_found_by_what_sets_it_apart() {
        let nearest = |rest| nearest_variable(&format!("OPENSTACK_HEARTBEAT_{rest}"));
        for (rest, expected) in [
            ("POL_INTERVAL", "POLL_INTERVAL"),
            ("DATABSE_URL", "DATABASE_URL"),
            ("LISTEN_ADDRESS", "WEB_LISTEN_ADDRESS"),
        ] {
            let expected = format!("OPENSTACK_HEARTBEAT_{expected}");
            assert_eq!(nearest(rest), Some(expected));
        }
        assert_eq!(nearest("XYZZY"), None);
    }

    #[test]
    fn variables_of_kubernetes_are_nobodys_mistake() {
        assert!(is_stray_variable("OPENSTACK_HEARTBEAT_POLL_INTERVALL"));
        assert!(!is_stray_variable("OPENSTACK_HEARTBEAT_POLL_INTERVAL"));
        assert!(!is_stray_variable("OPENSTACK_HEARTBEAT_CONFIG_FILE"));
        assert!(!is_stray_variable(
            "OPENSTACK_HEARTBEAT_EXPORTER_SERVICE_HOST"
        ));
        assert!(!is_stray_variable("PATH"));
    }
}
