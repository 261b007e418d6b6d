//! Real Heat: the processes of its engines, as listed by itself.

use serde::Deserialize;

use super::clock::HostClock;
use super::database::Database;
use super::openstack::{Api, Project};
use super::process::Process;

const OPTIONS: &str = "num_engine_workers = 2\n\
                       auth_encryption_key = 0123456789abcdef0123456789abcdef\n";

#[derive(Deserialize)]
struct Engines {
    services: Vec<Engine>,
}

/// A process of an engine, as `heat-manage service list` shows it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Engine {
    pub(crate) host: String,
    #[serde(rename = "engine_id")]
    id: String,
    pub(crate) status: String,
    updated_at: Option<String>,
}

/// A Heat: a heat.conf, and a program that lists its engines.
pub(crate) struct Heat {
    project: Project,
    api: Api,
    process: Process,
}

impl Heat {
    /// Starts Heat on a database. `options` are lines of `[DEFAULT]`.
    pub(crate) fn start(database: &Database, options: &str) -> Self {
        let options = format!("{OPTIONS}{options}");
        let project = Project::new("heat", "HEARTBEAT_TEST_HEAT", database, &options);
        let (api, process) = project.serve("tests/heat_api.py", &[], "/");
        Self {
            project,
            api,
            process,
        }
    }

    /// Returns the path of heat.conf.
    pub(crate) fn config_file(&self) -> String {
        self.project.config_file()
    }

    /// Starts the engine of a host with its own clock: a parent without a row, and two workers.
    pub(crate) fn engine(&self, host: &str, clock: &HostClock) -> Process {
        self.project.service("heat-engine", host, clock)
    }

    /// Returns the processes of all engines, in the order of their ids.
    pub(crate) fn engines(&self) -> Vec<Engine> {
        let answer = self.api.get("/").unwrap();
        let mut listed: Engines = serde_json::from_slice(&answer.body).unwrap();
        let by_id = |a: &Engine, b: &Engine| a.id.cmp(&b.id);
        listed.services.sort_by(by_id);
        listed.services
    }

    pub(crate) fn log(&self) -> String {
        self.process.log()
    }
}
