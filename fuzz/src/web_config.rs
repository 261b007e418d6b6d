//! A web configuration file, from its text to the server's requirements on clients.

use std::path::Path;

use openstack_heartbeat_exporter::config::web;
use openstack_heartbeat_exporter::web::tls;

/// Reads a web configuration file.
pub fn run(text: &str) {
    let (config, _) = web::read(Path::new("/nowhere/web.yml"), text);
    let faults = match config {
        Ok(config) => match config.tls {
            Some(tls) => tls::server_config(&tls, config.http2).err(),
            None => None,
        },
        Err(faults) => {
            assert!(!faults.is_empty());
            Some(faults)
        }
    };
    for fault in faults.unwrap_or_default() {
        assert!(!fault.to_string().is_empty());
    }
}
