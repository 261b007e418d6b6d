//! Thousands of slow or hostile clients. Health checks are still answered, Prometheus keeps its connection and gets
//! all metrics, and memory is bounded.
//!
//! The time that Prometheus waits is printed and not checked, since other tests run on the same processors. With
//! `HEARTBEAT_TEST_SECONDS=60` each attack lasts a minute.

use std::fmt;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use openstack_heartbeat_exporter::config::database_url::Engine;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::sources::{file, settings};
use crate::support::certificate::Authority;
use crate::support::database::Database;
use crate::support::exporter::{Exporter, program};
use crate::support::process::resident;
use crate::support::{block_on, folder, wait_for};

const SERVICES: usize = 1000;

/// The address of attackers; Prometheus connects from 127.0.0.1.
const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);

/// The memory limit of an exporter of a thousand services under any attack.
const MOST_MEMORY: u64 = 160 << 20;

const SCRAPE: &str = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n";

/// The password that Prometheus knows and attackers do not.
const PASSWORD: &str = "a-long-random-one";

fn duration() -> Duration {
    let seconds = std::env::var("HEARTBEAT_TEST_SECONDS");
    Duration::from_secs(seconds.map_or(4, |seconds| seconds.parse().unwrap()))
}

/// Raises the limit on this process's connections to that of the system.
fn raise_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let current = limit.maximum;
    setrlimit(Resource::Nofile, Rlimit { current, ..limit }).unwrap();
}

/// An exporter of a thousand services, in five databases.
fn exporter(flags: &[&str]) -> Exporter {
    raise_descriptors();
    let urls = ["one", "two", "three", "four", "five"].map(|name| {
        let database = Database::new(Engine::Sqlite);
        database.insert(&[]);
        database.multiply(SERVICES / 5);
        (name, database.url())
    });
    let file = file(&settings(
        &urls.each_ref().map(|(name, url)| (*name, url.as_str(), "")),
    ));
    let mut command = program(&["serve", "--poll.interval=200ms", "--config.file"]);
    Exporter::spawn(command.arg(file).args(flags))
}

/// The address, head and TLS of a client.
struct Client {
    address: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
    /// Lines of the head, each with its line end.
    headers: String,
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

type Connection = BufReader<Box<dyn Stream + Send>>;

impl Client {
    fn connect(&self) -> Connection {
        let stream = std::net::TcpStream::connect(self.address).unwrap();
        let limit = Some(Duration::from_secs(10));
        stream.set_read_timeout(limit).unwrap();
        BufReader::new(match &self.tls {
            None => Box::new(stream),
            Some(config) => Box::new(StreamOwned::new(handshake(config), stream)),
        })
    }

    /// Sends one request; returns status and body. The connection must still be open.
    fn get(&self, connection: &mut Connection, path: &str) -> (u16, Vec<u8>) {
        let headers = &self.headers;
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        connection.get_mut().write_all(request.as_bytes()).unwrap();
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let read = connection.read_line(&mut head).unwrap();
            assert!(read > 0, "the connection was closed: {head}");
        }
        let mut body = vec![0; length(&head)];
        connection.read_exact(&mut body).unwrap();
        (status(&head), body)
    }
}

/// Returns the TLS state of a new connection.
fn handshake(config: &Arc<ClientConfig>) -> ClientConnection {
    ClientConnection::new(Arc::clone(config), "localhost".try_into().unwrap()).unwrap()
}

/// Returns the status of an answer with this head.
fn status(head: &str) -> u16 {
    head[9..12].parse().unwrap()
}

/// Returns the length of the body of an answer with this head.
fn length(head: &str) -> usize {
    let value = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    value.expect("an answer tells its length").parse().unwrap()
}

/// The results of Prometheus and a health check.
#[derive(Default)]
struct Figures {
    scrapes: Vec<Duration>,
    checks: Vec<Duration>,
    memory: u64,
}

impl fmt::Display for Figures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |times: &[Duration], share: f64| {
            let mut times = times.to_vec();
            times.sort();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "an index of a short list"
            )]
            let index = ((times.len() - 1) as f64 * share) as usize;
            times[index].as_secs_f64() * 1e3
        };
        for (name, times) in [("scrape", &self.scrapes), ("health", &self.checks)] {
            let (median, p99, most) = (at(times, 0.5), at(times, 0.99), at(times, 1.0));
            let count = times.len();
            write!(
                formatter,
                "{name} {median:.1} ms, p99 {p99:.1}, most {most:.1} ({count}); "
            )?;
        }
        write!(formatter, "{} MB resident", self.memory >> 20)
    }
}

