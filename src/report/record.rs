//! One service for scripts: the fields that JSON and CSV share.

use chrono::{NaiveDateTime, TimeDelta};
use serde::Serialize;

use super::advice;
use super::words::enabled;
use crate::heartbeat::cause::Reason;
use crate::heartbeat::urgency::Urgency;
use crate::report::view::ListedService;

/// One service; the field names are those of OpenStack's APIs and of our metrics.
#[derive(Debug, Default, Serialize)]
pub(super) struct Record<'a> {
    pub(super) database: &'a str,
    pub(super) binary: &'a str,
    pub(super) host: &'a str,
    pub(super) zone: Option<&'a str>,
    /// Null where services cannot be disabled.
    pub(super) status: Option<&'static str>,
    /// Name of the [`Urgency`].
    pub(super) state: &'static str,
    /// As the API lists it; null if unknown.
    pub(super) up: Option<bool>,
    /// `up` by the scheduler's rule.
    pub(super) up_for_scheduler: Option<bool>,
    /// By the clock of the service's host, UTC; null if the service never wrote its row.
    pub(super) stamped_at: Option<String>,
    /// Apparent age; negative if the host's clock is ahead by more than the true age.
    pub(super) heartbeat_age_seconds: Option<f64>,
    /// Positive if the host is ahead.
    pub(super) clock_skew_seconds: Option<f64>,
    pub(super) clock_skew_lower_bound_seconds: Option<f64>,
    pub(super) clock_skew_upper_bound_seconds: Option<f64>,
    pub(super) clock_steps: Option<u64>,
    pub(super) report_interval_seconds: Option<f64>,
    pub(super) writers: Option<u32>,
    /// Null where a row is a service, like the next one.
    pub(super) processes: Option<usize>,
    pub(super) processes_down: Option<usize>,
    pub(super) heartbeats: Option<i64>,
    pub(super) cluster: Option<&'a str>,
    pub(super) frozen: Option<bool>,
    pub(super) forced_down: Option<bool>,
    pub(super) disabled_reason: Option<&'a str>,
    pub(super) reason: Option<&'static str>,
    pub(super) advice: Option<String>,
}

impl<'a> Record<'a> {
    /// Returns the record of a service.
    pub(super) fn new(listed: ListedService<'a>) -> Self {
        let ListedService {
            database, status, ..
        } = listed;
        let service = &status.service;
        let facts = &service.facts;
        let observed = &status.observed;
        let skew = observed.clock_skew;
        Self {
            database,
            binary: &facts.binary,
            host: &facts.host,
            zone: facts.availability_zone.as_deref(),
            status: enabled(status),
            state: Urgency::of(status).as_str(),
            up: status.up,
            up_for_scheduler: status.up_for_scheduler,
            stamped_at: service.stamp.time().map(|stamp| utc(stamp.0)),
            heartbeat_age_seconds: status.heartbeat_age.map(seconds),
            clock_skew_seconds: skew.and_then(|skew| skew.estimate).map(seconds),
            clock_skew_lower_bound_seconds: skew.map(|skew| seconds(skew.bounds.lower)),
            clock_skew_upper_bound_seconds: skew.and_then(|skew| skew.bounds.upper).map(seconds),
            clock_steps: observed.clock_steps,
            report_interval_seconds: observed.report_interval.map(seconds),
            writers: observed.writers,
            processes: status.processes.map(|it| it.all),
            processes_down: status.processes.map(|it| it.down),
            heartbeats: service.heartbeats,
            cluster: facts.cluster_name.as_deref(),
            frozen: facts.frozen,
            forced_down: service.forced_down,
            disabled_reason: service.disabled_reason.as_deref(),
            reason: observed.reason.map(Reason::as_str),
            advice: advice::advice(listed),
        }
    }
}

/// Returns seconds with six decimals, the same number as in the metrics.
#[expect(
    clippy::cast_precision_loss,
    reason = "microseconds of nearly three centuries need 53 bits"
)]
fn seconds(span: TimeDelta) -> f64 {
    span.num_microseconds().unwrap_or(i64::MAX) as f64 / 1e6
}

/// Returns a time in ISO 8601, with microseconds.
pub(super) fn utc(time: NaiveDateTime) -> String {
    time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}
