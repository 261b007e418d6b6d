//! The headers in which a client states the formats and encodings that it accepts.

use openstack_heartbeat_exporter::publish::exposition::Format;
use openstack_heartbeat_exporter::publish::rendered::Encoding;
use openstack_heartbeat_exporter::web::negotiation::{encoding, format};

/// Negotiates by a header.
pub fn run(header: &str) {
    let lower = header.to_ascii_lowercase();
    if format(Some(header)) == Format::OpenMetrics {
        assert!(lower.contains("application/openmetrics-text"));
    }
    if encoding(Some(header)) == Encoding::Gzip {
        assert!(lower.contains("gzip") || lower.contains('*'));
    }
}
