//! The one table of all metrics: name, type, labels, help. `print metrics` prints the reference from it.

use std::fmt::Write as _;

use super::metric::{Kind, Metric, Series, Value, count, micros};
use crate::heartbeat::limits::Limits;
use crate::heartbeat::server_clocks::ServerClockSpread;
use crate::heartbeat::service::Facts;
use crate::heartbeat::status::{ClusterStatus, ServiceStatus};

const SERVICE_LABELS: &[&str] = &["database", "binary", "host"];
const CLUSTER_LABELS: &[&str] = &["database", "binary", "cluster"];
const BINARY_LABELS: &[&str] = &["database", "binary"];
const DATABASE_LABELS: &[&str] = &["database"];

const fn metric(
    kind: Kind,
    labels: &'static [&'static str],
    name: &'static str,
    help: &'static str,
) -> Metric {
    Metric {
        name,
        kind,
        labels,
        help,
    }
}

const fn service_gauge(
    name: &'static str,
    help: &'static str,
    value: fn(&ServiceStatus) -> Option<Value>,
) -> Series<ServiceStatus> {
    (metric(Kind::Gauge, SERVICE_LABELS, name, help), value)
}

const fn service_counter(
    name: &'static str,
    help: &'static str,
    value: fn(&ServiceStatus) -> Option<Value>,
) -> Series<ServiceStatus> {
    (metric(Kind::Counter, SERVICE_LABELS, name, help), value)
}

const fn cluster_gauge(
    name: &'static str,
    help: &'static str,
    value: fn(&ClusterStatus) -> Option<Value>,
) -> Series<ClusterStatus> {
    (metric(Kind::Gauge, CLUSTER_LABELS, name, help), value)
}

const fn limit(
    name: &'static str,
    help: &'static str,
    value: fn(&Limits) -> Option<Value>,
) -> Series<Limits> {
    (metric(Kind::Gauge, BINARY_LABELS, name, help), value)
}

const fn servers(
    name: &'static str,
    help: &'static str,
    value: fn(&ServerClockSpread) -> Option<Value>,
) -> Series<ServerClockSpread> {
    (metric(Kind::Gauge, BINARY_LABELS, name, help), value)
}

const fn gauge(name: &'static str, help: &'static str) -> Metric {
    metric(Kind::Gauge, DATABASE_LABELS, name, help)
}

const fn unlabelled(name: &'static str, help: &'static str) -> Metric {
    metric(Kind::Gauge, &[], name, help)
}

