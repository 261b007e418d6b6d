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
    // The first of equals wins.
    let best = offers.reduce(|best, next| if next.0 > best.0 { next } else { best });
    best.map_or(Format::Text, |(_, format)| format)
}

/// Returns gzip if the client accepts it with any quality above 0.
#[must_use]
pub fn encoding(accept_encoding: Option<&str>) -> Encoding {
    let mut gzip = None;
    let mut any = None;
    for range in accept_encoding.unwrap_or_default().split(',') {
        let (name, parameters) = range.split_once(';').unwrap_or((range, ""));
        let quality = parameters.trim().strip_prefix("q=").unwrap_or("1");
        let accepted = quality.trim().parse().is_ok_and(|q: f64| q > 0.0);
        match name.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => gzip = Some(accepted),
            "*" => any = Some(accepted),
            _ => {}
        }
    }
    match gzip.or(any) {
        Some(true) => Encoding::Gzip,
        _ => Encoding::Identity,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Encoding::{Gzip, Identity};
    use Format::{OpenMetrics, Text};

    #[test]
    fn the_highest_quality_wins() {
        // As Prometheus sends them.
        let prometheus_2 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        let text_first =
            "text/plain;version=0.0.4;q=0.9,application/openmetrics-text;version=1.0.0;q=0.1";
        let quoted = "application/openmetrics-text; version=\"1.0.0\"; charset=utf-8";
        for (accept, expected) in [
            (prometheus_2, OpenMetrics),
            (prometheus_3, OpenMetrics),
            (text_first, Text),
            (quoted, OpenMetrics),
            ("application/openmetrics-text", OpenMetrics),
            ("application/openmetrics-text;version=0.0.1", Text),
            ("application/openmetrics-text;version=1.0.0;q=0", Text),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Text),
            ("*/*", Text),
            ("", Text),
            (";;;,,,q=", Text),
        ] {
            assert_eq!(format(Some(accept)), expected, "{accept}");
        }
        assert_eq!(format(None), Text);
    }

    #[test]
    fn gzip_is_used_where_it_is_not_refused() {
        for (accept, expected) in [
            ("gzip", Gzip),
            ("deflate, GZIP;q=0.5, br", Gzip),
            ("gzip;q=0", Identity),
            ("gzip; q=0.000", Identity),
            ("gzip;q=x", Identity),
            ("*", Gzip),
            ("*;q=0", Identity),
            ("*, gzip;q=0", Identity),
            ("identity", Identity),
            ("", Identity),
        ] {
            assert_eq!(encoding(Some(accept)), expected, "{accept}");
        }
        assert_eq!(encoding(None), Identity);
    }
}
