//! The dashboard as a file: the rules of grafana/dashboard-linter, its layout, and the metrics it queries.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, and what it prints is shown then"
)]

mod linter;
mod promql;

use std::collections::HashSet;

use openstack_heartbeat_exporter::heartbeat::cause::Reason;
use openstack_heartbeat_exporter::publish::metric::Kind;
use openstack_heartbeat_exporter::publish::table;
use serde_json::{Value, json};

use linter::{Findings, RULES, lint, list, panels, targets, text};
use promql::selectors;

fn dashboard() -> Value {
    serde_json::from_str(include_str!("../../dashboards/openstack-heartbeat.json")).unwrap()
}

/// Metrics that Prometheus adds to every scrape.
const OF_PROMETHEUS: [&str; 3] = ["up", "scrape_samples_scraped", "scrape_duration_seconds"];

/// Returns the names and matchers that the exporter never publishes.
fn unknown_metrics(dashboard: &Value) -> Findings {
    let mut labels: HashSet<&str> = HashSet::from(["job", "instance"]);
    let mut names: HashSet<String> = OF_PROMETHEUS.map(str::to_owned).into();
    for metric in table::all() {
        labels.extend(metric.labels);
        let suffix = if metric.kind == Kind::Histogram {
            "_bucket"
        } else {
            ""
        };
        names.insert(format!("{}{suffix}", metric.name));
    }
    let queries = list(dashboard, "/templating/list")
        .iter()
        .filter_map(|variable| {
            let query = variable["query"].as_str()?.strip_prefix("label_values(")?;
            Some(query.rsplit_once(", ")?.0)
        });
    let expressions = targets(dashboard).map(|(_, target)| text(target, "/expr"));
    let mut unknown = Vec::new();
    for selector in expressions.chain(queries).flat_map(selectors) {
        let known = |matcher: &String| {
            let label = matcher.split(['=', '!']).next().unwrap();
            label.is_empty() || labels.contains(label)
        };
        if !names.contains(&selector.name) || !selector.matchers.iter().all(known) {
            unknown.push(format!("{selector:?}"));
        }
        let reasons = selector.matchers.iter().filter_map(|matcher| {
            let value = matcher
                .strip_prefix("reason=\"")
                .or(matcher.strip_prefix("reason!=\""))?;
            value.strip_suffix('"')
        });
        let no_reason = |reason: &&str| Reason::ALL.iter().all(|known| known.as_str() != *reason);
        unknown.extend(reasons.filter(no_reason).map(str::to_owned));
    }
    unknown
}

/// Returns the selectors that would merge databases which the variable excludes.
fn not_by_database(dashboard: &Value) -> Findings {
    let has_database: HashSet<&str> = table::all()
        .filter(|metric| metric.labels.contains(&"database"))
        .map(|metric| metric.name)
        .collect();
    let selectors = targets(dashboard).flat_map(|(_, target)| selectors(text(target, "/expr")));
    let selected = ["database=~\"$database\"", "database=\"$one_database\""];
    let found = selectors.filter(|selector| {
        let name = selector.name.trim_end_matches("_bucket");
        let mut matchers = selector.matchers.iter();
        has_database.contains(name) && !matchers.any(|matcher| selected.contains(&matcher.as_str()))
    });
    found.map(|selector| format!("{selector:?}")).collect()
}

/// Returns the panels that overlap or leave the 24 columns, and the ids that are used twice.
fn layout(dashboard: &Value) -> Findings {
    let mut found = Vec::new();
    let mut identities = HashSet::new();
    let mut cells = HashSet::new();
    for panel in list(dashboard, "/panels") {
        let at = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        let (x, y, w, h) = (at("x"), at("y"), at("w"), at("h"));
        let mut free = x + w <= 24 && w > 0 && h > 0;
        for column in x..x + w {
            for line in y..y + h {
                free &= cells.insert((column, line));
            }
        }
        if !free {
            found.push(format!("place of {}", panel["title"]));
        }
        if !identities.insert(panel["id"].as_u64()) {
            found.push(format!("identity of {}", panel["title"]));
        }
        let mut queries = HashSet::new();
        if !list(panel, "/targets")
            .iter()
            .all(|target| queries.insert(target["refId"].as_str()))
        {
            found.push(format!("queries of {}", panel["title"]));
        }
    }
    found
}