/// Scrapes on one kept connection, as Prometheus does, and checks health until `ended`.
fn observe(
    exporter: &Exporter,
    client: &Client,
    mut prometheus: Connection,
    ended: &AtomicBool,
) -> Figures {
    let mut figures = Figures::default();
    while !ended.load(Ordering::Relaxed) {
        let started = Instant::now();
        let (status, page) = client.get(&mut prometheus, "/metrics");
        figures.scrapes.push(started.elapsed());
        assert_eq!(status, 200);
        assert!(page.len() > 10_000, "{}", page.len());

        let started = Instant::now();
        let (status, _) = client.get(&mut client.connect(), "/-/healthy");
        figures.checks.push(started.elapsed());
        assert_eq!(status, 200);

        figures.memory = figures.memory.max(resident(exporter.id()));
        std::thread::sleep(Duration::from_millis(50));
    }
    figures
}

/// Runs `attack` for its time, and checks that other clients do not suffer.
fn check<F: Future<Output = ()> + Send + 'static>(
    exporter: &Exporter,
    client: &Client,
    name: &str,
    attackers: usize,
    attack: impl Fn(SocketAddr) -> F,
) {
    let mut prometheus = client.connect();
    // A new login waits for its turn among others.
    assert_eq!(client.get(&mut prometheus, "/metrics").0, 200);
    let ended = Arc::new(AtomicBool::new(false));
    let figures = std::thread::scope(|scope| {
        let observing = scope.spawn(|| observe(exporter, client, prometheus, &ended));
        block_on(async {
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..attackers {
                tasks.spawn(timeout(duration(), attack(exporter.address())));
            }
            sleep(duration()).await;
            tasks.abort_all();
            while tasks.join_next().await.is_some() {}
        });
        ended.store(true, Ordering::Relaxed);
        observing.join().unwrap()
    });
    eprintln!("{attackers} {name}: {figures}");
    assert!(!figures.scrapes.is_empty(), "{name}");
    assert!(figures.memory < MOST_MEMORY, "{name}: {figures}");
}

