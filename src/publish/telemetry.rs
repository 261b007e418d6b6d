//! The exporter's own metrics, kept with the crate `prometheus`.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus::core::{Atomic, Collector, GenericGaugeVec};
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec};
use prometheus::{IntGauge, IntGaugeVec, Opts, Registry};

use super::metric::Metric;
use super::process::ProcessCollector;
use super::table;
use crate::heartbeat::failure::Class;
use crate::heartbeat::liveness::Intervals;
use crate::heartbeat::reference::Suspect;
use crate::heartbeat::service::Defect;
use crate::heartbeat::snapshot::Snapshot;
use crate::heartbeat::time::ClockOffset;

/// Upper bounds of the buckets of poll durations, from a table in memory to the default query timeout and above.
const POLL_BUCKETS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Handles of all own metrics. Each instance has its own registry, and so is independent.
#[derive(Debug)]
pub struct Telemetry {
    registry: Registry,
    /// Name of the source: the label `database`.
    database: &'static str,
    database_up: IntGaugeVec,
    last_poll: GaugeVec,
    clock_offset: GaugeVec,
    clock_offset_error: GaugeVec,
    poll_duration: HistogramVec,
    poll_failures: IntCounterVec,
    rows: IntGaugeVec,
    rows_rejected: IntGaugeVec,
    reference_suspect: IntGaugeVec,
    standstill: IntGaugeVec,
    clock_jumps: IntCounterVec,
    http_requests: IntCounterVec,
    http_closed: IntCounterVec,
    service_down_time: GaugeVec,
    scheduler_down_time: GaugeVec,
    report_interval: GaugeVec,
    poll_interval: GaugeVec,
    reload_successful: IntGauge,
    reload_timestamp: Gauge,
    /// Whether the last load of each part of the configuration was refused.
    refused: Mutex<[bool; 2]>,
}

/// A part of the configuration that is loaded independently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConfigPart {
    /// The settings: cinder.conf, the YAML file, and the files of secrets.
    Settings,
    /// The web configuration file.
    Web,
}

impl Telemetry {
    /// Registers all metrics of one source. Unknown values have no series; counters start at zero.
    ///
    /// `loaded` is the time since the Unix epoch when the configuration was loaded.
    ///
    /// # Errors
    /// Never in practice: a name or label that the crate refuses is a bug in [`table`].
    pub fn new(
        database: &'static str,
        intervals: &Intervals,
        poll_interval: Duration,
        loaded: Duration,
    ) -> Result<Self, prometheus::Error> {
        let registry = &Registry::new();
        let whole = |metric| registered(registry, metric, IntGaugeVec::new);
        let gauge = |metric| registered(registry, metric, GaugeVec::new);
        let counter = |metric| registered(registry, metric, IntCounterVec::new);
        let histogram = |options: Opts, labels: &[&str]| {
            let options = HistogramOpts::from(options).buckets(POLL_BUCKETS.to_vec());
            HistogramVec::new(options, labels)
        };
        let telemetry = Self {
            database,
            database_up: whole(&table::DATABASE_UP)?,
            last_poll: gauge(&table::LAST_POLL)?,
            clock_offset: gauge(&table::CLOCK_OFFSET)?,
            clock_offset_error: gauge(&table::CLOCK_OFFSET_ERROR)?,
            poll_duration: registered(registry, &table::POLL_DURATION, histogram)?,
            poll_failures: counter(&table::POLL_FAILURES)?,
            rows: whole(&table::ROWS)?,
            rows_rejected: whole(&table::ROWS_REJECTED)?,
            reference_suspect: whole(&table::REFERENCE_SUSPECT)?,
            standstill: whole(&table::STANDSTILL)?,
            clock_jumps: counter(&table::CLOCK_JUMPS)?,
            http_requests: counter(&table::HTTP_REQUESTS)?,
            http_closed: counter(&table::HTTP_CLOSED)?,
            service_down_time: gauge(&table::SERVICE_DOWN_TIME)?,
            scheduler_down_time: gauge(&table::SCHEDULER_DOWN_TIME)?,
            report_interval: gauge(&table::REPORT_INTERVAL)?,
            poll_interval: gauge(&table::POLL_INTERVAL)?,
            reload_successful: whole(&table::RELOAD_SUCCESSFUL)?.with_label_values::<&str>(&[]),
            reload_timestamp: gauge(&table::RELOAD_TIMESTAMP)?.with_label_values::<&str>(&[]),
            refused: Mutex::default(),
            registry: registry.clone(),
        };
        telemetry.set(&telemetry.database_up, 0);
        telemetry.poll_duration.with_label_values(&[database]);
        telemetry.clock_jumps.with_label_values(&[database]);
        for class in Class::ALL {
            let labels = &[database, class.as_str()];
            telemetry.poll_failures.with_label_values(labels);
        }
        telemetry.configured(intervals, poll_interval);
        telemetry.config_loaded(ConfigPart::Settings, loaded);
        let build = [
            env!("CARGO_PKG_VERSION"),
            env!("BUILD_REVISION"),
            env!("BUILD_RUSTC"),
        ];
        let build_info = whole(&table::BUILD_INFO)?;
        build_info.with_label_values(&build).set(1);
        registry.register(Box::new(ProcessCollector))?;
        Ok(telemetry)
    }

