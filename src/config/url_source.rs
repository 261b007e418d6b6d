//! Which of the configured database URLs and passwords are used.

use secrecy::SecretString;

use super::database_url::DatabaseUrl;
use super::fault::Fault;
use super::layer::{Item, Layer};
use super::place::Place;
use super::values::Values;
use super::{credential, key, secret};

/// Returns the URL of the strongest layer that has a URL or names its file.
pub(super) fn strongest(layers: &[&Layer], faults: &mut Vec<Fault>) -> Option<Item> {
    for layer in layers {
        match (layer.get("database.url"), layer.get("database.url-file")) {
            ([], []) => {}
            ([url, ..], []) => return Some(url.clone()),
            ([], [file, ..]) => return Some(secret::read(file, faults)),
            ([url, ..], [..]) => {
                faults.push(Fault::TwoUrls {
                    origin: url.origin.clone(),
                });
                return Some(url.clone());
            }
        }
    }
    None
}

/// Parses the chosen URL; `None` only along with a fault.
pub(super) fn parse(
    values: &mut Values,
    chosen: Option<Item>,
    places: &[(Place, String)],
) -> Option<DatabaseUrl> {
    let Some(item) = chosen else {
        // Earlier faults, such as an unreadable file, may be the reason why there is no URL.
        if values.faults.is_empty() {
            values.faults.push(match places.first() {
                None => Fault::NoDatabase,
                Some((place, _)) => Fault::NoConnection {
                    place: place.path().display().to_string(),
                },
            });
        }
        return None;
    };
    if item.text.is_empty() && !values.faults.is_empty() {
        return None;
    }
    match DatabaseUrl::parse(&item.text) {
        Ok(url) => {
            values.note("database.url", url.redacted(), item.origin);
            Some(url)
        }
        Err(source) => {
            values.faults.push(Fault::Url {
                origin: item.origin,
                source,
            });
            None
        }
    }
}

/// The files that may contain the password, besides the URL.
pub(super) struct Password {
    /// Wins over the password in the URL.
    file: Option<Item>,
    /// Used only where no other password is set.
    credential: Option<Item>,
}

impl Password {
    /// Looks for `database.password-file` and for the credential of systemd.
    pub(super) fn find(
        layers: &[&Layer],
        variable: impl Fn(&str) -> Option<String>,
        warnings: &mut Vec<String>,
    ) -> Self {
        Self {
            file: file(layers, warnings),
            credential: credential::find(key::PASSWORD_CREDENTIAL, variable),
        }
    }

    /// Returns the password that replaces the one in the URL, if any.
    pub(super) fn read(
        self,
        values: &mut Values,
        url: &DatabaseUrl,
        warnings: &mut Vec<String>,
    ) -> Option<SecretString> {
        let file = match (self.file, self.credential) {
            (None, Some(credential)) if url.password.is_none() => credential,
            (file, credential) => {
                warnings.extend(credential.map(|credential| {
                    let origin = credential.origin;
                    format!("the {origin} is not used: another password takes precedence")
                }));
                file?
            }
        };
        values.note(
            "database.password-file",
            file.text.clone(),
            file.origin.clone(),
        );
        let password = secret::read(&file, &mut values.faults).text;
        (!password.is_empty()).then(|| password.into())
    }
}

/// Returns the password file, unless a stronger layer sets a URL: then the password of that URL is used.
fn file(layers: &[&Layer], warnings: &mut Vec<String>) -> Option<Item> {
    for layer in layers {
        if let Some(file) = layer.get("database.password-file").first() {
            return Some(file.clone());
        }
        if ["database.url", "database.url-file"]
            .iter()
            .any(|name| !layer.get(name).is_empty())
        {
            break;
        }
    }
    let ignored = layers
        .iter()
        .find_map(|layer| layer.get("database.password-file").first())?;
    warnings.push(format!(
        "`database.password-file` of {} is ignored: the database URL is set in a stronger place",
        ignored.origin
    ));
    None
}
