//! Answers, with the headers that guard them.

use bytes::{Buf as _, Bytes};
use http_body_util::Full;
use hyper::body::Body as _;
use hyper::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    HeaderValue, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};

use crate::picture::Encoding;

/// Two parts: what was rendered once a poll, and what was rendered for this answer.
pub type Body = Full<bytes::buf::Chain<Bytes, Bytes>>;

/// Nothing but our own files, and no word of a script or a style in the page itself.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub(super) const JSON: &str = "application/json";

/// `message` is ours, and needs no escaping.
pub(super) fn error(status: StatusCode, message: &'static str) -> Response<Body> {
    let body = format!("{{\"error\":\"{message}\"}}\n");
    response(status, JSON, body.into(), Bytes::new())
}

pub(super) fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    let end = Bytes::from_static(b"\n");
    response(status, "text/plain; charset=utf-8", text.into(), end)
}

/// Returns an answer as HEAD has it, which hyper takes care of for HTTP/1 alone.
pub(super) fn without_body(mut response: Response<Body>) -> Response<Body> {
    if let Some(length) = response.body().size_hint().exact() {
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    *response.body_mut() = Full::new(Bytes::new().chain(Bytes::new()));
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
    first: Bytes,
    second: Bytes,
) -> Response<Body> {
    let mut response = Response::new(Full::new(first.chain(second)));
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
