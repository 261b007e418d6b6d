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
