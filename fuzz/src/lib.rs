//! The fuzz targets, and the code that several of them share.
//!
//! The test `fuzz` of the exporter includes this file too.

pub mod accept;
pub mod cinder_conf;
pub mod columns;
pub mod database_url;
pub mod request;
pub mod rows;
pub mod settings;
pub mod web_config;

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use openstack_heartbeat_exporter::config::flags::Flags;
use openstack_heartbeat_exporter::config::settings::Settings;
use openstack_heartbeat_exporter::heartbeat::snapshot::Snapshot;
use openstack_heartbeat_exporter::publish::rendered::RenderedSnapshot;
use openstack_heartbeat_exporter::report::view::Listed;
use openstack_heartbeat_exporter::report::{csv, json, table};
use openstack_heartbeat_exporter::source::axis;
use secrecy::ExposeSecret as _;
use serde::de::IgnoredAny;
use tempfile::TempDir;

/// A password that no output may show.
pub const PASSWORD: &str = "c4n4ry-p4ssw0rd";

/// A folder in memory, since ten million files would wear out a disk.
static FOLDER: LazyLock<TempDir> =
    LazyLock::new(|| TempDir::new_in("/dev/shm").expect("there is memory to write to"));

/// Returns the path of a file of this process.
pub fn scratch(name: &str) -> PathBuf {
    FOLDER.path().join(name)
}

/// Writes a file of this process, and returns its path.
pub fn file(name: &str, contents: &[u8]) -> PathBuf {
    let path = scratch(name);
    fs::write(&path, contents).expect("the folder is ours");
    path
}

/// Loads settings as the program does at its start, and formats the faults.
///
/// `text` is the source of the settings. If it contains the [`PASSWORD`] once, as a password, no output may show it.
pub fn load(flags: Flags, text: &[u8]) {
    match Settings::load(flags) {
        Ok(settings) => {
            let text = String::from_utf8_lossy(text);
            let is_once = text.matches(PASSWORD).count() == 1;
            let urls = settings.sources.iter().map(|source| &source.url);
            for url in urls.filter(|_| is_once) {
                let password = url.password.as_ref();
                if password.is_some_and(|password| password.expose_secret() == PASSWORD) {
                    assert_hidden(&format!("{settings:?}"));
                    assert_hidden(&url.redacted());
                }
            }
        }
        Err(faults) => {
            assert!(!faults.is_empty());
            for fault in faults {
                assert!(!fault.to_string().is_empty());
            }
        }
    }
}

/// Asserts that a text does not show the [`PASSWORD`].
pub fn assert_hidden(text: &str) {
    assert!(!text.contains(PASSWORD), "the password is shown: {text}");
}

/// Renders a snapshot, and asserts the invariants of samples and skews.
pub fn expose(snapshot: &Snapshot) {
    let rendered = RenderedSnapshot::new("cinder".into(), snapshot.clone(), axis::now());
    let page = rendered.text().concat();
    let page = std::str::from_utf8(&page).expect("it is text");
    for line in page.lines() {
        let (series, value) = line.rsplit_once(' ').expect("a sample has a value");
        assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
        assert!(series.ends_with('}'), "{line}");
    }
    for status in &snapshot.services {
        if let Some(skew) = status.observed.clock_skew
            && let Some(upper) = skew.bounds.upper
        {
            assert!(skew.bounds.lower <= upper, "{status:?}");
            let estimate = skew.estimate.expect("there are both bounds");
            assert!(
                (skew.bounds.lower..=upper).contains(&estimate),
                "{status:?}"
            );
        }
    }
}

/// Lists a snapshot's services in every format, and asserts that the JSON is valid.
pub fn list(snapshot: &Snapshot) {
    let source = Listed::read("cinder", snapshot);
    for status in &snapshot.services {
        let detail = json::service(&source, snapshot, status, None);
        serde_json::from_str::<IgnoredAny>(&detail).expect("it is JSON");
    }
    let list = json::services(&[source], |_| true);
    serde_json::from_str::<IgnoredAny>(&list).expect("it is JSON");
    assert!(!csv::services(&[source], |_| true).is_empty());
    assert!(!table::table(&[source], |_| true).is_empty());
}
