//! A cinder.conf, from its bytes to valid settings.

use super::{file, load};
use openstack_heartbeat_exporter::config::flags::Flags;
use openstack_heartbeat_exporter::config::place::Place;

/// Loads a cinder.conf.
pub fn run(bytes: &[u8]) {
    let path = file("cinder.conf", bytes);
    let flags = Flags {
        places: vec![(Place::File(path), "--cinder.config-file".to_owned())],
        ..Flags::default()
    };
    load(flags, bytes);
}
