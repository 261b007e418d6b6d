//! Metrics: name, type, labels, help, and the exact value of a sample.

use chrono::TimeDelta;

/// A metric family.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Name of its samples; a counter's ends in `_total`, an info's in `_info`, a histogram's has no suffix.
    pub name: &'static str,
    /// Type.
    pub kind: Kind,
    /// Names of the labels.
    pub labels: &'static [&'static str],
    /// The text after HELP.
    pub help: &'static str,
}

/// The type of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only rises, except at a restart.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Counts observations in buckets.
    Histogram,
    /// A constant 1 whose labels hold facts; a gauge in text format 0.0.4.
    Info,
}

impl Kind {
    /// Returns the name of the type in OpenMetrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Info => "info",
        }
    }
}

impl Metric {
    /// Returns the name of the family in OpenMetrics: without `_total` and `_info`, which only samples have.
    #[must_use]
    pub fn family(&self) -> &'static str {
        let suffix = match self.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
        };
        self.name.strip_suffix(suffix).unwrap_or(self.name)
    }

    /// Returns whether this is a name of the family or of any of its samples.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        let is_sample = |name: &str| match name.strip_prefix(self.name) {
            Some("") => true,
            Some("_bucket" | "_sum" | "_count") => self.kind == Kind::Histogram,
            _ => false,
        };
        is_sample(name) || name == self.family()
    }

    /// Returns the unit, which is the last part of the family's name; `None` for a bare number.
    #[must_use]
    pub fn unit(&self) -> Option<&'static str> {
        ["seconds", "bytes"].into_iter().find(|unit| {
            let rest = self.family().strip_suffix(unit);
            rest.is_some_and(|rest| rest.ends_with('_'))
        })
    }
}

/// The value of a sample, exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value {
    /// A whole number.
    Integer(i64),
    /// Seconds, given in microseconds.
    Micros(i64),
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Integer(value.into())
    }
}

/// Returns the value of a count that is not negative.
pub(crate) fn count(count: impl TryInto<i64>) -> Value {
    Value::Integer(count.try_into().unwrap_or(i64::MAX))
}

/// Returns `None` for a span of more than 292,000 years.
pub(crate) fn micros(span: TimeDelta) -> Option<Value> {
    span.num_microseconds().map(Value::Micros)
}

/// A metric, and the function that returns its value; `None` means no series.
pub(crate) type Series<T> = (Metric, fn(&T) -> Option<Value>);
