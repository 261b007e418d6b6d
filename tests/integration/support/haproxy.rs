//! `HAProxy` between the exporter and its database, as in front of Galera, with its limits on idle connections.

use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use super::process::Process;
use super::{folder, free_port, wait_for};

/// A proxy on its own port; killed when dropped.
pub(crate) struct HaProxy {
    pub(crate) port: u16,
    _process: Process,
}

impl HaProxy {
    /// Starts a proxy that closes connections after `idle` without a byte. Without a server it accepts and closes.
    pub(crate) fn start(server: Option<SocketAddr>, idle: Duration) -> Self {
        let port = free_port();
        let folder = folder("haproxy");
        let idle = idle.as_millis();
        let server = server.map(|address| format!("    server database {address}\n"));
        let text = format!(
            "defaults\n\
             \x20   mode tcp\n\
             \x20   timeout connect 1s\n\
             \x20   timeout client {idle}ms\n\
             \x20   timeout server {idle}ms\n\
             listen database\n\
             \x20   bind 127.0.0.1:{port}\n\
             {}",
            server.unwrap_or_default()
        );
        let settings = folder.join("haproxy.cfg");
        std::fs::write(&settings, text).unwrap();
        let mut command = Command::new("haproxy");
        command.args(["-db", "-f"]).arg(&settings);
        let process = Process::start(&mut command, folder.join("log"));
        wait_for(
            "HAProxy listens",
            Duration::from_secs(20),
            || TcpStream::connect(("127.0.0.1", port)).is_ok(),
            || process.log(),
        );
        Self {
            port,
            _process: process,
        }
    }
}
