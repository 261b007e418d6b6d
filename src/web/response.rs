//! Responses, with the security headers of all of them.

use std::io::IoSlice;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use http_body_util::Full;
use hyper::body::Body as _;
use hyper::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    HeaderValue, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};

use crate::publish::gzip;
use crate::publish::pieces::Pieces;
use crate::publish::rendered::Encoding;

/// A body of shared pieces.
pub(crate) type Body = Full<Unsent>;

/// The unsent part of a body.
#[derive(Debug)]
pub struct Unsent {
    pieces: Pieces,
    /// Index of the current piece.
    piece: usize,
    /// Bytes of the current piece that have been sent.
    sent: usize,
    /// Unsent bytes of all pieces.
    remaining: usize,
}

impl Unsent {
    fn new(pieces: Pieces) -> Self {
        let remaining = pieces.iter().map(Bytes::len).sum();
        Self {
            pieces,
            piece: 0,
            sent: 0,
            remaining,
        }
    }

    /// Returns the unsent pieces, the first one without its sent bytes.
    fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let pieces = self.pieces.iter().skip(self.piece).enumerate();
        pieces.map(|(index, piece)| match index {
            0 => &piece[self.sent..],
            _ => piece,
        })
    }
}

impl Buf for Unsent {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn chunk(&self) -> &[u8] {
        self.pieces()
            .find(|piece| !piece.is_empty())
            .unwrap_or_default()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let pieces = self.pieces().filter(|piece| !piece.is_empty());
        slices
            .iter_mut()
            .zip(pieces)
            .map(|(slice, piece)| *slice = IoSlice::new(piece))
            .count()
    }

    fn advance(&mut self, count: usize) {
        self.remaining -= count;
        self.sent += count;
        while let Some(piece) = self.pieces.get(self.piece)
            && self.sent >= piece.len()
        {
            self.sent -= piece.len();
            self.piece += 1;
        }
    }
}

/// Allows the exporter's own files only, and no inline scripts or styles.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub(super) const JSON: &str = "application/json";

/// Returns an error as JSON.
pub(super) fn error(status: StatusCode, message: &str) -> Response<Body> {
    let body = format!("{{\"error\":{}}}\n", serde_json::Value::from(message));
    in_pieces(status, JSON, Arc::new([body.into()]))
}

pub(super) fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    let pieces = [text.into(), Bytes::from_static(b"\n")];
    in_pieces(status, "text/plain; charset=utf-8", Arc::new(pieces))
}

/// Removes the body for HEAD but keeps its length; hyper does so for HTTP/1 only.
pub(super) fn without_body(mut response: Response<Body>) -> Response<Body> {
    if let Some(length) = response.body().size_hint().exact() {
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    *response.body_mut() = Full::new(Unsent::new(Arc::new([])));
    response
}

/// Returns a body in the encoding that was negotiated.
pub(super) fn encoded(
    encoding: Encoding,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Body> {
    let mut response = in_pieces(StatusCode::OK, content_type, Arc::new([body.into()]));
    set_encoding(&mut response, encoding, "Accept-Encoding");
    response
}

/// Compresses a text rendered for one request, if its client accepts that.
pub(super) fn compressed(
    encoding: Encoding,
    content_type: &'static str,
    text: String,
) -> Response<Body> {
    match encoding {
        Encoding::Identity => encoded(encoding, content_type, text),
        Encoding::Gzip => encoded(encoding, content_type, gzip::whole(text.as_bytes())),
    }
}

/// Sets `Content-Encoding` and `Vary`.
pub(super) fn set_encoding(response: &mut Response<Body>, encoding: Encoding, vary: &'static str) {
    let headers = response.headers_mut();
    if encoding == Encoding::Gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.insert(VARY, HeaderValue::from_static(vary));
}

/// Returns a response with a body of several pieces.
pub(super) fn in_pieces(
    status: StatusCode,
    content_type: &'static str,
    pieces: Pieces,
) -> Response<Body> {
    let mut response = Response::new(Full::new(Unsent::new(pieces)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, content_type),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
