//! Which sources there are: those of the command line, of the environment, or of the settings file.

use super::fault::{self, Fault, shown};
use super::key::{PROJECT, SOURCES};
use super::layer::{Item, Layer};
use super::place::Place;
use super::settings_file::Written;
use crate::project::{self, Project};

/// A source, and where its own settings are.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) project: &'static Project,
    /// Its settings in the settings file.
    pub(super) own: Layer,
    /// The project's configuration files and folders, each with its origin.
    pub(super) places: Vec<(Place, String)>,
    /// Where it is named.
    pub(super) origin: String,
    pub(super) given_by: GivenBy,
}

/// What names a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GivenBy {
    /// The command line or the environment; or nothing does, and it is the only one.
    Flags,
    /// The settings file.
    File,
    /// The databases that the exporter finds.
    Search,
}

impl Named {
    /// Returns the settings that remedy a fault: for a source of the settings file its own, of these names; for
    /// another, those of the command line. A source of the command line would replace all of the settings file.
    pub(super) fn remedy(&self, elsewhere: &str, own: &[&str]) -> String {
        if self.given_by != GivenBy::File {
            return elsewhere.to_owned();
        }
        let own = own.iter();
        let own: Vec<String> = own
            .map(|setting| format!("`{SOURCES}.{}.{setting}`", self.name))
            .collect();
        own.join(" or ")
    }
}

/// Returns the sources of the strongest layer that names any; `None` if none does. `layers` are the flags and the
/// environment.
pub(super) fn list(
    layers: &[Layer],
    written: Vec<Written>,
    faults: &mut Vec<Fault>,
    warnings: &mut Vec<String>,
) -> Option<Vec<Named>> {
    let mut given = layers.iter().map(|layer| layer.get(PROJECT));
    if let Some(items) = given.find(|items| !items.is_empty()) {
        if let Some(first) = written.first() {
            warnings.push(format!(
                "{} replaces the list `{SOURCES}` at {}, and all settings in it",
                items[0].origin, first.origin
            ));
        }
        return Some(of_items(items, faults));
    }
    let is_any = !written.is_empty();
    let sources = written.into_iter();
    is_any.then(|| sources.filter_map(|it| of_file(it, faults)).collect())
}

/// Returns the only source, of this project, where nothing names one.
pub(super) fn only(project: &'static Project) -> Named {
    Named {
        name: project.name.to_owned(),
        project,
        own: Layer::default(),
        places: Vec::new(),
        origin: "default".to_owned(),
        given_by: GivenBy::Flags,
    }
}

/// Returns the sources of `NAME[=PATH]`; a name that is given again adds a file.
fn of_items(items: &[Item], faults: &mut Vec<Fault>) -> Vec<Named> {
    let mut sources: Vec<Named> = Vec::new();
    for Item { text, origin } in items {
        let (name, path) = match text.split_once('=') {
            Some((name, path)) => (name, Some(path)),
            None => (text.as_str(), None),
        };
        let Some(project) = project::find(name) else {
            let what = format!("unknown project{}; {}", shown(name), known());
            faults.push(Fault::syntax(origin, what));
            continue;
        };
        if path == Some("") {
            let what = format!("no path after `{name}=`; write one, or remove the `=`");
            faults.push(Fault::syntax(origin, what));
        }
        let path = path.filter(|path| !path.is_empty());
        if path.is_some_and(|path| fault::is_url(path.as_ref())) {
            let origin = origin.clone();
            faults.push(Fault::UrlAsPlace { origin });
            continue;
        }
        let place = path.map(|path| (Place::of(path.into()), origin.clone()));
        match sources.iter_mut().find(|source| source.name == name) {
            Some(source) => source.places.extend(place),
            None => sources.push(Named {
                name: name.to_owned(),
                project,
                own: Layer::default(),
                places: place.into_iter().collect(),
                origin: origin.clone(),
                given_by: GivenBy::Flags,
            }),
        }
    }
    sources
}

/// Returns a source of the settings file; `None` after a fault.
fn of_file(written: Written, faults: &mut Vec<Fault>) -> Option<Named> {
    let Written {
        name,
        origin,
        layer,
    } = written;
    let given = layer.get(PROJECT).first();
    let known_as = given.map_or(name.as_str(), |item| &item.text);
    let Some(project) = project::find(known_as) else {
        let at = given.map_or(&origin, |item| &item.origin);
        let remedy = match given {
            Some(_) => known(),
            None => format!("set `{SOURCES}.{name}.{PROJECT}`; {}", known()),
        };
        let what = format!("unknown project{}; {remedy}", shown(known_as));
        faults.push(Fault::syntax(at, what));
        return None;
    };
    // As in oslo.config, folders come after files.
    let files = layer.get("config-file").iter();
    let files = files.map(|item| (Place::File((&item.text).into()), item.origin.clone()));
    let folders = layer.get("config-dir").iter();
    let folders = folders.map(|item| (Place::Dir((&item.text).into()), item.origin.clone()));
    let (urls, places) = files
        .chain(folders)
        .partition::<Vec<_>, _>(|(place, _)| fault::is_url(place.path()));
    let urls = urls.into_iter();
    faults.extend(urls.map(|(_, origin)| Fault::UrlAsPlace { origin }));
    Some(Named {
        name,
        project,
        own: layer,
        places,
        origin,
        given_by: GivenBy::File,
    })
}

/// Returns the list of projects, for a fault.
fn known() -> String {
    let names: Vec<&str> = project::ALL.iter().map(|project| project.name).collect();
    format!("known: {}", names.join(", "))
}
