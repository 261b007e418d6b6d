//! The panels of the dashboard and their queries, with variables and legends replaced as in Grafana.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{GIVES, State};
use crate::support::prometheus::{Prometheus, Series};

/// The dashboard's range in seconds: longer than the test takes.
const RANGE: u32 = 120;

/// The dashboard with a Prometheus as its data source.
pub(super) struct Dashboard<'a> {
    pub(super) json: Value,
    variables: Vec<(&'static str, String)>,
    pub(super) prometheus: &'a Prometheus,
}

/// A query of a panel.
struct Query<'a> {
    panel: &'a Value,
    target: &'a Value,
}

impl Query<'_> {
    fn id(&self) -> (u64, &str) {
        let panel = self.panel["id"].as_u64().unwrap();
        (panel, self.target["refId"].as_str().unwrap())
    }

    fn is_table(&self) -> bool {
        self.target["format"] == "table"
    }

    /// Returns the legend of a series.
    fn legend(&self, series: &Series) -> String {
        let legend = self.target["legendFormat"].as_str().unwrap();
        let fill = |text: String, (name, value): (&String, &String)| {
            text.replace(&format!("{{{{{name}}}}}"), value)
        };
        series.labels.iter().fold(legend.to_owned(), fill)
    }
}

impl<'a> Dashboard<'a> {
    pub(super) fn new(prometheus: &'a Prometheus, instances: &[String]) -> Self {
        let json = include_str!("../../../dashboards/openstack-heartbeat.json");
        // As in Grafana, for selected values and for all.
        let instances = instances.join("|").replace('.', "\\\\.");
        let variables = [
            ("$__rate_interval", "8s".to_owned()),
            ("$__range", format!("{RANGE}s")),
            ("$job", "heartbeat".to_owned()),
            ("$instance", format!("({instances})")),
            ("$database", ".+".to_owned()),
            ("$binary", ".+".to_owned()),
            ("$host", ".+".to_owned()),
            ("$reason", ".+".to_owned()),
            ("$one_host", "skewed".to_owned()),
            ("$one_database", "cinder".to_owned()),
        ];
        Self {
            json: serde_json::from_str(json).unwrap(),
            variables: variables.into(),
            prometheus,
        }
    }

    pub(super) fn fill(&self, text: &str) -> String {
        let fill = |text: String, (name, value): &(&str, String)| text.replace(name, value);
        let filled = self.variables.iter().fold(text.to_owned(), fill);
        assert!(!filled.contains('$'), "{filled}");
        filled
    }

