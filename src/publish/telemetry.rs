//! The exporter's own metrics, kept with the crate `prometheus`.

use std::time::Duration;

use prometheus::proto::MetricFamily;
use prometheus::{GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Registry};

use super::loading::{ConfigPart, Loading};
use super::metric::Metric;
use super::process::ProcessCollector;
use super::table;
use crate::heartbeat::failure::Class;
use crate::heartbeat::liveness::Intervals;
use crate::heartbeat::service::Defect;
use crate::heartbeat::snapshot::Snapshot;
use crate::source::reader::ClockOffset;

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
    clock_jumps: IntCounterVec,
    http_requests: IntCounterVec,
    http_closed: IntCounterVec,
    service_down_time: GaugeVec,
    scheduler_down_time: GaugeVec,
    report_interval: GaugeVec,
    poll_interval: GaugeVec,
    loading: Loading,
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
        let registry = Registry::new();
        let registering = Registering(&registry);
        let telemetry = Self {
            database,
            database_up: registering.integers(&table::DATABASE_UP)?,
            last_poll: registering.gauges(&table::LAST_POLL)?,
            clock_offset: registering.gauges(&table::CLOCK_OFFSET)?,
            clock_offset_error: registering.gauges(&table::CLOCK_OFFSET_ERROR)?,
            poll_duration: registering.histograms(&table::POLL_DURATION, POLL_BUCKETS)?,
            poll_failures: registering.counters(&table::POLL_FAILURES)?,
            rows: registering.integers(&table::ROWS)?,
            rows_rejected: registering.integers(&table::ROWS_REJECTED)?,
            reference_suspect: registering.integers(&table::REFERENCE_SUSPECT)?,
            clock_jumps: registering.counters(&table::CLOCK_JUMPS)?,
            http_requests: registering.counters(&table::HTTP_REQUESTS)?,
            http_closed: registering.counters(&table::HTTP_CLOSED)?,
            service_down_time: registering.gauges(&table::SERVICE_DOWN_TIME)?,
            scheduler_down_time: registering.gauges(&table::SCHEDULER_DOWN_TIME)?,
            report_interval: registering.gauges(&table::REPORT_INTERVAL)?,
            poll_interval: registering.gauges(&table::POLL_INTERVAL)?,
            loading: Loading::new(&registry)?,
            registry: registry.clone(),
        };
        telemetry.database_up.with_label_values(&[database]).set(0);
        telemetry.poll_duration.with_label_values(&[database]);
        telemetry.clock_jumps.with_label_values(&[database]);
        for class in Class::ALL {
            telemetry
                .poll_failures
                .with_label_values(&[database, class.as_str()]);
        }
        telemetry.configured(intervals, poll_interval);
        telemetry.config_loaded(ConfigPart::Settings, loaded);
        registering
            .integers(&table::BUILD_INFO)?
            .with_label_values(&[
                env!("CARGO_PKG_VERSION"),
                env!("BUILD_REVISION"),
                env!("BUILD_RUSTC"),
            ])
            .set(1);
        registry.register(Box::new(ProcessCollector))?;
        Ok(telemetry)
    }

    /// Notes the active options.
    pub(crate) fn configured(&self, intervals: &Intervals, poll_interval: Duration) {
        for (gauges, span) in [
            (&self.service_down_time, intervals.service_down_time),
            (
                &self.scheduler_down_time,
                intervals.scheduler_service_down_time(),
            ),
            (&self.report_interval, intervals.report_interval),
        ] {
            gauges
                .with_label_values(&[self.database])
                .set(span.as_seconds_f64());
        }
        self.poll_interval
            .with_label_values(&[self.database])
            .set(poll_interval.as_secs_f64());
    }

    /// Notes that a part of the configuration was loaded, at a time since the Unix epoch.
    pub(crate) fn config_loaded(&self, part: ConfigPart, at: Duration) {
        self.loading.loaded(part, at);
    }

    /// Notes that a part of the configuration was refused; the old one stays active.
    pub(crate) fn config_refused(&self, part: ConfigPart) {
        self.loading.refused(part);
    }

    /// Returns whether the last load of every part of the configuration succeeded.
    pub(crate) fn is_config_loaded(&self) -> bool {
        self.loading.is_successful()
    }

    /// Notes a poll that succeeded.
    pub(crate) fn poll_succeeded(&self, took: Duration, snapshot: &Snapshot, clock: ClockOffset) {
        let database = &[self.database];
        self.poll_duration
            .with_label_values(database)
            .observe(took.as_secs_f64());
        self.database_up.with_label_values(database).set(1);
        self.last_poll
            .with_label_values(database)
            .set(seconds(snapshot.now.0.and_utc().timestamp_micros()));
        self.clock_offset
            .with_label_values(database)
            .set(seconds(clock.offset.num_microseconds().unwrap_or(i64::MAX)));
        self.clock_offset_error
            .with_label_values(database)
            .set(clock.error.as_secs_f64());
        self.rows
            .with_label_values(database)
            .set(i64::try_from(snapshot.rows).unwrap_or(i64::MAX));
        self.reference_suspect
            .with_label_values(database)
            .set(snapshot.reference_clock_suspect.into());
        if snapshot.clock_jump.is_some() {
            self.clock_jumps.with_label_values(database).inc();
        }
        for defect in Defect::ALL {
            let rows = snapshot.rejected_with(defect);
            self.rows_rejected
                .with_label_values(&[self.database, defect.as_str()])
                .set(i64::try_from(rows).unwrap_or(i64::MAX));
        }
    }

    /// Notes a poll that failed.
    pub(crate) fn poll_failed(&self, took: Duration, class: Class) {
        self.poll_duration
            .with_label_values(&[self.database])
            .observe(took.as_secs_f64());
        self.database_up.with_label_values(&[self.database]).set(0);
        self.poll_failures
            .with_label_values(&[self.database, class.as_str()])
            .inc();
    }

    /// Counts a request; `path` must be one of a few, to bound the number of series.
    pub(crate) fn answered(&self, path: &str, code: u16) {
        self.http_requests
            .with_label_values(&[path, code.to_string().as_str()])
            .inc();
    }

    /// Counts connections that the exporter closed; zero of them to create the series. `reason` must be one of a few.
    pub(crate) fn connections_closed(&self, reason: &str, connections: u64) {
        self.http_closed
            .with_label_values(&[reason])
            .inc_by(connections);
    }

    /// Returns all current values, sorted by name.
    pub(crate) fn gather(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }
}

