//! The services as comma-separated values.

use super::record::Record;
use crate::heartbeat::snapshot::Snapshot;
use crate::heartbeat::status::ServiceStatus;

/// Returns comma-separated values with a line of headings (RFC 4180), with the fields of [`json`](super::json::services).
#[must_use]
pub fn services(snapshot: &Snapshot, shown: impl Fn(&ServiceStatus) -> bool) -> String {
    let shown = snapshot.services.iter().filter(|status| shown(status));
    let text = lines(shown.map(|status| Record::new(status, snapshot)));
    if text.is_empty() {
        // The headings come with the first row, even an empty one.
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
            .expect("flat rows of one type are written to memory");
    }
    let bytes = writer.into_inner().expect("flushing memory can't fail");
    String::from_utf8(bytes).expect("text was written")
}