/// Returns the faults that would prevent import, provisioning or updates of the file.
fn not_portable(dashboard: &Value) -> Findings {
    let mut found = Vec::new();
    if !dashboard["id"].is_null() || dashboard["uid"] != "openstack-heartbeat" {
        found.push("id or uid".to_owned());
    }
    if dashboard.get("__inputs").is_some() || dashboard.get("__requires").is_some() {
        found.push("file provisioning does not fill in inputs".to_owned());
    }
    for name in ["job", "instance", "database", "binary", "host", "reason"] {
        let mut variables = list(dashboard, "/templating/list").iter();
        if !variables.any(|v| v["name"] == name && v["multi"] == true && v["includeAll"] == true) {
            found.push(format!("variable {name}"));
        }
    }
    found
}

/// Returns the links to panels that do not exist.
fn dead_links(dashboard: &Value) -> Findings {
    let file = dashboard.to_string();
    let linked = file.split("viewPanel=").skip(1).map(|rest| {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits
    });
    let there =
        |id: &String| panels(dashboard).any(|panel| panel["id"].as_u64() == id.parse().ok());
    linked.filter(|id| !there(id)).collect()
}

#[test]
fn the_linter_finds_no_faults() {
    assert_eq!(lint(&dashboard()), []);
}

#[test]
fn only_published_metrics_are_queried() {
    assert_eq!(unknown_metrics(&dashboard()), [""; 0]);
}

#[test]
fn every_query_is_limited_to_the_selected_databases() {
    assert_eq!(not_by_database(&dashboard()), [""; 0]);
    for expression in [
        "openstack_heartbeat_rows{}",
        "openstack_service_up{database=\"a\"}",
    ] {
        let changed = with(FIRST_QUERY, expression.into());
        assert_eq!(not_by_database(&changed).len(), 1, "{expression}");
    }
}

#[test]
fn every_panel_has_its_own_place_and_id() {
    assert_eq!(layout(&dashboard()), [""; 0]);
}

#[test]
fn the_file_can_be_provisioned_as_it_is() {
    assert_eq!(not_portable(&dashboard()), [""; 0]);
    assert_eq!(dead_links(&dashboard()), [""; 0]);
}

/// Returns the dashboard with another value at a place; `null` removes the value.
fn with(pointer: &str, value: Value) -> Value {
    let mut changed = dashboard();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = changed.pointer_mut(parent).unwrap();
    match parent {
        Value::Object(object) if value.is_null() => drop(object.remove(name)),
        Value::Object(object) => drop(object.insert(name.to_owned(), value)),
        _ => parent[name.parse::<usize>().unwrap()] = value,
    }
    changed
}

const FIRST_QUERY: &str = "/panels/1/targets/0/expr";

