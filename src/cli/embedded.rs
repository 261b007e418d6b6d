//! Files embedded in the program, so that installing them needs nothing else.

/// Prometheus rules: the file `alerts/openstack-heartbeat.rules.yml`.
pub const RULES: &str = include_str!("../../alerts/openstack-heartbeat.rules.yml");

/// Example Alertmanager configuration: the file `alerts/alertmanager.example.yml`.
pub const ALERTMANAGER: &str = include_str!("../../alerts/alertmanager.example.yml");

/// Grafana dashboard: the file `dashboards/openstack-heartbeat.json`.
pub const DASHBOARD: &str = include_str!("../../dashboards/openstack-heartbeat.json");

/// First lines of the rules as a resource of the Prometheus Operator.
const PROMETHEUS_RULE_HEAD: &str = "\
# The ruleSelector of the Prometheus Operator selects rules by label: add the labels that yours requires.
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
    let mut resource = PROMETHEUS_RULE_HEAD.to_owned();
    for line in RULES.lines() {
        let indent = if line.is_empty() { "" } else { "  " };
        resource.extend([indent, line, "\n"]);
    }
    resource
}
