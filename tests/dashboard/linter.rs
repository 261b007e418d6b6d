//! The rules of grafana/dashboard-linter, by their names, for a dashboard of Prometheus queries.
//!
//! Each rule applies to every panel except rows and text; the linter itself checks fewer types.

use std::process::Command;

use serde_json::Value;

use crate::promql::selectors;

/// The findings of a rule; empty if it is obeyed.
pub(crate) type Findings = Vec<String>;

/// A rule.
pub(crate) type Rule = (&'static str, fn(&Value) -> Findings);

/// All rules.
pub(crate) const RULES: [Rule; 17] = [
    ("template-datasource-rule", template_datasource),
    ("template-job-rule", |d| template(d, "job", "Job")),
    ("template-instance-rule", |d| {
        template(d, "instance", "Instance")
    }),
    ("template-label-promql-rule", template_label_promql),
    ("template-on-time-change-reload-rule", template_reload),
    ("panel-datasource-rule", panel_datasource),
    ("panel-title-description-rule", panel_title_description),
    ("panel-units-rule", panel_units),
    ("panel-no-targets-rule", panel_no_targets),
    ("target-promql-rule", target_promql),
    ("target-rate-interval-rule", target_rate_interval),
    ("target-job-rule", |d| target_matcher(d, "job=~\"$job\"")),
    ("target-instance-rule", |d| {
        target_matcher(d, "instance=~\"$instance\"")
    }),
    ("target-counter-agg-rule", target_counter_agg),
    ("target-logql-rule", target_logql),
    ("target-logql-auto-rule", target_logql_auto),
    ("uneditable-dashboard-rule", uneditable),
];

/// Returns the rules that a dashboard breaks, and how.
pub(crate) fn lint(dashboard: &Value) -> Vec<(&'static str, Findings)> {
    RULES
        .iter()
        .map(|(name, rule)| (*name, rule(dashboard)))
        .filter(|(_, findings)| !findings.is_empty())
        .collect()
}

pub(crate) fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    let list = value.pointer(pointer).and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}

pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn variables(dashboard: &Value) -> &[Value] {
    list(dashboard, "/templating/list")
}

fn query_variables(dashboard: &Value) -> impl Iterator<Item = &Value> {
    let queries = |variable: &&Value| variable["type"] == "query";
    variables(dashboard).iter().filter(queries)
}

/// Returns the panels that show data.
pub(crate) fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    let shows = |panel: &&Value| panel["type"] != "row" && panel["type"] != "text";
    list(dashboard, "/panels").iter().filter(shows)
}

/// Returns every query with the title of its panel.
pub(crate) fn targets(dashboard: &Value) -> impl Iterator<Item = (&str, &Value)> {
    panels(dashboard).flat_map(|panel| {
        let targets = list(panel, "/targets").iter();
        targets.map(|target| (text(panel, "/title"), target))
    })
}

fn findings<T>(of: impl Iterator<Item = T>, finding: impl Fn(T) -> Option<String>) -> Findings {
    of.filter_map(finding).collect()
}

fn template_datasource(dashboard: &Value) -> Findings {
    let mut sources = variables(dashboard)
        .iter()
        .filter(|v| v["type"] == "datasource");
    let good = sources.next().is_some_and(|source| {
        source["name"] == "datasource"
            && source["label"] == "Data source"
            && source["query"] == "prometheus"
    });
    let good = good && sources.next().is_none();
    (!good)
        .then(|| "no variable `datasource`".to_owned())
        .into_iter()
        .collect()
}

fn template(dashboard: &Value, name: &str, label: &str) -> Findings {
    let good = query_variables(dashboard).any(|variable| {
        variable["name"] == name
            && variable["label"] == label
            && variable["multi"] == true
            && variable["allValue"] == ".+"
            && text(variable, "/datasource/uid") == "${datasource}"
    });
    (!good)
        .then(|| format!("no variable `{name}`"))
        .into_iter()
        .collect()
}

fn template_label_promql(dashboard: &Value) -> Findings {
    let mut bad = Findings::new();
    let mut expressions = Vec::new();
    for query in query_variables(dashboard).map(|variable| text(variable, "/query")) {
        let known = ["label_names", "label_values", "metrics", "query_result"];
        let inside = query
            .split_once('(')
            .filter(|(name, _)| known.contains(name));
        let inside = inside.and_then(|(_, rest)| rest.strip_suffix(')'));
        match inside.and_then(|inside| inside.rsplit_once(", ")) {
            Some((expression, _label)) => expressions.push(expression),
            None => bad.push(query.to_owned()),
        }
    }
    bad.extend(parses(&expressions).err());
    bad
}

