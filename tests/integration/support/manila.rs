//! Real Manila: its processes, and its services as listed by API and command line.

use super::clock::HostClock;
use super::database::Database;
use super::openstack::{self, Api, Project, Service};
use super::process::Process;

pub(crate) const SCHEDULER: &str = "manila-scheduler";
pub(crate) const DATA: &str = "manila-data";
pub(crate) const SHARE: &str = "manila-share";

/// What manila-share appends to its host name.
pub(crate) const BACKEND: &str = "dummy";

/// The token is one that `auth_strategy = noauth` accepts. This microversion lists all columns but the newest.
const HEADERS: &[(&str, &str)] = &[
    ("X-Auth-Token", "admin:admin"),
    ("X-OpenStack-Manila-API-Version", "2.80"),
];

/// A Manila: a manila.conf and its API.
pub(crate) struct Manila {
    project: Project,
    api: Api,
    process: Process,
}

impl Manila {
    /// Starts Manila's API on a database. `options` are lines of `[DEFAULT]`.
    pub(crate) fn start(database: &Database, options: &str) -> Self {
        let options = format!(
            "enabled_share_protocols = NFS,CIFS\n\
             enabled_share_backends = {BACKEND}\n\
             {options}\n\
             [{BACKEND}]\n\
             share_driver = manila.tests.share.drivers.dummy.DummyDriver\n\
             share_backend_name = {BACKEND}\n\
             driver_handles_share_servers = false"
        );
        let project = Project::new("manila", "HEARTBEAT_TEST_MANILA", database, &options);
        let (api, process) = project.serve("tests/manila_api.py", HEADERS, "/v2/services");
        Self {
            project,
            api,
            process,
        }
    }

    /// Returns the path of manila.conf.
    pub(crate) fn config_file(&self) -> String {
        self.project.config_file()
    }

    /// Starts a service on a host with its own clock. The row of a manila-share has the host `HOST@dummy`.
    pub(crate) fn service(&self, binary: &str, host: &str, clock: &HostClock) -> Process {
        self.project.service(binary, host, clock)
    }

    /// Returns the services that `openstack share service list` shows.
    pub(crate) fn services(&self) -> Vec<Service> {
        openstack::listed(&self.api.get("/v2/services").unwrap())
    }

    /// Returns the services of `manila-manage service list`; states as in the API. The command fails without services.
    pub(crate) fn service_list(&self) -> Vec<Service> {
        let answer = self.api.get("/manage/service/list").unwrap();
        self.project.printed(answer.text())
    }

    /// Enables or disables a service, by the word of the API.
    pub(crate) fn set(&self, action: &str, binary: &str, host: &str) {
        let body = format!("{{\"binary\": \"{binary}\", \"host\": \"{host}\"}}");
        self.api.put(&format!("/v2/services/{action}"), &body);
    }

    pub(crate) fn log(&self) -> String {
        self.process.log()
    }
}
