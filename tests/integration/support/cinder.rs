//! Real Cinder: its processes, and its services and clusters as listed by API and command line.

use std::time::Duration;

use openstack_heartbeat_exporter::config::database_url::Engine;
use serde::Deserialize;

use super::database::Database;
use super::openstack::{self, Api, Project, Service};
use super::process::Process;
use super::{free_port, wait_for};

pub(crate) const SCHEDULER: &str = "cinder-scheduler";

/// The folder of the API.
const PATH: &str = "/v3/00000000000000000000000000000001";
/// The token is one that `auth_strategy = noauth` accepts.
const HEADERS: &[(&str, &str)] = &[
    ("X-Auth-Token", "admin:00000000000000000000000000000001"),
    ("OpenStack-API-Version", "volume 3.7"),
];

/// A Cinder: a cinder.conf and a running cinder-api.
pub(crate) struct Cinder {
    project: Project,
    api: Api,
    process: Process,
}

/// A cluster as the API lists it.
#[derive(Debug, Deserialize)]
pub(crate) struct Cluster {
    pub(crate) binary: String,
    pub(crate) name: String,
    pub(crate) status: String,
    pub(crate) state: String,
    pub(crate) num_hosts: f64,
    pub(crate) num_down_hosts: f64,
}

#[derive(Deserialize)]
struct Clusters {
    clusters: Vec<Cluster>,
}

impl Cinder {
    /// Starts cinder-api on a database. `options` are lines of `[DEFAULT]`.
    pub(crate) fn start(database: &Database, options: &str) -> Self {
        if database.engine == Engine::MySql {
            // More tables for the scheduler; PostgreSQL's copy of the template has all tables.
            let copy = |table| format!("CREATE TABLE {table} LIKE cinder_template.{table}");
            let copies = ["messages", "volumes", "workers"].map(copy);
            database.execute(&copies.each_ref().map(String::as_str));
        }
        let port = free_port();
        let options = format!(
            "scheduler_driver_init_wait_time = 1\n\
             osapi_volume_listen = 127.0.0.1\n\
             osapi_volume_listen_port = {port}\n\
             osapi_volume_workers = 1\n\
             rpc_response_timeout = 3\n\
             enabled_backends =\n\
             {options}"
        );
        let project = Project::new("cinder", "HEARTBEAT_TEST_PYTHON", database, &options);
        let process = project.start("api", &mut project.command("cinder-api", &[]));
        let api = Api {
            port,
            headers: HEADERS,
        };
        let cinder = Self {
            project,
            api,
            process,
        };
        wait_for(
            "cinder-api answers",
            Duration::from_mins(1),
            || {
                let answer = cinder.api.get(&format!("{PATH}/os-services"));
                answer.is_ok_and(|answer| answer.status == 200)
            },
            || cinder.process.log(),
        );
        cinder
    }

    /// Returns the path of cinder.conf.
    pub(crate) fn config_file(&self) -> String {
        self.project.config_file()
    }

    /// Writes a further configuration file and returns its path.
    pub(crate) fn write_config(&self, name: &str, options: &str) -> String {
        self.project.write_config(name, options)
    }

    /// Starts a cinder-scheduler with this host name.
    pub(crate) fn scheduler(&self, host: &str) -> Process {
        let file = self.write_config(&format!("{host}.conf"), &format!("host = {host}"));
        let mut command = self.project.command(SCHEDULER, &[&file]);
        self.project.start(SCHEDULER, &mut command)
    }

    /// Returns the services that `openstack volume service list` shows.
    pub(crate) fn services(&self) -> Vec<Service> {
        openstack::listed(&self.api.get(&format!("{PATH}/os-services")).unwrap())
    }

    /// Returns the clusters that `openstack volume cluster list --detail` shows.
    pub(crate) fn clusters(&self) -> Vec<Cluster> {
        let answer = self.api.get(&format!("{PATH}/clusters/detail")).unwrap();
        let clusters: Clusters = serde_json::from_slice(&answer.body).unwrap();
        clusters.clusters
    }

    /// Disables a scheduler: Cinder 28 and 29 answer `os-services/disable` and ignore it.
    pub(crate) fn disable(&self, host: &str) {
        self.api.put(
            &format!("{PATH}/os-services/disable-log-reason"),
            &format!(
                "{{\"binary\": \"{SCHEDULER}\", \"host\": \"{host}\", \"disabled_reason\": \"a test\"}}"
            ),
        );
    }

    /// Returns the services of `cinder-manage service list` with further configuration files; states as in the API.
    pub(crate) fn service_list(&self, files: &[&str]) -> Vec<Service> {
        let text = self.manage(files, &["service", "list"]);
        self.project.printed(&text)
    }

    /// Runs cinder-manage and returns its output.
    pub(crate) fn manage(&self, files: &[&str], arguments: &[&str]) -> String {
        self.project.manage(files, arguments)
    }
}
