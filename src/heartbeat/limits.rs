//! The limits behind the verdicts on the services of one binary, and the clock budget that they leave.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;

use super::budget::Budget;
use super::liveness::Intervals;
use super::status::ServiceStatus;
use crate::project::rules::Rules;

/// What decides whether a service of one binary is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// How old a heartbeat may be before the API lists the service as down.
    pub(crate) service_down_time: TimeDelta,
    /// How old a heartbeat may be before the scheduler avoids the service; `None` where no scheduler has a rule of its
    /// own.
    pub(crate) scheduler_service_down_time: Option<TimeDelta>,
    /// The configured interval between two heartbeats.
    pub(crate) report_interval: TimeDelta,
    /// How far the clock behind the stamps may be off.
    pub(crate) budget: Budget,
}

impl Limits {
    /// Returns the limits that result from the rules and the options.
    pub(crate) fn of(rules: &Rules, intervals: &Intervals) -> Self {
        Self {
            service_down_time: rules.api.limit(intervals),
            scheduler_service_down_time: rules.scheduler.map(|rule| rule.limit(intervals)),
            report_interval: intervals.report_interval,
            budget: Budget::of(rules, intervals),
        }
    }

    /// Returns the limits of each binary among these services. Where they differ, those with the shortest limit on the age
    /// count.
    pub(super) fn by_binary(
        services: &[ServiceStatus],
        rules: &Rules,
        intervals: &Intervals,
    ) -> BTreeMap<Arc<str>, Self> {
        let mut limits: BTreeMap<Arc<str>, Self> = BTreeMap::new();
        for ServiceStatus { service, .. } in services {
            let binary = &service.facts.binary;
            let own = intervals.of(service);
            let is_longer = |known: &Self| known.service_down_time > rules.api.limit(&own);
            if limits.get(binary).is_none_or(is_longer) {
                limits.insert(binary.clone(), Self::of(rules, &own));
            }
        }
        limits
    }
}
