//! The table of all settings. Flags, environment variables, YAML keys, help and reference follow from it.

use super::key::{Form, Key, PASSWORD_CREDENTIAL, URL_CREDENTIAL, key};

const CINDER: &str = "Cinder";
const DATABASE: &str = "Database";
const POLLING: &str = "Polling";
const SKEW: &str = "Clock skew";
const WEB: &str = "Web";
const LOG: &str = "Log";

const URL: Form = ("URL", "a database URL");
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
const PPM: Form = (
    "PPM",
    "a whole number of parts per million from 1 to 100000",
);
const ADDRESS: Form = (
    "ADDRESS",
    "an address such as :10390, 127.0.0.1:10390 or [::1]:10390",
);
const PATH: Form = (
    "PATH",
    "an unused path that starts with a slash, such as /metrics",
);
const BOOLEAN: Form = ("BOOLEAN", "true or false");
const LEVEL: Form = ("LEVEL", "debug, info, warn or error");
const FORMAT: Form = ("FORMAT", "logfmt or json");

/// All settings, in the order of the help.
pub static KEYS: &[Key] = &[
    key(CINDER, "cinder.config-file", FILE)
        .list()
        .help("cinder.conf file with the database URL and the intervals; repeatable, the last one wins"),
    key(CINDER, "cinder.config-dir", FOLDER)
        .list()
        .help("Folder of *.conf files to read like --cinder.config-file; repeatable"),
    key(CINDER, "cinder.service-down-time", SPAN)
        .by_default("60s")
        .in_cinder_conf("DEFAULT", "service_down_time")
        .help("Age above which a service is down; Cinder's option service_down_time"),
    key(CINDER, "cinder.report-interval", SPAN)
        .by_default("10s")
        .in_cinder_conf("DEFAULT", "report_interval")
        .help("Time between two heartbeats of a service; Cinder's option report_interval"),
    Key {
        secret: true,
        credential: Some(URL_CREDENTIAL),
        help: "Database URL, such as mysql://user:password@host/cinder; has no flag, because the process list shows flags",
        ..key(DATABASE, "database.url", URL).in_cinder_conf("database", "connection")
    },
    key(DATABASE, "database.url-file", FILE).help("File that contains the database URL"),
    Key {
        credential: Some(PASSWORD_CREDENTIAL),
        help: "File that contains the password, which replaces the one in the database URL",
        ..key(DATABASE, "database.password-file", FILE)
    },
    key(DATABASE, "database.connect-timeout", PERIOD)
        .by_default("3s")
        .help("Timeout for connecting and logging in"),
    key(DATABASE, "database.query-timeout", PERIOD)
        .by_default("5s")
        .help("Timeout for a poll's statement; must be less than poll.stale-after; at most nine tenths of service_down_time - report_interval is used"),
    key(POLLING, "poll.interval", PERIOD)
        .by_default("5s")
        .help("Time between two polls; should exceed neither report_interval nor the scrape interval, so that no heartbeat is missed and each scrape gets a new snapshot"),
    Key {
        otherwise: Some("30s, at least 3 polls"),
        help: "Age at which the snapshot of an unreachable database is withheld",
        ..key(POLLING, "poll.stale-after", SPAN)
    },
    key(SKEW, "skew.visibility-delay", SPAN)
        .by_default("2s")
        .help("Longest time between the timestamp of a heartbeat and its visibility to a poll; include the lag of a read replica"),
    key(SKEW, "skew.max-drift", PPM)
        .by_default("1000")
        .help("Largest drift between a host's clock and the exporter's clock, in parts per million"),
    key(WEB, "web.listen-address", ADDRESS)
        .by_default(":10390")
        .list()
        .fixed()
        .help("Address to listen on, such as :10390 or [::1]:10390; repeatable"),
    key(WEB, "web.systemd-socket", BOOLEAN)
        .switch()
        .help("Listen on the sockets passed by systemd instead of on addresses"),
    key(WEB, "web.telemetry-path", PATH)
        .by_default("/metrics")
        .fixed()
        .help("Path of the metrics"),
    key(WEB, "web.enable-lifecycle", BOOLEAN)
        .switch()
        .help("Reload the configuration on POST /-/reload as on SIGHUP"),
    key(WEB, "web.config.file", FILE)
        .fixed()
        .help("File with TLS, users and a rate limit, in the format of Prometheus's exporter-toolkit; reloaded when it changes"),
    key(LOG, "log.level", LEVEL)
        .by_default("info")
        .choices(&["debug", "info", "warn", "error"])
        .help("Lowest severity to log"),
    key(LOG, "log.format", FORMAT)
        .by_default("logfmt")
        .choices(&["logfmt", "json"])
        .fixed()
        .help("Format of the log on standard error"),
];

/// Returns the setting of this name.
pub(crate) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}
