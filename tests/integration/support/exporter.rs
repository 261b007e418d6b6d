//! The exporter as a process, as an operator runs it.

use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::http::{self, Response};
use super::{folder, wait_for};

/// The program's file.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_openstack-heartbeat-exporter");

/// Returns the program with a clean environment: it sees none of the machine's settings.
pub(crate) fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).stdin(Stdio::null());
    set_apart(&mut command);
    command
}

/// Removes the machine's settings from the environment of a command.
pub(crate) fn set_apart(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("OPENSTACK_HEARTBEAT_")
            || name.starts_with("OS_")
            || name.starts_with("PG")
        {
            command.env_remove(name);
        }
    }
}

/// Runs the program to its end.
pub(crate) fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let environment = environment.iter().copied();
    program(arguments).envs(environment).output().unwrap()
}

/// Writes a cinder.conf with these options, in seconds, and returns the flag that names it.
pub(crate) fn intervals(service_down_time: u32, report_interval: u32) -> String {
    let file = folder("intervals").join("cinder.conf");
    let text = format!(
        "[DEFAULT]\nservice_down_time = {service_down_time}\nreport_interval = {report_interval}\n"
    );
    std::fs::write(&file, text).unwrap();
    project(&file)
}

/// Returns the flag for Cinder with this file of its options.
pub(crate) fn project(file: impl AsRef<Path>) -> String {
    format!("--project=cinder={}", file.as_ref().display())
}

/// An exporter that serves; killed when dropped.
pub(crate) struct Exporter {
    child: Child,
    address: SocketAddr,
    log: Arc<Mutex<String>>,
    out: Arc<Mutex<String>>,
}

impl Exporter {
    /// Starts `serve` on a free port and waits until it listens. Polls come every 200 ms. Without other settings of sources,
    /// the database is Cinder's.
    pub(crate) fn start(url: &str, arguments: &[&str]) -> Self {
        let mut command = program(&["serve", "--poll.interval=200ms"]);
        command
            .args(arguments)
            .env("OPENSTACK_HEARTBEAT_DATABASE_URL", url);
        let names_sources = ["--project", "--config.file"];
        let is_named = |argument: &&str| names_sources.iter().any(|it| argument.starts_with(it));
        if !arguments.iter().any(is_named) {
            command.env("OPENSTACK_HEARTBEAT_PROJECT", "cinder");
        }
        Self::spawn(&mut command)
    }

