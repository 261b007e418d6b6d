//! An answer in pieces, which many answers share: it is put together without copying them.

use std::sync::Arc;

use bytes::Bytes;

use super::gzip::{self, Part};

/// An answer, in pieces that are sent one after the other.
pub(crate) type Pieces = Arc<[Bytes]>;

/// Tells whether a part of an answer stands for nothing.
pub(super) trait IsEmpty {
    fn is_empty(&self) -> bool;
}

impl IsEmpty for Bytes {
    fn is_empty(&self) -> bool {
        self.as_ref().is_empty()
    }
}

impl IsEmpty for Part {
    fn is_empty(&self) -> bool {
        self.bytes.as_ref().is_empty()
    }
}

/// Joins texts.
pub(crate) fn joined<'a>(texts: impl IntoIterator<Item = &'a Bytes>) -> Pieces {
    let texts = texts.into_iter();
    texts.filter(|text| !text.is_empty()).cloned().collect()
}

/// Joins compressed parts into one member; the last of them must end it.
pub(crate) fn member<'a>(parts: impl IntoIterator<Item = &'a Part>) -> Pieces {
    let parts: Vec<&Part> = parts.into_iter().collect();
    let header = [Bytes::from_static(gzip::HEADER)];
    let trailer = [gzip::trailer(parts.iter().copied())];
    let bytes = parts.iter().map(|part| part.bytes.clone());
    let pieces = header.into_iter().chain(bytes).chain(trailer);
    pieces.filter(|piece| !piece.is_empty()).collect()
}
