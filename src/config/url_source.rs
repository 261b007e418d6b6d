//! Which of the configured database URLs and passwords are used.
//!
//! A credential of systemd is a file in a folder that only the service can read.

use std::path::Path;

use secrecy::SecretString;

use super::database_url::DatabaseUrl;
use super::fault::Fault;
use super::key::{PASSWORD_CREDENTIAL, URL_CREDENTIAL};
use super::layer::{Item, Layer};
use super::oslo_db::OtherSources;
use super::place::Place;
use super::tls::Environment;
use super::values::Values;

/// The URL to parse, and the setting `database.url-file` that names its file, if that is its place.
pub(super) struct Chosen {
    url: Item,
    file: Option<Item>,
}

impl From<Item> for Chosen {
    fn from(url: Item) -> Self {
        Self { url, file: None }
    }
}

/// Returns the URL of the strongest layer that has a URL or names its file, or else the credential.
pub(super) fn strongest(
    layers: &[Layer],
    variable: impl Fn(&str) -> Option<String>,
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
    let file = credential(URL_CREDENTIAL, variable)?;
    let (text, origin) = (secret(&file, faults), file.origin);
    Some(Item { text, origin }.into())
}

/// Parses the chosen URL; `None` only along with a fault.
pub(super) fn parse(
    values: &mut Values,
    chosen: Option<Chosen>,
    places: &[(Place, String)],
    other_sources: Option<&OtherSources>,
    variable: Environment<'_>,
) -> Option<DatabaseUrl> {
    let Some(Chosen { url, file }) = chosen else {
        // Earlier faults, such as an unreadable file, may be the reason why there is no URL.
        if values.faults.is_empty() {
            values.faults.push(match places.first() {
                None => Fault::NoDatabase,
                Some((place, origin)) if places.len() == 1 && place.is_empty() => {
                    let folder = place.path().display();
                    let what = format!(
                        "the folder {folder} contains no *.conf file, and no other database URL is set; correct the path, \
                         or set --database.url-file"
                    );
                    Fault::syntax(origin, what)
                }
                Some((place, _)) => Fault::NoConnection {
                    place: place.path().display().to_string(),
                    other_sources: other_sources.map_or(String::new(), |it| {
                        format!("; {}, which the exporter does not read", it.text)
                    }),
                },
            });
        }
        return None;
    };
    let Item { text, origin } = url;
    if text.is_empty() && !values.faults.is_empty() {
        return None;
    }
    if let Some(file) = file {
        values.note("database.url-file", file.text, file.origin);
    }
    match DatabaseUrl::parse_in(&text, variable) {
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

/// Returns the password that replaces the one in the URL, if any. The credential replaces no other password.
pub(super) fn password(
    values: &mut Values,
    url: &DatabaseUrl,
    variable: impl Fn(&str) -> Option<String>,
    warnings: &mut Vec<String>,
) -> Option<SecretString> {
    let file = password_file(&values.layers, warnings);
    let credential = credential(PASSWORD_CREDENTIAL, variable);
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
fn password_file(layers: &[Layer], warnings: &mut Vec<String>) -> Option<Item> {
    let name = "database.password-file";
    let found = layers
        .iter()
        .position(|layer| !layer.get(name).is_empty())?;
    let file = &layers[found].get(name)[0];
    let urls = ["database.url", "database.url-file"];
    let sets_url = |layer: &Layer| urls.iter().any(|name| !layer.get(name).is_empty());
    if layers[..found].iter().any(sets_url) {
        warnings.push(format!(
            "`database.password-file` of {} is ignored: the database URL is set in a stronger place",
            file.origin
        ));
        return None;
    }
    Some(file.clone())
}

/// Returns the file of a credential; `None` if systemd passed no credential of this name.
fn credential(name: &str, variable: impl Fn(&str) -> Option<String>) -> Option<Item> {
    let folder = variable("CREDENTIALS_DIRECTORY").filter(|folder| !folder.is_empty())?;
    let path = Path::new(&folder).join(name);
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
