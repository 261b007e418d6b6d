//! The connection that is kept from poll to poll, closed in between: by a proxy, the server or its administrator.

use std::cell::Cell;
use std::net::SocketAddr;
use std::time::Duration;

use openstack_heartbeat_exporter::config::database_url::Engine;

use crate::support::database::{Database, Product};
use crate::support::exporter::{Exporter, Metrics, program};
use crate::support::haproxy::HaProxy;
use crate::support::server::Server;
use crate::support::wait_for;

/// What the exporter logs at the level `debug` for each connection that it finds closed.
const REPLACED: &str = "the kept connection was closed";

/// Returns the number of polls, of any outcome.
fn polls(metrics: &Metrics) -> f64 {
    let name = "openstack_heartbeat_poll_duration_seconds_count";
    metrics.value(name, &[]).unwrap()
}

/// Returns the number of failed polls, of all classes.
fn failures(metrics: &Metrics) -> i64 {
    let name = "openstack_heartbeat_poll_failures_total{";
    let series = metrics.0.lines().filter(|line| line.starts_with(name));
    let values = series.map(|line| line.rsplit_once(' ').unwrap().1.parse::<i64>().unwrap());
    values.sum()
}

fn replaced(exporter: &Exporter) -> usize {
    exporter.log().matches(REPLACED).count()
}

fn start(url: &str, interval: &str) -> Exporter {
    let interval = format!("--poll.interval={interval}");
    let mut command = program(&["serve", "--log.level=debug", &interval]);
    command.env("OPENSTACK_HEARTBEAT_DATABASE_URL", url);
    let exporter = Exporter::spawn(&mut command);
    exporter.wait_for_services();
    exporter
}

/// Waits for a condition; until then, no poll may fail.
fn check(exporter: &Exporter, condition: impl Fn(&Metrics) -> bool) {
    exporter.wait_for("no poll fails", |metrics| {
        assert_eq!(metrics.database_up(), Some(1.0), "{}", exporter.log());
        assert_eq!(failures(metrics), 0, "{}", exporter.log());
        condition(metrics)
    });
    let log = exporter.log();
    assert!(!log.contains("level=ERROR"), "{log}");
}

/// Returns the URL's address.
fn address(url: &str) -> SocketAddr {
    let (_, rest) = url.split_once('@').unwrap();
    rest.split_once('/').unwrap().0.parse().unwrap()
}

/// Returns a URL with another port.
fn through(url: &str, port: u16) -> String {
    let (start, rest) = url.rsplit_once(':').unwrap();
    let (_, rest) = rest.split_once('/').unwrap();
    format!("{start}:{port}/{rest}")
}

/// Returns the URL's user.
fn user(url: &str) -> &str {
    let (_, rest) = url.split_once("://").unwrap();
    rest.split_once(':').unwrap().0
}

#[test]
fn a_proxy_that_closes_idle_connections_fails_no_poll() {
    for product in Product::servers() {
        let database = Database::new(product);
        database.insert(&[]);
        let url = database.url();
        let proxy = HaProxy::start(Some(address(&url)), Duration::from_millis(300));
        let url = through(&url, proxy.port);
        let options: &[&str] = match product {
            Product::Postgres => &["sslmode=disable", "sslmode=require"],
            // A login of MySQL needs TLS.
            Product::MySql => &["ssl-mode=REQUIRED"],
            _ => &["ssl-mode=DISABLED", "ssl-mode=REQUIRED"],
        };
        for options in options {
            eprintln!("on {product:?}, {options}");
            let exporter = start(&format!("{url}?{options}"), "1s");
            check(&exporter, |_| replaced(&exporter) >= 3);
        }
    }
}

#[test]
fn a_server_that_closes_idle_connections_fails_no_poll() {
    for product in Product::servers() {
        eprintln!("on {product:?}");
        let server = Server::start(product);
        let database = Database::on(product.engine(), &server.url());
        database.insert(&[]);
        let url = database.url();
        database.execute(&[match product {
            Product::Postgres => "ALTER SYSTEM SET idle_session_timeout = '1s'",
            _ => "SET GLOBAL wait_timeout = 1",
        }]);
        if product == Product::Postgres {
            database.execute(&["SELECT pg_reload_conf()"]);
        }
        let exporter = start(&url, "2s");
        check(&exporter, |_| replaced(&exporter) >= 3);
    }
}

#[test]
fn a_session_that_the_administrator_ends_between_two_polls_fails_none() {
    for product in Product::servers() {
        eprintln!("on {product:?}");
        let database = Database::new(product);
        database.insert(&[]);
        let url = database.url();
        let user = user(&url);
        let statement = match product {
            Product::Postgres => format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE usename = '{user}' AND state = 'idle'"
            ),
            Product::MySql => format!(
                "SET @id = (SELECT id FROM performance_schema.processlist WHERE user = '{user}'); KILL @id"
            ),
            _ => format!("KILL USER '{user}'"),
        };
        let exporter = start(&url, "2s");
        // A poll has just ended, and the next one is more than a second away.
        let seen = Cell::new(0.0);
        check(&exporter, |metrics| {
            let done = polls(metrics);
            if done > seen.replace(done) {
                database.execute(&[&statement]);
            }
            replaced(&exporter) >= 3
        });
    }
}

#[test]
fn a_lost_connection_is_replaced_once_a_poll_and_only_if_it_was_kept() {
    let database = Database::new(Engine::Postgres);
    database.insert(&[]);
    let exporter = start(&database.url(), "1s");
    // From now on the statement ends its own session, while it is planned.
    database.execute(&[
        "CREATE FUNCTION fatal() RETURNS boolean SECURITY DEFINER LANGUAGE sql IMMUTABLE \
         AS 'SELECT pg_terminate_backend(pg_backend_pid())'",
        "BEGIN; ALTER TABLE services RENAME TO tables; \
         CREATE VIEW services AS SELECT * FROM tables WHERE fatal(); GRANT SELECT ON services TO PUBLIC; COMMIT",
    ]);
    let metrics = exporter.wait_for("failed polls", |metrics| failures(metrics) >= 3);
    assert_eq!(metrics.database_up(), Some(0.0));
    database.execute(&["BEGIN; DROP VIEW services; ALTER TABLE tables RENAME TO services; COMMIT"]);
    exporter.wait_for("the table is read", |metrics| {
        metrics.database_up() == Some(1.0)
    });
    let log = exporter.wait_for_log("lost the connection to");
    assert_eq!(replaced(&exporter), 1, "{log}");
    assert!(!log.contains("cannot connect to"), "{log}");
    let failed = failures(&exporter.metrics());
    let count = format!(
        "SELECT sessions_killed FROM pg_stat_database WHERE datname = '{}'",
        database.name
    );
    // The session of each failed poll, and the kept one.
    wait_for(
        "one session more than failed polls was ended",
        Duration::from_secs(10),
        || database.number(&count) == failed + 1,
        || format!("{failed} failed, {} ended", database.number(&count)),
    );
}
