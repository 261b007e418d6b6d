//! A settings file in YAML, from its text to valid settings.
#![no_main]

use libfuzzer_sys::fuzz_target;
use openstack_heartbeat_exporter::config::settings::Flags;
use openstack_heartbeat_exporter_fuzz::{file, load};

fuzz_target!(|bytes: &[u8]| {
    let flags = Flags {
        config_file: Some(file("exporter.yaml", bytes)),
        ..Flags::default()
    };
    load(flags, bytes);
});