/// Makes metrics from the table and registers them.
struct Registering<'a>(&'a Registry);

impl Registering<'_> {
    fn integers(&self, metric: &Metric) -> Result<IntGaugeVec, prometheus::Error> {
        let vector = IntGaugeVec::new(metric.options(), metric.labels)?;
        self.0.register(Box::new(vector.clone()))?;
        Ok(vector)
    }

    fn gauges(&self, metric: &Metric) -> Result<GaugeVec, prometheus::Error> {
        let vector = GaugeVec::new(metric.options(), metric.labels)?;
        self.0.register(Box::new(vector.clone()))?;
        Ok(vector)
    }

    fn counters(&self, metric: &Metric) -> Result<IntCounterVec, prometheus::Error> {
        let vector = IntCounterVec::new(metric.options(), metric.labels)?;
        self.0.register(Box::new(vector.clone()))?;
        Ok(vector)
    }

    fn histograms(
        &self,
        metric: &Metric,
        buckets: &[f64],
    ) -> Result<HistogramVec, prometheus::Error> {
        let options = HistogramOpts::new(metric.name, metric.help).buckets(buckets.to_vec());
        let vector = HistogramVec::new(options, metric.labels)?;
        self.0.register(Box::new(vector.clone()))?;
        Ok(vector)
    }
}

/// Converts microseconds with a single rounding, so that the shortest decimal is the exact one.
#[expect(
    clippy::cast_precision_loss,
    reason = "microseconds of this century need 51 of the 53 bits"
)]
fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}
