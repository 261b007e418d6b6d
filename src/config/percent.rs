//! Percent-encoding in database URLs.

use percent_encoding::percent_decode_str;

/// Decodes a part of a URL; `None` if it is empty.
pub(super) fn decode(text: &str) -> Option<String> {
    let text = percent_decode_str(text).decode_utf8_lossy();
    Some(text.into_owned()).filter(|text| !text.is_empty())
}
