//! The table of all settings. Flags, environment variables, YAML keys, help and reference follow from it.

use super::key::{Form, Key, PASSWORD_CREDENTIAL, PROJECT, Scope, URL_CREDENTIAL, key};

const SOURCES: &str = "Sources";
const SOURCE: &str = "Settings of one source";
const DATABASE: &str = "Database";
const POLLING: &str = "Polling";
const SKEW: &str = "Clock skew";
const WEB: &str = "Web";
const LOG: &str = "Log";

const URL: Form = ("URL", "a database URL");
const FILE: Form = ("FILE", "the path of a file");
const NAME_AND_FILE: Form = (
    "NAME[=PATH]",
    "the name of a project, alone or with the file or folder of its options",
);
const NAME: Form = ("NAME", "a project");
const PATTERN: Form = (
    "PATTERN",
    "a pattern for a binary, a host or binary/host, such as '*-backup' or '*/old-*', in quotes",
);
const NAME_PATTERN: Form = (
    "PATTERN",
    "a pattern for the name of a database, such as '*_restored', in quotes",
);
const NUMBER: Form = ("NUMBER", "a whole number from 1 to 10000000");
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

/// The settings of the exporter and of all sources, in the order of the help. Each has a variable.
pub static KEYS: &[Key] = &[
    key(SOURCES, PROJECT, NAME_AND_FILE)
        .list()
        .help("OpenStack project to read, and the file or folder of its options; repeatable, the last file wins. Replaces `sources` of the settings file, which has more settings for each source"),
    Key {
        secret: true,
        credential: Some(URL_CREDENTIAL),
        help: "Database URL, such as mysql://user:password@host/database; has no flag, because the process list shows flags",
        ..key(DATABASE, "database.url", URL).per_source()
    },
    key(DATABASE, "database.url-file", FILE)
        .per_source()
        .help("File that contains the database URL"),
    Key {
        credential: Some(PASSWORD_CREDENTIAL),
        help: "File that contains the password, which replaces the one in the database URL",
        ..key(DATABASE, "database.password-file", FILE).per_source()
    },
    key(DATABASE, "database.connect-timeout", PERIOD)
        .by_default("3s")
        .help("Timeout for connecting and logging in"),
    key(DATABASE, "database.query-timeout", PERIOD)
        .by_default("5s")
        .help("Timeout for a poll's statement; must be less than poll.stale-after; at most nine tenths of service-down-time - report-interval is used"),
    key(DATABASE, "discovery.exclude", NAME_PATTERN)
        .list()
        .help("Databases that the exporter ignores when it looks for databases, such as restored copies; repeatable"),
    key(POLLING, "poll.interval", PERIOD)
        .per_source()
        .by_default("5s")
        .help("Time between two polls; should exceed neither report-interval nor the scrape interval, so that no heartbeat is missed and each scrape gets a new snapshot"),
    Key {
        otherwise: Some("30s, at least 3 polls"),
        help: "Age at which the snapshot of an unreachable database is withheld",
        ..key(POLLING, "poll.stale-after", SPAN)
    },
    key(SKEW, "skew.visibility-delay", SPAN)
        .per_source()
        .by_default("2s")
        .help("Longest time between the timestamp of a heartbeat and its visibility to a poll; include the lag of a read replica"),
    key(SKEW, "skew.bus-delay", SPAN)
        .per_source()
        .by_default("30s")
        .help("Longest time for which the message bus may carry a heartbeat, for projects whose services send heartbeats by messages"),
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

/// The settings of one source, in the order of the reference. Only the settings file can have them, below `sources`, along
/// with those of [`KEYS`] of [`Scope::Sources`].
static SOURCE_KEYS: &[Key] = &[
    Key {
        otherwise: Some("the name of the source"),
        help: "OpenStack project whose services the source has",
        ..of_source_only(PROJECT, NAME)
    },
    of_source_only("config-file", FILE)
        .list()
        .help("Configuration file of the project, with the options below and `connection`; the last one wins"),
    of_source_only("config-dir", FOLDER)
        .list()
        .help("Folder of *.conf files to read after config-file"),
    of_source_only("service-down-time", SPAN)
        .option(|options| &options.service_down_time)
        .help("Age above which a service is down"),
    of_source_only("report-interval", SPAN)
        .option(|options| &options.report_interval)
        .help("Time between two heartbeats of a service"),
    of_source_only("exclude", PATTERN)
        .list()
        .help("Services to leave out; `*` stands for any text, and a pattern without a slash is for the binary or the host"),
    of_source_only("limit", NUMBER)
        .by_default("100000")
        .help("Largest number of services; the newest are left out with a warning"),
];

/// Returns all settings: first those of [`KEYS`], then those that only a source has.
pub(super) fn all() -> impl Iterator<Item = &'static Key> {
    KEYS.iter().chain(SOURCE_KEYS)
}

/// Returns the setting of this name for the exporter, or for all sources.
pub(crate) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

const fn of_source_only(name: &'static str, form: Form) -> Key {
    Key {
        scope: Scope::Source,
        ..key(SOURCE, name, form)
    }
}

/// Returns all settings that one source can have.
pub(crate) fn of_source() -> impl Iterator<Item = &'static Key> {
    let own = KEYS.iter().filter(|key| key.scope == Scope::Sources);
    SOURCE_KEYS.iter().chain(own)
}

/// Returns the setting of this name that one source can have.
pub(super) fn find_of_source(name: &str) -> Option<&'static Key> {
    of_source().find(|key| key.name == name)
}
