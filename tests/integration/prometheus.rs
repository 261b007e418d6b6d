//! Real clients: Prometheus, promtool and curl read all that the exporter serves.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use openstack_heartbeat_exporter::config::database_url::Engine;
use openstack_heartbeat_exporter::publish::metric::{Kind, Metric};
use openstack_heartbeat_exporter::publish::table;

use crate::support::database::Database;
use crate::support::exporter::{Exporter, Metrics, program};
use crate::support::http;
use crate::support::prometheus::{Prometheus, Release};
use crate::support::server::Server;

/// A proxy between Prometheus and the exporter that records headers, and can change the request.
struct Proxy {
    address: SocketAddr,
    exchanges: Arc<Mutex<Vec<Exchange>>>,
}

/// The headers of one scrape.
#[derive(Debug, Clone)]
struct Exchange {
    accept_encoding: String,
    content_type: String,
    content_encoding: String,
}

impl Proxy {
    /// Forwards to an address, with another header `Accept` if one is given. Ends with the tests.
    fn start(target: SocketAddr, accept: Option<&'static str>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let exchanges = Arc::new(Mutex::new(Vec::new()));
        let noted = exchanges.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // The client or the exporter has ended: the scrape has to fail.
                if let Ok(exchange) = stream.and_then(|stream| forward(stream, target, accept)) {
                    noted.lock().unwrap().push(exchange);
                }
            }
        });
        Self { address, exchanges }
    }

    fn last(&self) -> Exchange {
        self.exchanges.lock().unwrap().last().unwrap().clone()
    }
}

fn forward(
    mut stream: TcpStream,
    target: SocketAddr,
    accept: Option<&str>,
) -> std::io::Result<Exchange> {
    let mut headers = BTreeMap::new();
    let mut lines = BufReader::new(&stream).lines();
    let first = lines.next().ok_or(std::io::ErrorKind::UnexpectedEof)??;
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(": ") else {
            break;
        };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    if let Some(accept) = accept {
        headers.insert("accept".to_owned(), accept.to_owned());
    }
    let sent: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| !["host", "connection"].contains(name))
        .collect();
    let response = http::request(target, "GET", &path, &sent)?;
    let header = |name: &str| response.headers.get(name).cloned().unwrap_or_default();
    let exchange = Exchange {
        accept_encoding: headers.remove("accept-encoding").unwrap_or_default(),
        content_type: header("content-type"),
        content_encoding: header("content-encoding"),
    };
    write!(
        stream,
        "HTTP/1.1 {} OK\r\nContent-Type: {}\r\nContent-Encoding: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        response.status,
        exchange.content_type,
        exchange.content_encoding,
        response.body.len()
    )?;
    stream.write_all(&response.body)?;
    Ok(exchange)
}

/// Host names with special characters: in SQL, and as a label.
fn hostile_hosts() -> Vec<(String, String)> {
    let long = "ж".repeat(255);
    let mut hosts: Vec<(String, String)> = [
        ("say \"hi\"", "say \"hi\""),
        ("it''s", "it's"),
        ("a\\\\b\\\\nc\\\\", "a\\b\\nc\\"),
        ("two\\nlines\\n", "two\nlines\n"),
        ("tab\\tand\\rreturn", "tab\tand\rreturn"),
        // Prometheus could read a zero byte; we replace it for other clients.
        ("zero\\0byte", "zero\u{fffd}byte"),
        ("} 1 # {,=日本語 %", "} 1 # {,=日本語 %"),
        (
            "line\u{2028}separator\u{feff}",
            "line\u{2028}separator\u{feff}",
        ),
    ]
    .map(|(sql, label)| (sql.to_owned(), label.to_owned()))
    .to_vec();
    hosts.push((long.clone(), long));
    hosts
}

/// Creates a MariaDB database in which every metric has a series.
fn full_database() -> Database {
    let database = Database::new(Engine::MySql);
    database.insert(&[
        ("host", "'block1@lvm'"),
        ("frozen", database.boolean(true)),
        ("cluster_name", "'c1@lvm'"),
        ("uuid", "'a1b2'"),
        ("updated_at", "'2026-03-30 00:54:14'"),
    ]);
    // Duplicate rows of one service, and a row that can't be read.
    database.insert(&[("host", "'twice'")]);
    database.insert(&[("host", "'twice'")]);
    database.insert(&[("host", "NULL")]);
    database.insert_cluster("c1@lvm", "NULL", false);
    database
}

