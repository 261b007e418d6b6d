//! A cinder.conf, from its bytes to valid settings.

use super::{file, load};
use openstack_heartbeat_exporter::config::flags::Flags;

/// Loads a cinder.conf.
pub fn run(bytes: &[u8]) {
    let path = file("cinder.conf", bytes);
    let settings = format!("sources: {{cinder: {{config-file: {}}}}}", path.display());
    let flags = Flags {
        config_file: Some(file("cinder.yaml", settings.as_bytes())),
        ..Flags::default()
    };
    load(flags, bytes);
}
