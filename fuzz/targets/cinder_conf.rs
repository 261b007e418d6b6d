//! A cinder.conf, from its bytes to valid settings.
#![no_main]

use libfuzzer_sys::fuzz_target;
use openstack_heartbeat_exporter::config::oslo::Place;
use openstack_heartbeat_exporter::config::settings::Flags;
use openstack_heartbeat_exporter_fuzz::{file, load};

fuzz_target!(|bytes: &[u8]| {
    let path = file("cinder.conf", bytes);
    let flags = Flags {
        places: vec![(Place::File(path), "--cinder.config-file".to_owned())],
        ..Flags::default()
    };
    load(flags, bytes);
});
