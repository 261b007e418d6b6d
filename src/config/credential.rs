//! Credentials that systemd passes to its services, each a file in a folder that only the service can read.

use std::path::Path;

use super::fault::Fault;
use super::layer::Item;
use super::reader::read_secret;

/// Holds the database URL.
pub(super) const URL: &str = "openstack-heartbeat-exporter.database-url";
/// Holds the database password.
pub(super) const PASSWORD: &str = "openstack-heartbeat-exporter.database-password";

/// Returns the file of a credential; `None` if systemd passed none of this name.
pub(super) fn find(name: &str, variable: impl Fn(&str) -> Option<String>) -> Option<Item> {
    let folder = variable("CREDENTIALS_DIRECTORY").filter(|folder| !folder.is_empty())?;
    let path = Path::new(&folder).join(name);
    // What can't be looked at is there: reading it says what is wrong.
    path.try_exists().unwrap_or(true).then(|| Item {
        text: path.display().to_string(),
        origin: format!("systemd credential {name}"),
    })
}

/// Returns what a credential holds; `None` if systemd passed none of this name.
pub(super) fn read(
    name: &str,
    variable: impl Fn(&str) -> Option<String>,
    faults: &mut Vec<Fault>,
) -> Option<Item> {
    let file = find(name, variable)?;
    let secret = read_secret(&file, faults);
    Some(Item {
        text: secret.text,
        origin: file.origin,
    })
}
