//! The headers by which a client says what it reads.
#![no_main]

use libfuzzer_sys::fuzz_target;
use openstack_heartbeat_exporter::metrics::exposition::Format;
use openstack_heartbeat_exporter::picture::Encoding;
use openstack_heartbeat_exporter::web::negotiation::{encoding, format};

fuzz_target!(|header: &str| {
    let lower = header.to_ascii_lowercase();
    if format(Some(header)) == Format::OpenMetrics {
        assert!(lower.contains("application/openmetrics-text"));
    }
    if encoding(Some(header)) == Encoding::Gzip {
        assert!(lower.contains("gzip") || lower.contains('*'));
    }
});
