//! The answer to a scrape: the services of the latest snapshot and the exporter's own metrics, as of one moment.
//!
//! It is assembled before it is asked for, in the formats that were asked for lately.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use prometheus::proto::MetricFamily;
use tokio::time::Instant;

use super::exposition::{self, Family, Format};
use super::gzip::{self, Part};
use super::metric::Metric;
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

/// An answer, in pieces that are sent one after the other.
pub(crate) type Pieces = Arc<[Bytes]>;

/// A snapshot and own metrics that belong together, and the answers assembled from them so far.
#[derive(Debug, Default)]
pub(crate) struct MetricsPage {
    /// The services; `None` before the first snapshot, and while the latest is withheld.
    pub rendered: Option<Arc<RenderedSnapshot>>,
    /// The exporter itself.
    pub own: Arc<OwnMetrics>,
    answers: [[OnceLock<Pieces>; Encoding::ALL.len()]; Format::ALL.len()],
}

impl MetricsPage {
    /// Makes a page that is not rendered yet.
    pub(crate) fn new(rendered: Option<Arc<RenderedSnapshot>>, own: Arc<OwnMetrics>) -> Self {
        Self {
            rendered,
            own,
            ..Self::default()
        }
    }

    /// Returns the whole page.
    pub(crate) fn pieces(&self, format: Format, encoding: Encoding) -> &Pieces {
        let rendered = self.rendered.iter();
        self.answers[format as usize][encoding as usize].get_or_init(|| match encoding {
            Encoding::Identity => {
                let services = rendered.flat_map(|rendered| rendered.text(format));
                joined(services, self.own.text(format))
            }
            Encoding::Gzip => {
                let services = rendered.flat_map(|rendered| rendered.gzip(format));
                member(services, self.own.gzip(format))
            }
        })
    }

    /// Returns the page with only the named families. A name may be that of a family or of its samples.
    pub(crate) fn selected(&self, names: &[String], format: Format, encoding: Encoding) -> Pieces {
        let is_selected = |metric: &Metric| names.iter().any(|name| metric.is_called(name));
        let own = self.own.selected(is_selected, format);
        let families = Family::all().enumerate();
        let selected = families.filter(|(_, family)| is_selected(family.metric()));
        let places: Vec<usize> = selected.map(|(place, _)| place).collect();
        let chosen = self
            .rendered
            .iter()
            .flat_map(|rendered| places.iter().map(move |&place| (rendered, place)));
        match encoding {
            Encoding::Identity => {
                let texts = chosen.map(|(rendered, place)| &rendered.text(format)[place]);
                joined(texts, &own)
            }
            Encoding::Gzip => {
                let parts = chosen.map(|(rendered, place)| &rendered.gzip(format)[place]);
                member(parts, &gzip::last_part(&own))
            }
        }
    }
}

fn joined<'a>(services: impl Iterator<Item = &'a Bytes>, own: &'a Bytes) -> Pieces {
    let pieces = services.chain([own]);
    pieces.filter(|piece| !piece.is_empty()).cloned().collect()
}

fn member<'a>(services: impl Iterator<Item = &'a Part>, own: &'a Part) -> Pieces {
    let parts: Vec<&Part> = services.chain([own]).collect();
    let header = [Bytes::from_static(gzip::HEADER)];
    let trailer = [gzip::trailer(parts.iter().copied())];
    let pieces = parts.iter().map(|part| part.bytes.clone());
    header
        .into_iter()
        .chain(pieces)
        .chain(trailer)
        .filter(|piece| !piece.is_empty())
        .collect()
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
        MetricsPage::new(Some(rendered), own)
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