    fn queries(&self) -> Vec<Query<'_>> {
        let panels = list(&self.json["panels"]).iter();
        panels
            .flat_map(|panel| {
                let targets = list(&panel["targets"]).iter();
                targets.map(move |target| Query { panel, target })
            })
            .collect()
    }

    /// Returns the result of a query at the end of the range.
    pub(super) fn ask(&self, panel: u64, reference: &str) -> Vec<Series> {
        let queries = self.queries();
        let query = queries
            .iter()
            .find(|query| query.id() == (panel, reference));
        let expression = query.unwrap().target["expr"].as_str().unwrap();
        self.prometheus.query(&self.fill(expression))
    }

    /// Returns the values of a query by the value of a label.
    pub(super) fn values(&self, panel: u64, reference: &str, label: &str) -> BTreeMap<String, f64> {
        let series = self.ask(panel, reference).into_iter();
        series
            .map(|mut series| {
                (
                    series.labels.remove(label).unwrap_or_default(),
                    series.value,
                )
            })
            .collect()
    }

    /// Returns the one value of a query.
    pub(super) fn value(&self, panel: u64, reference: &str) -> Option<f64> {
        match self.ask(panel, reference).as_slice() {
            [] => None,
            [one] => Some(one.value),
            many => panic!("{panel} {reference} gives {many:?}"),
        }
    }

    pub(super) fn wait_for(&self, panel: u64, reference: &str, value: Option<f64>) {
        let what = format!("query {reference} of panel {panel} gives {value:?}");
        self.prometheus
            .wait_for(&what, |_| self.value(panel, reference) == value);
    }

    /// Runs every query as its panel does, and checks whether it returns data.
    pub(super) fn check(&self, state: State) {
        let mut faults = Vec::new();
        assert_eq!(self.queries().len(), GIVES.len());
        for query in self.queries() {
            let (panel, reference) = query.id();
            let at = format!("{state:?}: {panel} {reference} of {}", query.panel["title"]);
            let expected = GIVES
                .iter()
                .find(|(id, name, _)| (*id, *name) == query.id());
            let (.., expected) = expected.unwrap_or_else(|| panic!("{at}: what should it give?"));
            let series = self.ask(panel, reference);
            match expected.as_bytes()[state as usize] {
                b'+' if series.is_empty() => faults.push(format!("{at}: nothing")),
                b'-' if !series.is_empty() => faults.push(format!("{at}: {series:?}")),
                _ => {}
            }
            if query.target["range"] == true {
                let earlier = &expected.as_bytes()[..=state as usize];
                let seen = self.points(&query);
                if earlier.contains(&b'+') && seen == 0 {
                    faults.push(format!("{at}: nothing in the range"));
                }
            }
            if query.is_table() {
                faults.extend(not_one_row_a_service(&series).map(|row| format!("{at}: {row}")));
            } else {
                let names = series.iter().map(|series| query.legend(series));
                let unnamed = names.filter(|name| name.contains("{{"));
                faults.extend(unnamed.map(|name| format!("{at}: no label for {name}")));
            }
        }
        assert_eq!(faults, [""; 0]);
    }

    /// Returns the number of points in the range of a query.
    fn points(&self, query: &Query) -> usize {
        let now = self.prometheus.value("vector(time())").unwrap();
        let expression = self.fill(query.target["expr"].as_str().unwrap());
        let parameters = [
            format!("query={expression}"),
            format!("start={}", now - f64::from(RANGE)),
            format!("end={now}"),
            "step=1".to_owned(),
        ];
        let parameters: Vec<&str> = parameters.iter().map(String::as_str).collect();
        let answer = self
            .prometheus
            .ask_with("query_range", &parameters)
            .unwrap();
        let series = answer["result"].as_array().unwrap().iter();
        series
            .map(|series| series["values"].as_array().unwrap().len())
            .sum()
    }

    /// Checks that each column or series that the panels change exists, once every query returns data.
    pub(super) fn check_names(&self) {
        let mut faults = Vec::new();
        for panel in list(&self.json["panels"]) {
            let mut names = self.names(panel);
            let mut missing = missing_columns(panel, &names);
            for change in list(&panel["transformations"]) {
                let renamed = change["options"]["renameByName"]
                    .as_object()
                    .into_iter()
                    .flatten();
                names.extend(renamed.map(|(_, name)| name.as_str().unwrap().to_owned()));
            }
            missing.extend(missing_series(panel, &names));
            faults.extend(
                missing
                    .iter()
                    .map(|name| format!("{}: no {name}", panel["title"])),
            );
        }
        assert_eq!(faults, [""; 0]);
    }

    /// Returns the names of a panel's series, or of its columns before the transformations.
    fn names(&self, panel: &Value) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for query in self.queries().iter().filter(|query| query.panel == panel) {
            let (id, reference) = query.id();
            for series in self.ask(id, reference) {
                if query.is_table() {
                    names.extend(["Time".to_owned(), format!("Value #{reference}")]);
                    names.extend(series.labels.into_keys());
                } else {
                    names.insert(query.legend(&series));
                }
            }
        }
        names
    }

    /// Returns the number of exporters with enough scrapes for a rate.
    pub(super) fn rates(&self) -> usize {
        self.ask(34, "A").len()
    }

    /// Returns the values of each query variable, as Grafana requests them.
    pub(super) fn choices(&self) -> BTreeMap<String, Vec<String>> {
        let variables = self.json["templating"]["list"].as_array().unwrap().iter();
        let queries = variables.filter(|variable| variable["type"] == "query");
        queries
            .map(|variable| {
                let query = variable["query"].as_str().unwrap();
                let inside = query.strip_prefix("label_values(").unwrap();
                let (selector, label) = inside.rsplit_once(", ").unwrap();
                let path = format!("label/{}/values", label.trim_end_matches(')'));
                let selector = format!("match[]={}", self.fill(selector));
                let values = self.prometheus.ask(&path, &selector).unwrap();
                let name = variable["name"].as_str().unwrap().to_owned();
                (name, serde_json::from_value(values).unwrap())
            })
            .collect()
    }
}

/// Returns the services, or exporters, that would have several rows in a table.
fn not_one_row_a_service(series: &[Series]) -> impl Iterator<Item = String> {
    let mut seen = BTreeSet::new();
    let keys = series.iter().map(|series| {
        let is_service = series.labels.contains_key("host");
        let keys = if is_service {
            ["job", "database", "binary", "host"]
        } else {
            ["job", "instance", "", ""]
        };
        keys.map(|key| series.labels.get(key).cloned().unwrap_or_default())
    });
    let twice: Vec<_> = keys.filter(|key| !seen.insert(key.clone())).collect();
    twice.into_iter().map(|key| format!("two rows of {key:?}"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Returns the columns that the transformations of a panel name and its queries do not return.
fn missing_columns(panel: &Value, names: &BTreeSet<String>) -> Vec<String> {
    let parts = ["excludeByName", "indexByName", "renameByName"];
    list(&panel["transformations"])
        .iter()
        .flat_map(|change| parts.map(|part| change["options"][part].as_object()))
        .flat_map(|columns| columns.into_iter().flatten())
        .filter(|(name, _)| !names.contains(*name))
        .map(|(name, _)| name.clone())
        .collect()
}

/// Returns the series or columns that the overrides of a panel name and that do not exist.
fn missing_series(panel: &Value, names: &BTreeSet<String>) -> Vec<String> {
    let mut missing = Vec::new();
    for change in list(&panel["fieldConfig"]["overrides"]) {
        let matcher = change["matcher"]["options"].as_str().unwrap();
        let there = if change["matcher"]["id"] == "byName" {
            names.contains(matcher)
        } else {
            // The regular expressions in use are a suffix, or alternatives.
            let ending = matcher.trim_matches('/').trim_end_matches('$');
            let (start, words) = ending.split_once('(').unwrap_or((ending, ""));
            let mut words = words.trim_end_matches(')').split('|');
            words.all(|word| {
                let ending = format!("{start}{word}");
                names.iter().any(|name| name.ends_with(&ending))
            })
        };
        let below = list(&change["properties"]).iter().filter_map(|property| {
            let is_band = property["id"] == "custom.fillBelowTo";
            is_band.then(|| property["value"].as_str().unwrap())
        });
        missing.extend(
            below
                .filter(|name| !names.contains(*name))
                .map(str::to_owned),
        );
        if !there {
            missing.push(matcher.to_owned());
        }
    }
    missing
}