fn template_reload(dashboard: &Value) -> Findings {
    findings(query_variables(dashboard), |variable| {
        (variable["refresh"] != 2).then(|| variable["name"].to_string())
    })
}

fn panel_datasource(dashboard: &Value) -> Findings {
    findings(panels(dashboard), |panel| {
        let mut all = list(panel, "/targets").iter().chain([panel]);
        let good = all.all(|at| text(at, "/datasource/uid") == "${datasource}");
        (!good).then(|| panel["title"].to_string())
    })
}

fn panel_title_description(dashboard: &Value) -> Findings {
    findings(panels(dashboard), |panel| {
        let missing = text(panel, "/title").is_empty() || text(panel, "/description").is_empty();
        missing.then(|| panel["id"].to_string())
    })
}

/// Checks only that a unit is set: tests/node/dashboard.mjs compares it with the types of Grafana.
fn panel_units(dashboard: &Value) -> Findings {
    findings(panels(dashboard), |panel| {
        let unit = text(panel, "/fieldConfig/defaults/unit");
        unit.is_empty().then(|| panel["title"].to_string())
    })
}

fn panel_no_targets(dashboard: &Value) -> Findings {
    findings(panels(dashboard), |panel| {
        let none = list(panel, "/targets").is_empty();
        none.then(|| panel["title"].to_string())
    })
}

fn target_promql(dashboard: &Value) -> Findings {
    let expressions: Vec<&str> = targets(dashboard)
        .map(|(_, target)| text(target, "/expr"))
        .collect();
    parses(&expressions).err().into_iter().collect()
}

/// Checks with promtool that expressions are `PromQL`.
fn parses(expressions: &[&str]) -> Result<(), String> {
    let rules: Vec<Value> = expressions
        .iter()
        .map(|expression| {
            let expression = ["$__rate_interval", "$__range"]
                .iter()
                .fold((*expression).to_owned(), |text, name| {
                    text.replace(name, "5m")
                });
            serde_json::json!({"record": "checked", "expr": expression})
        })
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.json");
    let groups = serde_json::json!({"groups": [{"name": "checked", "rules": rules}]});
    std::fs::write(&file, groups.to_string()).unwrap();
    let output = Command::new("promtool")
        .args(["check", "rules", "--lint=none"])
        .arg(&file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    output.status.success().then_some(()).ok_or(said)
}

fn target_rate_interval(dashboard: &Value) -> Findings {
    findings(targets(dashboard), |(title, target)| {
        let bad = selectors(text(target, "/expr"))
            .into_iter()
            .find(|selector| {
                ["rate", "irate", "increase"].contains(&selector.function.as_str())
                    && selector.range.as_deref() != Some("$__rate_interval")
            });
        bad.map(|selector| format!("{title}: {}", selector.name))
    })
}

fn target_matcher(dashboard: &Value, matcher: &str) -> Findings {
    findings(targets(dashboard), |(title, target)| {
        let bad = selectors(text(target, "/expr"))
            .into_iter()
            .find(|selector| !selector.matchers.iter().any(|m| m == matcher));
        bad.map(|selector| format!("{title}: {}", selector.name))
    })
}

fn target_counter_agg(dashboard: &Value) -> Findings {
    findings(targets(dashboard), |(title, target)| {
        let bad = selectors(text(target, "/expr"))
            .into_iter()
            .find(|selector| {
                selector.name.ends_with("_total")
                    && !["rate", "irate", "increase"].contains(&selector.function.as_str())
            });
        bad.map(|selector| format!("{title}: {}", selector.name))
    })
}

/// `LogQL` needs a data source that the dashboard does not have.
fn target_logql(dashboard: &Value) -> Findings {
    findings(targets(dashboard), |(title, target)| {
        let expression = text(target, "/expr");
        let filters = ["|=", "|~", "| json", "| logfmt", "|>"];
        let bad = target
            .pointer("/datasource/type")
            .is_none_or(|kind| kind != "prometheus")
            || filters.iter().any(|filter| expression.contains(filter));
        bad.then(|| title.to_owned())
    })
}

fn target_logql_auto(dashboard: &Value) -> Findings {
    findings(targets(dashboard), |(title, target)| {
        let bad = text(target, "/expr").contains("$__auto");
        bad.then(|| title.to_owned())
    })
}

fn uneditable(dashboard: &Value) -> Findings {
    let good = dashboard["editable"] == false;
    (!good).then(|| "editable".to_owned()).into_iter().collect()
}
