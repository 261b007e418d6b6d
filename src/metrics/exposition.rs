//! The bytes of `/metrics`: Prometheus's text format 0.0.4 and OpenMetrics 1.0.0.
//!
//! The two differ in the lines that describe a family; the samples are the same. The page has two parts: the
//! services, rendered once a poll, and the exporter's own metrics, rendered at each scrape. Formats:
//! <https://prometheus.io/docs/instrumenting/exposition_formats/> and
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/>.

use std::fmt::Write as _;

use prometheus::proto::{MetricFamily, MetricType};

use super::table::{self, Column, Kind, Metric, Value};
use crate::heartbeat::cause::Reason;
use crate::heartbeat::snapshot::{ServiceStatus, Snapshot};

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
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// Returns what ends a page.
    #[must_use]
    pub fn end(self) -> &'static str {
        match self {
            Self::Text => "",
            Self::OpenMetrics => "# EOF\n",
        }
    }
}

/// Renders the metrics of all services and clusters.
#[must_use]
pub fn services(snapshot: &Snapshot, format: Format) -> String {
    // Measured with 10,000 services and long names: 2,040 bytes each. Growing a large string costs a copy.
    let mut page = String::with_capacity(snapshot.services.len() * 2048 + 4096);
    let services: Vec<String> = snapshot
        .services
        .iter()
        .map(|status| {
            names(
                "host",
                &status.service.facts.binary,
                &status.service.facts.host,
            )
        })
        .collect();
    for column in table::SERVICE {
        family(&mut page, format, column, &snapshot.services, &services);
    }
    reasons(&mut page, format, &snapshot.services, &services);
    info(&mut page, format, &snapshot.services, &services);
    let clusters: Vec<String> = snapshot
        .clusters
        .iter()
        .map(|status| names("cluster_name", &status.cluster.binary, &status.cluster.name))
        .collect();
    for column in table::CLUSTER {
        family(&mut page, format, column, &snapshot.clusters, &clusters);
    }
    page
}

/// Renders what the crate `prometheus` gathered, which knows nothing of OpenMetrics. Ends the page.
#[must_use]
pub fn telemetry(families: &[MetricFamily], format: Format) -> String {
    let mut page = String::with_capacity(16 * 1024);
    for gathered in families {
        let Some(metric) = table::TELEMETRY
            .iter()
            .find(|metric| metric.name == gathered.name())
        else {
            debug_assert!(false, "{} is not in the table", gathered.name());
            continue;
        };
        describe(&mut page, format, metric);
        for sample in gathered.get_metric() {
            let mut labels = String::new();
            for pair in sample.get_label() {
                label(&mut labels, pair.name(), pair.value());
            }
            match gathered.get_field_type() {
                MetricType::COUNTER => {
                    line(
                        &mut page,
                        metric.name,
                        "",
                        &labels,
                        sample.get_counter().get_value(),
                    );
                }
                MetricType::HISTOGRAM => {
                    histogram(&mut page, metric.name, &labels, sample.get_histogram());
                }
                _ => line(
                    &mut page,
                    metric.name,
                    "",
                    &labels,
                    sample.get_gauge().get_value(),
                ),
            }
        }
    }
    page.push_str(format.end());
    page
}

fn family<T>(page: &mut String, format: Format, column: &Column<T>, rows: &[T], names: &[String]) {
    let (metric, value) = column;
    let mut described = false;
    for (row, names) in rows.iter().zip(names) {
        let Some(value) = value(row) else { continue };
        if !described {
            describe(page, format, metric);
            described = true;
        }
        page.push_str(metric.name);
        page.push('{');
        page.push_str(names);
        page.push_str("} ");
        number(page, value);
        page.push('\n');
    }
}

/// Writes every reason of every service whose verdict is known, so that no series comes and goes.
fn reasons(page: &mut String, format: Format, services: &[ServiceStatus], names: &[String]) {
    let known = services
        .iter()
        .zip(names)
        .filter(|(status, _)| status.up.is_some());
    let mut described = false;
    for (status, names) in known {
        if !described {
            describe(page, format, &table::DOWN_REASON);
            described = true;
        }
        for reason in Reason::ALL {
            let holds = u8::from(status.observed.reason == Some(reason));
            let _ = writeln!(
                page,
                "{}{{{names},reason=\"{}\"}} {holds}",
                table::DOWN_REASON.name,
                reason.as_str()
            );
        }
    }
}

