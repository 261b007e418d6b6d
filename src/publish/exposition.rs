//! The bytes of `/metrics`: Prometheus's text format 0.0.4 and OpenMetrics 1.0.0.
//!
//! The two differ only in the lines that describe a family. The page has two parts: the services, rendered once a
//! poll, and the exporter's own metrics, rendered once a second while they are scraped. Formats:
//! <https://prometheus.io/docs/instrumenting/exposition_formats/> and
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/>.

use std::fmt::{self, Display, Write as _};

use prometheus::proto::{Histogram, MetricFamily, MetricType};

use super::metric::{Kind, Metric, Series, Value};
use super::table;
use crate::heartbeat::limits::Limits;
use crate::heartbeat::server_clocks::ServerClockSpread;
use crate::heartbeat::snapshot::Snapshot;
use crate::heartbeat::status::{ClusterStatus, ServiceStatus};

/// The text format of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus's text format, version 0.0.4.
    Text,
    /// OpenMetrics text, version 1.0.0.
    OpenMetrics,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 2] = [Self::Text, Self::OpenMetrics];

    /// Returns the value of the header `Content-Type`.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// Returns the end of a page.
    pub(crate) fn end(self) -> &'static str {
        match self {
            Self::Text => "",
            Self::OpenMetrics => "# EOF\n",
        }
    }
}

/// A metric family of the services.
#[derive(Clone, Copy)]
pub(crate) enum Family {
    /// One series for each service that has a value.
    Service(&'static Series<ServiceStatus>),
    /// The reason of each service that has one.
    DownReason,
    /// The facts about each service.
    ServiceInfo,
    /// One series for each cluster that has a value.
    Cluster(&'static Series<ClusterStatus>),
    /// One series for each binary that has a value.
    Limit(&'static Series<Limits>),
    /// What is proven of the clocks of those who stamp other services' rows.
    Servers(&'static Series<ServerClockSpread>),
}

/// The identifying labels of each service, cluster and binary of a snapshot, rendered once for all families.
#[derive(Debug)]
pub(crate) struct Names {
    services: Labels,
    clusters: Labels,
    binaries: Labels,
    /// Who stamps rows of others; empty where nobody does.
    servers: Labels,
    /// The labels of the project's own facts.
    info: Vec<&'static str>,
}

/// The labels of each row, one after the other.
#[derive(Debug, Default)]
struct Labels {
    text: String,
    ends: Vec<usize>,
}

impl Names {
    /// Renders the labels of a snapshot of this source.
    pub(crate) fn of(database: &str, snapshot: &Snapshot) -> Self {
        let services = snapshot.services.iter().map(|status| {
            let (binary, host) = status.service.facts.name();
            (binary, Some(("host", host)))
        });
        let clusters = snapshot.clusters.iter().map(|status| {
            let cluster = &status.cluster;
            (&*cluster.binary, Some(("cluster", &*cluster.name)))
        });
        let binaries = snapshot.limits.keys().map(|binary| (&**binary, None));
        let servers = snapshot.project.rules.servers();
        let servers = servers.map(|servers| (servers.program, None));
        Self {
            services: Labels::new(database, services),
            clusters: Labels::new(database, clusters),
            binaries: Labels::new(database, binaries),
            servers: Labels::new(database, servers.into_iter()),
            info: snapshot.project.info_labels().collect(),
        }
    }

    /// Returns whether two snapshots have the same services, with the same facts, and the same clusters.
    pub(crate) fn are_same(a: &Snapshot, b: &Snapshot) -> bool {
        fn same<'a, T, V: PartialEq>(a: &'a [T], b: &'a [T], value: impl Fn(&'a T) -> V) -> bool {
            a.len() == b.len() && a.iter().map(&value).eq(b.iter().map(&value))
        }
        same(&a.services, &b.services, |status| &status.service.facts)
            && same(&a.clusters, &b.clusters, |status| &status.cluster)
    }
}

impl Labels {
    /// Renders database, binary, and a third label if there is one.
    fn new<'a>(
        database: &str,
        names: impl Iterator<Item = (&'a str, Option<(&'static str, &'a str)>)>,
    ) -> Self {
        let mut labels = Self::default();
        for (binary, third) in names {
            let text = &mut labels.text;
            label_pair(text, "database", database);
            for (label, value) in [("binary", binary)].into_iter().chain(third) {
                text.push(',');
                label_pair(text, label, value);
            }
            labels.ends.push(text.len());
        }
        labels.text.shrink_to_fit();
        labels
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        let spans = begins.zip(&self.ends);
        spans.map(|(begin, &end)| &self.text[begin..end])
    }
}

impl Family {
    /// Returns every family, in the order of the page.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let services = table::SERVICE.iter().map(Self::Service);
        let clusters = table::CLUSTER.iter().map(Self::Cluster);
        let facts = [Self::DownReason, Self::ServiceInfo];
        let limits = table::LIMITS.iter().map(Self::Limit);
        let servers = table::SERVERS.iter().map(Self::Servers);
        let services = services.chain(facts).chain(clusters);
        services.chain(limits).chain(servers)
    }

    /// Returns whether the samples are settings, which stay true when the states of the services are not known any more.
    pub(crate) fn is_lasting(self) -> bool {
        matches!(self, Self::Limit(_))
    }

    /// Returns the description of the family.
    pub(crate) fn metric(self) -> &'static Metric {
        match self {
            Self::Service((metric, _))
            | Self::Cluster((metric, _))
            | Self::Limit((metric, _))
            | Self::Servers((metric, _)) => metric,
            Self::DownReason => &table::DOWN_REASON,
            Self::ServiceInfo => &table::SERVICE_INFO,
        }
    }