/// The metrics of one service.
pub(crate) const SERVICE: &[Series<ServiceStatus>] = &[
    service_gauge(
        "openstack_service_up",
        "Whether the API lists the service as up (1) or down (0).",
        |status| status.up.map(Value::from),
    ),
    service_gauge(
        "openstack_service_up_for_scheduler",
        "Whether the scheduler treats the service as up (1) or down (0).",
        |status| status.up_for_scheduler.map(Value::from),
    ),
    service_gauge(
        "openstack_service_enabled",
        "Whether the service is enabled (1) or an operator disabled it (0); absent where services cannot be disabled.",
        |status| Some((!status.service.disabled?).into()),
    ),
    service_gauge(
        "openstack_service_forced_down",
        "Whether an operator forced the service down (1) or not (0); absent where services cannot be forced down.",
        |status| status.service.forced_down.map(Value::from),
    ),
    service_gauge(
        "openstack_service_frozen",
        "Whether the backend of a volume service is frozen (1) or not (0).",
        |status| status.service.facts.frozen.map(Value::from),
    ),
    service_gauge(
        "openstack_service_last_heartbeat_timestamp_seconds",
        "Time of the last heartbeat, by the clock that stamped it.",
        |status| {
            let stamp = status.last_heartbeat?;
            Some(Value::Micros(stamp.0.and_utc().timestamp_micros()))
        },
    ),
    service_gauge(
        "openstack_service_heartbeat_age_seconds",
        "Apparent age of the last heartbeat: database clock minus heartbeat time, by the clock that stamped it. \
         Negative when that clock is ahead.",
        |status| micros(status.heartbeat_age?),
    ),
    service_counter(
        "openstack_service_heartbeats_total",
        "Heartbeats since the service's row was created; only where the project counts them.",
        |status| status.service.heartbeats.map(Value::Integer),
    ),
    service_gauge(
        "openstack_service_report_interval_seconds",
        "Observed mean interval between heartbeats, by the clock that stamps them.",
        |status| status.observed.report_interval.and_then(micros),
    ),
    service_gauge(
        "openstack_service_clock_skew_seconds",
        "Best estimate of the clock that stamps the heartbeats minus the database clock; positive when it is ahead.",
        |status| micros(status.observed.clock_skew?.estimate?),
    ),
    service_gauge(
        "openstack_service_clock_skew_lower_bound_seconds",
        "Proven lower bound of the clock skew; withdrawn after a long silence.",
        |status| micros(status.observed.clock_skew?.bounds.lower),
    ),
    service_gauge(
        "openstack_service_clock_skew_upper_bound_seconds",
        "Proven upper bound of the clock skew; absent until a heartbeat was observed, and withdrawn after a long \
         silence.",
        |status| micros(status.observed.clock_skew?.bounds.upper?),
    ),
    service_counter(
        "openstack_service_clock_steps_total",
        "Times the clock that stamps the heartbeats was seen to be set since the exporter started or the row was \
         created.",
        |status| status.observed.clock_steps.map(count),
    ),
    service_counter(
        "openstack_service_clock_conflicts_total",
        "Times a regular heartbeat contradicted the proven bounds: the clock is being slewed, or heartbeats become \
         visible later than skew.visibility-delay.",
        |status| status.observed.clock_conflicts.map(count),
    ),
    service_gauge(
        "openstack_service_writers",
        "Least number of processes that write the service's row; present only above 1.",
        |status| status.observed.writers.map(count),
    ),
    service_gauge(
        "openstack_service_processes",
        "Processes of the service, up or not; only where each has a row. Rows that killed processes left behind do not \
         count.",
        |status| status.processes.map(|processes| count(processes.all)),
    ),
    service_gauge(
        "openstack_service_processes_down",
        "Processes of the service that are down, or proven to have stopped; only where each has a row.",
        |status| status.processes.map(|processes| count(processes.down)),
    ),
    service_gauge(
        "openstack_service_duplicate_rows",
        "Rows beyond the first with the same binary and host, of which only the freshest is published; present only \
         above 0.",
        |status| (status.duplicates > 0).then(|| count(status.duplicates)),
    ),
];

/// Why a service is down: one series, only for a service that has a reason.
pub(crate) const DOWN_REASON: Metric = Metric {
    name: "openstack_service_down_reason",
    kind: Kind::Gauge,
    labels: &["database", "binary", "host", "reason"],
    help: "Why the API or the scheduler calls the service down: one series with the value 1, absent while there is no \
           reason. The reason stopped is also given while both still call it up.",
};

