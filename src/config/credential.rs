//! Credentials that systemd passes to the service: files in a folder that only the service can read.

use std::path::Path;

use super::fault::Fault;
use super::layer::Item;
use super::secret;

/// Returns the file of a credential; `None` if systemd passed no credential of this name.
pub(super) fn find(name: &str, variable: impl Fn(&str) -> Option<String>) -> Option<Item> {
    let folder = variable("CREDENTIALS_DIRECTORY").filter(|folder| !folder.is_empty())?;
    let path = Path::new(&folder).join(name);
    // If the check fails, assume that the file exists: reading it then reports the error.
    path.try_exists().unwrap_or(true).then(|| Item {
        text: path.display().to_string(),
        origin: format!("systemd credential {name}"),
    })
}

/// Returns the content of a credential; `None` if systemd passed no credential of this name.
pub(super) fn read(
    name: &str,
    variable: impl Fn(&str) -> Option<String>,
    faults: &mut Vec<Fault>,
) -> Option<Item> {
    let file = find(name, variable)?;
    let text = secret::read(&file, faults).text;
    Some(Item {
        text,
        origin: file.origin,
    })
}
