//! A real Alertmanager with the shipped example, and the receivers that it notifies.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::process::Process;
use super::{folder, free_port, newer, wait_for};

/// An Alertmanager; killed when dropped.
pub(crate) struct Alertmanager {
    process: Process,
    port: u16,
}

impl Alertmanager {
    /// Starts Debian 12's Alertmanager with this text as its `alertmanager.yml`.
    pub(crate) fn start(text: &str) -> Self {
        Self::start_program(Path::new("prometheus-alertmanager"), text)
    }

    /// Starts the newest Alertmanager that `tests/run` has.
    pub(crate) fn start_newest(text: &str) -> Self {
        let program = newer("prometheus-alertmanager");
        let program = program.unwrap_or_else(|| "prometheus-alertmanager".into());
        Self::start_program(&program, text)
    }

    fn start_program(program: &Path, text: &str) -> Self {
        let folder = folder("alertmanager");
        let config = folder.join("alertmanager.yml");
        std::fs::write(&config, text).unwrap();
        let port = free_port();
        let mut command = Command::new(program);
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            // There are no peers to gossip with.
            .arg("--cluster.listen-address=");
        let process = Process::start(&mut command, folder.join("log"));
        Self { process, port }
    }

    /// Waits until it answers.
    pub(crate) fn wait_until_ready(&self) {
        wait_for(
            "Alertmanager answers",
            Duration::from_secs(20),
            || self.ask(&["alert", "query"]).is_some(),
            || self.process.log(),
        );
    }

    /// Adds an alert with these labels, as `name=value` with spaces between.
    pub(crate) fn add(&self, labels: &str) {
        let mut arguments = vec!["alert", "add"];
        arguments.extend(labels.split_whitespace());
        self.ask(&arguments)
            .unwrap_or_else(|| panic!("{labels} was refused"));
    }

    /// Returns name and region of the muted alerts.
    pub(crate) fn inhibited(&self) -> BTreeSet<(String, String)> {
        let Some(answer) = self.ask(&["alert", "query", "--inhibited", "--output=json"]) else {
            return BTreeSet::new();
        };
        let alerts: Vec<Value> = serde_json::from_slice(&answer).unwrap();
        let muted = alerts
            .iter()
            .filter(|alert| alert["status"]["state"] == "suppressed");
        muted
            .map(|alert| {
                let label = |name: &str| alert["labels"][name].as_str().unwrap().to_owned();
                (label("alertname"), label("region"))
            })
            .collect()
    }

    /// Runs amtool and returns its output; `None` if it fails.
    fn ask(&self, arguments: &[&str]) -> Option<Vec<u8>> {
        let output = Command::new("amtool")
            .arg(format!("--alertmanager.url=http://{}", self.address()))
            .args(arguments)
            .output()
            .unwrap();
        output.status.success().then_some(output.stdout)
    }

    /// Returns the address to which Prometheus sends its alerts.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }
}

/// A notification to a receiver.
#[derive(Debug, Clone)]
pub(crate) struct Notification {
    /// The receiver's name.
    pub(crate) receiver: String,
    /// `firing` or `resolved`.
    pub(crate) status: String,
    /// Its alerts, each with `status`, `labels` and `annotations`.
    pub(crate) alerts: Vec<Value>,
}

impl Notification {
    /// Returns the names of its alerts, in their order.
    pub(crate) fn names(&self) -> Vec<&str> {
        let names = self.alerts.iter();
        names
            .map(|alert| alert["labels"]["alertname"].as_str().unwrap())
            .collect()
    }
}

/// Takes the place of pager, chat and mail: receives the notifications of all webhooks. Ends with the tests.
pub(crate) struct Inbox {
    pub(crate) address: SocketAddr,
    notifications: Arc<Mutex<Vec<Notification>>>,
}

impl Inbox {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let notifications = Arc::new(Mutex::new(Vec::new()));
        let noted = notifications.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let notification = stream.ok().and_then(take);
                // No test expects this receiver.
                let notification = notification.unwrap_or_else(|| Notification {
                    receiver: "unreadable".to_owned(),
                    status: String::new(),
                    alerts: Vec::new(),
                });
                noted.lock().unwrap().push(notification);
            }
        });
        Self {
            address,
            notifications,
        }
    }

    /// Returns the notifications so far, in the order of arrival.
    pub(crate) fn notifications(&self) -> Vec<Notification> {
        self.notifications.lock().unwrap().clone()
    }
}

/// Reads one notification and acknowledges it.
fn take(mut stream: TcpStream) -> Option<Notification> {
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    stream
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        .ok()?;
    let body: Value = serde_json::from_slice(&body).ok()?;
    Some(Notification {
        receiver: body["receiver"].as_str()?.to_owned(),
        status: body["status"].as_str()?.to_owned(),
        alerts: body["alerts"].as_array()?.clone(),
    })
}