/// Connects from the attackers' address, with a small receive window: answers queue in the exporter.
async fn connect(address: SocketAddr) -> TcpStream {
    loop {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        socket.bind((ATTACKER, 0).into()).unwrap();
        if let Ok(stream) = socket.connect(address).await {
            return stream;
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// Scrapes each second, and reads the answer.
async fn scrape(address: SocketAddr) {
    let mut buffer = vec![0; 1 << 16];
    // Prometheus spreads its scrapes over the interval too.
    sleep(Duration::from_secs(1).mul_f64(fastrand::f64())).await;
    loop {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = SCRAPE.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut total = 0;
        while let count @ 1.. = stream.read(&mut buffer).await.unwrap() {
            total += count;
        }
        assert!(total > 10_000, "{total}");
        sleep(Duration::from_secs(1)).await;
    }
}

/// Sends the head of a request byte by byte, and reconnects when it is disconnected.
async fn slow_head(address: SocketAddr) {
    loop {
        let mut stream = connect(address).await;
        let mut rest = &b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nCookie: "[..];
        while stream.write_all(&rest[..1]).await.is_ok() {
            // The last byte, a space, is repeated forever.
            rest = &rest[usize::from(rest.len() > 1)..];
            sleep(Duration::from_millis(200)).await;
        }
    }
}

/// Requests several pages, and sometimes reads a few bytes.
async fn slow_reader(address: SocketAddr) {
    loop {
        let mut stream = connect(address).await;
        let requests = SCRAPE.replace("Accept-Encoding: gzip\r\n", "").repeat(4);
        let mut some = [0; 100];
        if stream.write_all(requests.as_bytes()).await.is_err() {
            continue;
        }
        while let Ok(1..) = stream.read(&mut some).await {
            sleep(Duration::from_secs(1)).await;
        }
    }
}

/// Connects, and sends nothing.
async fn idle(address: SocketAddr) {
    let _stream = connect(address).await;
    std::future::pending::<()>().await;
}

/// Sends heads that are larger than those of any real client.
async fn oversized_head(address: SocketAddr) {
    let request = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nCookie: {}\r\n\r\n",
        "a".repeat(1 << 20)
    );
    loop {
        let mut stream = connect(address).await;
        // The exporter refuses the head before it is complete.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = [0; 12];
        if stream.read_exact(&mut answer).await.is_ok() {
            assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 431");
        }
    }
}

/// Requests a hundred pages at once, repeatedly, and reads none.
async fn pipeline(address: SocketAddr) {
    let requests = SCRAPE.repeat(100);
    loop {
        let mut stream = connect(address).await;
        while stream.write_all(requests.as_bytes()).await.is_ok() {}
    }
}

/// Requests a hundred pages at once, closes its side, and reads none.
async fn half_closed(address: SocketAddr) {
    let requests = SCRAPE.repeat(100);
    loop {
        let mut stream = connect(address).await;
        let _ = stream.write_all(requests.as_bytes()).await;
        let _ = stream.shutdown().await;
        // Ready once the exporter closes the connection.
        let _ = stream.ready(Interest::ERROR).await;
    }
}

/// Begins a TLS handshake, and abandons it.
async fn half_handshake(address: SocketAddr, config: Arc<ClientConfig>) {
    loop {
        let mut stream = connect(address).await;
        let mut hello = Vec::new();
        handshake(&config).write_tls(&mut hello).unwrap();
        let mut answer = [0; 1000];
        if stream.write_all(&hello).await.is_ok() {
            while let Ok(1..) = stream.read(&mut answer).await {}
        }
    }
}

/// Tries passwords, one after the other.
async fn guess(address: SocketAddr, config: Arc<ClientConfig>) {
    let connector = TlsConnector::from(config);
    loop {
        let stream = connect(address).await;
        let Ok(stream) = connector
            .connect("localhost".try_into().unwrap(), stream)
            .await
        else {
            continue;
        };
        let mut stream = tokio::io::BufReader::new(stream);
        loop {
            let login = BASE64.encode(format!("prometheus:{}", fastrand::u64(..)));
            let request = format!(
                "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {login}\r\n\r\n"
            );
            if stream.write_all(request.as_bytes()).await.is_err() {
                break;
            }
            let mut head = String::new();
            while let Ok(1..) = stream.read_line(&mut head).await
                && !head.ends_with("\r\n\r\n")
            {}
            if head.is_empty() {
                break;
            }
            assert!([401, 503].contains(&status(&head)), "{head}");
            let mut body = vec![0; length(&head)];
            stream.read_exact(&mut body).await.unwrap();
        }
    }
}

#[test]
fn prometheus_is_served_during_attacks() {
    let exporter = exporter(&[]);
    exporter.wait_for_services();
    let client = Client {
        address: exporter.address(),
        tls: None,
        headers: "Accept-Encoding: gzip\r\n".to_owned(),
    };
    check(&exporter, &client, "scrapers", 1000, scrape);
    check(&exporter, &client, "slow heads", 3000, slow_head);
    check(&exporter, &client, "slow readers", 1000, slow_reader);
    check(&exporter, &client, "idle connections", 10_000, idle);
    check(&exporter, &client, "oversized heads", 100, oversized_head);
    check(&exporter, &client, "pipelines", 200, pipeline);
    check(&exporter, &client, "half-closed", 1000, half_closed);
    assert_eq!(exporter.terminate().code(), Some(0));
}

#[test]
fn prometheus_is_served_over_tls_with_a_password_during_attacks() {
    let folder = folder("attack");
    let authority = Authority::new("the right authority");
    authority.server(&folder);
    let hash = bcrypt::hash(PASSWORD, 10).unwrap();
    let text = format!(
        "tls_server_config:\n  cert_file: tls.crt\n  key_file: tls.key\nbasic_auth_users:\n  prometheus: {hash}\n"
    );
    std::fs::write(folder.join("web.yml"), text).unwrap();
    let flag = format!("--web.config.file={}", folder.join("web.yml").display());
    let exporter = exporter(&[&flag]);
    let config = Arc::new(authority.trusting());
    let login = BASE64.encode(format!("prometheus:{PASSWORD}"));
    let client = Client {
        address: exporter.address(),
        tls: Some(Arc::clone(&config)),
        headers: format!("Accept-Encoding: gzip\r\nAuthorization: Basic {login}\r\n"),
    };
    let has_services = || client.get(&mut client.connect(), "/metrics").1.len() > 10_000;
    wait_for(
        "the services",
        Duration::from_secs(20),
        has_services,
        || exporter.log(),
    );
    let half_handshake = |address| half_handshake(address, Arc::clone(&config));
    check(&exporter, &client, "half handshakes", 3000, half_handshake);
    let guess = |address| guess(address, Arc::clone(&config));
    check(&exporter, &client, "guessers of passwords", 200, guess);
    assert_eq!(exporter.terminate().code(), Some(0));
}
