//! The exporter's own metrics, kept with the crate `prometheus`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus::core::{Atomic, Collector, GenericGaugeVec, MetricVec, MetricVecBuilder};
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec};
use prometheus::{IntGauge, IntGaugeVec, Opts, Registry};

use super::entry_settings::EntrySettings;
use super::metric::Metric;
use super::process::ProcessCollector;
use super::table;
use crate::database::Product;
use crate::heartbeat::failure::Class;
use crate::heartbeat::reference::Suspect;
use crate::heartbeat::service::Defect;
use crate::heartbeat::snapshot::Snapshot;
use crate::heartbeat::time::ClockOffset;

/// Upper bounds of the buckets of poll durations, from a table in memory to the default query timeout and above.
const POLL_BUCKETS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Handles of all own metrics, those of each source labelled with its name. Each instance has its own registry, and so
/// is independent.
#[derive(Debug)]
pub struct Telemetry {
    registry: Registry,
    database_info: IntGaugeVec,
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
    poll_interval: GaugeVec,
    discovery_up: IntGaugeVec,
    reload_successful: IntGauge,
    reload_timestamp: Gauge,
    /// Whether the last load of each part of the configuration was refused.
    refused: Mutex<[bool; 2]>,
}

/// A part of the configuration that is loaded independently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConfigPart {
    /// The settings: the projects' files, the YAML file, and the files of secrets.
    Settings,
    /// The web configuration file.
    Web,
}

impl Telemetry {
    /// Registers all metrics; no source has any yet. Unknown values have no series; counters start at zero.
    ///
    /// `loaded` is the time since the Unix epoch when the configuration was loaded.
    ///
    /// # Errors
    /// Never in practice: a name or label that the crate refuses is a bug in [`table`].
    pub fn new(loaded: Duration) -> Result<Self, prometheus::Error> {
        let registry = &Registry::new();
        let whole = |metric| registered(registry, metric, IntGaugeVec::new);
        let gauge = |metric| registered(registry, metric, GaugeVec::new);
        let counter = |metric| registered(registry, metric, IntCounterVec::new);
        let histogram = |options: Opts, labels: &[&str]| {
            let options = HistogramOpts::from(options).buckets(POLL_BUCKETS.to_vec());
            HistogramVec::new(options, labels)
        };
        let telemetry = Self {
            database_info: whole(&table::DATABASE_INFO)?,
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
            poll_interval: gauge(&table::POLL_INTERVAL)?,
            discovery_up: whole(&table::DISCOVERY_UP)?,
            reload_successful: whole(&table::RELOAD_SUCCESSFUL)?.with_label_values::<&str>(&[]),
            reload_timestamp: gauge(&table::RELOAD_TIMESTAMP)?.with_label_values::<&str>(&[]),
            refused: Mutex::default(),
            registry: registry.clone(),
        };
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

    /// Notes that a source is polled.
    pub(crate) fn add(&self, database: &str, settings: &EntrySettings) {
        set(&self.database_up, database, 0);
        self.poll_duration.with_label_values(&[database]);
        self.clock_jumps.with_label_values(&[database]);
        for class in Class::ALL {
            let labels = &[database, class.as_str()];
            self.poll_failures.with_label_values(labels);
        }
        self.configured(database, settings, None);
    }

    /// Notes the active settings of a source, and the product that answers. Until it is known, the version is empty.
    pub(crate) fn configured(
        &self,
        database: &str,
        settings: &EntrySettings,
        product: Option<&Product>,
    ) {
        remove(&self.database_info, database);
        let configured = (settings.engine, "");
        let (engine, version) = product.map_or(configured, |it| (it.engine, &*it.version));
        let labels = &[database, settings.project.name, engine, version];
        self.database_info.with_label_values(labels).set(1);
        let interval = settings.poll_interval.as_secs_f64();
        set(&self.poll_interval, database, interval);
    }

    /// Removes every series of a source.
    pub(crate) fn remove(&self, database: &str) {
        for metric in [
            &self.database_info,
            &self.database_up,
            &self.rows,
            &self.rows_rejected,
            &self.reference_suspect,
            &self.standstill,
        ] {
            remove(metric, database);
        }
        for metric in [
            &self.last_poll,
            &self.clock_offset,
            &self.clock_offset_error,
            &self.poll_interval,
        ] {
            remove(metric, database);
        }
        for metric in [&self.poll_failures, &self.clock_jumps] {
            remove(metric, database);
        }
        remove(&self.poll_duration, database);
    }

    /// Notes whether the last look for databases found any; `None` where none are looked for.
    pub(crate) fn searched(&self, is_up: Option<bool>) {
        self.discovery_up.reset();
        if let Some(is_up) = is_up {
            let up = self.discovery_up.with_label_values::<&str>(&[]);
            up.set(is_up.into());
        }
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
    pub(crate) fn poll_succeeded(
        &self,
        database: &str,
        took: Duration,
        snapshot: &Snapshot,
        clock: ClockOffset,
    ) {
        self.polled(database, took, 1);
        let now = snapshot.now.0.and_utc().timestamp_micros();
        let offset = clock.offset.num_microseconds().unwrap_or(i64::MAX);
        let count = |rows: usize| i64::try_from(rows).unwrap_or(i64::MAX);
        let error = clock.error.as_seconds_f64();
        set(&self.last_poll, database, seconds(now));
        set(&self.clock_offset, database, seconds(offset));
        set(&self.clock_offset_error, database, error);
        set(&self.rows, database, count(snapshot.rows));
        let is_suspect = snapshot.suspect == Some(Suspect::Database);
        set(&self.reference_suspect, database, is_suspect.into());
        let stands_still = snapshot.standstill.is_some();
        set(&self.standstill, database, stands_still.into());
        if snapshot.clock_jump.is_some() {
            self.clock_jumps.with_label_values(&[database]).inc();
        }
        for defect in Defect::ALL {
            let labels = &[database, defect.as_str()];
            let rejected = self.rows_rejected.with_label_values(labels);
            rejected.set(count(snapshot.rejected_with(defect)));
        }
    }

    /// Notes a poll that failed.
    pub(crate) fn poll_failed(&self, database: &str, took: Duration, class: Class) {
        self.polled(database, took, 0);
        let labels = &[database, class.as_str()];
        self.poll_failures.with_label_values(labels).inc();
    }

    fn polled(&self, database: &str, took: Duration, database_up: i64) {
        let durations = self.poll_duration.with_label_values(&[database]);
        durations.observe(took.as_secs_f64());
        set(&self.database_up, database, database_up);
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

fn set<P: Atomic>(gauge: &GenericGaugeVec<P>, database: &str, value: P::T) {
    gauge.with_label_values(&[database]).set(value);
}

/// Removes the series of a source.
fn remove<T: MetricVecBuilder>(metric: &MetricVec<T>, database: &str) {
    for family in metric.collect() {
        for series in family.get_metric() {
            let labels = series.get_label().iter();
            let labels: HashMap<&str, &str> =
                labels.map(|pair| (pair.name(), pair.value())).collect();
            if labels.get("database") == Some(&database) {
                // It fails only if the series is gone.
                let _ = metric.remove(&labels);
            }
        }
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
        let telemetry = Self::new(Duration::ZERO).unwrap();
        telemetry.add("cinder", &EntrySettings::fixture());
        telemetry
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
