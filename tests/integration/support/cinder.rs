//! Real Cinder: its configuration and processes, and its services as listed by API and command line.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use openstack_heartbeat_exporter::config::database_url::Engine;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::database::Database;
use super::http::{self, Response};
use super::process::Process;
use super::{env, folder, free_port, wait_for};

pub(crate) const SCHEDULER: &str = "cinder-scheduler";

/// A password that must be percent-encoded in a URL.
const PASSWORD: &str = "s/e@c%r#e:t";
const PROJECT: &str = "00000000000000000000000000000001";
/// The token that `auth_strategy = noauth` accepts.
const TOKEN: &str = "admin:00000000000000000000000000000001";

/// A Cinder: a cinder.conf and a running cinder-api.
pub(crate) struct Cinder {
    folder: PathBuf,
    port: u16,
    api: Process,
}

/// A service as the API or `cinder-manage` lists it.
#[derive(Debug, Deserialize)]
pub(crate) struct Service {
    pub(crate) binary: String,
    pub(crate) host: String,
    pub(crate) status: String,
    pub(crate) state: String,
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
struct Services {
    services: Vec<Service>,
}

#[derive(Deserialize)]
struct Clusters {
    clusters: Vec<Cluster>,
}

impl Cinder {
    /// Starts cinder-api on a database, with its own database user. `options` are lines of `[DEFAULT]`.
    pub(crate) fn start(database: &Database, options: &str) -> Self {
        let folder = folder("cinder");
        let state = folder.display();
        let etc = scripts().join("../etc/cinder");
        let etc = etc.display();
        let port = free_port();
        let connection = connection(database);
        let text = format!(
            "[DEFAULT]\n\
             {options}\n\
             transport_url = fake:/\n\
             auth_strategy = noauth\n\
             api_paste_config = {etc}/api-paste.ini\n\
             resource_query_filters_file = {etc}/resource_filters.json\n\
             rootwrap_config = {etc}/rootwrap.conf\n\
             state_path = {state}\n\
             my_ip = 127.0.0.1\n\
             host = api\n\
             periodic_fuzzy_delay = 0\n\
             scheduler_driver_init_wait_time = 1\n\
             osapi_volume_listen = 127.0.0.1\n\
             osapi_volume_listen_port = {port}\n\
             osapi_volume_workers = 1\n\
             use_stderr = true\n\
             rpc_response_timeout = 3\n\
             enabled_backends =\n\
             [database]\n\
             connection = {connection}\n\
             [oslo_concurrency]\n\
             lock_path = {state}\n\
             [coordination]\n\
             backend_url = file://{state}\n"
        );
        std::fs::write(folder.join("cinder.conf"), text).unwrap();
        let api = start("cinder-api", &folder, &[]);
        let cinder = Self { folder, port, api };
        wait_for(
            "cinder-api answers",
            Duration::from_mins(1),
            || {
                cinder
                    .get("os-services")
                    .is_ok_and(|answer| answer.status == 200)
            },
            || cinder.api.log(),
        );
        cinder
    }

    /// Returns the path of cinder.conf.
    pub(crate) fn config_file(&self) -> String {
        self.folder.join("cinder.conf").display().to_string()
    }

    /// Writes a further configuration file and returns its path.
    pub(crate) fn write_config(&self, name: &str, options: &str) -> String {
        let path = self.folder.join(name);
        std::fs::write(&path, format!("[DEFAULT]\n{options}\n")).unwrap();
        path.display().to_string()
    }

    /// Starts a cinder-scheduler with this host name.
    pub(crate) fn scheduler(&self, host: &str) -> Process {
        let file = self.write_config(&format!("{host}.conf"), &format!("host = {host}"));
        start(SCHEDULER, &self.folder, &[&file])
    }

    /// Returns the services that `openstack volume service list` shows.
    pub(crate) fn services(&self) -> Vec<Service> {
        let services: Services =
            serde_json::from_slice(&self.get("os-services").unwrap().body).unwrap();
        services.services
    }

    /// Returns the clusters that `openstack volume cluster list --detail` shows.
    pub(crate) fn clusters(&self) -> Vec<Cluster> {
        let clusters: Clusters =
            serde_json::from_slice(&self.get("clusters/detail").unwrap().body).unwrap();
        clusters.clusters
    }

