//! Which of the configured database URLs and passwords a source uses.
//!
//! A credential of systemd is a file in a folder that only the service can read.

use std::path::Path;

use secrecy::SecretString;

use super::database_url::{DatabaseUrl, Unnamed};
use super::fault::Fault;
use super::key::{PASSWORD_CREDENTIAL, URL_CREDENTIAL, credential};
use super::layer::{Item, Layer};
use super::oslo::OsloError;
use super::tls::Environment;
use super::url_error::UrlError;
use super::values::Values;
use crate::project::Project;

/// A URL to parse, and the setting `database.url-file` that names its file, if that is its place.
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    pub(super) url: Item,
    file: Option<Item>,
}

impl From<Item> for Chosen {
    fn from(url: Item) -> Self {
        Self { url, file: None }
    }
}

/// The end of the origin of a URL that names no database, and whose project has no `connection`.
pub(super) const NAME_FROM_PROJECT: &str = ", database name from the project's name";

/// Returns the URL of the strongest layer that has a URL or names its file, or else the credential of one source, or of
/// all.
pub(super) fn strongest(
    layers: &[Layer],
    source: Option<&str>,
    variable: Environment<'_>,
    faults: &mut Vec<Fault>,
) -> Option<Chosen> {
    for layer in layers {
        match (layer.get("database.url"), layer.get("database.url-file")) {
            ([], []) => {}
            ([url, ..], []) => return Some(url.clone().into()),
            ([], [file, ..]) => {
                let (text, origin) = (secret(file, faults), file.text.clone());
                return Some(Chosen {
                    url: Item { text, origin },
                    file: Some(file.clone()),
                });
            }
            ([url, ..], [..]) => {
                let what = "both `database.url` and `database.url-file` are set here; remove one";
                faults.push(Fault::syntax(&url.origin, what));
                return Some(url.clone().into());
            }
        }
    }
    let file = passed(URL_CREDENTIAL, source, variable)?;
    let (text, origin) = (secret(&file, faults), file.origin);
    Some(Item { text, origin }.into())
}

/// Parses the chosen URL; `None` only along with a fault.
///
/// The database of a URL that names none is that of `connection`, the URL in the project's own options, or else has the
/// project's name.
pub(super) fn parse(
    values: &mut Values,
    chosen: Chosen,
    connection: Result<Option<Item>, OsloError>,
    project: &Project,
    variable: Environment<'_>,
) -> Option<DatabaseUrl> {
    let Chosen { url, file } = chosen;
    let Item { text, mut origin } = url;
    if text.is_empty() && !values.faults.is_empty() {
        return None;
    }
    if let Some(file) = file {
        values.note("database.url-file", file.text, file.origin);
    }
    let mut parsed = DatabaseUrl::parse_in(&text, Unnamed::Refused, variable);
    if matches!(parsed, Err(UrlError::NoDatabase)) {
        let connection = connection.map_err(|error| values.faults.push(Fault::Oslo(error)));
        let name = if let Some(connection) = connection.ok()? {
            let own = own_url(values, &connection, variable)?;
            origin = format!("{origin}, database name from {}", connection.origin);
            own.database
        } else {
            origin += NAME_FROM_PROJECT;
            project.name.to_owned()
        };
        parsed = DatabaseUrl::parse_in(&text, Unnamed::Is(&name), variable);
    }
    match parsed {
        Ok(url) => {
            values.note("database.url", url.redacted(), origin);
            Some(url)
        }
        Err(source) => {
            values.faults.push(Fault::Url { origin, source });
            None
        }
    }
}

/// Parses the URL in a project's own options; `None` only along with a fault.
pub(super) fn own_url(
    values: &mut Values,
    connection: &Item,
    variable: Environment<'_>,
) -> Option<DatabaseUrl> {
    let parsed = DatabaseUrl::parse_in(&connection.text, Unnamed::AsDriver, variable);
    let fault = |source| Fault::Url {
        origin: connection.origin.clone(),
        source,
    };
    parsed
        .map_err(|source| values.faults.push(fault(source)))
        .ok()
}

/// Returns the password that replaces the one in a source's URL, if any. A credential replaces no other password.
///
/// `own` is what the source has for itself. `all` are the layers for all sources, unless the URL is its own, too.
pub(super) fn password(
    values: &mut Values,
    url: &DatabaseUrl,
    (source, own): (Option<&str>, &Layer),
    all: &[Layer],
    variable: Environment<'_>,
    warnings: &mut Vec<String>,
) -> Option<SecretString> {
    let layers: Vec<&Layer> = std::iter::once(own).chain(all).collect();
    let file = password_file(&layers, warnings);
    let passed = |source| passed(PASSWORD_CREDENTIAL, source, variable);
    let mut credential = source.and_then(|source| passed(Some(source)));
    if credential.is_none() && !all.is_empty() {
        credential = passed(None);
    }
    let file = match (file, credential) {
        (None, Some(credential)) if url.password.is_none() => credential,
        (file, credential) => {
            warnings.extend(credential.map(|Item { origin, .. }| {
                format!("the {origin} is not used: another password takes precedence")
            }));
            file?
        }
    };
    let password = secret(&file, &mut values.faults);
    values.note("database.password-file", file.text, file.origin);
    (!password.is_empty()).then(|| password.into())
}

/// Returns the password file, unless a stronger layer sets a URL: then the password of that URL is used.
fn password_file(layers: &[&Layer], warnings: &mut Vec<String>) -> Option<Item> {
    let name = "database.password-file";
    let found = layers
        .iter()
        .position(|layer| !layer.get(name).is_empty())?;
    let file = &layers[found].get(name)[0];
    let urls = ["database.url", "database.url-file"];
    let sets_url = |layer: &&Layer| urls.iter().any(|name| !layer.get(name).is_empty());
    if layers[..found].iter().any(sets_url) {
        warnings.push(format!(
            "`database.password-file` of {} is ignored: the database URL is set in a stronger place",
            file.origin
        ));
        return None;
    }
    Some(file.clone())
}

/// Returns the file of a credential; `None` if systemd passed none of this name.
fn passed(end: &str, source: Option<&str>, variable: Environment<'_>) -> Option<Item> {
    let folder = variable("CREDENTIALS_DIRECTORY").filter(|folder| !folder.is_empty())?;
    let name = credential(end, source);
    let path = Path::new(&folder).join(&name);
    // If the check fails, assume that the file exists: reading it then reports the error.
    path.try_exists().unwrap_or(true).then(|| Item {
        text: path.display().to_string(),
        origin: format!("systemd credential {name}"),
    })
}

/// Reads the file that `file` names, without line breaks at its end; empty after a fault.
fn secret(file: &Item, faults: &mut Vec<Fault>) -> String {
    let text = match std::fs::read_to_string(&file.text) {
        Ok(text) => text.trim_end_matches(['\r', '\n']).to_owned(),
        Err(source) => {
            faults.push(Fault::read(&file.text, &file.origin, source));
            return String::new();
        }
    };
    if text.is_empty() {
        let what = "the file is empty; check that the secret is mounted";
        faults.push(Fault::syntax(&file.text, what));
    }
    text
}
