//! A snapshot as bytes.
//!
//! Formats in demand are rendered with the poll, so that no scrape waits for the work; others when they are first asked
//! for. Rendering goes family by family, and reuses the bytes of a family that did not change since the last snapshot.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::exposition::{Family, Format, Names};
use super::gzip::{self, Deflate, Part};
use crate::heartbeat::skew::Monotonic;
use crate::heartbeat::snapshot::Snapshot;
use crate::heartbeat::verdict;
use crate::report::json;

/// How the bytes are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Not compressed.
    Identity,
    /// Compressed.
    Gzip,
}

impl Encoding {
    /// Every encoding.
    pub(crate) const ALL: [Self; 2] = [Self::Identity, Self::Gzip];
}

/// Which services the JSON lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Selection {
    /// All.
    All,
    /// Only services that the API lists as down, disabled ones included.
    Down,
}

/// Bytes of text to compress at a time.
const CHUNK: usize = 64 * 1024;

/// A snapshot, and the bytes rendered from it so far.
#[derive(Debug)]
pub struct RenderedSnapshot {
    /// The snapshot.
    pub snapshot: Arc<Snapshot>,
    /// When the statement was sent.
    pub taken: Monotonic,
    names: OnceLock<Arc<Names>>,
    text: [OnceLock<Vec<Bytes>>; Format::ALL.len()],
    gzip: [OnceLock<Vec<Part>>; Format::ALL.len()],
    json: [[OnceLock<Bytes>; Encoding::ALL.len()]; 2],
}

impl RenderedSnapshot {
    /// Takes a snapshot; nothing is rendered yet.
    #[must_use]
    pub fn new(snapshot: Snapshot, taken: Monotonic) -> Self {
        Self {
            snapshot: Arc::new(snapshot),
            taken,
            names: OnceLock::new(),
            text: [const { OnceLock::new() }; Format::ALL.len()],
            gzip: [const { OnceLock::new() }; Format::ALL.len()],
            json: [const { [const { OnceLock::new() }; 2] }; 2],
        }
    }

    /// Returns the families of the services, a text for each [`Family`].
    #[must_use]
    pub fn text(&self, format: Format) -> &[Bytes] {
        self.text[format as usize].get_or_init(|| self.texts(format, None))
    }

    /// Returns the families of the services compressed, a part for each [`Family`].
    pub(crate) fn gzip(&self, format: Format) -> &[Part] {
        self.gzip[format as usize].get_or_init(|| self.parts(format, None))
    }

    /// Renders the formats in demand, and reuses what the snapshot before this one has of them.
    pub(crate) fn follow(
        &self,
        before: Option<&Self>,
        is_in_demand: impl Fn(Format, Encoding) -> bool,
    ) {
        let before = before.filter(|before| Names::are_same(&before.snapshot, &self.snapshot));
        if let Some(names) = before.and_then(|before| before.names.get()) {
            let _ = self.names.set(names.clone());
        }
        for format in Format::ALL {
            if is_in_demand(format, Encoding::Identity) {
                self.text[format as usize].get_or_init(|| self.texts(format, before));
            }
            if is_in_demand(format, Encoding::Gzip) {
                self.gzip[format as usize].get_or_init(|| self.parts(format, before));
            }
        }
    }

    fn texts(&self, format: Format, before: Option<&Self>) -> Vec<Bytes> {
        let old = before.and_then(|before| before.text[format as usize].get());
        self.families(before, old, |family, old| {
            // A little longer than the last one.
            let expected = old.map_or(0, |old| old.len() + old.len() / 64);
            let mut page = String::with_capacity(expected);
            family.render(format, &self.snapshot, self.names(), &mut page, |_| {});
            if old.is_none() {
                page.shrink_to_fit();
            }
            page.into()
        })
    }

    fn parts(&self, format: Format, before: Option<&Self>) -> Vec<Part> {
        let old = before.and_then(|before| before.gzip[format as usize].get());
        let mut deflate = Deflate::default();
        let mut page = String::new();
        self.families(before, old, |family, _| {
            family.render(format, &self.snapshot, self.names(), &mut page, |page| {
                if page.len() >= CHUNK {
                    deflate.write(page.as_bytes());
                    page.clear();
                }
            });
            deflate.write(page.as_bytes());
            page.clear();
            deflate.part()
        })
    }

    /// Returns what `render` makes of each family, or reuses the old result if the family did not change.
    fn families<T: Clone>(
        &self,
        before: Option<&Self>,
        old: Option<&Vec<T>>,
        mut render: impl FnMut(Family, Option<&T>) -> T,
    ) -> Vec<T> {
        let mut old = old.into_iter().flatten();
        let family = |family: Family| match (before, old.next()) {
            (Some(before), Some(old)) if family.is_same(&before.snapshot, &self.snapshot) => {
                old.clone()
            }
            (_, old) => render(family, old),
        };
        Family::all().map(family).collect()
    }

