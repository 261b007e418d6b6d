//! The whole program: exit codes, messages, signals, headers, and no secret in any output.

use std::io::Read as _;
use std::time::Duration;

use openstack_heartbeat_exporter::cli::embedded;
use openstack_heartbeat_exporter::config::database_url::Engine;

use crate::support::database::Database;
use crate::support::exporter::{Exporter, project, run};
use crate::support::{folder, wait_for};

/// Is in every source of a password, and must not be in any output.
const CANARY: &str = "c4nary-s3cret";

/// The exit code and the output of the program.
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the program to its end.
pub(crate) fn outcome(arguments: &[&str], environment: &[(&str, &str)]) -> Outcome {
    let output = run(arguments, environment);
    Outcome {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A SQLite database with one service for each age in seconds, enabled or not.
pub(crate) fn listing(services: &[(&str, i64, bool)]) -> Database {
    let database = Database::new(Engine::Sqlite);
    for (host, age, enabled) in services {
        let time = database.now(-age);
        database.insert(&[
            ("host", &format!("'{host}'")),
            ("updated_at", &time),
            ("disabled", database.boolean(!enabled)),
        ]);
    }
    database
}

fn services(database: &Database, arguments: &[&str]) -> Outcome {
    let url = database.url();
    // One poll is enough for these tests.
    let arguments = [&["services", "--wait=0"], arguments].concat();
    outcome(&arguments, &[("OPENSTACK_HEARTBEAT_DATABASE_URL", &url)])
}

#[test]
fn an_unknown_key_exits_with_1_and_names_file_line_and_nearest_key() {
    let file = folder("settings").join("s.yaml");
    std::fs::write(&file, "log.level: info\npoll:\n  intervall: 5s\n").unwrap();
    let path = file.display().to_string();
    for command in ["serve", "check-config"] {
        let outcome = outcome(
            &[command, "--config.file", &path],
            &[("OPENSTACK_HEARTBEAT_DATABASE_URL", "mysql://u:p@h/d")],
        );
        assert_eq!(outcome.code, 1);
        assert_eq!(
            outcome.stderr,
            format!(
                "error: {path}:3: unknown setting `poll.intervall`; did you mean `poll.interval`?\n"
            )
        );
    }
    let outcome = outcome(&["services", "--config.file", &path], &[]);
    assert_eq!(outcome.code, 2, "1 would mean that services are down");
}

#[test]
fn a_bad_flag_exits_with_1_or_in_services_with_2() {
    let bad = outcome(&["--poll.intervall=5s"], &[]);
    assert_eq!(bad.code, 1);
    assert!(bad.stderr.contains("--poll.interval"), "{}", bad.stderr);
    assert_eq!(outcome(&["services", "--poll.intervall=5s"], &[]).code, 2);
    assert_eq!(outcome(&["--help"], &[]).code, 0);
    let version = outcome(&["--version"], &[]);
    assert_eq!(version.code, 0);
    assert!(
        version.stdout.contains(env!("CARGO_PKG_VERSION")),
        "{}",
        version.stdout
    );
}

#[test]
fn a_missing_database_url_names_the_remedies() {
    let outcome = outcome(&["serve"], &[]);
    assert_eq!(outcome.code, 1);
    assert!(
        outcome
            .stderr
            .contains("--project cinder=/etc/cinder/cinder.conf"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_port_in_use_is_named() {
    let other = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = other.local_addr().unwrap().to_string();
    let outcome = outcome(
        &["serve", "--web.listen-address", &address],
        &[(
            "OPENSTACK_HEARTBEAT_DATABASE_URL",
            "mysql://u:p@127.0.0.1:1/d",
        )],
    );
    assert_eq!(outcome.code, 1);
    assert!(
        outcome
            .stderr
            .contains(&format!("cannot listen on {address}")),
        "{}",
        outcome.stderr
    );
}

#[test]
fn the_exit_code_of_services_follows_the_states() {
    for (rows, code) in [
        (&[("a", 5, true), ("b", 5, true)][..], 0),
        (&[("a", 5, true), ("b", 500, true)], 1),
        (&[("a", 5, true), ("b", 500, false)], 0),
        (&[], 2),
    ] {
        assert_eq!(services(&listing(rows), &[]).code, code, "{rows:?}");
    }
    let database = listing(&[("a", 5, true)]);
    database.insert(&[("host", "'odd'"), ("updated_at", "'yesterday'")]);
    let outcome = services(&database, &[]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.stdout.contains("unknown"), "{}", outcome.stdout);
    assert!(
        outcome.stderr.contains("unreadable_time"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn services_prints_a_table_json_and_csv() {
    let database = listing(&[("a", 3, true), ("b, \"c\"", 500, true), ("off", 500, false)]);
    let table = services(&database, &[]).stdout;
    let heading = "| Binary        | Host   | Zone | Status   | State | Updated At";
    assert!(table.contains(heading), "{table}");
    assert!(
        table.contains("| cinder-volume | a      | nova | enabled  | up    | "),
        "{table}"
    );
    assert!(
        table.contains("| cinder-volume | off    | nova | disabled | down  | "),
        "{table}"
    );

    let csv = services(&database, &["--format", "csv", "--down"]).stdout;
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let headings = reader.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let column = |name| headings.iter().position(|heading| heading == name).unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(&rows[0][column("host")], "b, \"c\"");
    assert_eq!(&rows[0][column("state")], "down");
    assert_eq!(&rows[1][column("status")], "disabled");
    let age: f64 = rows[0][column("heartbeat_age_seconds")].parse().unwrap();
    assert!((499.0..530.0).contains(&age), "{csv}");

    let json: serde_json::Value =
        serde_json::from_str(&services(&database, &["--format", "json"]).stdout).unwrap();
    let service = &json["services"][1];
    assert_eq!(service["host"], "b, \"c\"");
    assert_eq!(service["state"], "down");
    assert_eq!(service["up"], false);
    assert_eq!(service["up_for_scheduler"], false);
    assert!(
        (499.0..530.0).contains(&service["heartbeat_age_seconds"].as_f64().unwrap()),
        "{json}"
    );
    // The exporter serves the same JSON.
    let exporter = Exporter::start(&database.url(), &[]);
    exporter.wait_for_services();
    let served: serde_json::Value =
        serde_json::from_slice(&exporter.get("/api/v1/services").body).unwrap();
    assert_eq!(served["services"][1]["stamped_at"], service["stamped_at"]);
}

/// Sends heartbeats itself, since one heartbeat would take ten seconds to appear.
#[test]
fn services_waits_for_a_reason_and_prints_advice() {
    let database = listing(&[
        ("ahead", -600, true),
        ("behind", 75, true),
        ("fine", 3, true),
    ]);
    let beat = |host: &str, age: i64| {
        database.execute(&[&format!(
            "UPDATE services SET report_count = report_count + 1, updated_at = {} WHERE host = '{host}'",
            database.now(-age)
        )]);
    };
    let url = database.url();
    let listing = std::thread::scope(|scope| {
        let listing = scope.spawn(|| {
            let environment = [("OPENSTACK_HEARTBEAT_DATABASE_URL", url.as_str())];
            outcome(&["services", "--format", "table"], &environment)
        });
        // Heartbeats until `services` has observed one; then it ends before its 25 seconds are over.
        while !listing.is_finished() {
            beat("ahead", -600);
            beat("behind", 75);
            beat("fine", 0);
            std::thread::sleep(Duration::from_millis(700));
        }
        listing.join().unwrap()
    });
    assert_eq!(listing.code, 1, "{}", listing.stderr);
    let line = |host: &str| {
        let mut lines = listing.stdout.lines();
        lines
            .find(|line| line.contains(&format!("| {host} ")))
            .unwrap()
            .to_owned()
    };
    assert!(
        line("ahead").contains("| clock skew |"),
        "{}",
        listing.stdout
    );
    assert!(
        line("behind").contains("| clock skew |"),
        "{}",
        listing.stdout
    );
    assert!(!line("fine").contains("skew"), "{}", listing.stdout);
    for advice in [
        "cinder-volume on ahead: ",
        " ahead of the database's",
        "time synchronisation on ahead",
        " behind the database's",
        "time synchronisation on behind",
    ] {
        assert!(listing.stdout.contains(advice), "{}", listing.stdout);
    }
}

#[test]
fn check_config_prints_values_with_their_origins_and_no_secret() {
    let folder = folder("check");
    let conf = folder.join("cinder.conf");
    let url = format!("mysql+pymysql://cinder:{CANARY}@127.0.0.1:1/cinder?ssl_cipher={CANARY}");
    std::fs::write(
        &conf,
        format!("[DEFAULT]\nservice_down_time = 90\n[database]\nconnection = {url}\n"),
    )
    .unwrap();
    let conf = conf.display().to_string();
    let checked = outcome(&["check-config", &project(&conf), "--log.level=debug"], &[]);
    assert_eq!(checked.code, 0, "{}", checked.stderr);
    for line in [
        format!("sources.cinder.config-file = {conf}  (--project)"),
        format!("sources.cinder.service-down-time = 90s  ({conf}:2)"),
        "sources.cinder.report-interval = 10s  (default)".to_owned(),
        format!("sources.cinder.database.url = mysql://cinder:***@127.0.0.1:1/cinder  ({conf}:4)"),
        "log.level = debug  (--log.level)".to_owned(),
    ] {
        assert!(
            checked.stdout.lines().any(|printed| printed == line),
            "{line} is not in\n{}",
            checked.stdout
        );
    }
    assert!(
        checked
            .stderr
            .contains("database URL: option `ssl_cipher` is not supported"),
        "{}",
        checked.stderr
    );
    let connected = outcome(
        &[
            "check-config",
            "--connect",
            &project(&conf),
            "--log.level=debug",
        ],
        &[],
    );
    assert_eq!(connected.code, 2);
    for text in [
        checked.stdout,
        checked.stderr,
        connected.stdout,
        connected.stderr,
    ] {
        assert!(!text.contains(CANARY), "{text}");
    }
}

#[test]
fn check_config_connects() {
    let database = listing(&[("a", 3, true)]);
    let outcome = outcome(
        &["check-config", "--connect"],
        &[("OPENSTACK_HEARTBEAT_DATABASE_URL", &database.url())],
    );
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert!(
        outcome.stdout.contains(": 1 services, 0 clusters, 0 rows"),
        "{}",
        outcome.stdout
    );
}

#[test]
fn sigterm_and_sigint_exit_with_0() {
    let database = listing(&[("a", 3, true)]);
    for signal in ["TERM", "INT"] {
        let exporter = Exporter::start(&database.url(), &[]);
        exporter.wait_for_services();
        // A client that never sends its request must not delay shutdown.
        let _idle = std::net::TcpStream::connect(exporter.address()).unwrap();
        exporter.signal(signal);
        assert_eq!(exporter.wait().code(), Some(0), "SIG{signal}");
    }
}

#[test]
fn paths_methods_and_headers_are_as_documented() {
    let database = listing(&[("a", 3, true)]);
    let exporter = Exporter::start(&database.url(), &["--web.telemetry-path=/own"]);
    assert_eq!(exporter.get("/metrics").status, 404);
    wait_for(
        "readiness",
        Duration::from_secs(10),
        || exporter.get("/-/ready").status == 200,
        || exporter.log(),
    );
    exporter.answers(&[
        ("GET", "/own", 200),
        ("HEAD", "/own", 200),
        ("GET", "/own?name[]=x", 200),
        ("POST", "/own", 405),
        ("GET", "/", 200),
        ("GET", "/-/healthy", 200),
        ("HEAD", "/-/healthy", 200),
        ("DELETE", "/-/healthy", 405),
        ("GET", "/own/", 404),
        ("GET", "/../etc/passwd", 404),
    ]);
    assert!(exporter.get("/").text().contains("href=\"own\""));
    let page = || exporter.get("/own").text().to_owned();
    let counted = "http_requests_total{code=\"404\",path=\"other\"} 3";
    // Own metrics are gathered once a second.
    let long = Duration::from_secs(5);
    wait_for(
        "requests are counted",
        long,
        || page().contains(counted),
        page,
    );
}

#[test]
fn formats_and_compression_are_negotiated() {
    let database = listing(&[("a", 3, true), ("b", 3, true)]);
    let exporter = Exporter::start(&database.url(), &[]);
    exporter.wait_for_services();
    let openmetrics = (
        "Accept",
        "application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
    );
    let plain = exporter.get("/metrics");
    assert_eq!(
        plain.headers["content-type"],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    assert!(!plain.text().contains("# EOF"));
    let open = exporter.request("GET", "/metrics", &[openmetrics]);
    assert_eq!(
        open.headers["content-type"],
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    assert!(open.text().ends_with("\n# EOF\n"));
    for headers in [
        vec![("Accept-Encoding", "gzip")],
        vec![("Accept-Encoding", "gzip"), openmetrics],
    ] {
        // Rendered once for this request, and once by a poll in advance.
        for _ in 0..2 {
            let response = exporter.request("GET", "/metrics", &headers);
            assert_eq!(response.headers["content-encoding"], "gzip");
            let mut text = String::new();
            flate2::read::GzDecoder::new(response.body.as_slice())
                .read_to_string(&mut text)
                .unwrap();
            assert_eq!(text.matches("\nopenstack_service_up{").count(), 2, "{text}");
            assert_eq!(text.ends_with("# EOF\n"), headers.len() == 2);
            assert!(response.body.len() < text.len() / 2);
            std::thread::sleep(Duration::from_millis(300));
        }
    }
}

#[test]
fn print_grants_and_print_metrics_need_no_configuration() {
    let grants = outcome(
        &["print", "grants", "--user", "hb", "--host", "10.0.0.%"],
        &[],
    );
    assert_eq!(grants.code, 0);
    let account = "ON `cinder`.`services` TO ''hb''@''10.0.0.%''";
    assert!(grants.stdout.contains(account), "{}", grants.stdout);
    let metrics = outcome(&["print", "metrics"], &[]);
    assert_eq!(metrics.code, 0);
    assert!(
        metrics.stdout.contains("| openstack_service_up | gauge |"),
        "{}",
        metrics.stdout
    );
}

#[test]
fn print_prints_the_files() {
    for (name, file) in [
        ("rules", embedded::RULES),
        ("alertmanager", embedded::ALERTMANAGER),
        ("dashboard", embedded::DASHBOARD),
    ] {
        let printed = outcome(&["print", name], &[]);
        assert_eq!((printed.code, printed.stdout.as_str()), (0, file), "{name}");
    }
    let resource = outcome(&["print", "rules", "--format", "kubernetes"], &[]);
    let expected = embedded::prometheus_rule();
    assert_eq!((resource.code, resource.stdout), (0, expected));
}

#[test]
fn the_log_has_a_line_for_a_change_and_none_for_a_poll() {
    let database = listing(&[("a", 3, true)]);
    let exporter = Exporter::start(&database.url(), &[]);
    let polls = |metrics: &crate::support::exporter::Metrics| {
        metrics.value("openstack_heartbeat_poll_duration_seconds_count", &[])
    };
    exporter.wait_for("ten polls", |metrics| polls(metrics) > Some(10.0));
    let log = exporter.log();
    let lines: Vec<&str> = log.lines().filter(|line| !line.contains("WARN")).collect();
    assert_eq!(lines.len(), 2, "{log}");
    assert!(lines[0].contains("level=INFO msg=listening"), "{log}");
    assert!(
        lines[1].contains("level=INFO msg=\"reading heartbeats\""),
        "{log}"
    );
}
