//! Texts of the manual page that appear nowhere else.

/// What the exporter does; an empty line separates paragraphs.
pub(super) const DESCRIPTION: &str = "\
OpenStack services write heartbeats to a table of their database. This exporter reads Cinder's table at each poll \
interval. It publishes metrics for Prometheus: whether each service is up, exactly as Cinder sees it; the clock skew \
of its host, with proven bounds; and why a service is down. The reasons are: its clock is off, its heartbeats stopped, \
they come too slowly, or the reason is not known yet.

A scrape is answered from memory. An unreadable database never looks like services that are down.

Without a command, the exporter serves. It needs one setting, the location of the database. Give it by cinder.conf, \
by a file that holds the database URL, by an environment variable, or by a systemd credential. The URL has no flag, \
because the process list would show it.";

/// Variables that are not settings.
pub(super) const VARIABLES: [(&str, &str); 4] = [
    (
        "OS_DATABASE__CONNECTION",
        "and other variables of the form OS_GROUP__OPTION override the project's configuration file where only one project \
         is read.",
    ),
    (
        "CREDENTIALS_DIRECTORY",
        "Set by systemd: the folder of the credentials openstack-heartbeat-exporter.database-url and \
         openstack-heartbeat-exporter.database-password, or openstack-heartbeat-exporter.NAME.database-url and so on for \
         one source.",
    ),
    (
        "NO_COLOR",
        "If set and not empty, disables colours. Only terminals show colours.",
    ),
    (
        "TMPDIR",
        "The folder for the databases of the command demo.",
    ),
];

/// Files. The exporter reads only files that a setting names.
pub(super) const FILES: [(&str, &str); 4] = [
    (
        "/etc/cinder/cinder.conf",
        "Named by --project: service_down_time and report_interval of [DEFAULT], and connection of \
         [database] unless another setting gives the database URL. Read as oslo.config reads it.",
    ),
    (
        "exporter.yml",
        "Named by --config.file: the settings in YAML. Names can be nested: poll: {interval: 5s}. An unknown name is \
         an error. The mapping sources names any number of databases, each with settings of its own.",
    ),
    (
        "database-url",
        "Named by --database.url-file: only the database URL, such as \
         mysql://heartbeat:a%20password@controller/cinder. SQLAlchemy URLs are accepted too.",
    ),
    (
        "web.yml",
        "Named by --web.config.file: TLS, users and a rate limit, in the format of Prometheus's exporter-toolkit.",
    ),
];

/// Signals of a server.
pub(super) const SIGNALS: [(&str, &str); 2] = [
    (
        "SIGHUP",
        "Reloads the settings. An invalid configuration changes nothing. A reload keeps all that is known of the \
         services.",
    ),
    (
        "SIGTERM, SIGINT",
        "The exporter ends with exit code 0. Requests in progress have five seconds to finish. services --watch ends \
         too, with the exit code of its last poll.",
    ),
];
