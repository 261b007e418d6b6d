//! Content negotiation: the headers `Accept` and `Accept-Encoding` (RFC 9110, 12.5).

use hyper::Request;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, HeaderName};

use crate::publish::exposition::Format;
use crate::publish::rendered::Encoding;

/// Returns all lines of a header as one.
pub(super) fn header(request: &Request<()>, name: HeaderName) -> String {
    let values = request.headers().get_all(name);
    let lines: Vec<&str> = values.iter().filter_map(|v| v.to_str().ok()).collect();
    lines.join(",")
}

/// Returns the format for a request, see [`format()`].
pub(super) fn request_format(request: &Request<()>) -> Format {
    format(Some(&header(request, ACCEPT)))
}

/// Returns the encoding for a request, see [`encoding()`].
pub(super) fn request_encoding(request: &Request<()>) -> Encoding {
    encoding(Some(&header(request, ACCEPT_ENCODING)))
}

/// Returns the format of the highest quality, by default text 0.0.4.
///
/// Prometheus prefers OpenMetrics 1.0.0; browsers accept anything. Unsupported versions of OpenMetrics are ignored.
#[must_use]
pub fn format(accept: Option<&str>) -> Format {
    let offers = accept.unwrap_or_default().split(',').filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next()?.to_ascii_lowercase();
        let mut quality = 1.0;
        let mut version = None;
        for parameter in parts {
            match parameter.split_once('=') {
                Some(("q", value)) => quality = value.trim().parse().unwrap_or(0.0),
                Some(("version", value)) => version = Some(value.trim().trim_matches('"')),
                _ => {}
            }
        }
        let format = match (media.as_str(), version) {
            ("application/openmetrics-text", None | Some("1.0.0")) => Format::OpenMetrics,
            ("text/plain" | "text/*" | "*/*", _) => Format::Text,
            _ => return None,
        };
        (quality > 0.0).then_some((quality, format))
    });
    let mut best: Option<(f64, Format)> = None;
    for offer in offers {
        // The first of equals wins.
        if best.is_none_or(|(quality, _)| offer.0 > quality) {
            best = Some(offer);
        }
    }
    best.map_or(Format::Text, |(_, format)| format)
}

/// Returns gzip if the client accepts it with any quality above 0.
#[must_use]
pub fn encoding(accept_encoding: Option<&str>) -> Encoding {
    let mut gzip = None;
    let mut any = None;
    for range in accept_encoding.unwrap_or_default().split(',') {
        let (name, parameters) = range.split_once(';').unwrap_or((range, ""));
        let refused = parameters.trim().strip_prefix("q=").is_some_and(|quality| {
            !quality
                .trim()
                .parse()
                .is_ok_and(|quality: f64| quality > 0.0)
        });
        match name.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => gzip = Some(!refused),
            "*" => any = Some(!refused),
            _ => {}
        }
    }
    if gzip.or(any).unwrap_or(false) {
        Encoding::Gzip
    } else {
        Encoding::Identity
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_quality_wins() {
        for (accept, expected) in [
            // Prometheus 2.42, as it sends it, and 3.
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                Format::OpenMetrics,
            ),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
                Format::OpenMetrics,
            ),
            (
                "text/plain;version=0.0.4;q=0.9,application/openmetrics-text;version=1.0.0;q=0.1",
                Format::Text,
            ),
            (
                "application/openmetrics-text; version=\"1.0.0\"; charset=utf-8",
                Format::OpenMetrics,
            ),
            ("application/openmetrics-text", Format::OpenMetrics),
            ("application/openmetrics-text;version=0.0.1", Format::Text),
            (
                "application/openmetrics-text;version=1.0.0;q=0",
                Format::Text,
            ),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Format::Text),
            ("*/*", Format::Text),
            ("", Format::Text),
            (";;;,,,q=", Format::Text),
        ] {
            assert_eq!(format(Some(accept)), expected, "{accept}");
        }
        assert_eq!(format(None), Format::Text);
    }

    #[test]
    fn gzip_is_used_where_it_is_not_refused() {
        for (accept, expected) in [
            ("gzip", Encoding::Gzip),
            ("deflate, GZIP;q=0.5, br", Encoding::Gzip),
            ("gzip;q=0", Encoding::Identity),
            ("gzip; q=0.000", Encoding::Identity),
            ("gzip;q=x", Encoding::Identity),
            ("*", Encoding::Gzip),
            ("*;q=0", Encoding::Identity),
            ("*, gzip;q=0", Encoding::Identity),
            ("identity", Encoding::Identity),
            ("", Encoding::Identity),
        ] {
            assert_eq!(encoding(Some(accept)), expected, "{accept}");
        }
        assert_eq!(encoding(None), Encoding::Identity);
    }
}
