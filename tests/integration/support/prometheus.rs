//! A real Prometheus, or `VictoriaMetrics` in its place, with the test's configuration.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::process::Process;
use super::{folder, free_port, newer, wait_for};

/// A Prometheus; killed when dropped.
pub(crate) struct Prometheus {
    process: Process,
    /// `VictoriaMetrics` has another program for its rules.
    _rules: Option<Process>,
    port: u16,
}

/// Which Prometheus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Release {
    /// 2.42, of Debian 12.
    Oldest,
    /// 3.5 or later.
    Newest,
    /// The same, which adds the labels `__type__` and `__unit__` to what it scrapes.
    Labelling,
    /// `VictoriaMetrics` and its vmalert.
    Victoria,
}

impl Release {
    /// Returns all that `tests/run` has.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = vec![Self::Oldest];
        if newer("prometheus").is_some() {
            all.extend([Self::Newest, Self::Labelling, Self::Victoria]);
        }
        all
    }

    /// Returns the first of these that `tests/run` has, or else [`Self::Oldest`].
    pub(crate) fn or_oldest(self) -> Self {
        let mut all = Self::all().into_iter();
        all.find(|release| *release == self).unwrap_or(Self::Oldest)
    }
}

/// A label that vmalert adds to all that rules record, and that the scraped series must have as well.
pub(crate) const EXTERNAL: [&str; 2] = ["site", "east"];

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
        Self::start_release(Release::Oldest, target)
    }

    /// Like [`Self::start`], with another release.
    pub(crate) fn start_release(release: Release, target: SocketAddr) -> Self {
        let prometheus = Self::of_release(release, &[target.to_string()], "", "", None);
        prometheus.wait_for("Prometheus scrapes", |prometheus| {
            prometheus.value("up") == Some(1.0)
        });
        prometheus
    }

    /// Starts a Prometheus that scrapes these addresses each second; `job` are more lines of the job, indented by two.
    pub(crate) fn with_job(targets: &[String], job: &str) -> Self {
        Self::of_release(Release::Oldest, targets, "", job, None)
    }

    /// Starts a release with these targets, sections of `prometheus.yml`, lines for the scrape job as in
    /// [`Self::with_job`], and a file of rules, which are evaluated every second.
    pub(crate) fn of_release(
        release: Release,
        targets: &[String],
        sections: &str,
        job: &str,
        rules: Option<&Path>,
    ) -> Self {
        let folder = folder("prometheus");
        let (config, port) = (folder.join("prometheus.yml"), free_port());
        let mut global = "global:\n  scrape_interval: 1s\n".to_owned();
        if release == Release::Victoria {
            let [name, value] = EXTERNAL;
            writeln!(global, "  external_labels: {{{name}: {value}}}").unwrap();
        } else {
            global += "  evaluation_interval: 1s\n";
            if let Some(rules) = rules {
                writeln!(global, "rule_files: ['{}']", rules.display()).unwrap();
            }
        }
        let text = format!(
            "{global}{sections}\
             scrape_configs:\n- job_name: heartbeat\n{job}  static_configs:\n  - targets: {targets:?}\n"
        );
        std::fs::write(&config, text).unwrap();
        let mut command = server(release, &config, &folder.join("data"), port);
        let process = Process::start(&mut command, folder.join("log"));
        let rules = rules.filter(|_| release == Release::Victoria);
        let rules = rules.map(|rules| {
            let mut command = vmalert(rules, port);
            Process::start(&mut command, folder.join("vmalert.log"))
        });
        Self {
            process,
            _rules: rules,
            port,
        }
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
        self.wait_for_at_most(Duration::from_secs(40), what, condition);
    }

    pub(crate) fn wait_for_at_most(
        &self,
        limit: Duration,
        what: &str,
        condition: impl Fn(&Self) -> bool,
    ) {
        wait_for(
            what,
            limit,
            || condition(self),
            || {
                let log = self.process.log();
                format!("{log}{:?}", self.ask("targets", "state=active"))
            },
        );
    }
}

/// Returns the command that starts a release.
fn server(release: Release, config: &Path, data: &Path, port: u16) -> Command {
    let mut command = match release {
        Release::Oldest => Command::new("prometheus"),
        Release::Newest | Release::Labelling => Command::new(newer("prometheus").unwrap()),
        Release::Victoria => Command::new(newer("victoria-metrics").unwrap()),
    };
    let (config, data) = (config.display(), data.display());
    if release == Release::Victoria {
        // By default, it answers with samples that are 30 s old.
        return victoria(
            command,
            port,
            &[
                format!("-promscrape.config={config}"),
                format!("-storageDataPath={data}"),
                "-search.latencyOffset=0s".to_owned(),
            ],
        );
    }
    command
        .arg(format!("--config.file={config}"))
        .arg(format!("--storage.tsdb.path={data}"))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"));
    if release == Release::Labelling {
        command.arg("--enable-feature=type-and-unit-labels");
    }
    command
}

/// Returns the command that evaluates rules each second against the `VictoriaMetrics` at a port.
fn vmalert(rules: &Path, port: u16) -> Command {
    let url = format!("http://127.0.0.1:{port}");
    victoria(
        Command::new(newer("vmalert").unwrap()),
        free_port(),
        &[
            format!("-rule={}", rules.display()),
            format!("-datasource.url={url}"),
            format!("-remoteWrite.url={url}"),
            // A rule reads what another recorded once that was written and is searchable.
            "-remoteWrite.flushInterval=100ms".to_owned(),
            "-evaluationInterval=1s".to_owned(),
            "-rule.evalDelay=0s".to_owned(),
            format!("-external.label={}", EXTERNAL.join("=")),
            "-disableAlertgroupLabel".to_owned(),
            "-notifier.blackhole".to_owned(),
        ],
    )
}

fn victoria(mut command: Command, port: u16, options: &[String]) -> Command {
    command
        .arg(format!("-httpListenAddr=127.0.0.1:{port}"))
        .args(options);
    command
}
