//! A settings file in YAML, from its text to valid settings.

use super::{file, load};
use openstack_heartbeat_exporter::config::flags::Flags;

/// Loads a settings file.
pub fn run(bytes: &[u8]) {
    let flags = Flags {
        config_file: Some(file("exporter.yaml", bytes)),
        ..Flags::default()
    };
    load(flags, bytes);
}
