//! Real Ironic: its conductors, as listed by the API.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::clock::HostClock;
use super::database::Database;
use super::openstack::{Api, Project};
use super::process::Process;

/// The first microversion with conductors.
const HEADERS: &[(&str, &str)] = &[("X-OpenStack-Ironic-API-Version", "1.49")];

/// Fake hardware, without other services.
const OPTIONS: &str = "rpc_transport = oslo\n\
                       enabled_hardware_types = fake-hardware\n\
                       enabled_bios_interfaces = no-bios\n\
                       enabled_boot_interfaces = fake\n\
                       enabled_console_interfaces = no-console\n\
                       enabled_deploy_interfaces = fake\n\
                       enabled_firmware_interfaces = no-firmware\n\
                       enabled_inspect_interfaces = no-inspect\n\
                       enabled_management_interfaces = fake\n\
                       enabled_network_interfaces = noop\n\
                       enabled_power_interfaces = fake\n\
                       enabled_raid_interfaces = no-raid\n\
                       enabled_rescue_interfaces = no-rescue\n\
                       enabled_storage_interfaces = noop\n\
                       enabled_vendor_interfaces = no-vendor\n\
                       [service_catalog]\n\
                       auth_type = none\n\
                       [conductor]\n";

#[derive(Deserialize)]
struct Conductors {
    conductors: Vec<Conductor>,
}

#[derive(Deserialize)]
struct Conductor {
    hostname: String,
    alive: bool,
    updated_at: Option<String>,
}

/// An Ironic: an ironic.conf and its API.
pub(crate) struct Ironic {
    project: Project,
    api: Api,
    process: Process,
}

impl Ironic {
    /// Starts Ironic's API on a database. `options` are lines of `[conductor]`.
    pub(crate) fn start(database: &Database, options: &str) -> Self {
        let options = format!("{OPTIONS}{options}");
        let project = Project::new("ironic", "HEARTBEAT_TEST_IRONIC", database, &options);
        let (api, process) = project.serve("tests/ironic_api.py", HEADERS, "/v1/conductors");
        Self {
            project,
            api,
            process,
        }
    }

    /// Returns the path of ironic.conf.
    pub(crate) fn config_file(&self) -> String {
        self.project.config_file()
    }

    /// Starts the conductor of a host with its own clock.
    pub(crate) fn conductor(&self, host: &str, clock: &HostClock) -> Process {
        self.project.service("ironic-conductor", host, clock)
    }

    /// Returns whether each conductor is alive, as `openstack baremetal conductor list` shows it, and its last heartbeat.
    pub(crate) fn alive(&self) -> BTreeMap<String, (bool, Option<String>)> {
        let answer = self.api.get("/v1/conductors?detail=true").unwrap();
        let listed: Conductors = serde_json::from_slice(&answer.body).unwrap();
        let conductors = listed.conductors.into_iter();
        conductors
            .map(|it| (it.hostname, (it.alive, it.updated_at)))
            .collect()
    }

    pub(crate) fn log(&self) -> String {
        self.process.log()
    }
}