/// A rule, and a dashboard that breaks it.
type Broken = (&'static str, Value);

fn broken_variables() -> Vec<Broken> {
    let variable = |index: usize, name: &str, value: Value| {
        with(&format!("/templating/list/{index}/{name}"), value)
    };
    vec![
        (
            "template-datasource-rule",
            variable(0, "name", "source".into()),
        ),
        (
            "template-datasource-rule",
            variable(0, "label", "Source".into()),
        ),
        ("template-job-rule", variable(1, "multi", false.into())),
        ("template-job-rule", variable(1, "label", "job".into())),
        (
            "template-instance-rule",
            variable(2, "allValue", ".*".into()),
        ),
        (
            "template-instance-rule",
            variable(2, "datasource/uid", "x".into()),
        ),
        (
            "template-label-promql-rule",
            variable(3, "query", "label_values(up{, a)".into()),
        ),
        (
            "template-label-promql-rule",
            variable(3, "query", "labels(up, a)".into()),
        ),
        (
            "template-on-time-change-reload-rule",
            variable(4, "refresh", 1.into()),
        ),
    ]
}

fn broken_panels() -> Vec<Broken> {
    let panel = |name: &str, value: Value| with(&format!("/panels/1/{name}"), value);
    vec![
        (
            "panel-datasource-rule",
            panel("datasource/uid", "prometheus".into()),
        ),
        (
            "panel-datasource-rule",
            panel("targets/0/datasource/uid", "x".into()),
        ),
        (
            "panel-title-description-rule",
            panel("description", Value::Null),
        ),
        ("panel-title-description-rule", panel("title", "".into())),
        (
            "panel-units-rule",
            panel("fieldConfig/defaults/unit", Value::Null),
        ),
        ("panel-no-targets-rule", panel("targets", json!([]))),
        (
            "target-logql-rule",
            panel("targets/0/datasource/type", "loki".into()),
        ),
        ("uneditable-dashboard-rule", with("/editable", true.into())),
    ]
}

fn broken_queries() -> Vec<Broken> {
    let both = "{job=~\"$job\", instance=~\"$instance\"}";
    [
        ("target-promql-rule", format!("sum(up{both}")),
        (
            "target-rate-interval-rule",
            format!("rate(a_total{both}[5m])"),
        ),
        (
            "target-rate-interval-rule",
            format!("increase(a_total{both}[$__range])"),
        ),
        ("target-job-rule", "up{instance=~\"$instance\"}".to_owned()),
        (
            "target-job-rule",
            format!("up{both} + up{{job=\"$job\", instance=~\"$instance\"}}"),
        ),
        ("target-instance-rule", "sum(up{job=~\"$job\"})".to_owned()),
        ("target-instance-rule", format!("up{both} / up")),
        ("target-counter-agg-rule", format!("sum(a_total{both})")),
        ("target-logql-rule", format!("up{both} |= \"error\"")),
        ("target-logql-auto-rule", format!("up{both}[$__auto]")),
    ]
    .map(|(rule, expression)| (rule, with(FIRST_QUERY, expression.into())))
    .into()
}

#[test]
fn a_dashboard_that_breaks_a_rule_is_reported_by_this_rule() {
    let broken = [broken_variables(), broken_panels(), broken_queries()].concat();
    for (rule, dashboard) in &broken {
        let found = lint(dashboard);
        assert!(
            found.iter().any(|(name, _)| name == rule),
            "{rule}: {found:?}"
        );
    }
    for (rule, _) in RULES {
        assert!(
            broken.iter().any(|(name, _)| *name == rule),
            "no case for {rule}"
        );
    }
}

#[test]
fn a_metric_that_is_not_published_is_reported() {
    for expression in [
        "openstack_service_upp{}",
        "openstack_service_up{hots=\"a\"}",
        "openstack_service_down_reason{reason=\"skew\"}",
    ] {
        let changed = with(FIRST_QUERY, expression.into());
        assert_eq!(unknown_metrics(&changed).len(), 1, "{expression}");
    }
    let changed = with("/templating/list/3/query", "label_values(a, b)".into());
    assert_eq!(unknown_metrics(&changed).len(), 1);
}

#[test]
fn an_overlapping_panel_is_reported() {
    for (pointer, value) in [
        ("/panels/1/gridPos/w", 5),
        ("/panels/5/gridPos/x", 20),
        ("/panels/1/id", 3),
    ] {
        assert_eq!(layout(&with(pointer, value.into())).len(), 1, "{pointer}");
    }
}

#[test]
fn a_file_that_cannot_be_provisioned_is_reported() {
    for (pointer, value) in [
        ("/id", json!(7)),
        ("/uid", json!("other")),
        ("/__inputs", json!([])),
        ("/templating/list/5/multi", json!(false)),
    ] {
        assert_eq!(not_portable(&with(pointer, value)).len(), 1, "{pointer}");
    }
    let changed = with("/description", "?viewPanel=99".into());
    assert_eq!(dead_links(&changed), ["99"]);
}