    /// Returns whether two snapshots with [the same names](Names::are_same) have the same samples of this family.
    pub(crate) fn is_same(self, a: &Snapshot, b: &Snapshot) -> bool {
        let mut services = a.services.iter().zip(&b.services);
        let mut clusters = a.clusters.iter().zip(&b.clusters);
        match self {
            Self::Service((_, value)) => services.all(|(a, b)| value(a) == value(b)),
            Self::Cluster((_, value)) => clusters.all(|(a, b)| value(a) == value(b)),
            Self::DownReason => services.all(|(a, b)| a.observed.reason == b.observed.reason),
            // Few, and they change with the settings only.
            Self::Limit(_) => a.limits == b.limits,
            Self::Servers(_) => a.servers == b.servers,
            // The same names have the same facts.
            Self::ServiceInfo => true,
        }
    }

    /// Returns the lines that describe the family.
    pub(crate) fn description(self, format: Format) -> String {
        let mut lines = String::new();
        describe(&mut lines, format, self.metric());
        lines
    }

    /// Renders the samples of the family, without its description. `names` must be those of the snapshot. `page` is
    /// passed to `drain` after each sample, which may empty it.
    pub(crate) fn render(
        self,
        snapshot: &Snapshot,
        names: &Names,
        page: &mut String,
        drain: impl FnMut(&mut String),
    ) {
        let mut lines = Lines {
            name: self.metric().name,
            page,
            drain,
        };
        let services = names.services.iter().zip(&snapshot.services);
        match self {
            Self::Service((_, value)) => lines.column(services, *value),
            Self::Cluster((_, value)) => {
                lines.column(names.clusters.iter().zip(&snapshot.clusters), *value);
            }
            Self::Limit((_, value)) => {
                lines.column(names.binaries.iter().zip(snapshot.limits.values()), *value);
            }
            Self::Servers((_, value)) => {
                lines.column(names.servers.iter().zip(&snapshot.servers), *value);
            }
            Self::DownReason => {
                let reasons =
                    services.filter_map(|(names, status)| Some((names, status.observed.reason?)));
                for (names, reason) in reasons {
                    lines.begin(names);
                    lines.page.push(',');
                    label_pair(lines.page, "reason", reason.as_str());
                    lines.end(Value::Integer(1));
                }
            }
            Self::ServiceInfo => {
                for (labels, status) in services {
                    let facts = &status.service.facts;
                    lines.begin(labels);
                    for (name, fact) in table::SERVICE_INFO_LABELS {
                        lines.page.push(',');
                        label_pair(lines.page, name, fact(facts).unwrap_or_default());
                    }
                    let own = names.info.iter().zip(&facts.info);
                    for (name, fact) in own {
                        lines.page.push(',');
                        label_pair(lines.page, name, fact.as_deref().unwrap_or_default());
                    }
                    lines.end(Value::Integer(1));
                }
            }
        }
    }
}

/// Returns the description of a family that the crate `prometheus` gathered.
pub(crate) fn described(gathered: &MetricFamily) -> Option<&'static Metric> {
    let mut metrics = table::TELEMETRY.iter();
    metrics.find(|metric| metric.name == gathered.name())
}

/// Renders the families that the crate `prometheus` gathered, and ends the page. The crate has no encoder for
/// OpenMetrics.
pub(crate) fn telemetry(families: &[MetricFamily], format: Format) -> String {
    let mut page = String::with_capacity(16 * 1024);
    for gathered in families {
        let Some(metric) = described(gathered) else {
            debug_assert!(false, "{} is not in the table", gathered.name());
            continue;
        };
        describe(&mut page, format, metric);
        for sample in gathered.get_metric() {
            let mut labels = String::new();
            for pair in sample.get_label() {
                label(&mut labels, pair.name(), pair.value());
            }
            let value = match gathered.get_field_type() {
                MetricType::HISTOGRAM => {
                    histogram(&mut page, metric.name, &labels, sample.get_histogram());
                    continue;
                }
                MetricType::COUNTER => sample.get_counter().get_value(),
                _ => sample.get_gauge().get_value(),
            };
            line(&mut page, metric.name, "", &labels, Float(value));
        }
    }
    page.push_str(format.end());
    page
}

