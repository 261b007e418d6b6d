//! A database URL; no text behind a password makes an output show that password, and no text before an option that asks for
//! verification hides it.

use super::{PASSWORD, assert_hidden};
use openstack_heartbeat_exporter::config::database_url::DatabaseUrl;

/// Parses a database URL.
pub fn run(text: &str) {
    if let Ok(url) = DatabaseUrl::parse(text) {
        let _ = (url.redacted(), format!("{url:?}"));
        assert!(!url.database.is_empty());
        assert!(url.port != Some(0));
    }
    verify(text);
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

/// Asserts that `ssl_ca` behind any text and any separator is used, or the URL is refused.
fn verify(text: &str) {
    // A password may contain anything.
    let letters = text.to_lowercase().replace(['-', '_'], "");
    // Both options switch TLS off, authorities included.
    let switches_off = ["ssldisabled", "sslmode"];
    let switches_off = switches_off.iter().any(|option| letters.contains(option));
    if switches_off || letters.contains("pass") || text.contains('%') {
        return;
    }
    for separator in ["&", "?", ";", ",", "#", "+", " ", "&amp;", "%26", "%3B"] {
        for start in ["", "?", "?charset="] {
            let url = format!("mysql://u:p@h/d{start}{text}{separator}ssl_ca=/ca");
            if let Ok(url) = DatabaseUrl::parse(&url) {
                let ca = url.tls.ca.is_some_and(|ca| ca.ends_with("ca"));
                assert!(ca, "{start}{text}{separator}");
            }
        }
    }
}
