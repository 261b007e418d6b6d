//! Clients by the thousand, slow ones and hostile ones. Meanwhile health is answered, Prometheus keeps its connection
//! and gets all metrics, and memory is bounded.
//!
//! How long Prometheus waits is printed, never judged: other tests run on the same processors. With
//! `HEARTBEAT_TEST_SECONDS=60` each attack lasts a minute.

use std::fmt;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use openstack_heartbeat_exporter::config::database_url::Engine;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, timeout};

use crate::support::database::Database;
use crate::support::exporter::Exporter;
use crate::support::process::resident;
use crate::support::{block_on, http};

const SERVICES: usize = 1000;

/// Where attackers come from; Prometheus comes from 127.0.0.1.
const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);

/// More than this an exporter of a thousand services never needs, whatever is done to it.
const MOST_MEMORY: u64 = 160 << 20;

const SCRAPE: &str = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n";

fn duration() -> Duration {
    let seconds = std::env::var("HEARTBEAT_TEST_SECONDS");
    Duration::from_secs(seconds.map_or(4, |seconds| seconds.parse().unwrap()))
}

/// Lets this process hold as many connections as the system allows.
fn raise_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let current = limit.maximum;
    setrlimit(Resource::Nofile, Rlimit { current, ..limit }).unwrap();
}

/// An exporter of a thousand services.
fn exporter() -> (Database, Exporter) {
    raise_descriptors();
    let database = Database::new(Engine::Sqlite);
    database.insert(&[]);
    database.multiply(SERVICES);
    let exporter = Exporter::start(&database.url(), &[]);
    exporter.wait_for_services();
    (database, exporter)
}

/// A connection that is kept from scrape to scrape, as Prometheus keeps it.
struct Prometheus(BufReader<std::net::TcpStream>);

impl Prometheus {
    fn connect(address: SocketAddr) -> Self {
        let stream = std::net::TcpStream::connect(address).unwrap();
        let limit = Some(Duration::from_secs(10));
        stream.set_read_timeout(limit).unwrap();
        Self(BufReader::new(stream))
    }

    /// Scrapes once; the connection must still be there.
    fn scrape(&mut self) -> Vec<u8> {
        self.0.get_mut().write_all(SCRAPE.as_bytes()).unwrap();
        let mut length = None;
        let mut line = String::new();
        loop {
            line.clear();
            let read = self.0.read_line(&mut line).unwrap();
            assert!(read > 0, "the connection of Prometheus was closed");
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim_end().parse().ok();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length.unwrap()];
        self.0.read_exact(&mut body).unwrap();
        body
    }
}

/// What Prometheus and a health check saw.
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

/// Scrapes and asks for health until `ended`.
fn observe(exporter: &Exporter, ended: &AtomicBool) -> Figures {
    let mut figures = Figures::default();
    let mut prometheus = Prometheus::connect(exporter.address());
    while !ended.load(Ordering::Relaxed) {
        let started = Instant::now();
        let page = prometheus.scrape();
        figures.scrapes.push(started.elapsed());
        assert!(page.len() > 10_000, "{}", page.len());

        let started = Instant::now();
        let health = http::request(exporter.address(), "GET", "/-/healthy", &[]).unwrap();
        figures.checks.push(started.elapsed());
        assert_eq!(health.status, 200);

        figures.memory = figures.memory.max(resident(exporter.id()));
        std::thread::sleep(Duration::from_millis(50));
    }
    figures
}

/// Lets `attack` go on for its time, and checks that nobody else suffers from it.
fn check<F: Future<Output = ()> + Send + 'static>(
    exporter: &Exporter,
    name: &str,
    attackers: usize,
    attack: impl Fn(SocketAddr) -> F,
) {
    let ended = Arc::new(AtomicBool::new(false));
    let figures = std::thread::scope(|scope| {
        let observing = scope.spawn(|| observe(exporter, &ended));
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

/// Connects from the attackers' address, with a small window: answers wait on the other side.
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

/// Scrapes each second, and takes the answer.
async fn scrape(address: SocketAddr) {
    let mut buffer = vec![0; 1 << 16];
    // As Prometheus spreads its scrapes over the interval.
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

/// Sends the head of a request byte by byte, and begins anew when it is turned out.
async fn slow_head(address: SocketAddr) {
    loop {
        let mut stream = connect(address).await;
        let mut rest = &b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nCookie: "[..];
        while stream.write_all(&rest[..1]).await.is_ok() {
            // The last byte, a space, goes on for ever.
            rest = &rest[usize::from(rest.len() > 1)..];
            sleep(Duration::from_millis(200)).await;
        }
    }
}

/// Asks for several pages, and takes a few bytes of them now and then.
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

/// Connects, and says nothing.
async fn idle(address: SocketAddr) {
    let _stream = connect(address).await;
    std::future::pending::<()>().await;
}

/// Sends heads that are larger than any client's.
async fn oversized_head(address: SocketAddr) {
    let request = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nCookie: {}\r\n\r\n",
        "a".repeat(1 << 20)
    );
    loop {
        let mut stream = connect(address).await;
        // Refused before all of it is sent.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = [0; 12];
        if stream.read_exact(&mut answer).await.is_ok() {
            assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 431");
        }
    }
}

/// Asks for a hundred pages at once, again and again, and takes none.
async fn pipeline(address: SocketAddr) {
    let requests = SCRAPE.repeat(100);
    loop {
        let mut stream = connect(address).await;
        while stream.write_all(requests.as_bytes()).await.is_ok() {}
    }
}

#[test]
fn prometheus_is_served_whatever_others_do() {
    let (_database, exporter) = exporter();
    check(&exporter, "scrapers", 1000, scrape);
    check(&exporter, "slow heads", 3000, slow_head);
    check(&exporter, "slow readers", 1000, slow_reader);
    check(&exporter, "idle connections", 10_000, idle);
    check(&exporter, "oversized heads", 100, oversized_head);
    check(&exporter, "pipelines", 200, pipeline);
    assert_eq!(exporter.terminate().code(), Some(0));
}
