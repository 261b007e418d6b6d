//! A real Prometheus with the test's configuration.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::process::Process;
use super::{folder, free_port, wait_for};

/// A Prometheus; killed when dropped.
pub(crate) struct Prometheus {
    process: Process,
    port: u16,
}

/// A series and its value.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

impl Prometheus {
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Starts a Prometheus that scrapes an address every second, and waits for the first scrape.
    pub(crate) fn start(target: SocketAddr) -> Self {
        let prometheus = Self::with_configuration(&[target.to_string()], "");
        prometheus.wait_for("Prometheus scrapes", |prometheus| {
            prometheus.value("up") == Some(1.0)
        });
        prometheus
    }

    /// Starts a Prometheus that scrapes these addresses and evaluates rules every second. `sections` are added to
    /// `prometheus.yml`.
    pub(crate) fn with_configuration(targets: &[String], sections: &str) -> Self {
        Self::with_job(targets, sections, "")
    }

    /// Like [`Self::with_configuration`], with more lines for the scrape job, indented by two.
    pub(crate) fn with_job(targets: &[String], sections: &str, job: &str) -> Self {
        let text = format!(
            "global:\n  scrape_interval: 1s\n  evaluation_interval: 1s\n{sections}\
             scrape_configs:\n- job_name: heartbeat\n{job}  static_configs:\n  - targets: {targets:?}\n"
        );
        let folder = folder("prometheus");
        let config = folder.join("prometheus.yml");
        let port = free_port();
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.join("data").display()
            ))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let process = Process::start(&mut command, folder.join("log"));
        Self { process, port }
    }

    /// Queries the HTTP API; `None` until it listens.
    pub(crate) fn ask(&self, path: &str, parameter: &str) -> Option<Value> {
        self.ask_with(path, &[parameter])
    }

    /// Queries the HTTP API with several parameters.
    pub(crate) fn ask_with(&self, path: &str, parameters: &[&str]) -> Option<Value> {
        let parameters = parameters.iter();
        let output = Command::new("curl")
            .args(["-sS", "--noproxy", "*", "--max-time", "20", "-G"])
            .args(parameters.flat_map(|parameter| ["--data-urlencode", parameter]))
            .arg(format!("http://127.0.0.1:{}/api/v1/{path}", self.port))
            .output()
            .unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout).ok()?;
        assert_eq!(answer["status"], "success", "{answer}");
        Some(answer["data"].clone())
    }

    /// Returns the present series of an expression.
    pub(crate) fn query(&self, expression: &str) -> Vec<Series> {
        let Some(data) = self.ask("query", &format!("query={expression}")) else {
            return Vec::new();
        };
        let series = data["result"].as_array().unwrap().iter();
        series
            .map(|series| Series {
                labels: serde_json::from_value(series["metric"].clone()).unwrap(),
                value: series["value"][1].as_str().unwrap().parse().unwrap(),
            })
            .collect()
    }

    /// Returns the present value of an expression with one series.
    pub(crate) fn value(&self, expression: &str) -> Option<f64> {
        match self.query(expression).as_slice() {
            [] => None,
            [one] => Some(one.value),
            many => panic!("{expression} gives {many:?}"),
        }
    }

    pub(crate) fn wait_for(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        wait_for(
            what,
            Duration::from_secs(40),
            || condition(self),
            || {
                let log = self.process.log();
                format!("{log}{:?}", self.ask("targets", "state=active"))
            },
        );
    }
}