    fn names(&self) -> &Names {
        self.names
            .get_or_init(|| Arc::new(Names::of(&self.snapshot)))
    }

    /// Returns the services as JSON. They are rendered at the first request, which takes a while for ten thousand.
    pub(crate) fn json(&self, selection: Selection, encoding: Encoding) -> &Bytes {
        self.json[selection as usize][encoding as usize].get_or_init(|| match encoding {
            Encoding::Identity => {
                let shown = |status: &_| selection == Selection::All || verdict::is_down(status);
                json::services(&self.snapshot, shown).into()
            }
            Encoding::Gzip => gzip::whole(self.json(selection, Encoding::Identity)),
        })
    }

    /// Returns the services as JSON; `None` unless they are rendered already.
    pub(crate) fn ready_json(&self, selection: Selection, encoding: Encoding) -> Option<&Bytes> {
        self.json[selection as usize][encoding as usize].get()
    }
}

#[cfg(test)]
impl RenderedSnapshot {
    /// Returns a snapshot of one service, taken now.
    pub(crate) fn fixture() -> Self {
        use crate::heartbeat::fixture;
        let reading = fixture::reading(vec![fixture::service("cinder-volume", "block1")]);
        Self::new(fixture::snapshot(reading), crate::source::axis::now())
    }

    /// Returns whether a format is rendered.
    pub(crate) fn is_rendered(&self, format: Format, encoding: Encoding) -> bool {
        match encoding {
            Encoding::Identity => self.text[format as usize].get().is_some(),
            Encoding::Gzip => self.gzip[format as usize].get().is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::heartbeat::fixture;
    use crate::heartbeat::service::{Service, Stamp};
    use crate::heartbeat::time::HostTime;
    use crate::source::axis;

    #[tokio::test(start_paused = true)]
    async fn a_snapshot_reuses_unchanged_families_and_renders_the_same_bytes() {
        let service = |host, age| {
            let now = fixture::now("2026-03-30 00:54:14").0;
            let stamp = HostTime(now - TimeDelta::seconds(age));
            Service {
                updated_at: Stamp::At(stamp),
                ..fixture::service("cinder-volume", host)
            }
        };
        let rendered = |services| {
            let snapshot = fixture::snapshot(fixture::reading(services));
            RenderedSnapshot::new(snapshot, axis::now())
        };
        let both = || vec![service("a", 3), service("b", 4)];
        let moved = fixture::with(service("a", 3), |facts| {
            facts.availability_zone = Some("elsewhere".into());
        });
        let disabled = Service {
            disabled: true,
            ..service("b", 4)
        };
        // Each case is the next snapshot and the number of reused families.
        let all = Family::all().count();
        for (then, unchanged) in [
            (both(), all),
            (vec![service("a", 1), service("b", 4)], all - 2),
            (vec![service("a", 3), disabled], all - 1),
            (vec![service("a", 3)], 0),
            (vec![service("a", 3), service("c", 4)], 0),
            (vec![moved, service("b", 4)], 0),
        ] {
            let before = rendered(both());
            before.follow(None, |_, _| true);
            let after = rendered(then);
            after.follow(Some(&before), |_, _| true);
            for format in Format::ALL {
                let alone = RenderedSnapshot::new((*after.snapshot).clone(), axis::now());
                assert_eq!(after.text(format), alone.text(format));
                let bytes = |rendered: &RenderedSnapshot| -> Vec<Bytes> {
                    let parts = rendered.gzip(format).iter();
                    parts.map(|part| part.bytes.clone()).collect()
                };
                assert_eq!(bytes(&after), bytes(&alone));
                let pairs = bytes(&before).into_iter().zip(bytes(&after));
                let (same, empty) = pairs
                    .filter(|(before, after)| before.as_ptr() == after.as_ptr())
                    .partition::<Vec<_>, _>(|(before, _)| !before.is_empty());
                let silent = bytes(&alone).iter().filter(|part| part.is_empty()).count();
                assert!(empty.len() <= silent);
                assert_eq!(same.len(), unchanged.saturating_sub(silent), "{format:?}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn json_is_rendered_once() {
        let rendered = RenderedSnapshot::fixture();
        for selection in [Selection::All, Selection::Down] {
            for encoding in [Encoding::Identity, Encoding::Gzip] {
                assert_eq!(rendered.ready_json(selection, encoding), None);
                let first = rendered.json(selection, encoding).clone();
                let again = rendered.ready_json(selection, encoding).unwrap();
                assert_eq!(first.as_ptr(), again.as_ptr());
            }
        }
        let all = rendered.json(Selection::All, Encoding::Identity);
        assert!(std::str::from_utf8(all).is_ok_and(|text| text.contains("block1")));
    }
}
