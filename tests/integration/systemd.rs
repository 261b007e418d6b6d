//! Notifications to systemd, and credentials and sockets from it, with a real socket and real socket activation.

use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use openstack_heartbeat_exporter::config::database_url::Engine;

use crate::support::database::Database;
use crate::support::exporter::{Exporter, program, run};
use crate::support::process::Process;
use crate::support::{folder, free_port, http, wait_for};

/// systemd's notification socket, and the messages that arrived, one a line.
struct Listener {
    path: String,
    said: Arc<Mutex<Vec<String>>>,
}

impl Listener {
    fn new() -> Self {
        let path = folder("notify").join("socket").display().to_string();
        let socket = UnixDatagram::bind(&path).unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = said.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length) = socket.recv(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..length]);
                heard
                    .lock()
                    .unwrap()
                    .extend(text.lines().map(str::to_owned));
            }
        });
        Self { path, said }
    }

    fn said(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }

    fn wait_for(&self, what: &str, condition: impl Fn(&[String]) -> bool) {
        wait_for(
            what,
            Duration::from_secs(20),
            || condition(&self.said()),
            || self.said().join("\n"),
        );
    }

    /// Starts an exporter with a watchdog of half a second.
    fn exporter(&self, url: &str) -> Exporter {
        let mut command = program(&["serve", "--poll.interval=200ms"]);
        command
            .env("OPENSTACK_HEARTBEAT_DATABASE_URL", url)
            .env("NOTIFY_SOCKET", &self.path)
            .env("WATCHDOG_USEC", "500000");
        Exporter::spawn(&mut command)
    }
}

fn position(said: &[String], line: &str) -> Option<usize> {
    said.iter().position(|said| said == line)
}

fn beats(said: &[String]) -> usize {
    said.iter().filter(|line| *line == "WATCHDOG=1").count()
}

#[test]
fn systemd_is_notified_of_start_reloads_state_and_end() {
    let database = Database::new(Engine::Sqlite);
    database.insert(&[("updated_at", &database.now(-100))]);
    let listener = Listener::new();
    let exporter = listener.exporter(&database.url());
    listener.wait_for("readiness, a state and signs of life", |said| {
        let state = |line: &String| line.starts_with("STATUS=") && line.contains("1 down");
        position(said, "READY=1").is_some() && said.iter().any(state) && beats(said) >= 3
    });
    exporter.signal("HUP");
    listener.wait_for("a reload and its end", |said| {
        let begun = position(said, "RELOADING=1");
        begun.is_some_and(|begun| position(&said[begun..], "READY=1").is_some())
    });
    let said = listener.said();
    let begun = position(&said, "RELOADING=1").unwrap();
    let at: u64 = said[begun + 1]
        .strip_prefix("MONOTONIC_USEC=")
        .unwrap()
        .parse()
        .unwrap();
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
    let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
    let passed = Duration::from_secs_f64(uptime).abs_diff(Duration::from_micros(at));
    assert!(passed < Duration::from_mins(1), "{passed:?}");
    assert!(exporter.terminate().success());
    listener.wait_for("the end", |said| position(said, "STOPPING=1").is_some());
}

#[test]
fn the_watchdog_is_fed_while_the_database_is_down() {
    let listener = Listener::new();
    let url = format!("mysql://u:p@127.0.0.1:{}/cinder", free_port());
    let exporter = listener.exporter(&url);
    exporter.wait_for_failure("connect");
    let before = beats(&listener.said());
    listener.wait_for("signs of life, and what fails", |said| {
        let state = |line: &String| line.starts_with("STATUS=") && line.contains("no connection");
        beats(said) >= before + 4 && said.iter().any(state)
    });
}

#[test]
fn the_first_scrape_starts_the_exporter_by_socket_activation() {
    let database = Database::new(Engine::Sqlite);
    database.insert(&[]);
    let port = free_port();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let log = activate(address, &database, &[]);
    let mut answer = None;
    wait_for(
        "an answer through the socket",
        Duration::from_secs(20),
        || {
            answer = http::request(address, "GET", "/metrics", &[]).ok();
            answer.is_some()
        },
        || log.log(),
    );
    assert_eq!(answer.unwrap().status, 200);
    assert!(
        log.log().contains(&format!("address={address}")),
        "{}",
        log.log()
    );
}

/// Starts the exporter at the first connection, as a socket unit does.
fn activate(address: SocketAddr, database: &Database, options: &[&str]) -> Process {
    let exporter = program(&[]);
    let mut command = Command::new("systemd-socket-activate");
    command
        .arg(format!("--listen={address}"))
        .args(options)
        .arg("-E")
        .arg(format!(
            "OPENSTACK_HEARTBEAT_DATABASE_URL={}",
            database.url()
        ))
        .arg(exporter.get_program())
        .args(["serve", "--web.systemd-socket", "--poll.interval=200ms"]);
    Process::start(&mut command, folder("activate").join("log"))
}

#[test]
fn a_client_connection_is_refused_as_a_listening_socket() {
    let database = Database::new(Engine::Sqlite);
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let process = activate(address, &database, &["--accept"]);
    wait_for(
        "the exporter refuses",
        Duration::from_secs(20),
        || {
            let _ = std::net::TcpStream::connect(address);
            process.log().contains("Accept=no")
        },
        || process.log(),
    );
}

#[test]
fn the_setting_is_refused_without_a_socket() {
    let url = [("OPENSTACK_HEARTBEAT_DATABASE_URL", "mysql://h/cinder")];
    let output = run(&["serve", "--web.systemd-socket"], &url);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("systemd passed no socket"), "{error}");
}

#[test]
fn credentials_connect_and_only_their_names_are_shown() {
    let database = Database::new(Engine::MySql);
    let (_, url) = database.reader("s3cret-canary");
    let folder = folder("credentials");
    let write = |name: &str, text: &str| {
        let file = folder.join(format!("openstack-heartbeat-exporter.{name}"));
        std::fs::write(file, text).unwrap();
    };
    let directory = folder.display().to_string();
    let check = |environment: &[(&str, &str)], origin: &str| {
        let mut environment = environment.to_vec();
        environment.push(("CREDENTIALS_DIRECTORY", &directory));
        let output = run(&["check-config", "--connect"], &environment);
        let said = format!("{output:?}");
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(said.contains(origin), "{said}");
        assert!(!said.contains("s3cret-canary"), "{said}");
    };
    write("database-password", "s3cret-canary\n");
    let without = url.replace(":s3cret-canary@", "@");
    check(
        &[("OPENSTACK_HEARTBEAT_DATABASE_URL", &without)],
        "(systemd credential openstack-heartbeat-exporter.database-password)",
    );
    write("database-url", &without);
    check(
        &[],
        "(systemd credential openstack-heartbeat-exporter.database-url)",
    );
    write("database-url", &url);
    write("database-password", "another");
    check(
        &[],
        "the systemd credential openstack-heartbeat-exporter.database-password is not used",
    );
    // That of one source wins.
    write("cinder.database-password", "another");
    write("cinder.database-url", &url);
    write("database-url", "mysql://u@127.0.0.1:1/cinder");
    check(
        &[("OPENSTACK_HEARTBEAT_PROJECT", "cinder")],
        "(systemd credential openstack-heartbeat-exporter.cinder.database-url)",
    );
}
