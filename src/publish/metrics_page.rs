//! What a scrape is answered with: the services' part of the latest picture and the exporter's own metrics, as of one
//! moment; put together before anybody asks, in the formats that were asked for lately.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use prometheus::proto::MetricFamily;
use tokio::time::Instant;

use super::exposition::{self, Family, Format};
use super::gzip::{self, Deflate, Part};
use super::rendered::{Encoding, RenderedSnapshot};
use super::table::Metric;
use super::telemetry::Telemetry;

/// The age from which on own metrics are gathered anew. They are gathered every second for five minutes after a scrape.
const FRESH: Duration = Duration::from_millis(1500);

/// An answer, in pieces that are sent one after the other.
pub(crate) type Pieces = Arc<[Bytes]>;

/// The exporter's own metrics at one moment.
#[derive(Debug, Default)]
pub struct OwnMetrics {
    /// When they were gathered; `None` if never.
    gathered: Option<Instant>,
    families: Vec<MetricFamily>,
    text: [OnceLock<Bytes>; Format::ALL.len()],
    gzip: [OnceLock<Part>; Format::ALL.len()],
}

impl OwnMetrics {
    /// Gathers them.
    #[must_use]
    pub(crate) fn gather(telemetry: &Telemetry) -> Self {
        Self {
            gathered: Some(Instant::now()),
            families: telemetry.gather(),
            ..Self::default()
        }
    }

    fn text(&self, format: Format) -> &Bytes {
        self.text[format as usize]
            .get_or_init(|| exposition::telemetry(&self.families, format).into())
    }

    fn gzip(&self, format: Format) -> &Part {
        self.gzip[format as usize].get_or_init(|| ending(self.text(format)))
    }

    /// Returns only the families of these names.
    fn selected(&self, is_selected: impl Fn(&Metric) -> bool, format: Format) -> Bytes {
        let families = self.families.iter();
        let is_selected =
            |family: &&MetricFamily| exposition::described(family).is_some_and(&is_selected);
        let families: Vec<MetricFamily> = families.filter(is_selected).cloned().collect();
        exposition::telemetry(&families, format).into()
    }
}

/// A picture and own metrics that belong together, and the answers that were made of them so far.
#[derive(Debug, Default)]
pub(crate) struct MetricsPage {
    /// The services, `None` where there is nothing to be shown of them.
    pub rendered: Option<Arc<RenderedSnapshot>>,
    /// The rest.
    pub own: Arc<OwnMetrics>,
    answers: [[OnceLock<Pieces>; Encoding::ALL.len()]; Format::ALL.len()],
}

impl MetricsPage {
    /// Puts both together; nothing is rendered yet.
    #[must_use]
    pub(crate) fn new(rendered: Option<Arc<RenderedSnapshot>>, own: Arc<OwnMetrics>) -> Self {
        Self {
            rendered,
            own,
            ..Self::default()
        }
    }

    /// Returns whether the own metrics need not be gathered anew.
    #[must_use]
    pub(crate) fn is_fresh(&self) -> bool {
        let gathered = self.own.gathered;
        gathered.is_some_and(|gathered| gathered.elapsed() < FRESH)
    }

    /// Returns the whole page.
    #[must_use]
    pub(crate) fn page(&self, format: Format, encoding: Encoding) -> &Pieces {
        self.answers[format as usize][encoding as usize].get_or_init(|| match encoding {
            Encoding::Identity => {
                let services = self
                    .rendered
                    .iter()
                    .flat_map(|rendered| rendered.text(format));
                joined(services, self.own.text(format))
            }
            Encoding::Gzip => {
                let services = self
                    .rendered
                    .iter()
                    .flat_map(|rendered| rendered.gzip(format));
                member(services, self.own.gzip(format))
            }
        })
    }

