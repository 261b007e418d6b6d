//! A snapshot as bytes.
//!
//! Encodings in demand are rendered with the poll, so that no scrape waits for the work; others when they are first
//! asked for. Rendering goes family by family, and reuses the bytes of a family that did not change since the last snapshot.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::exposition::{Family, Names};
use super::gzip::{Deflate, Part};
use crate::heartbeat::skew::Monotonic;
use crate::heartbeat::snapshot::Snapshot;
use crate::heartbeat::verdict;
use crate::report::json;
use crate::report::view::Listed;

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
    /// Name of the source.
    pub database: Arc<str>,
    /// The snapshot.
    pub snapshot: Arc<Snapshot>,
    /// When the statement was sent.
    pub taken: Monotonic,
    names: OnceLock<Arc<Names>>,
    text: OnceLock<Vec<Bytes>>,
    gzip: OnceLock<Vec<Part>>,
    records: [OnceLock<Bytes>; 2],
    records_gzip: [OnceLock<Part>; 2],
}

impl RenderedSnapshot {
    /// Takes a snapshot of the source of this name; nothing is rendered yet.
    #[must_use]
    pub fn new(database: Arc<str>, snapshot: Snapshot, taken: Monotonic) -> Self {
        Self {
            database,
            snapshot: Arc::new(snapshot),
            taken,
            names: OnceLock::new(),
            text: OnceLock::new(),
            gzip: OnceLock::new(),
            records: [const { OnceLock::new() }; 2],
            records_gzip: [const { OnceLock::new() }; 2],
        }
    }

    /// Returns the samples of the services, a text for each [`Family`]. They are the same in both formats.
    #[must_use]
    pub fn text(&self) -> &[Bytes] {
        self.text.get_or_init(|| self.texts(None))
    }

    /// Returns the samples of the services compressed, a part for each [`Family`].
    pub(crate) fn gzip(&self) -> &[Part] {
        self.gzip.get_or_init(|| self.parts(None))
    }

    /// Renders the encodings in demand, and reuses what the snapshot before this one has of them.
    pub(crate) fn follow(&self, before: Option<&Self>, is_in_demand: impl Fn(Encoding) -> bool) {
        let before = before.filter(|before| {
            before.snapshot.project == self.snapshot.project
                && Names::are_same(&before.snapshot, &self.snapshot)
        });
        if let Some(names) = before.and_then(|before| before.names.get()) {
            let _ = self.names.set(names.clone());
        }
        if is_in_demand(Encoding::Identity) {
            self.text.get_or_init(|| self.texts(before));
        }
        if is_in_demand(Encoding::Gzip) {
            self.gzip.get_or_init(|| self.parts(before));
        }
    }

    fn texts(&self, before: Option<&Self>) -> Vec<Bytes> {
        let old = before.and_then(|before| before.text.get());
        self.families(before, old, |family, old| {
            // A little longer than the last one.
            let expected = old.map_or(0, |old| old.len() + old.len() / 64);
            let mut page = String::with_capacity(expected);
            family.render(&self.snapshot, self.names(), &mut page, |_| {});
            if old.is_none() {
                page.shrink_to_fit();
            }
            page.into()
        })
    }

    fn parts(&self, before: Option<&Self>) -> Vec<Part> {
        let old = before.and_then(|before| before.gzip.get());
        let mut deflate = Deflate::default();
        let mut page = String::new();
        self.families(before, old, |family, _| {
            family.render(&self.snapshot, self.names(), &mut page, |page| {
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
            .get_or_init(|| Arc::new(Names::of(&self.database, &self.snapshot)))
    }

    /// Returns the [records](json::records) of the services. They are rendered at the first request, which takes a while
    /// for ten thousand.
    pub(crate) fn records(&self, selection: Selection) -> &Bytes {
        self.records[selection as usize].get_or_init(|| {
            let shown = |status: &_| selection == Selection::All || verdict::is_down(status);
            let listed = Listed::read(&self.database, &self.snapshot);
            json::records(listed, shown).into()
        })
    }

    /// Returns the same records compressed.
    pub(crate) fn records_gzip(&self, selection: Selection) -> &Part {
        self.records_gzip[selection as usize].get_or_init(|| {
            let mut deflate = Deflate::default();
            deflate.write(self.records(selection));
            deflate.part()
        })
    }

    /// Returns whether the records are rendered already.
    pub(crate) fn has_records(&self, selection: Selection, encoding: Encoding) -> bool {
        match encoding {
            Encoding::Identity => self.records[selection as usize].get().is_some(),
            Encoding::Gzip => self.records_gzip[selection as usize].get().is_some(),
        }
    }
}

#[cfg(test)]
impl RenderedSnapshot {
    /// Returns a snapshot of one service, taken now.
    pub(crate) fn fixture() -> Self {
        use crate::heartbeat::fixture;
        let reading = fixture::reading(vec![fixture::service("cinder-volume", "block1")]);
        let now = crate::source::axis::now();
        Self::new("cinder".into(), fixture::snapshot(reading), now)
    }

    /// Returns whether an encoding is rendered.
    pub(crate) fn is_rendered(&self, encoding: Encoding) -> bool {
        match encoding {
            Encoding::Identity => self.text.get().is_some(),
            Encoding::Gzip => self.gzip.get().is_some(),
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
                stamp: Stamp::At(stamp),
                ..fixture::service("cinder-volume", host)
            }
        };
        let rendered = |services| {
            let snapshot = fixture::snapshot(fixture::reading(services));
            RenderedSnapshot::new("cinder".into(), snapshot, axis::now())
        };
        let both = || vec![service("a", 3), service("b", 4)];
        let moved = fixture::with(service("a", 3), |facts| {
            facts.availability_zone = Some("elsewhere".into());
        });
        let disabled = Service {
            disabled: Some(true),
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
            before.follow(None, |_| true);
            let after = rendered(then);
            after.follow(Some(&before), |_| true);
            let alone = (*after.snapshot).clone();
            let alone = RenderedSnapshot::new("cinder".into(), alone, axis::now());
            assert_eq!(after.text(), alone.text());
            let bytes = |rendered: &RenderedSnapshot| -> Vec<Bytes> {
                let parts = rendered.gzip().iter();
                parts.map(|part| part.bytes.clone()).collect()
            };
            assert_eq!(bytes(&after), bytes(&alone));
            let pairs = bytes(&before).into_iter().zip(bytes(&after));
            let (same, empty) = pairs
                .filter(|(before, after)| before.as_ptr() == after.as_ptr())
                .partition::<Vec<_>, _>(|(before, _)| !before.is_empty());
            let silent = bytes(&alone).iter().filter(|part| part.is_empty()).count();
            assert!(empty.len() <= silent);
            assert_eq!(same.len(), unchanged.saturating_sub(silent));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn records_are_rendered_once() {
        let rendered = RenderedSnapshot::fixture();
        for selection in [Selection::All, Selection::Down] {
            for encoding in Encoding::ALL {
                assert!(!rendered.has_records(selection, encoding));
            }
            let first = rendered.records_gzip(selection).bytes.clone();
            let again = &rendered.records_gzip(selection).bytes;
            assert_eq!(first.as_ptr(), again.as_ptr());
            for encoding in Encoding::ALL {
                assert!(rendered.has_records(selection, encoding));
            }
        }
        let all = rendered.records(Selection::All);
        assert!(std::str::from_utf8(all).is_ok_and(|text| text.contains("block1")));
    }
}
