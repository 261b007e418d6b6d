//! Clients that close their side after the request, as `nc -N` does, get the answer; the connection then ends.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use openstack_heartbeat_exporter::config::database_url::Engine;
use tokio_rustls::rustls::{ClientConnection, StreamOwned};

use crate::support::certificate::Authority;
use crate::support::database::Database;
use crate::support::exporter::Exporter;
use crate::support::folder;

const PATHS: [(&str, u16); 7] = [
    ("/-/healthy", 200),
    ("/-/ready", 200),
    ("/metrics", 200),
    ("/", 200),
    ("/api/v1/services", 200),
    ("/api/v1/services/cinder/cinder-volume/block1", 200),
    ("/nowhere", 404),
];

/// Enough services that no answer with all of them fits into the buffers between the programs.
const SERVICES: usize = 3000;

fn exporter(flags: &[&str]) -> Exporter {
    let database = Database::new(Engine::Sqlite);
    database.insert(&[]);
    database.multiply(SERVICES);
    Exporter::start(&database.url(), flags)
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    let limit = Some(Duration::from_secs(30));
    stream.set_read_timeout(limit).unwrap();
    stream
}

fn request(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")
}

/// Reads until the exporter closes the connection. Returns the status and the body of each answer.
fn answers(mut stream: impl Read) -> Vec<(u16, String)> {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let mut rest = text.as_str();
    let mut answers = Vec::new();
    while let Some((head, after)) = rest.split_once("\r\n\r\n") {
        let lengths = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = lengths.unwrap().parse().unwrap();
        assert!(after.len() >= length, "cut off: {head}");
        answers.push((head[9..12].parse().unwrap(), after[..length].to_owned()));
        rest = &after[length..];
    }
    assert_eq!(rest, "");
    answers
}

/// Sends requests, closes this side, and returns the answers.
fn half_closed(address: SocketAddr, requests: &str) -> Vec<(u16, String)> {
    let mut stream = connect(address);
    stream.write_all(requests.as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    answers(stream)
}

/// Does the same over TLS; `alert` announces the end of this side, as TLS requires and not every client does.
fn half_closed_over_tls(site: &Site, requests: &str, alert: bool) -> Vec<(u16, String)> {
    let config = Arc::new(site.authority.trusting());
    let state = ClientConnection::new(config, "localhost".try_into().unwrap()).unwrap();
    let mut stream = StreamOwned::new(state, connect(site.exporter.address()));
    stream.write_all(requests.as_bytes()).unwrap();
    if alert {
        stream.conn.send_close_notify();
    }
    stream.flush().unwrap();
    stream.sock.shutdown(Shutdown::Write).unwrap();
    answers(stream)
}

/// An exporter with TLS and a password.
struct Site {
    exporter: Exporter,
    authority: Authority,
    login: String,
}

impl Site {
    fn start() -> Self {
        let folder = folder("half-close");
        let authority = Authority::new("an authority");
        authority.server(&folder);
        let hash = bcrypt::hash("a password", 10).unwrap();
        let text = format!(
            "tls_server_config: {{cert_file: tls.crt, key_file: tls.key}}\nbasic_auth_users: {{prometheus: {hash}}}\n"
        );
        let file = folder.join("web.yml");
        std::fs::write(&file, text).unwrap();
        let login = BASE64.encode("prometheus:a password");
        Self {
            exporter: exporter(&[&format!("--web.config.file={}", file.display())]),
            authority,
            login: format!("Authorization: Basic {login}\r\n"),
        }
    }
}

#[test]
fn a_client_that_closes_its_side_gets_its_answers() {
    let exporter = exporter(&[]);
    exporter.wait_for_services();
    for (path, status) in PATHS {
        let answers = half_closed(exporter.address(), &request(path, ""));
        let statuses: Vec<u16> = answers.iter().map(|(status, _)| *status).collect();
        assert_eq!(statuses, [status], "{path}");
    }
    // Several at once are answered in their order.
    let all: Vec<String> = PATHS.iter().map(|(path, _)| request(path, "")).collect();
    let answers = half_closed(exporter.address(), &all.concat());
    let statuses: Vec<u16> = answers.iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses, PATHS.map(|(_, status)| status));
    let (_, metrics) = &answers[2];
    assert_eq!(metrics.matches("\nopenstack_service_up{").count(), SERVICES);
    // Without a whole request there is no answer.
    for part in [
        "",
        "GET /metrics HTT",
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\n",
    ] {
        assert_eq!(half_closed(exporter.address(), part), [], "{part:?}");
    }
}

#[test]
fn a_client_that_closes_its_side_gets_its_answers_over_tls_with_a_password() {
    let site = Site::start();
    site_answers(&site, "/-/ready", "", &[200, 503]);
    for (path, status) in PATHS {
        if path == "/-/ready" {
            continue;
        }
        let open = path == "/-/healthy";
        site_answers(&site, path, "", &[if open { status } else { 401 }]);
        // No wrong password is known yet, so that each is checked while the client waits.
        let wrong = BASE64.encode(format!("prometheus:{path}"));
        let wrong = format!("Authorization: Basic {wrong}\r\n");
        site_answers(&site, path, &wrong, &[if open { status } else { 401 }]);
    }
    site_answers(&site, "/metrics", &site.login, &[200]);
    site_answers(&site, "/api/v1/services?down", &site.login, &[200, 503]);
}

/// Checks that a request is answered with one of these statuses, however the client ends its side.
fn site_answers(site: &Site, path: &str, headers: &str, expected: &[u16]) {
    for alert in [true, false] {
        let answers = half_closed_over_tls(site, &request(path, headers), alert);
        assert_eq!(answers.len(), 1, "{path}, {alert}");
        assert!(expected.contains(&answers[0].0), "{path}: {answers:?}");
    }
}

#[test]
fn a_half_closed_client_that_does_not_read_is_disconnected() {
    let exporter = exporter(&[]);
    exporter.wait_for_services();
    let mut stream = connect(exporter.address());
    let requests = request("/metrics", "").repeat(50);
    stream.write_all(requests.as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    exporter.wait_for("it is disconnected", |metrics| {
        let closed = "openstack_heartbeat_http_connections_closed_total";
        metrics.value(closed, &[("reason", "slow_reader")]) == Some(1.0)
    });
}