/// Checks that everything that the exporter serves arrives, with each Prometheus.
fn everything_arrives(accept: Option<&'static str>, content_type: &str) {
    for release in Release::all() {
        // VictoriaMetrics does not read OpenMetrics.
        if release != Release::Victoria || content_type.starts_with("text/plain") {
            eprintln!("with {release:?}");
            everything_arrives_with(release, accept, content_type);
        }
    }
}

fn everything_arrives_with(release: Release, accept: Option<&'static str>, content_type: &str) {
    let database = full_database();
    let hosts = hostile_hosts();
    for (sql, _) in &hosts {
        database.insert(&[("host", &format!("'{sql}'"))]);
    }
    let exporter = Exporter::start(&database.url(), &[]);
    let page = exporter.wait_for_services();
    let proxy = Proxy::start(exporter.address(), accept);
    let prometheus = Prometheus::start_release(release, proxy.address);

    prometheus.wait_for("every sample arrives", |prometheus| {
        let page = exporter.metrics().0;
        let samples = page.lines().filter(|line| !line.starts_with('#')).count();
        prometheus
            .value("scrape_samples_scraped")
            .is_some_and(|scraped| scraped.to_string() == samples.to_string())
    });
    let exchange = proxy.last();
    assert!(exchange.accept_encoding.contains("gzip"), "{exchange:?}");
    assert_eq!(exchange.content_encoding, "gzip");
    assert_eq!(exchange.content_type, content_type);

    let mut expected: Vec<&str> = hosts.iter().map(|(_, label)| label.as_str()).collect();
    expected.extend(["block1@lvm", "twice"]);
    expected.sort_unstable();
    for name in ["openstack_service_up", "openstack_service_info"] {
        let series = prometheus.query(name);
        let mut arrived: Vec<&str> = series
            .iter()
            .map(|series| series.labels["host"].as_str())
            .collect();
        arrived.sort_unstable();
        assert_eq!(arrived, expected, "{name}");
    }
    for name in [
        "openstack_service_up",
        "openstack_service_enabled",
        "openstack_service_frozen",
        "openstack_service_heartbeats_total",
        "openstack_service_last_heartbeat_timestamp_seconds",
    ] {
        let arrived = prometheus.value(&format!("{name}{{host=\"block1@lvm\"}}"));
        let shown = page.service(name, "cinder-volume", "block1@lvm");
        assert!(shown.is_some(), "{name}");
        assert_eq!(arrived, shown, "{name}");
    }
    let stamp =
        prometheus.value("openstack_service_last_heartbeat_timestamp_seconds{host='block1@lvm'}");
    assert_eq!(stamp, Some(1_774_832_054.0));
    assert_eq!(
        prometheus.value("openstack_service_duplicate_rows"),
        Some(1.0)
    );
    assert_eq!(
        prometheus.value("openstack_cluster_hosts{cluster='c1@lvm'}"),
        Some(1.0)
    );
    let buckets = prometheus.query("openstack_heartbeat_poll_duration_seconds_bucket{le='+Inf'}");
    assert_eq!(buckets.len(), 1);
    let info = &prometheus.query("openstack_service_info{host='block1@lvm'}")[0];
    assert_eq!(info.labels["uuid"], "a1b2");

    assert_eq!(prometheus.value("up"), Some(1.0));
    // VictoriaMetrics keeps no descriptions by default.
    if release == Release::Victoria {
        return;
    }
    let format_is_openmetrics = content_type.starts_with("application/openmetrics-text");
    let described = prometheus.ask("metadata", "limit=1000").unwrap();
    for metric in table::all().filter(|metric| !is_absent_here(metric)) {
        // The text format has neither infos nor units, and its families have the names of their samples.
        let (name, kind, unit) = match metric.kind {
            _ if format_is_openmetrics => (
                metric.family(),
                metric.kind.as_str(),
                metric.unit().unwrap_or_default(),
            ),
            Kind::Info => (metric.name, "gauge", ""),
            kind => (metric.name, kind.as_str(), ""),
        };
        let expected = serde_json::json!([{"type": kind, "unit": unit, "help": metric.help}]);
        assert_eq!(described[name], expected, "{name}");
    }
}

#[test]
fn prometheus_reads_every_metric_as_openmetrics() {
    everything_arrives(
        None,
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
    );
}

#[test]
fn prometheus_reads_every_metric_in_the_text_format() {
    everything_arrives(
        Some("text/plain;version=0.0.4;q=0.5,*/*;q=0.1"),
        "text/plain; version=0.0.4; charset=utf-8",
    );
}