    /// Notes the active options.
    pub(crate) fn configured(&self, intervals: &Intervals, poll_interval: Duration) {
        let down_time = intervals.service_down_time;
        let scheduler = intervals.scheduler_service_down_time();
        let report_interval = intervals.report_interval.as_seconds_f64();
        self.set(&self.service_down_time, down_time.as_seconds_f64());
        self.set(&self.scheduler_down_time, scheduler.as_seconds_f64());
        self.set(&self.report_interval, report_interval);
        self.set(&self.poll_interval, poll_interval.as_secs_f64());
    }

    /// Notes that a part of the configuration was loaded, at a time since the Unix epoch.
    pub(crate) fn config_loaded(&self, part: ConfigPart, at: Duration) {
        self.note(part, false);
        self.reload_timestamp.set(at.as_secs_f64());
    }

    /// Notes that a part of the configuration was refused; the old one stays active.
    pub(crate) fn config_refused(&self, part: ConfigPart) {
        self.note(part, true);
    }

    fn note(&self, part: ConfigPart, refusal: bool) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused[part as usize] = refusal;
        // While the lock is held, so that the latest state is published.
        self.reload_successful.set((*refused == [false; 2]).into());
    }

    /// Returns whether the last load of every part of the configuration succeeded.
    pub(crate) fn is_config_loaded(&self) -> bool {
        self.reload_successful.get() == 1
    }

    /// Notes a poll that succeeded.
    pub(crate) fn poll_succeeded(&self, took: Duration, snapshot: &Snapshot, clock: ClockOffset) {
        self.polled(took, 1);
        let now = snapshot.now.0.and_utc().timestamp_micros();
        let offset = clock.offset.num_microseconds().unwrap_or(i64::MAX);
        let count = |rows: usize| i64::try_from(rows).unwrap_or(i64::MAX);
        self.set(&self.last_poll, seconds(now));
        self.set(&self.clock_offset, seconds(offset));
        self.set(&self.clock_offset_error, clock.error.as_seconds_f64());
        self.set(&self.rows, count(snapshot.rows));
        let is_suspect = snapshot.suspect == Some(Suspect::Database);
        self.set(&self.reference_suspect, is_suspect.into());
        self.set(&self.standstill, snapshot.standstill.is_some().into());
        if snapshot.clock_jump.is_some() {
            self.clock_jumps.with_label_values(&[self.database]).inc();
        }
        for defect in Defect::ALL {
            let labels = &[self.database, defect.as_str()];
            let rejected = self.rows_rejected.with_label_values(labels);
            rejected.set(count(snapshot.rejected_with(defect)));
        }
    }

    /// Notes a poll that failed.
    pub(crate) fn poll_failed(&self, took: Duration, class: Class) {
        self.polled(took, 0);
        let labels = &[self.database, class.as_str()];
        self.poll_failures.with_label_values(labels).inc();
    }

    fn polled(&self, took: Duration, database_up: i64) {
        let durations = self.poll_duration.with_label_values(&[self.database]);
        durations.observe(took.as_secs_f64());
        self.set(&self.database_up, database_up);
    }

    fn set<P: Atomic>(&self, gauge: &GenericGaugeVec<P>, value: P::T) {
        gauge.with_label_values(&[self.database]).set(value);
    }

    /// Counts a request; `path` must be one of a few, to bound the number of series.
    pub(crate) fn answered(&self, path: &str, code: u16) {
        let labels = &[path, &*code.to_string()];
        self.http_requests.with_label_values(labels).inc();
    }

    /// Counts connections that the exporter closed; zero of them to create the series. `reason` must be one of a few.
    pub(crate) fn connections_closed(&self, reason: &str, connections: u64) {
        let closed = self.http_closed.with_label_values(&[reason]);
        closed.inc_by(connections);
    }

    /// Returns all current values, sorted by name.
    pub(crate) fn gather(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }
}

/// Makes a metric of the table and registers it.
fn registered<C: Collector + Clone + 'static>(
    registry: &Registry,
    metric: &Metric,
    new: impl FnOnce(Opts, &[&str]) -> Result<C, prometheus::Error>,
) -> Result<C, prometheus::Error> {
    let collector = new(Opts::new(metric.name, metric.help), metric.labels)?;
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

/// Converts microseconds with a single rounding, so that the shortest decimal is the exact one.
#[expect(
    clippy::cast_precision_loss,
    reason = "microseconds of this century need 51 of the 53 bits"
)]
fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}

#[cfg(test)]
impl Telemetry {
    /// Returns the metrics of a database that was never polled, with a poll interval of 5 s.
    pub(crate) fn fixture() -> Self {
        let intervals = crate::heartbeat::fixture::INTERVALS;
        Self::new("cinder", &intervals, Duration::from_secs(5), Duration::ZERO).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loading_is_successful_while_no_part_is_refused() {
        let telemetry = Telemetry::fixture();
        assert!(telemetry.is_config_loaded());
        telemetry.config_refused(ConfigPart::Web);
        telemetry.config_refused(ConfigPart::Settings);
        telemetry.config_loaded(ConfigPart::Settings, Duration::from_millis(7_500));
        assert!(!telemetry.is_config_loaded());
        telemetry.config_loaded(ConfigPart::Web, Duration::from_millis(9_500));
        assert!(telemetry.is_config_loaded());
        // A refusal does not change the time.
        telemetry.config_refused(ConfigPart::Settings);
        assert!((telemetry.reload_timestamp.get() - 9.5).abs() < f64::EPSILON);
    }
}