    /// Returns the page with the families of these names alone, each by the name of its samples or of its family.
    #[must_use]
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
            Encoding::Identity => joined(
                chosen.map(|(rendered, place)| &rendered.text(format)[place]),
                &own,
            ),
            Encoding::Gzip => {
                let parts = chosen.map(|(rendered, place)| &rendered.gzip(format)[place]);
                member(parts, &ending(&own))
            }
        }
    }
}

fn ending(text: &[u8]) -> Part {
    let mut deflate = Deflate::default();
    deflate.write(text);
    deflate.end()
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
    use std::io::Read as _;

    use super::*;
    use crate::heartbeat::fixture::INTERVALS;
    use crate::publish::latest::Latest;

    /// Each bucket, the sum, and the count.
    const POLL_DURATION: [&str; 16] = {
        let mut names = ["openstack_heartbeat_poll_duration_seconds_bucket"; 16];
        names[14] = "openstack_heartbeat_poll_duration_seconds_sum";
        names[15] = "openstack_heartbeat_poll_duration_seconds_count";
        names
    };

    fn telemetry() -> Telemetry {
        Telemetry::new("cinder", &INTERVALS, FRESH, Duration::ZERO).unwrap()
    }

    fn scrape() -> MetricsPage {
        let rendered = RenderedSnapshot::fixture();
        MetricsPage::new(
            Some(rendered.into()),
            OwnMetrics::gather(&telemetry()).into(),
        )
    }

    fn text(pieces: &Pieces) -> String {
        String::from_utf8(pieces.concat()).unwrap()
    }

    fn decompressed(pieces: &Pieces) -> String {
        let member = pieces.concat();
        let mut text = String::new();
        let mut decoder = flate2::read::GzDecoder::new(member.as_slice());
        decoder.read_to_string(&mut text).unwrap();
        assert!(decoder.into_inner().is_empty());
        text
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_has_both_parts_whatever_the_encoding() {
        let scrape = scrape();
        for format in Format::ALL {
            let page = text(scrape.page(format, Encoding::Identity));
            assert!(page.contains("openstack_service_up{") && page.contains("\nprocess_"));
            assert!(page.ends_with(format.end()));
            assert_eq!(decompressed(scrape.page(format, Encoding::Gzip)), page);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn families_are_selected_by_either_of_their_names() {
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
            let scrape = scrape();
            for format in Format::ALL {
                let page = text(&scrape.selected(&names, format, Encoding::Identity));
                let samples = page.lines().filter(|line| !line.starts_with('#'));
                let samples: Vec<&str> = samples
                    .map(|line| line.split(['{', ' ']).next().unwrap())
                    .collect();
                assert_eq!(samples, expected);
                assert!(page.ends_with(format.end()));
                let gzip = scrape.selected(&names, format, Encoding::Gzip);
                assert_eq!(decompressed(&gzip), page);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn own_metrics_are_gathered_at_a_scrape_where_nobody_gathered_them_lately() {
        let latest = Latest::new(FRESH, FRESH);
        let telemetry = telemetry();
        let failures = |asked: &str| {
            let scrape = latest.scrape(|| OwnMetrics::gather(&telemetry));
            let page = text(scrape.page(Format::Text, Encoding::Identity));
            assert_eq!(page.contains("path=\"/asked\""), asked == "seen", "{page}");
        };
        failures("unseen");
        telemetry.answered("/asked", 200);
        failures("unseen");
        latest.refresh(|| OwnMetrics::gather(&telemetry));
        // Nobody asked for a format, so that there was no need.
        failures("unseen");
        latest.ask(Format::Text, Encoding::Identity);
        latest.refresh(|| OwnMetrics::gather(&telemetry));
        failures("seen");
        tokio::time::advance(FRESH).await;
        telemetry.answered("/asked", 404);
        let scrape = latest.scrape(|| OwnMetrics::gather(&telemetry));
        assert!(text(scrape.page(Format::Text, Encoding::Identity)).contains("404"));
    }
}