    /// Disables a scheduler in the database: Cinder 28 and 29 answer `os-services/disable` and ignore it.
    pub(crate) fn disable(&self, host: &str) {
        let body = format!(
            "{{\"binary\": \"{SCHEDULER}\", \"host\": \"{host}\", \"disabled_reason\": \"a test\"}}"
        );
        let path = path("os-services/disable-log-reason");
        let output = Command::new("curl")
            .args(["-sS", "--fail-with-body", "--noproxy", "*", "-X", "PUT"])
            .args(headers().map(|(name, value)| format!("-H{name}: {value}")))
            .args(["-d", &body])
            .arg(format!("http://127.0.0.1:{}{path}", self.port))
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    /// Returns the services of `cinder-manage service list` with further configuration files; states as in the API.
    pub(crate) fn service_list(&self, files: &[&str]) -> Vec<Service> {
        let text = self.manage(files, &["service", "list"]);
        let rows = text.lines().filter(|line| line.starts_with("cinder-"));
        rows.map(|line| {
            let cells: Vec<&str> = line.split_whitespace().collect();
            Service {
                binary: cells[0].to_owned(),
                host: cells[1].to_owned(),
                status: cells[3].to_owned(),
                state: match cells[4] {
                    ":-)" => "up".to_owned(),
                    "XXX" => "down".to_owned(),
                    other => panic!("state {other} in {text}"),
                },
            }
        })
        .collect()
    }

    /// Runs cinder-manage and returns its output.
    pub(crate) fn manage(&self, files: &[&str], arguments: &[&str]) -> String {
        let output = command("cinder-manage", &self.folder, files)
            .args(arguments)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn get(&self, resource: &str) -> std::io::Result<Response> {
        let address = ([127, 0, 0, 1], self.port).into();
        http::request(address, "GET", &path(resource), &headers())
    }
}

fn path(resource: &str) -> String {
    format!("/v3/{PROJECT}/{resource}")
}

fn headers() -> [(&'static str, &'static str); 3] {
    [
        ("X-Auth-Token", TOKEN),
        ("OpenStack-API-Version", "volume 3.7"),
        ("Content-Type", "application/json"),
    ]
}

/// Starts a program of Cinder.
fn start(program: &str, folder: &Path, files: &[&str]) -> Process {
    let log = folder.join(super::unique(program));
    Process::start(&mut command(program, folder, files), log)
}

/// Returns the folder of Cinder's programs.
fn scripts() -> PathBuf {
    let python = PathBuf::from(env("HEARTBEAT_TEST_PYTHON"));
    python.parent().unwrap().to_owned()
}

/// Returns a program of Cinder that reads cinder.conf and then other files, with a clean environment.
fn command(program: &str, folder: &Path, files: &[&str]) -> Command {
    let mut command = Command::new(scripts().join(program));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("OS_") {
            command.env_remove(name);
        }
    }
    command.arg("--config-file").arg(folder.join("cinder.conf"));
    for file in files {
        command.args(["--config-file", file]);
    }
    command
}

/// Creates Cinder's database user, and returns its SQLAlchemy URL.
fn connection(database: &Database) -> String {
    let name = &database.name;
    let (user, url) = database.user(PASSWORD);
    match database.engine {
        Engine::MySql => database.execute(&[
            // More tables for the scheduler; PostgreSQL's copy of the template has all tables.
            &format!("CREATE TABLE {name}.messages LIKE cinder_template.messages"),
            &format!("CREATE TABLE {name}.volumes LIKE cinder_template.volumes"),
            &format!("CREATE TABLE {name}.workers LIKE cinder_template.workers"),
            &format!("GRANT ALL ON {name}.* TO '{user}'@'%'"),
        ]),
        _ => database.execute(&[
            &format!("GRANT ALL ON ALL TABLES IN SCHEMA public TO {user}"),
            &format!("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {user}"),
        ]),
    }
    let driver = match database.engine {
        Engine::MySql => "mysql+pymysql",
        _ => "postgresql+psycopg2",
    };
    let (_, address) = url.rsplit_once('@').unwrap();
    let password = utf8_percent_encode(PASSWORD, NON_ALPHANUMERIC);
    format!("{driver}://{user}:{password}@{address}")
}
