//! The services as comma-separated values.

use super::record::Record;
use crate::heartbeat::status::ServiceStatus;
use crate::report::view::Listed;

/// Returns a heading line and one line a service (RFC 4180), with the fields of [`json`](super::json::services).
#[must_use]
pub fn services(sources: &[Listed], shown: impl Fn(&ServiceStatus) -> bool) -> String {
    let services = sources.iter().flat_map(|source| source.services(&shown));
    let text = lines(services.map(Record::new));
    if text.is_empty() {
        // The writer emits headings with the first row only, so write an empty one.
        let heading = lines([Record::default()]);
        return heading.split_inclusive('\n').take(1).collect();
    }
    text
}

fn lines<'a>(entries: impl IntoIterator<Item = Record<'a>>) -> String {
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    for entry in entries {
        writer
            .serialize(entry)
            .expect("flat records of one type always serialise to memory");
    }
    let bytes = writer.into_inner().expect("flushing memory can't fail");
    String::from_utf8(bytes).expect("only text was written")
}