#[test]
fn services_of_an_unreachable_database_go_stale_and_the_exporter_stays_up() {
    let mut server = Server::start(Engine::Postgres);
    let database = Database::on(Engine::Postgres, &server.url());
    database.insert(&[("cluster_name", "'c1@lvm'")]);
    database.insert_cluster("c1@lvm", "NULL", false);
    let limits = ["--poll.stale-after=1s", "--database.query-timeout=900ms"];
    let exporter = Exporter::start(&database.url(), &limits);
    exporter.wait_for_services();
    let prometheus = Prometheus::start(exporter.address());
    let state = |prometheus: &Prometheus| {
        let services = prometheus
            .query("{__name__=~'openstack_(service|cluster)_.*'}")
            .len();
        (
            services > 0,
            prometheus.value("openstack_heartbeat_database_up"),
            prometheus.value("up"),
        )
    };
    prometheus.wait_for("services are there", |prometheus| {
        state(prometheus) == (true, Some(1.0), Some(1.0))
    });

    server.kill();
    prometheus.wait_for("services are stale", |prometheus| {
        state(prometheus) == (false, Some(0.0), Some(1.0))
    });

    server.restart();
    prometheus.wait_for("services are back", |prometheus| {
        state(prometheus) == (true, Some(1.0), Some(1.0))
    });
    // No scrape has failed.
    assert_eq!(prometheus.value("min_over_time(up[10m])"), Some(1.0));
}

/// Checks that promtool finds no fault in a page.
fn is_clean(page: &Metrics) {
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(page.0.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert_eq!(String::from_utf8(said).unwrap(), "");
    assert!(output.status.success());
}

/// Returns whether the metric needs an observed heartbeat, a column, or a search that the rows of these tests do not have.
fn is_absent_here(metric: &Metric) -> bool {
    [
        "openstack_service_report_interval_seconds",
        "openstack_service_clock_skew_seconds",
        "openstack_service_clock_skew_upper_bound_seconds",
        "openstack_service_writers",
        "openstack_service_forced_down",
        "openstack_service_processes",
        "openstack_service_processes_down",
        "openstack_heartbeat_discovery_up",
    ]
    .contains(&metric.name)
        // The services of these tests stamp their own rows.
        || metric.name.starts_with("openstack_heartbeat_server")
}

#[test]
fn promtool_finds_no_faults() {
    let demo = Exporter::spawn(&mut program(&["demo", "--poll.interval=200ms"]));
    let upper = "openstack_service_clock_skew_upper_bound_seconds";
    is_clean(&demo.wait_for("a proven skew", |metrics| metrics.count(upper) > 0));
    // A killed demo would leave its database behind.
    assert_eq!(demo.terminate().code(), Some(0));

    let database = full_database();
    for (sql, _) in hostile_hosts() {
        database.insert(&[("host", &format!("'{sql}'"))]);
    }
    let page = Exporter::start(&database.url(), &[]).wait_for_services();
    for metric in table::all().filter(|metric| !is_absent_here(metric)) {
        let description = format!("# TYPE {} ", metric.name);
        assert!(page.0.contains(&description), "no {}", metric.name);
    }
    is_clean(&page);
}

#[test]
fn curl_reads_the_compressed_page() {
    let database = full_database();
    // After one poll, the services' part does not change.
    let mut command = program(&["serve", "--poll.interval=1h"]);
    command.env("OPENSTACK_HEARTBEAT_DATABASE_URL", database.url());
    let exporter = Exporter::spawn(&mut command);
    exporter.wait_for_services();
    let url = format!("http://{}/metrics", exporter.address());
    for accept in ["text/plain", "application/openmetrics-text; version=1.0.0"] {
        let get = |options: &[&str]| {
            let output = Command::new("curl")
                .args([
                    "-sS",
                    "--fail",
                    "--noproxy",
                    "*",
                    "-H",
                    &format!("Accept: {accept}"),
                ])
                .args(options)
                .arg(&url)
                .output()
                .unwrap();
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            output.stdout
        };
        let services = |page: &[u8]| {
            let page = std::str::from_utf8(page).unwrap();
            let end = page.find("# TYPE openstack_heartbeat_").unwrap();
            page[..end].to_owned()
        };
        let plain = get(&[]);
        let headers = get(&[
            "--compressed",
            "--dump-header",
            "-",
            "--output",
            "/dev/null",
        ]);
        let headers = String::from_utf8(headers).unwrap().to_lowercase();
        assert!(headers.contains("content-encoding: gzip\r\n"), "{headers}");
        assert_eq!(services(&get(&["--compressed"])), services(&plain));
        assert!(services(&plain).contains("block1@lvm"));
        let ends = plain.ends_with(b"# EOF\n");
        assert_eq!(ends, accept.starts_with("application"));
    }
}
