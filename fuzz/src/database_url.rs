//! A database URL; no text behind a password makes an output show that password.

use super::{PASSWORD, assert_hidden};
use openstack_heartbeat_exporter::config::database_url::DatabaseUrl;

/// Parses a database URL.
pub fn run(text: &str) {
    if let Ok(url) = DatabaseUrl::parse(text) {
        let _ = (url.redacted(), format!("{url:?}"));
        assert!(!url.database.is_empty());
        assert!(url.port != Some(0));
    }
    if text.contains(PASSWORD) {
        return;
    }
    for scheme in ["mysql+pymysql", "postgresql", "sqlite", text] {
        match DatabaseUrl::parse(&format!("{scheme}://cinder:{PASSWORD}@{text}")) {
            Ok(url) => {
                assert_hidden(&url.redacted());
                assert_hidden(&format!("{url:?}"));
            }
            Err(error) => {
                assert_hidden(&error.to_string());
                assert_hidden(&format!("{error:?}"));
            }
        }
    }
}
