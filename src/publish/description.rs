//! The lines that describe each family of the services, as text and compressed.
//!
//! They stand once before the samples of all sources, so they belong to no snapshot.

use std::sync::OnceLock;

use bytes::Bytes;

use super::exposition::{Family, Format};
use super::gzip::{Deflate, Part};

/// The description of one family.
#[derive(Debug)]
pub(super) struct Description {
    /// As text.
    pub text: Bytes,
    /// Compressed.
    pub gzip: Part,
}

/// Returns the description of each [`Family`].
pub(super) fn descriptions(format: Format) -> &'static [Description] {
    static DESCRIPTIONS: [OnceLock<Vec<Description>>; Format::ALL.len()] =
        [const { OnceLock::new() }; Format::ALL.len()];
    DESCRIPTIONS[format as usize].get_or_init(|| {
        let mut deflate = Deflate::default();
        let description = |family: Family| {
            let text = family.description(format);
            deflate.write(text.as_bytes());
            Description {
                gzip: deflate.part(),
                text: text.into(),
            }
        };
        Family::all().map(description).collect()
    })
}
