//! Where to look for databases if no project is named, and what the sources found there have in common.

use std::path::Path;

use super::database_url::{DatabaseUrl, Engine, Unnamed};
use super::fault::Fault;
use super::pattern::Glob;
use super::source::{Common, Polls, SourceSettings};
use super::source_list::{self, GivenBy, Named};
use super::tls::Environment;
use super::url_error::UrlError;
use super::url_source::{Chosen, NAME_FROM_PROJECT};
use super::values::Effective;
use crate::project::{self, Project};

/// A server whose databases are looked for, or one database whose project is.
#[derive(Debug, Clone)]
pub(crate) struct Search {
    /// Databases of the server to leave out, by their names.
    exclude: Vec<Glob>,
    /// Whether the URL names the database.
    is_named: bool,
    /// The settings of a source of each project. They differ in the project's options.
    templates: Vec<SourceSettings>,
}

/// What the database URL says where no project is named.
pub(super) enum Unlisted {
    /// The source of one project, because its database has the project's name.
    Project(&'static Project),
    /// The project is looked for: in the database that the URL names, or else in all of the server.
    Search { is_named: bool },
}

impl Unlisted {
    /// Reads the URL for all sources. A URL that cannot be parsed is left to the one source.
    pub(super) fn of(url: Option<&Chosen>, variable: Environment<'_>) -> Self {
        let parsed = url.map(|it| DatabaseUrl::parse_in(&it.url.text, Unnamed::Refused, variable));
        match parsed {
            Some(Ok(url)) => match project::find(&usual_name(&url)) {
                Some(project) => Self::Project(project),
                None => Self::Search { is_named: true },
            },
            Some(Err(UrlError::NoDatabase)) => Self::Search { is_named: false },
            Some(Err(_)) | None => Self::Project(project::ALL[0]),
        }
    }
}

/// Returns the database's name; of a file, its name without folder and ending.
fn usual_name(url: &DatabaseUrl) -> String {
    let file = Path::new(&url.database).file_stem();
    match (url.engine, file.and_then(|stem| stem.to_str())) {
        (Engine::Sqlite, Some(stem)) => stem.to_owned(),
        _ => url.database.clone(),
    }
}

impl Search {
    /// Reads what the sources have in common; `None` only along with a fault.
    pub(super) fn read(
        is_named: bool,
        exclude: Vec<Glob>,
        common: &Common<'_>,
        faults: &mut Vec<Fault>,
        warnings: &mut Vec<String>,
    ) -> Option<Self> {
        let template = |project: &&'static Project| {
            let named = Named {
                origin: "discovery".to_owned(),
                given_by: GivenBy::Search,
                ..source_list::only(project)
            };
            SourceSettings::read(&named, common, faults, warnings)
        };
        let templates: Vec<_> = project::ALL.iter().filter_map(template).collect();
        (templates.len() == project::ALL.len()).then_some(Self {
            exclude,
            is_named,
            templates,
        })
    }

    /// Returns the address and the credentials, with the database to begin with. By default, any user of a server may
    /// connect to it.
    pub(crate) fn url(&self) -> DatabaseUrl {
        let url = self.templates[0].url.clone();
        let first = match url.engine {
            _ if self.is_named => return url,
            Engine::MySql => "information_schema",
            Engine::Postgres => "postgres",
            Engine::Sqlite => return url,
        };
        let database = first.to_owned();
        DatabaseUrl { database, ..url }
    }

    /// Returns the URL without secrets, for display.
    pub(crate) fn shown(&self) -> String {
        let url = self.templates[0].url.clone();
        let database = if self.is_named {
            url.database.clone()
        } else {
            String::new()
        };
        DatabaseUrl { database, ..url }.redacted()
    }

    /// Returns where the URL and its password come from, for display.
    pub(super) fn effective(&self) -> Vec<Effective> {
        let values = self.templates[0].effective.iter();
        let values = values.filter(|value| value.name.starts_with("database."));
        let shown = |value: &Effective| match value.name {
            "database.url" => Effective {
                value: self.shown(),
                origin: value.origin.replace(NAME_FROM_PROJECT, ""),
                ..*value
            },
            _ => value.clone(),
        };
        values.map(shown).collect()
    }

    /// Returns the time limits.
    pub(crate) fn polls(&self) -> &Polls {
        &self.templates[0].polls
    }

    /// Returns the database whose project is looked for; `None` where all databases of the server are.
    pub(crate) fn database(&self) -> Option<&str> {
        let url = &self.templates[0].url;
        self.is_named.then_some(url.database.as_str())
    }

    /// Returns whether a database is left out.
    pub(crate) fn excludes(&self, name: &str) -> bool {
        self.exclude.iter().any(|pattern| pattern.includes(name))
    }

    /// Returns whether the other looks at the same place, whatever its credentials.
    pub(crate) fn is_same_place(&self, other: &Self) -> bool {
        let (url, others) = (self.url(), other.url());
        self.is_named == other.is_named
            && url.is_same_server(&others)
            && url.database == others.database
    }

    /// Returns the settings of the source for a database of this project. Its name is that of the database, or of the
    /// project if the URL names the database.
    pub(crate) fn source(
        &self,
        database: &str,
        project: &'static Project,
    ) -> Option<SourceSettings> {
        let mut templates = self.templates.iter();
        let mut source = templates.find(|source| source.project == project)?.clone();
        if !self.is_named {
            database.clone_into(&mut source.name);
            database.clone_into(&mut source.url.database);
        }
        Some(source)
    }
}
