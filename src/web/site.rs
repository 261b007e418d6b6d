//! What requests are answered from.

use std::sync::Arc;

use super::access::Access;
use super::handshake::HandshakePool;
use super::reload::Reload;
use crate::publish::latest::Latest;

/// What requests are answered from.
#[derive(Debug)]
pub struct Site {
    /// The latest snapshot and the exporter's own metrics.
    pub latest: Arc<Latest>,
    /// Path of the metrics.
    pub telemetry_path: String,
    /// Requests reloads of the configuration; `None` unless HTTP requests may do so.
    pub reload: Option<Reload>,
    /// What clients must prove.
    pub access: Arc<Access>,
    /// Runs TLS handshakes.
    pub handshakes: HandshakePool,
}

#[cfg(test)]
impl Site {
    /// Returns a site that asks for no login.
    pub(crate) fn fixture(latest: Latest) -> Self {
        Self {
            latest: Arc::new(latest),
            telemetry_path: "/metrics".to_owned(),
            reload: None,
            access: Arc::new(Access::new(None).unwrap()),
            handshakes: HandshakePool::start(),
        }
    }
}
