//! What the manual says that stands nowhere else.

/// What it does, a paragraph each.
pub(super) const DESCRIPTION: [&str; 3] = [
    "The services of OpenStack leave heartbeats in a table of their database. This exporter reads that table of Cinder \
     at each poll interval, and publishes for Prometheus which service is up exactly as Cinder sees it, how far the \
     clock of its host is off, with proven bounds, and why it is down: its clock is off, its heartbeats stopped, they \
     come too slowly, or it is not known yet.",
    "A scrape is answered from memory. A database that can't be read never looks like services that are down.",
    "Without a command it serves. It needs to be told one thing, which is where the database is: by cinder.conf, by a \
     file that holds the database URL, by a variable, or by a credential of systemd. There is no flag for the URL, \
     which the process list would show.",
];

/// Variables beyond those of the settings.
pub(super) const VARIABLES: [(&str, &str); 4] = [
    (
        "OS_DATABASE__CONNECTION",
        "and its like, OS_GROUP__OPTION: beat cinder.conf, as they do for Cinder.",
    ),
    (
        "CREDENTIALS_DIRECTORY",
        "Set by systemd: the folder of the credentials openstack-heartbeat-exporter.database-url and \
         openstack-heartbeat-exporter.database-password.",
    ),
    (
        "NO_COLOR",
        "When it is set, and not empty, nothing is coloured. Only terminals see colours anyway.",
    ),
    ("TMPDIR", "Where the command demo keeps its database."),
];

/// Files. None is read that was not named.
pub(super) const FILES: [(&str, &str); 4] = [
    (
        "/etc/cinder/cinder.conf",
        "By --cinder.config-file: service_down_time and report_interval of [DEFAULT], and connection of [database] \
         where no other database URL is given. Read as oslo.config reads it.",
    ),
    (
        "exporter.yml",
        "By --config.file: the settings in YAML. Their names can be nested: poll: {interval: 5s}. A name that is not \
         known is an error.",
    ),
    (
        "database-url",
        "By --database.url-file: the database URL alone, such as mysql://heartbeat:a%20password@controller/cinder. \
         SQLAlchemy's form is read as well.",
    ),
    (
        "web.yml",
        "By --web.config.file: TLS, users and a rate limit, in the format of Prometheus's exporter-toolkit.",
    ),
];

/// Signals of a server.
pub(super) const SIGNALS: [(&str, &str); 2] = [
    (
        "SIGHUP",
        "The settings are read again. A wrong configuration changes nothing, and a good one forgets nothing.",
    ),
    (
        "SIGTERM, SIGINT",
        "The exporter ends, with exit code 0: answers under way may finish, for five seconds at most. services \
         --watch ends too, with the exit code of its last poll.",
    ),
];