fn info(page: &mut String, format: Format, services: &[ServiceStatus], names: &[String]) {
    if services.is_empty() {
        return;
    }
    describe(page, format, &table::SERVICE_INFO);
    for (status, names) in services.iter().zip(names) {
        page.push_str(table::SERVICE_INFO.name);
        page.push('{');
        page.push_str(names);
        for (name, fact) in table::SERVICE_INFO_LABELS {
            page.push(',');
            label_pair(page, name, fact(status).unwrap_or_default());
        }
        page.push_str("} 1\n");
    }
}

/// Writes the lines that say what a family is.
fn describe(page: &mut String, format: Format, metric: &Metric) {
    let (name, kind) = match format {
        Format::OpenMetrics => (metric.family(), metric.kind.as_str()),
        Format::Text if metric.kind == Kind::Info => (metric.name, "gauge"),
        Format::Text => (metric.name, metric.kind.as_str()),
    };
    let help = |page: &mut String| {
        let _ = write!(page, "# HELP {name} ");
        escape(page, metric.help, false);
        page.push('\n');
    };
    // Each format has its customary order.
    match format {
        Format::Text => {
            help(page);
            let _ = writeln!(page, "# TYPE {name} {kind}");
        }
        Format::OpenMetrics => {
            let _ = writeln!(page, "# TYPE {name} {kind}");
            if let Some(unit) = metric.unit() {
                let _ = writeln!(page, "# UNIT {name} {unit}");
            }
            help(page);
        }
    }
}

fn histogram(
    page: &mut String,
    name: &str,
    labels: &str,
    histogram: &prometheus::proto::Histogram,
) {
    for bucket in histogram.get_bucket() {
        let mut labels = labels.to_owned();
        let mut bound = String::new();
        float(&mut bound, bucket.upper_bound());
        label(&mut labels, "le", &bound);
        integer_line(page, name, "_bucket", &labels, bucket.cumulative_count());
    }
    let mut all = labels.to_owned();
    label(&mut all, "le", "+Inf");
    integer_line(page, name, "_bucket", &all, histogram.get_sample_count());
    line(page, name, "_sum", labels, histogram.get_sample_sum());
    integer_line(page, name, "_count", labels, histogram.get_sample_count());
}

fn line(page: &mut String, name: &str, suffix: &str, labels: &str, value: f64) {
    series(page, name, suffix, labels);
    float(page, value);
    page.push('\n');
}

fn integer_line(page: &mut String, name: &str, suffix: &str, labels: &str, value: u64) {
    series(page, name, suffix, labels);
    let _ = writeln!(page, "{value}");
}

fn series(page: &mut String, name: &str, suffix: &str, labels: &str) {
    page.push_str(name);
    page.push_str(suffix);
    if !labels.is_empty() {
        page.push('{');
        page.push_str(labels);
        page.push('}');
    }
    page.push(' ');
}

/// The two labels that identify a service or a cluster, rendered once for all its series.
fn names(second: &str, binary: &str, name: &str) -> String {
    let mut labels = String::with_capacity(32 + binary.len() + name.len());
    label(&mut labels, "binary", binary);
    label(&mut labels, second, name);
    labels
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

/// Escapes a label's value or a help text. A zero byte, for which every tool would take the page for binary,
/// becomes the replacement character.
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
    // Writing to a String can't fail.
    let _ = match value {
        Value::Integer(value) => write!(page, "{value}"),
        Value::Micros(micros) => {
            let sign = if micros < 0 { "-" } else { "" };
            let (seconds, rest) = (
                micros.unsigned_abs() / 1_000_000,
                micros.unsigned_abs() % 1_000_000,
            );
            if rest == 0 {
                write!(page, "{sign}{seconds}")
            } else {
                let fraction = format!("{rest:06}");
                write!(page, "{sign}{seconds}.{}", fraction.trim_end_matches('0'))
            }
        }
    };
}

/// Writes a float as both formats want it: infinities as `+Inf`, `-Inf`.
fn float(page: &mut String, value: f64) {
    if value.is_infinite() {
        page.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
    } else {
        let _ = write!(page, "{value}");
    }
}

#[cfg(test)]
mod tests;