    /// Starts any command that serves, on a free port.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .arg("--web.listen-address=127.0.0.1:0")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = collect(child.stderr.take().unwrap());
        let out = collect(child.stdout.take().unwrap());
        let mut address = None;
        wait_for(
            "the exporter listens",
            Duration::from_secs(20),
            || {
                address = listening(&log.lock().unwrap());
                address.is_some()
            },
            || log.lock().unwrap().clone(),
        );
        Self {
            child,
            address: address.unwrap(),
            log,
            out,
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn stdout(&self) -> String {
        self.out.lock().unwrap().clone()
    }

    pub(crate) fn request(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
        http::request(self.address, method, path, headers).unwrap()
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.request("GET", path, &[])
    }

    /// Checks status and headers of each method and path.
    pub(crate) fn answers(&self, cases: &[(&str, &str, u16)]) {
        for &(method, path, status) in cases {
            let response = self.request(method, path, &[]);
            assert_eq!(response.status, status, "{method} {path}");
            if method == "HEAD" {
                assert!(response.body.is_empty(), "{path}");
                assert_ne!(response.headers["content-length"], "0", "{path}");
            }
            if status == 405 {
                assert_eq!(response.headers["allow"], "GET, HEAD");
            }
            assert_eq!(response.headers["x-content-type-options"], "nosniff");
        }
    }

    pub(crate) fn metrics(&self) -> Metrics {
        let response = self.get("/metrics");
        assert_eq!(response.status, 200);
        Metrics(response.text().to_owned())
    }

    /// Waits until the metrics meet a condition and returns them.
    pub(crate) fn wait_for(&self, what: &str, condition: impl Fn(&Metrics) -> bool) -> Metrics {
        let mut metrics = self.metrics();
        wait_for(
            what,
            Duration::from_secs(30),
            || {
                metrics = self.metrics();
                condition(&metrics)
            },
            || format!("{}\n{}", self.log(), self.metrics().0),
        );
        metrics
    }

    /// Returns a page with a poll of a database that began after this call.
    pub(crate) fn next_page(&self, database: &str) -> Metrics {
        let polled = |page: &Metrics| {
            let labels = [("database", database)];
            page.value("openstack_heartbeat_last_poll_timestamp_seconds", &labels)
        };
        // The poll under way may have begun before.
        let mut page = self.metrics();
        for _ in 0..2 {
            let last = polled(&page);
            page = self.wait_for("a poll", |page| polled(page) > last);
        }
        page
    }

    /// Waits until the services are shown.
    pub(crate) fn wait_for_services(&self) -> Metrics {
        self.wait_for("services are shown", |metrics| {
            metrics.count("openstack_service_up") > 0
        })
    }

    /// Waits until a poll has failed and returns the metrics.
    pub(crate) fn wait_for_failure(&self, class: &str) -> Metrics {
        self.wait_for(&format!("a failure of class {class}"), |metrics| {
            let class = format!("class=\"{class}\"");
            let mut failures = metrics.series("openstack_heartbeat_poll_failures_total");
            failures.any(|series| series.contains(&class) && !series.ends_with(" 0"))
        })
    }

    /// Waits until the log contains a text and returns the log. A line may come after the metrics it belongs to.
    pub(crate) fn wait_for_log(&self, text: &str) -> String {
        let wait = Duration::from_secs(10);
        let what = format!("the log contains `{text}`");
        wait_for(&what, wait, || self.log().contains(text), || self.log());
        self.log()
    }

    pub(crate) fn signal(&self, signal: &str) {
        assert!(
            super::server::signal(self.child.id(), signal),
            "the exporter is gone"
        );
    }

    /// Sends SIGTERM and waits for the exit.
    pub(crate) fn terminate(self) -> ExitStatus {
        self.signal("TERM");
        self.wait()
    }

    /// Sends SIGTERM and returns the whole log; the shutdown must be orderly.
    pub(crate) fn terminate_for_log(self) -> String {
        let log = self.log.clone();
        assert!(self.terminate().success());
        let wait = Duration::from_secs(10);
        // By then the log has been collected to its end.
        let is_whole = || Arc::strong_count(&log) == 1;
        wait_for("the log is whole", wait, is_whole, String::new);
        log.lock().unwrap().clone()
    }

    /// Waits for the exit, which must come within ten seconds.
    pub(crate) fn wait(mut self) -> ExitStatus {
        let mut status = None;
        wait_for(
            "the exporter ends",
            Duration::from_secs(10),
            || {
                status = self.child.try_wait().unwrap();
                status.is_some()
            },
            || self.log.lock().unwrap().clone(),
        );
        status.unwrap()
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(stream: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let collected = text.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut text = collected.lock().unwrap();
            text.push_str(&line);
            text.push('\n');
        }
    });
    text
}

/// Finds the address in the log, in either format.
fn listening(log: &str) -> Option<SocketAddr> {
    let mut lines = log.lines().filter(|line| line.contains("listening"));
    let (_, rest) = lines.find_map(|line| line.split_once("127.0.0.1:"))?;
    let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
    format!("127.0.0.1:{port}").parse().ok()
}

/// A metrics page in the text format.
pub(crate) struct Metrics(pub(crate) String);

impl Metrics {
    /// Returns the value of the only series with this name and all of these labels.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let mut found = self.series(name).filter(|series| {
            labels
                .iter()
                .all(|(label, value)| series.contains(&format!("{label}=\"{value}\"")))
        });
        let series = found.next()?;
        assert!(
            found.next().is_none(),
            "several series of {name} have {labels:?}"
        );
        series.rsplit_once(' ')?.1.parse().ok()
    }

    /// Returns the value of a service's series.
    pub(crate) fn service(&self, name: &str, binary: &str, host: &str) -> Option<f64> {
        self.value(name, &[("binary", binary), ("host", host)])
    }

    /// Returns the reason that is published for a host; empty if none.
    pub(crate) fn reason(&self, host: &str) -> &str {
        let host = format!("host=\"{host}\"");
        let mut reasons = self.series("openstack_service_down_reason");
        let reason = reasons.find(|series| series.contains(&host) && series.ends_with("} 1"));
        let reason = reason.and_then(|series| series.split_once("reason=\"")?.1.split('"').next());
        reason.unwrap_or_default()
    }

    /// Returns the lower and the upper bound of a service's clock skew.
    pub(crate) fn bounds(&self, binary: &str, host: &str) -> (Option<f64>, Option<f64>) {
        let bound = |side: &str| {
            let name = format!("openstack_service_clock_skew_{side}_bound_seconds");
            self.service(&name, binary, host)
        };
        (bound("lower"), bound("upper"))
    }

    /// Returns the number of series with this name.
    pub(crate) fn count(&self, name: &str) -> usize {
        self.series(name).count()
    }

    /// Returns the value of `database_up`.
    pub(crate) fn database_up(&self) -> Option<f64> {
        self.value("openstack_heartbeat_database_up", &[])
    }

    fn series(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.lines().filter(move |line| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with('{') || rest.starts_with(' '))
        })
    }
}
