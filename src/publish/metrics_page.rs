//! The answer to a scrape: the services of the latest snapshot of each source and the exporter's own metrics, as of one
//! moment.
//!
//! It is assembled before it is asked for, in the formats that were asked for lately.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use prometheus::proto::MetricFamily;
use tokio::time::Instant;

use super::description::descriptions;
use super::exposition::{self, Family, Format};
use super::gzip::{self, Part};
use super::metric::Metric;
use super::pieces::{IsEmpty, Pieces, joined, member};
use super::rendered::{Encoding, RenderedSnapshot};
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

/// The latest snapshot of a source.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    /// The snapshot.
    pub rendered: Arc<RenderedSnapshot>,
    /// Whether it is too old: of it, only [lasting](Family::is_lasting) families are shown.
    pub is_withheld: bool,
}

/// Snapshots and own metrics that belong together, and the answers assembled from them so far.
#[derive(Debug, Default)]
pub(crate) struct MetricsPage {
    /// The services of each source that has a snapshot.
    sources: Vec<Shown>,
    /// The exporter itself.
    pub own: Arc<OwnMetrics>,
    answers: [[OnceLock<Pieces>; Encoding::ALL.len()]; Format::ALL.len()],
}

impl MetricsPage {
    /// Makes a page that is not rendered yet.
    pub(crate) fn new(sources: Vec<Shown>, own: Arc<OwnMetrics>) -> Self {
        Self {
            sources,
            own,
            ..Self::default()
        }
    }

    /// Returns whether the page shows the same of these sources.
    pub(crate) fn shows(&self, sources: &[Shown]) -> bool {
        let is_same = |(a, b): (&Shown, &Shown)| {
            Arc::ptr_eq(&a.rendered, &b.rendered) && a.is_withheld == b.is_withheld
        };
        let mut pairs = self.sources.iter().zip(sources);
        self.sources.len() == sources.len() && pairs.all(is_same)
    }

    /// Returns the whole page.
    pub(crate) fn pieces(&self, format: Format, encoding: Encoding) -> &Pieces {
        self.answers[format as usize][encoding as usize].get_or_init(|| match encoding {
            Encoding::Identity => self.joined(format, |_| true, self.own.text(format)),
            Encoding::Gzip => self.member(format, |_| true, self.own.gzip(format)),
        })
    }

    /// Returns the page with only the named families. A name may be that of a family or of its samples.
    pub(crate) fn selected(&self, names: &[String], format: Format, encoding: Encoding) -> Pieces {
        let is_selected = |metric: &Metric| names.iter().any(|name| metric.is_called(name));
        let own = self.own.selected(is_selected, format);
        match encoding {
            Encoding::Identity => self.joined(format, is_selected, &own),
            Encoding::Gzip => self.member(format, is_selected, &gzip::last_part(&own)),
        }
    }

    fn joined(&self, format: Format, takes: impl Fn(&Metric) -> bool, own: &Bytes) -> Pieces {
        let descriptions = descriptions(format).iter();
        let descriptions = descriptions.map(|description| &description.text);
        let samples = |rendered| RenderedSnapshot::text(rendered);
        let families = self.by_family(descriptions, samples, takes);
        joined(families.into_iter().chain([own]))
    }

    fn member(&self, format: Format, takes: impl Fn(&Metric) -> bool, own: &Part) -> Pieces {
        let descriptions = descriptions(format).iter();
        let descriptions = descriptions.map(|description| &description.gzip);
        let samples = |rendered| RenderedSnapshot::gzip(rendered);
        let families = self.by_family(descriptions, samples, takes);
        member(families.into_iter().chain([own]))
    }

    /// Returns the families one after the other: the description, then the samples of each source. Families without
    /// samples are left out.
    fn by_family<'a, T: IsEmpty>(
        &'a self,
        descriptions: impl Iterator<Item = &'a T>,
        samples: impl Fn(&'a RenderedSnapshot) -> &'a [T],
        takes: impl Fn(&Metric) -> bool,
    ) -> Vec<&'a T> {
        let mut pieces = Vec::new();
        for (place, (family, description)) in Family::all().zip(descriptions).enumerate() {
            if !takes(family.metric()) {
                continue;
            }
            let sources = self.sources.iter();
            let sources = sources.filter(|shown| !shown.is_withheld || family.is_lasting());
            let samples = sources.map(|shown| &samples(&shown.rendered)[place]);
            let mut samples = samples.filter(|samples| !samples.is_empty()).peekable();
            pieces.extend(samples.peek().map(|_| description));
            pieces.extend(samples);
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of the samples: each bucket, the sum, and the count.
    const POLL_DURATION: [&str; 16] = {
        let mut names = ["openstack_heartbeat_poll_duration_seconds_bucket"; 16];
        names[14] = "openstack_heartbeat_poll_duration_seconds_sum";
        names[15] = "openstack_heartbeat_poll_duration_seconds_count";
        names
    };

    fn metrics_page() -> MetricsPage {
        let rendered = RenderedSnapshot::fixture().into();
        let own = OwnMetrics::gather(&Telemetry::fixture()).into();
        let shown = Shown {
            rendered,
            is_withheld: false,
        };
        MetricsPage::new(vec![shown], own)
    }

    fn text(pieces: &Pieces) -> String {
        String::from_utf8(pieces.concat()).unwrap()
    }

    fn decompressed(pieces: &Pieces) -> String {
        String::from_utf8(gzip::decompressed(&pieces.concat())).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_contains_services_and_own_metrics_in_each_encoding() {
        let metrics_page = metrics_page();
        for format in Format::ALL {
            let page = text(metrics_page.pieces(format, Encoding::Identity));
            assert!(page.contains("openstack_service_up{") && page.contains("\nprocess_"));
            assert!(page.ends_with(format.end()));
            let gzip = metrics_page.pieces(format, Encoding::Gzip);
            assert_eq!(decompressed(gzip), page);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn families_are_selected_by_family_name_or_sample_name() {
        for (names, expected) in [
            (&["openstack_service_up"][..], &["openstack_service_up"][..]),
            (
                &["openstack_service_heartbeats", "process_open_fds"],
                &["openstack_service_heartbeats_total", "process_open_fds"],
            ),
            (
                &["openstack_service_info", "openstack_heartbeat_database_up"],
                &["openstack_service_info", "openstack_heartbeat_database_up"],
            ),
            (
                &["openstack_heartbeat_poll_duration_seconds_sum"],
                &POLL_DURATION,
            ),
            (&["openstack_service_"], &[]),
        ] {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            let metrics_page = metrics_page();
            for format in Format::ALL {
                let page = text(&metrics_page.selected(&names, format, Encoding::Identity));
                let samples = page.lines().filter(|line| !line.starts_with('#'));
                let samples: Vec<&str> = samples
                    .map(|line| line.split(['{', ' ']).next().unwrap())
                    .collect();
                assert_eq!(samples, expected);
                assert!(page.ends_with(format.end()));
                let gzip = metrics_page.selected(&names, format, Encoding::Gzip);
                assert_eq!(decompressed(&gzip), page);
            }
        }
    }
}
