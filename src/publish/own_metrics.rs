//! The exporter's own metrics as of one moment, rendered in the formats that are asked for.

use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use prometheus::proto::MetricFamily;
use tokio::time::Instant;

use super::exposition::{self, Format};
use super::gzip::{self, Part};
use super::table::Metric;
use super::telemetry::Telemetry;

/// Age from which on own metrics are gathered again. They are gathered every second for five minutes after a scrape.
pub(crate) const FRESH: Duration = Duration::from_millis(1500);

/// The exporter's own metrics at one moment.
#[derive(Debug, Default)]
pub(crate) struct OwnMetrics {
    /// When they were gathered; `None` if never.
    gathered: Option<Instant>,
    families: Vec<MetricFamily>,
    text: [OnceLock<Bytes>; Format::ALL.len()],
    gzip: [OnceLock<Part>; Format::ALL.len()],
}

impl OwnMetrics {
    /// Gathers the current values.
    pub(crate) fn gather(telemetry: &Telemetry) -> Self {
        Self {
            gathered: Some(Instant::now()),
            families: telemetry.gather(),
            ..Self::default()
        }
    }

    pub(crate) fn text(&self, format: Format) -> &Bytes {
        self.text[format as usize]
            .get_or_init(|| exposition::telemetry(&self.families, format).into())
    }

    pub(crate) fn gzip(&self, format: Format) -> &Part {
        self.gzip[format as usize].get_or_init(|| gzip::last_part(self.text(format)))
    }

    /// Returns whether they need not be gathered again.
    pub(crate) fn are_fresh(&self) -> bool {
        let gathered = self.gathered;
        gathered.is_some_and(|gathered| gathered.elapsed() < FRESH)
    }

    /// Renders only the selected families.
    pub(crate) fn selected(&self, is_selected: impl Fn(&Metric) -> bool, format: Format) -> Bytes {
        let families = self.families.iter();
        let is_selected =
            |family: &&MetricFamily| exposition::described(family).is_some_and(&is_selected);
        let families: Vec<MetricFamily> = families.filter(is_selected).cloned().collect();
        exposition::telemetry(&families, format).into()
    }
}
