//! A project of OpenStack on a database of a test: its configuration files, programs, and listed services.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use openstack_heartbeat_exporter::config::database_url::Engine;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::clock::HostClock;
use super::database::Database;
use super::http::{self, Response};
use super::process::Process;
use super::{env, folder, free_port, wait_for};

/// A password that must be percent-encoded in a URL.
const PASSWORD: &str = "s/e@c%r#e:t";

/// A project with a configuration file, and the programs that read it.
pub(crate) struct Project {
    name: &'static str,
    /// The Python of the project's environment. The programs are beside it.
    pub(crate) python: PathBuf,
    /// Configuration files, state and logs.
    folder: PathBuf,
}

/// A service as the API or the project's command lists it.
#[derive(Debug, Deserialize)]
pub(crate) struct Service {
    pub(crate) binary: String,
    pub(crate) host: String,
    pub(crate) status: String,
    pub(crate) state: String,
    /// As Manila's API shows it.
    pub(crate) updated_at: Option<String>,
}

#[derive(Deserialize)]
struct Services {
    services: Vec<Service>,
}

impl Project {
    /// Writes NAME.conf for a database, with a database user of its own. `python` is a variable of `tests/run`;
    /// `options` are lines of `[DEFAULT]`, and sections after them.
    pub(crate) fn new(
        name: &'static str,
        python: &str,
        database: &Database,
        options: &str,
    ) -> Self {
        let project = Self {
            name,
            python: env(python).into(),
            folder: folder(name),
        };
        let state = project.folder.display();
        let etc = project.python.with_file_name("../etc").join(name);
        let etc = etc.display();
        let connection = connection(database);
        let text = format!(
            "[DEFAULT]\n\
             transport_url = fake:/\n\
             auth_strategy = noauth\n\
             api_paste_config = {etc}/api-paste.ini\n\
             rootwrap_config = {etc}/rootwrap.conf\n\
             state_path = {state}\n\
             my_ip = 127.0.0.1\n\
             host = api\n\
             periodic_fuzzy_delay = 0\n\
             use_stderr = true\n\
             {options}\n\
             [database]\n\
             connection = {connection}\n\
             [oslo_concurrency]\n\
             lock_path = {state}\n\
             [coordination]\n\
             backend_url = file://{state}\n"
        );
        std::fs::write(project.config_file(), text).unwrap();
        project
    }

    /// Returns the path of NAME.conf.
    pub(crate) fn config_file(&self) -> String {
        let file = self.folder.join(format!("{}.conf", self.name));
        file.display().to_string()
    }

    /// Writes a further configuration file and returns its path.
    pub(crate) fn write_config(&self, name: &str, options: &str) -> String {
        let path = self.folder.join(name);
        std::fs::write(&path, format!("[DEFAULT]\n{options}\n")).unwrap();
        path.display().to_string()
    }

    /// Returns a program of the project that reads NAME.conf and then other files, with a clean environment.
    pub(crate) fn command(&self, program: &str, files: &[&str]) -> Command {
        let mut command = Command::new(self.python.with_file_name(program));
        self.configure(&mut command, files);
        command
    }

    /// Completes a command with the arguments and the environment of [`Self::command`].
    pub(crate) fn configure(&self, command: &mut Command, files: &[&str]) {
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("OS_") {
                command.env_remove(name);
            }
        }
        command.args(["--config-file", &self.config_file()]);
        for file in files {
            command.args(["--config-file", file]);
        }
    }

    /// Starts a command; its output is in a file whose name begins with `name`.
    pub(crate) fn start(&self, name: &str, command: &mut Command) -> Process {
        Process::start(command, self.folder.join(super::unique(name)))
    }

    /// Starts a service on a host with its own clock.
    pub(crate) fn service(&self, program: &str, host: &str, clock: &HostClock) -> Process {
        let file = self.write_config(&format!("{host}.conf"), &format!("host = {host}"));
        let mut command = self.command(program, &[&file]);
        clock.apply(&mut command);
        self.start(host, &mut command)
    }

    /// Starts the program of these tests that serves the project's API, and waits until it answers at a path.
    pub(crate) fn serve(
        &self,
        program: &str,
        headers: &'static [(&'static str, &'static str)],
        path: &str,
    ) -> (Api, Process) {
        let port = free_port();
        let mut command = Command::new(&self.python);
        command
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(program))
            .arg(port.to_string());
        self.configure(&mut command, &[]);
        let process = self.start("api", &mut command);
        let api = Api { port, headers };
        wait_for(
            &format!("the API of {} answers", self.name),
            Duration::from_mins(1),
            || api.get(path).is_ok_and(|answer| answer.status == 200),
            || process.log(),
        );
        (api, process)
    }

    /// Runs the project's `-manage` program and returns its output.
    pub(crate) fn manage(&self, files: &[&str], arguments: &[&str]) -> String {
        let program = format!("{}-manage", self.name);
        let mut command = self.command(&program, files);
        let output = command.args(arguments).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Returns the services that `service list` of the `-manage` program prints, with states as in the API.
    pub(crate) fn printed(&self, text: &str) -> Vec<Service> {
        let prefix = format!("{}-", self.name);
        let rows = text.lines().filter(|line| line.starts_with(&prefix));
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
                updated_at: None,
            }
        })
        .collect()
    }
}

/// Returns the services in an answer of an API.
pub(crate) fn listed(answer: &Response) -> Vec<Service> {
    let services: Services = serde_json::from_slice(&answer.body).unwrap();
    services.services
}

/// An API on a port of this machine, and the headers that it wants.
pub(crate) struct Api {
    pub(crate) port: u16,
    pub(crate) headers: &'static [(&'static str, &'static str)],
}

impl Api {
    pub(crate) fn get(&self, path: &str) -> std::io::Result<Response> {
        let address = ([127, 0, 0, 1], self.port).into();
        http::request(address, "GET", path, self.headers)
    }

    /// Sends a document.
    pub(crate) fn put(&self, path: &str, body: &str) {
        let headers = self.headers.iter();
        let output = Command::new("curl")
            .args(["-sS", "--fail-with-body", "--noproxy", "*", "-X", "PUT"])
            .args(headers.map(|(name, value)| format!("-H{name}: {value}")))
            .args(["-HContent-Type: application/json", "-d", body])
            .arg(format!("http://127.0.0.1:{}{path}", self.port))
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}

/// Creates the project's database user, and returns its `SQLAlchemy` URL.
fn connection(database: &Database) -> String {
    let name = &database.name;
    let (user, url) = database.user(PASSWORD);
    match database.engine {
        Engine::MySql => database.execute(&[&format!("GRANT ALL ON {name}.* TO '{user}'@'%'")]),
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
