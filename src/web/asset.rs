//! The embedded files of the status page.

use std::sync::LazyLock;

use bytes::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH};
use hyper::{Request, Response, StatusCode};

use super::response::{Body, encoded};
use super::{negotiation, query};
use crate::publish::gzip;
use crate::publish::rendered::Encoding;

/// An embedded file, served below `/static/`.
#[derive(Debug)]
pub(crate) struct Asset {
    name: &'static str,
    content_type: &'static str,
    text: Bytes,
    gzip: Bytes,
    /// Hash of the content in hexadecimal; changes the file's URL when the content changes.
    version: String,
}

static ASSETS: LazyLock<[Asset; 5]> = LazyLock::new(|| {
    let css = "text/css; charset=utf-8";
    let script = "text/javascript; charset=utf-8";
    let svg = "image/svg+xml";
    [
        asset("style.css", css, include_bytes!("static/style.css")),
        asset("refresh.js", script, include_bytes!("static/refresh.js")),
        asset("up.svg", svg, include_bytes!("static/up.svg")),
        asset("down.svg", svg, include_bytes!("static/down.svg")),
        asset("unknown.svg", svg, include_bytes!("static/unknown.svg")),
    ]
});

fn asset(name: &'static str, content_type: &'static str, text: &'static [u8]) -> Asset {
    Asset {
        name,
        content_type,
        text: Bytes::from_static(text),
        gzip: gzip::whole(text),
        version: format!("{:08x}", crc32fast::hash(text)),
    }
}

impl Asset {
    /// Answers a request for the file; a URL with its version may be cached for a year.
    pub(super) fn respond(&'static self, request: &Request<()>) -> Response<Body> {
        let encoding = negotiation::request_encoding(request);
        // A strong tag identifies bytes, which differ by encoding.
        let (bytes, suffix) = match encoding {
            Encoding::Identity => (&self.text, ""),
            Encoding::Gzip => (&self.gzip, "-gzip"),
        };
        let tag = format!("\"{}{suffix}\"", self.version);
        let mut response = encoded(encoding, self.content_type, bytes.clone());
        if negotiation::header(request, IF_NONE_MATCH).contains(&tag) {
            response = encoded(Encoding::Identity, "", Bytes::new());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response.headers_mut().remove(CONTENT_TYPE);
        }
        let versioned = query::pairs(request.uri().query())
            .any(|(name, value)| name == "v" && value == self.version);
        let caching = if versioned {
            "public, max-age=31536000, immutable"
        } else {
            "no-cache"
        };
        let tag = HeaderValue::try_from(tag).expect("digits, letters, hyphen and quotes are valid");
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
        headers.insert(ETAG, tag);
        response
    }
}

/// Returns the file with this name.
pub(crate) fn find(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.name == name)
}

/// Returns the URL of a file relative to the page, with its version.
pub(crate) fn url(name: &'static str) -> String {
    let version = find(name).map_or("", |asset| &asset.version);
    format!("static/{name}?v={version}")
}
