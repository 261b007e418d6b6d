//! Where the documentation is.

use crate::heartbeat::cause::Reason;
use crate::heartbeat::snapshot::ServiceStatus;
use crate::heartbeat::urgency::Urgency;

/// The folder of the documentation, ending in a slash. The one place that names it.
pub const DOCUMENTATION: &str =
    "https://github.com/openstack-heartbeat-exporter/openstack-heartbeat-exporter/blob/main/docs/";

/// Returns the name of the runbook, which is that of the alert, for a service that needs somebody.
#[must_use]
pub fn runbook(status: &ServiceStatus) -> Option<&'static str> {
    match (Urgency::of(status), status.observed.reason) {
        (Urgency::Down | Urgency::Unseen, Some(Reason::ClockSkew)) => {
            Some("OpenStackServiceClockSkewed")
        }
        (Urgency::Unseen, Some(Reason::Stopped)) => Some("OpenStackServiceStoppedUnseen"),
        (Urgency::Down | Urgency::Unseen, _) => Some("OpenStackServiceDown"),
        (Urgency::Warning, _) if status.observed.writers.is_none() => {
            Some("OpenStackServiceClockSkewed")
        }
        _ => None,
    }
}

/// Returns the address of a runbook.
#[must_use]
pub fn address(runbook: &str) -> String {
    format!("{DOCUMENTATION}runbooks/{runbook}.md")
}