/// A label, and the function that returns its value.
pub(crate) type InfoLabel = (&'static str, fn(&Facts) -> Option<&str>);

/// The facts of a service.
pub(crate) const SERVICE_INFO: Metric = Metric {
    name: "openstack_service_info",
    kind: Kind::Info,
    labels: &[
        "database",
        "binary",
        "host",
        "availability_zone",
        "cluster_name",
        "uuid",
    ],
    help: "Facts about the service; further labels depend on the project.",
};

/// The labels of [`SERVICE_INFO`] that every project has beyond those of all metrics; its own facts follow. An unknown
/// fact is an empty label, which Prometheus treats as absent.
pub(crate) const SERVICE_INFO_LABELS: [InfoLabel; 3] = [
    ("availability_zone", |facts| {
        facts.availability_zone.as_deref()
    }),
    ("cluster_name", |facts| facts.cluster_name.as_deref()),
    ("uuid", |facts| facts.uuid.as_deref()),
];

/// The metrics of one cluster.
pub(crate) const CLUSTER: &[Series<ClusterStatus>] = &[
    cluster_gauge(
        "openstack_cluster_up",
        "Whether the API lists the cluster as up (1) or down (0).",
        |status| status.up.map(Value::from),
    ),
    cluster_gauge(
        "openstack_cluster_enabled",
        "Whether the cluster is enabled (1) or disabled (0).",
        |status| Some((!status.cluster.disabled).into()),
    ),
    cluster_gauge(
        "openstack_cluster_hosts",
        "Services that belong to the cluster.",
        |status| Some(count(status.hosts)),
    ),
    cluster_gauge(
        "openstack_cluster_hosts_down",
        "Services of the cluster that the API counts as down.",
        |status| Some(count(status.hosts_down)),
    ),
];

/// The limits of each binary.
pub(crate) const LIMITS: &[Series<Limits>] = &[
    limit(
        "openstack_heartbeat_service_down_time_seconds",
        "How old a heartbeat may be before the API lists the service as down.",
        |limits| micros(limits.service_down_time),
    ),
    limit(
        "openstack_heartbeat_scheduler_service_down_time_seconds",
        "How old a heartbeat may be before the scheduler avoids the service; absent where no scheduler has a rule of \
         its own.",
        |limits| micros(limits.scheduler_service_down_time?),
    ),
    limit(
        "openstack_heartbeat_configured_report_interval_seconds",
        "The configured interval between two heartbeats.",
        |limits| micros(limits.report_interval),
    ),
    limit(
        "openstack_heartbeat_clock_budget_behind_seconds",
        "How far the clock that stamps the heartbeats may be behind before the API lists the service as down at \
         times.",
        |limits| micros(limits.budget.behind),
    ),
    limit(
        "openstack_heartbeat_clock_budget_ahead_seconds",
        "How far the clock that stamps the heartbeats may be ahead before the API lists the service as down; \
         absent where that is not limited.",
        |limits| micros(limits.budget.ahead?),
    ),
];

/// What the stamps of one program's processes, in the rows of other services, prove of their clocks.
pub(crate) const SERVERS: &[Series<ServerClockSpread>] = &[
    servers(
        "openstack_heartbeat_server_clock_spread_seconds",
        "How far apart the clocks of those processes of this program are that stamped other services' heartbeats in the \
         last five minutes: the best estimate.",
        |spread| micros(spread.estimate),
    ),
    servers(
        "openstack_heartbeat_server_clock_spread_proven_seconds",
        "How far apart two of these clocks are at least, proven.",
        |spread| micros(spread.proven),
    ),
    servers(
        "openstack_heartbeat_server_clock_lower_bound_seconds",
        "Proven lower bound of each of these clocks minus the database clock.",
        |spread| micros(spread.bounds.lower),
    ),
    servers(
        "openstack_heartbeat_server_clock_upper_bound_seconds",
        "Proven upper bound of each of these clocks minus the database clock.",
        |spread| micros(spread.bounds.upper?),
    ),
    servers(
        "openstack_heartbeat_servers",
        "Least number of processes of this program that explain the stamps of the last five minutes.",
        |spread| Some(count(spread.servers)),
    ),
];

pub(crate) const DATABASE_INFO: Metric = Metric {
    name: "openstack_heartbeat_database_info",
    kind: Kind::Info,
    labels: &["database", "project", "engine", "version"],
    help: "Project whose services are in the database, and product and version of its server; the version is empty before \
           the first answer.",
};
pub(crate) const DATABASE_UP: Metric = gauge(
    "openstack_heartbeat_database_up",
    "Whether the last poll of the database succeeded (1) or failed (0).",
);
pub(crate) const DISCOVERY_UP: Metric = unlabelled(
    "openstack_heartbeat_discovery_up",
    "Whether the last search found a database, and could read each one of a known project (1), or not (0). No series where \
     the settings name the databases.",
);
pub(crate) const LAST_POLL: Metric = gauge(
    "openstack_heartbeat_last_poll_timestamp_seconds",
    "The database's clock at the last successful poll.",
);
pub(crate) const CLOCK_OFFSET: Metric = gauge(
    "openstack_heartbeat_database_clock_offset_seconds",
    "Database clock minus exporter clock, at the last successful poll.",
);
pub(crate) const CLOCK_OFFSET_ERROR: Metric = gauge(
    "openstack_heartbeat_database_clock_offset_error_seconds",
    "Bound on the error of the database clock offset: half the round trip of the last successful poll.",
);
pub(crate) const POLL_DURATION: Metric = Metric {
    name: "openstack_heartbeat_poll_duration_seconds",
    kind: Kind::Histogram,
    labels: DATABASE_LABELS,
    help: "Duration of polls of the database, failed ones included, connecting included.",
};
pub(crate) const POLL_FAILURES: Metric = Metric {
    name: "openstack_heartbeat_poll_failures_total",
    kind: Kind::Counter,
    labels: &["database", "class"],
    help: "Polls of the database that failed, by class of failure.",
};
pub(crate) const ROWS: Metric = gauge(
    "openstack_heartbeat_rows",
    "Rows of the table of services that are not deleted, at the last successful poll.",
);
pub(crate) const ROWS_REJECTED: Metric = Metric {
    name: "openstack_heartbeat_rows_rejected",
    kind: Kind::Gauge,
    labels: &["database", "reason"],
    help: "Rows that can't be read, or not in full, at the last successful poll.",
};
pub(crate) const POLL_INTERVAL: Metric = gauge(
    "openstack_heartbeat_poll_interval_seconds",
    "The setting poll.interval.",
);
pub(crate) const REFERENCE_SUSPECT: Metric = gauge(
    "openstack_heartbeat_reference_clock_suspect",
    "Whether more than half of at least three hosts share a clock skew proven to be beyond 2 s on one side, and the \
     exporter's clock agrees (1): the database's clock is probably off.",
);
pub(crate) const STANDSTILL: Metric = gauge(
    "openstack_heartbeat_standstill",
    "Whether no service sends heartbeats (1), though at least three services on two machines did: the server that \
     answers may not be current, or all services stopped.",
);
pub(crate) const CLOCK_JUMPS: Metric = Metric {
    name: "openstack_heartbeat_database_clock_jumps_total",
    kind: Kind::Counter,
    labels: DATABASE_LABELS,
    help: "Times the database's clock jumped by more than a second against the exporter's monotonic clock: it was \
           set, or another server answered.",
};
pub(crate) const BUILD_INFO: Metric = Metric {
    name: "openstack_heartbeat_exporter_build_info",
    kind: Kind::Info,
    labels: &["version", "revision", "rustc"],
    help: "Version and revision of the exporter, and the compiler that built it.",
};
pub(crate) const RELOAD_SUCCESSFUL: Metric = unlabelled(
    "openstack_heartbeat_config_last_reload_successful",
    "Whether the last load of the configuration succeeded (1), or was refused and the old one stays active (0).",
);
pub(crate) const RELOAD_TIMESTAMP: Metric = unlabelled(
    "openstack_heartbeat_config_last_reload_success_timestamp_seconds",
    "Time of the last successful load of the configuration, by the exporter's clock.",
);
pub(crate) const HTTP_REQUESTS: Metric = Metric {
    name: "openstack_heartbeat_http_requests_total",
    kind: Kind::Counter,
    labels: &["path", "code"],
    help: "HTTP requests answered, by path and status code; unknown paths count as `other`.",
};
pub(crate) const HTTP_CLOSED: Metric = Metric {
    name: "openstack_heartbeat_http_connections_closed_total",
    kind: Kind::Counter,
    labels: &["reason"],
    help: "HTTP connections that the exporter closed: crowded (too many clients), slow_request, slow_reader, idle.",
};
pub(crate) const PROCESS_CPU: Metric = metric(
    Kind::Counter,
    &[],
    "process_cpu_seconds_total",
    "Total user and system CPU time spent in seconds.",
);
pub(crate) const PROCESS_OPEN_FDS: Metric =
    unlabelled("process_open_fds", "Number of open file descriptors.");
pub(crate) const PROCESS_MAX_FDS: Metric = unlabelled(
    "process_max_fds",
    "Maximum number of open file descriptors.",
);
pub(crate) const PROCESS_VIRTUAL_MEMORY: Metric = unlabelled(
    "process_virtual_memory_bytes",
    "Virtual memory size in bytes.",
);
pub(crate) const PROCESS_RESIDENT_MEMORY: Metric = unlabelled(
    "process_resident_memory_bytes",
    "Resident memory size in bytes.",
);
pub(crate) const PROCESS_THREADS: Metric =
    unlabelled("process_threads", "Number of OS threads in the process.");
pub(crate) const PROCESS_START_TIME: Metric = unlabelled(
    "process_start_time_seconds",
    "Start time of the process since unix epoch in seconds.",
);

/// The exporter's own metrics.
pub(crate) const TELEMETRY: &[Metric] = &[
    DATABASE_INFO,
    DATABASE_UP,
    DISCOVERY_UP,
    LAST_POLL,
    CLOCK_OFFSET,
    CLOCK_OFFSET_ERROR,
    POLL_DURATION,
    POLL_FAILURES,
    ROWS,
    ROWS_REJECTED,
    REFERENCE_SUSPECT,
    STANDSTILL,
    CLOCK_JUMPS,
    POLL_INTERVAL,
    BUILD_INFO,
    RELOAD_SUCCESSFUL,
    RELOAD_TIMESTAMP,
    HTTP_REQUESTS,
    HTTP_CLOSED,
    PROCESS_CPU,
    PROCESS_OPEN_FDS,
    PROCESS_MAX_FDS,
    PROCESS_VIRTUAL_MEMORY,
    PROCESS_RESIDENT_MEMORY,
    PROCESS_THREADS,
    PROCESS_START_TIME,
];

/// Every metric that the exporter can publish, in the order of the exposition.
pub fn all() -> impl Iterator<Item = Metric> {
    let services = SERVICE.iter().map(|(metric, _)| *metric);
    let clusters = CLUSTER.iter().map(|(metric, _)| *metric);
    services
        .chain([DOWN_REASON, SERVICE_INFO])
        .chain(clusters)
        .chain(LIMITS.iter().map(|(metric, _)| *metric))
        .chain(SERVERS.iter().map(|(metric, _)| *metric))
        .chain(TELEMETRY.iter().copied())
}

/// Returns the metrics reference as a table in Markdown.
pub(crate) fn reference() -> String {
    let mut text = "| metric | type | unit | labels | meaning |\n".to_owned();
    text += "| --- | --- | --- | --- | --- |\n";
    for metric in all() {
        let Metric { name, help, .. } = metric;
        let (kind, labels) = (metric.kind.as_str(), metric.labels.join(", "));
        let unit = metric.unit().unwrap_or_default();
        let _ = writeln!(text, "| {name} | {kind} | {unit} | {labels} | {help} |");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_and_end_in_the_suffix_of_their_type() {
        let mut names = HashSet::new();
        for metric in all() {
            let Metric { name, kind, .. } = metric;
            assert!(names.insert(metric.family()), "{name} twice");
            assert_eq!(name.ends_with("_total"), kind == Kind::Counter, "{name}");
            assert_eq!(name.ends_with("_info"), kind == Kind::Info, "{name}");
            assert!(metric.help.ends_with('.'), "{name}");
        }
    }

    #[test]
    fn the_unit_is_the_last_word_of_the_family() {
        assert_eq!(PROCESS_CPU.unit(), Some("seconds"));
        assert_eq!(PROCESS_RESIDENT_MEMORY.unit(), Some("bytes"));
        assert_eq!(ROWS.unit(), None);
        assert_eq!(LAST_POLL.unit(), Some("seconds"));
    }

    #[test]
    fn the_info_metric_has_the_labels_of_the_table() {
        let labels: Vec<&str> = SERVICE_INFO_LABELS.iter().map(|(name, _)| *name).collect();
        let (first, others) = SERVICE_INFO.labels.split_at(SERVICE_LABELS.len());
        assert_eq!((first, others), (SERVICE_LABELS, &labels[..]));
    }
}
