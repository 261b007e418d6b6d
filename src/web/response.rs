//! Answers, with the headers that guard them.

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

use crate::publish::metrics_page::Pieces;
use crate::publish::rendered::Encoding;

/// A body whose pieces are shared by all answers that have them.
pub(crate) type Body = Full<Rest>;

/// What is not sent yet of an answer.
#[derive(Debug)]
pub struct Rest {
    pieces: Pieces,
    /// The piece that is being sent, and how much of it is.
    piece: usize,
    sent: usize,
    /// Bytes that are left, of all pieces.
    remaining: usize,
}

impl Rest {
    fn new(pieces: Pieces) -> Self {
        let remaining = pieces.iter().map(Bytes::len).sum();
        Self {
            pieces,
            piece: 0,
            sent: 0,
            remaining,
        }
    }

    /// Returns the pieces that are left, the first of them from where it was sent.
    fn left(&self) -> impl Iterator<Item = &[u8]> {
        let pieces = self.pieces.iter().skip(self.piece).enumerate();
        pieces.map(|(place, piece)| {
            if place == 0 {
                &piece[self.sent..]
            } else {
                piece
            }
        })
    }
}

impl Buf for Rest {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn chunk(&self) -> &[u8] {
        self.left()
            .find(|piece| !piece.is_empty())
            .unwrap_or_default()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let left = self.left().filter(|piece| !piece.is_empty());
        slices
            .iter_mut()
            .zip(left)
            .map(|(slice, piece)| *slice = IoSlice::new(piece))
            .count()
    }

    fn advance(&mut self, count: usize) {
        self.remaining -= count;
        self.sent += count;
        while let Some(piece) = self
            .pieces
            .get(self.piece)
            .filter(|piece| self.sent >= piece.len())
        {
            self.sent -= piece.len();
            self.piece += 1;
        }
    }
}

/// Nothing but our own files, and no word of a script or a style in the page itself.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub(super) const JSON: &str = "application/json";

/// `message` is ours, and needs no escaping.
pub(super) fn error(status: StatusCode, message: &'static str) -> Response<Body> {
    let body = format!("{{\"error\":\"{message}\"}}\n");
    response(status, JSON, body)
}

pub(super) fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    let pieces = [text.into(), Bytes::from_static(b"\n")];
    in_pieces(status, "text/plain; charset=utf-8", Arc::new(pieces))
}

/// Returns an answer as HEAD has it, which hyper takes care of for HTTP/1 alone.
pub(super) fn without_body(mut response: Response<Body>) -> Response<Body> {
    if let Some(length) = response.body().size_hint().exact() {
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    *response.body_mut() = Full::new(Rest::new(Arc::new([])));
    response
}

/// Notes how an answer is encoded, and by which headers it was chosen.
pub(super) fn mark(response: &mut Response<Body>, encoding: Encoding, vary: &'static str) {
    let headers = response.headers_mut();
    if encoding == Encoding::Gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.insert(VARY, HeaderValue::from_static(vary));
}

pub(super) fn response(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Body> {
    in_pieces(status, content_type, Arc::new([body.into()]))
}

/// Returns an answer of several pieces.
pub(super) fn in_pieces(
    status: StatusCode,
    content_type: &'static str,
    pieces: Pieces,
) -> Response<Body> {
    let mut response = Response::new(Full::new(Rest::new(pieces)));
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
