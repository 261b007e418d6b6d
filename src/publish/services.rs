//! The services of all sources as one JSON document, put together from what each source rendered once.

use std::sync::Arc;

use super::gzip::Deflate;
use super::pieces::{Pieces, joined, member};
use super::rendered::{Encoding, RenderedSnapshot, Selection};
use crate::report::json;
use crate::report::view::{Listed, View};

/// The published state of all sources at one moment, sorted by name.
#[derive(Debug)]
pub(crate) struct Published {
    /// Every source.
    pub views: Vec<View>,
    /// The snapshots that are not withheld.
    pub rendered: Vec<Arc<RenderedSnapshot>>,
}

impl Published {
    /// Returns whether the records of all snapshots are rendered already.
    pub(crate) fn has_records(&self, selection: Selection, encoding: Encoding) -> bool {
        let mut rendered = self.rendered.iter();
        rendered.all(|rendered| rendered.has_records(selection, encoding))
    }

    /// Returns the document. Rendering the records takes a while for ten thousand services.
    pub(crate) fn services(&self, selection: Selection, encoding: Encoding) -> Pieces {
        let listed: Vec<Listed> = self.views.iter().map(View::listed).collect();
        let beginning = json::beginning(&listed);
        let rendered = self.rendered.iter();
        let rendered = rendered.filter(|rendered| !rendered.records(selection).is_empty());
        match encoding {
            Encoding::Identity => {
                let records = rendered.map(|rendered| rendered.records(selection));
                let (beginning, end) = (beginning.into(), json::END.into());
                joined(listing(&beginning, records, &",".into(), &end))
            }
            Encoding::Gzip => {
                let mut deflate = Deflate::default();
                let mut part = |text: &str| {
                    deflate.write(text.as_bytes());
                    deflate.part()
                };
                let (beginning, comma) = (part(&beginning), part(","));
                deflate.write(json::END.as_bytes());
                let records = rendered.map(|rendered| rendered.records_gzip(selection));
                member(listing(&beginning, records, &comma, &deflate.end()))
            }
        }
    }
}

/// Returns the parts of a list.
fn listing<'a, T>(
    beginning: &'a T,
    records: impl Iterator<Item = &'a T>,
    comma: &'a T,
    end: &'a T,
) -> Vec<&'a T> {
    let mut parts = vec![beginning];
    for (index, records) in records.enumerate() {
        parts.extend((index > 0).then_some(comma));
        parts.push(records);
    }
    parts.push(end);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::gzip;
    use crate::publish::latest::{EntrySettings, Latest};

    #[tokio::test(start_paused = true)]
    async fn the_document_lists_the_services_of_every_source_in_each_encoding() {
        let (latest, entry) = Latest::fixture();
        entry.show_one();
        let _silent = latest.add("heat", EntrySettings::fixture());
        let last = latest.add("manila", EntrySettings::fixture());
        last.show_one();
        let published = latest.published();
        let listed: Vec<Listed> = published.views.iter().map(View::listed).collect();
        let expected = json::services(&listed, |_| true);
        assert_eq!(expected.matches("\"binary\"").count(), 2);
        let text = published.services(Selection::All, Encoding::Identity);
        assert_eq!(text.concat(), expected.as_bytes());
        let member = published.services(Selection::All, Encoding::Gzip).concat();
        assert_eq!(gzip::decompressed(&member), expected.as_bytes());
    }
}