/// The samples of one family.
struct Lines<'a, F> {
    name: &'static str,
    page: &'a mut String,
    drain: F,
}

impl<F: FnMut(&mut String)> Lines<'_, F> {
    fn column<'a, T: 'a>(
        &mut self,
        rows: impl Iterator<Item = (&'a str, &'a T)>,
        value: fn(&T) -> Option<Value>,
    ) {
        for (names, row) in rows {
            if let Some(value) = value(row) {
                self.begin(names);
                self.end(value);
            }
        }
    }

    fn begin(&mut self, names: &str) {
        self.page.push_str(self.name);
        self.page.push('{');
        self.page.push_str(names);
    }

    fn end(&mut self, value: Value) {
        self.page.push_str("} ");
        number(self.page, value);
        self.page.push('\n');
        (self.drain)(self.page);
    }
}

/// Writes the lines that describe a family.
fn describe(page: &mut String, format: Format, metric: &Metric) {
    let (name, kind) = match format {
        Format::OpenMetrics => (metric.family(), metric.kind.as_str()),
        Format::Text if metric.kind == Kind::Info => (metric.name, "gauge"),
        Format::Text => (metric.name, metric.kind.as_str()),
    };
    let type_line = format!("# TYPE {name} {kind}\n");
    // Each format has its customary order.
    if format == Format::OpenMetrics {
        page.push_str(&type_line);
        if let Some(unit) = metric.unit() {
            let _ = writeln!(page, "# UNIT {name} {unit}");
        }
    }
    let _ = write!(page, "# HELP {name} ");
    escape(page, metric.help, false);
    page.push('\n');
    if format == Format::Text {
        page.push_str(&type_line);
    }
}

fn histogram(page: &mut String, name: &str, labels: &str, histogram: &Histogram) {
    let (buckets, count) = (histogram.get_bucket(), histogram.get_sample_count());
    let buckets = buckets.iter();
    let buckets = buckets.map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()));
    for (bound, count) in buckets.chain([(f64::INFINITY, count)]) {
        let mut labels = labels.to_owned();
        label(&mut labels, "le", &Float(bound).to_string());
        line(page, name, "_bucket", &labels, count);
    }
    let sum = Float(histogram.get_sample_sum());
    line(page, name, "_sum", labels, sum);
    line(page, name, "_count", labels, count);
}

fn line(page: &mut String, name: &str, suffix: &str, labels: &str, value: impl Display) {
    let _ = match labels {
        "" => writeln!(page, "{name}{suffix} {value}"),
        _ => writeln!(page, "{name}{suffix}{{{labels}}} {value}"),
    };
}

fn label(labels: &mut String, name: &str, value: &str) {
    if !labels.is_empty() {
        labels.push(',');
    }
    label_pair(labels, name, value);
}

fn label_pair(labels: &mut String, name: &str, value: &str) {
    labels.push_str(name);
    labels.push_str("=\"");
    escape(labels, value, true);
    labels.push('"');
}

/// Escapes a label value or a help text. A zero byte becomes the replacement character: tools would treat the page
/// as binary.
fn escape(page: &mut String, text: &str, quotes: bool) {
    if !text.bytes().any(|b| matches!(b, b'\\' | b'\n' | b'"' | 0)) {
        page.push_str(text);
        return;
    }
    for character in text.chars() {
        match character {
            '\\' => page.push_str("\\\\"),
            '\n' => page.push_str("\\n"),
            '"' if quotes => page.push_str("\\\""),
            '\0' => page.push(char::REPLACEMENT_CHARACTER),
            other => page.push(other),
        }
    }
}

fn number(page: &mut String, value: Value) {
    let mut digits = itoa::Buffer::new();
    match value {
        Value::Integer(value) => page.push_str(digits.format(value)),
        Value::Micros(micros) => {
            if micros < 0 {
                page.push('-');
            }
            let micros = micros.unsigned_abs();
            page.push_str(digits.format(micros / 1_000_000));
            let fraction = micros % 1_000_000;
            if fraction > 0 {
                // Six digits with the zeros that lead, without those at the end.
                let text = digits.format(1_000_000 + fraction);
                page.push('.');
                page.push_str(text[1..].trim_end_matches('0'));
            }
        }
    }
}

/// A float as both formats require it: infinities as `+Inf`, `-Inf`.
struct Float(f64);

impl Display for Float {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            f64::INFINITY => f.write_str("+Inf"),
            f64::NEG_INFINITY => f.write_str("-Inf"),
            value => value.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;
