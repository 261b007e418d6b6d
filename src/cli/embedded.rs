//! The files that the program brings along, so that they can be installed from the program alone.

/// Rules of Prometheus: the file `alerts/openstack-heartbeat.rules.yml`.
pub const RULES: &str = include_str!("../../alerts/openstack-heartbeat.rules.yml");

/// An example for Alertmanager: the file `alerts/alertmanager.example.yml`.
pub const ALERTMANAGER: &str = include_str!("../../alerts/alertmanager.example.yml");

/// A dashboard for Grafana: the file `dashboards/openstack-heartbeat.json`.
pub const DASHBOARD: &str = include_str!("../../dashboards/openstack-heartbeat.json");

/// The head of the rules as a resource of the Prometheus Operator.
const PROMETHEUS_RULE: &str = "\
# The Prometheus Operator takes what its ruleSelector selects: add the labels that yours asks for.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: openstack-heartbeat
  labels:
    app.kubernetes.io/name: openstack-heartbeat-exporter
spec:
";

/// Returns the [`RULES`] as a `PrometheusRule` of the Prometheus Operator, 0.66 or later.
#[must_use]
pub fn prometheus_rule() -> String {
    let mut resource = PROMETHEUS_RULE.to_owned();
    for line in RULES.lines() {
        if !line.is_empty() {
            resource.push_str("  ");
            resource.push_str(line);
        }
        resource.push('\n');
    }
    resource
}
