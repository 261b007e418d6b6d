//! The table of all settings. Flags, environment variables, YAML keys, help and reference follow from it.

use super::key::{self, Form, Key, as_credential, fixed, in_cinder_conf, key, list, switch};

const CINDER: &str = "Cinder";
const DATABASE: &str = "Database";
const POLLING: &str = "Polling";
const SKEW: &str = "Clock skew";
const WEB: &str = "Web";
const LOG: &str = "Log";

const FILE: Form = ("FILE", "the path of a file");
const FOLDER: Form = ("DIR", "the path of a folder");
const SPAN: Form = (
    "DURATION",
    "a duration of at most 366 days, such as 60s, 90s or 5m",
);
const PERIOD: Form = (
    "DURATION",
    "a duration from 100ms to 366 days, such as 500ms, 5s or 1m",
);

/// All settings, in the order of the help.
pub static KEYS: &[Key] = &[
    list(key(
        CINDER,
        "cinder.config-file",
        FILE,
        None,
        "cinder.conf file with the database URL and the intervals; repeatable, the last one wins",
    )),
    list(key(
        CINDER,
        "cinder.config-dir",
        FOLDER,
        None,
        "Folder of *.conf files to read like --cinder.config-file; repeatable",
    )),
    in_cinder_conf(
        "DEFAULT",
        "service_down_time",
        key(
            CINDER,
            "cinder.service-down-time",
            SPAN,
            Some("60s"),
            "Age above which a service is down; Cinder's option service_down_time",
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
            "Time between two heartbeats of a service; Cinder's option report_interval",
        ),
    ),
    Key {
        secret: true,
        option: Some(("database", "connection")),
        credential: Some(key::URL_CREDENTIAL),
        ..key(
            DATABASE,
            "database.url",
            ("URL", "a database URL"),
            None,
            "Database URL, such as mysql://user:password@host/cinder; has no flag, because the process list shows flags",
        )
    },
    key(
        DATABASE,
        "database.url-file",
        FILE,
        None,
        "File that contains the database URL",
    ),
    as_credential(
        key::PASSWORD_CREDENTIAL,
        key(
            DATABASE,
            "database.password-file",
            FILE,
            None,
            "File that contains the password, which replaces the one in the database URL",
        ),
    ),
    key(
        DATABASE,
        "database.connect-timeout",
        PERIOD,
        Some("3s"),
        "Timeout for connecting and logging in",
    ),
    key(
        DATABASE,
        "database.query-timeout",
        PERIOD,
        Some("5s"),
        "Timeout for a poll's statement; must be less than poll.stale-after",
    ),
    key(
        POLLING,
        "poll.interval",
        PERIOD,
        Some("5s"),
        "Time between two polls; should not exceed the scrape interval, so that each scrape gets a new snapshot",
    ),
    Key {
        otherwise: Some("30s, at least 3 polls"),
        ..key(
            POLLING,
            "poll.stale-after",
            SPAN,
            None,
            "Age at which the snapshot of an unreachable database is withheld",
        )
    },
    key(
        SKEW,
        "skew.visibility-delay",
        SPAN,
        Some("2s"),
        "Longest time between the timestamp of a heartbeat and its visibility to a poll; include the lag of a read replica",
    ),
    key(
        SKEW,
        "skew.max-drift",
        (
            "PPM",
            "a whole number of parts per million from 1 to 100000",
        ),
        Some("500"),
        "Largest drift of a host's clock relative to the database's, in parts per million",
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
        "Listen on the sockets passed by systemd instead of on addresses",
    ),
    fixed(key(
        WEB,
        "web.telemetry-path",
        (
            "PATH",
            "an unused path that starts with a slash, such as /metrics",
        ),
        Some("/metrics"),
        "Path of the metrics",
    )),
    switch(
        WEB,
        "web.enable-lifecycle",
        "Reload the configuration on POST /-/reload as on SIGHUP",
    ),
    fixed(key(
        WEB,
        "web.config.file",
        FILE,
        None,
        "File with TLS, users and a rate limit, in the format of Prometheus's exporter-toolkit; reloaded when it changes",
    )),
    Key {
        choices: &["debug", "info", "warn", "error"],
        ..key(
            LOG,
            "log.level",
            ("LEVEL", "debug, info, warn or error"),
            Some("info"),
            "Lowest severity to log",
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

/// Returns the setting of this name.
pub(crate) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}
