//! The files that the page loads: they are part of the program, and nothing is loaded from elsewhere.

use std::sync::LazyLock;

use bytes::Bytes;

use crate::publish::gzip;

/// A file below `/static/`.
#[derive(Debug)]
pub(crate) struct Asset {
    /// Its name.
    pub name: &'static str,
    /// Its media type.
    pub content_type: &'static str,
    /// What is in it.
    pub text: &'static [u8],
    /// The same, compressed.
    pub gzip: Bytes,
    /// A hash of what is in it, in hexadecimal: another build with another file has another address.
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

/// Returns the file of this name.
#[must_use]
pub(crate) fn find(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.name == name)
}

/// Returns the address of a file, relative to the page, which changes with the file.
#[must_use]
pub(crate) fn address(name: &'static str) -> String {
    let version = find(name).map_or("", |asset| &asset.version);
    format!("static/{name}?v={version}")
}
