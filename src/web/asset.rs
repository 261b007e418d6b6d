//! The embedded files of the status page.

use std::sync::LazyLock;

use bytes::Bytes;

use crate::publish::gzip;

/// An embedded file, served below `/static/`.
#[derive(Debug)]
pub(crate) struct Asset {
    /// File name.
    pub name: &'static str,
    /// Media type.
    pub content_type: &'static str,
    /// Content.
    pub text: &'static [u8],
    /// Compressed content.
    pub gzip: Bytes,
    /// Hash of the content in hexadecimal; changes the file's URL when the content changes.
    pub version: String,
}

static ASSETS: LazyLock<[Asset; 5]> = LazyLock::new(|| {
    [
        asset(
            "style.css",
            "text/css; charset=utf-8",
            include_bytes!("static/style.css"),
        ),
        asset(
            "refresh.js",
            "text/javascript; charset=utf-8",
            include_bytes!("static/refresh.js"),
        ),
        asset("up.svg", "image/svg+xml", include_bytes!("static/up.svg")),
        asset(
            "down.svg",
            "image/svg+xml",
            include_bytes!("static/down.svg"),
        ),
        asset(
            "unknown.svg",
            "image/svg+xml",
            include_bytes!("static/unknown.svg"),
        ),
    ]
});

fn asset(name: &'static str, content_type: &'static str, text: &'static [u8]) -> Asset {
    Asset {
        name,
        content_type,
        text,
        gzip: gzip::whole(text),
        version: format!("{:08x}", crc32fast::hash(text)),
    }
}

/// Returns the file with this name.
#[must_use]
pub(crate) fn find(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.name == name)
}

/// Returns the URL of a file relative to the page, with its version.
#[must_use]
pub(crate) fn url(name: &'static str) -> String {
    let version = find(name).map_or("", |asset| &asset.version);
    format!("static/{name}?v={version}")
}
