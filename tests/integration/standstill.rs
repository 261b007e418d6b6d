//! Tables that stand still, because the server that answers is cut off or its replication stopped, and who answered.

use std::sync::Arc;
use std::time::Duration;

use openstack_heartbeat_exporter::config::database_url::{DatabaseUrl, Engine};
use openstack_heartbeat_exporter::database::{Connection, Target};
use openstack_heartbeat_exporter::project::cinder;

use crate::support::block_on;
use crate::support::database::{Database, Product};
use crate::support::exporter::{Exporter, Metrics, intervals};
use crate::support::proxy::Proxy;
use crate::support::replication::Pair;
use crate::support::server::Server;
use crate::support::writer::{Clock, Writer};

/// Starts an exporter for services with a heartbeat each second. A table without one for three seconds stands still.
fn quick(url: &str) -> Exporter {
    let arguments = [
        &*intervals(10, 1),
        "--database.connect-timeout=2s",
        "--database.query-timeout=2s",
        "--poll.stale-after=3s",
    ];
    Exporter::start(url, &arguments)
}

/// Returns the server that answers a user who may read nothing but the columns of the tables.
fn server(database: &Database) -> Option<Arc<str>> {
    let target = Target {
        url: DatabaseUrl::parse(&database.url()).unwrap(),
        project: &cinder::PROJECT,
        connect_timeout: Duration::from_secs(10),
        query_timeout: Duration::from_secs(10),
    };
    block_on(async {
        let mut connection = Connection::open(&target).await.unwrap();
        let first = connection.read(&target).await.unwrap();
        let second = connection.read(&target).await.unwrap();
        assert_eq!(first.server, second.server);
        assert!(!first.read_only);
        assert_eq!(first.replayed, None);
        first.server
    })
}

/// Starts services on four machines.
fn services(database: &Database) -> Vec<Writer> {
    let start = |(host, phase)| {
        let interval = Duration::from_secs(1);
        let phase = Duration::from_millis(phase);
        Writer::every(interval, database, host, Clock::new(0, 0), phase)
    };
    let hosts = [
        ("block1@lvm", 100),
        ("block2@lvm", 350),
        ("controller", 600),
        ("network", 850),
    ];
    hosts.map(start).into()
}

fn heartbeats(metrics: &Metrics) -> Option<f64> {
    let name = "openstack_service_heartbeats_total";
    metrics.service(name, "cinder-volume", "controller")
}

fn stale_polls(metrics: &Metrics) -> f64 {
    let name = "openstack_heartbeat_poll_failures_total";
    metrics.value(name, &[("class", "stale")]).unwrap()
}

fn standstill(metrics: &Metrics) -> Option<f64> {
    metrics.value("openstack_heartbeat_standstill", &[])
}

/// Waits for a condition. Until then, no service may be shown as down, or with a reason.
fn wait_without_blame(
    exporter: &Exporter,
    what: &str,
    condition: impl Fn(&Metrics) -> bool,
) -> Metrics {
    exporter.wait_for(what, |metrics| {
        let blames = |line: &&str| {
            line.starts_with("openstack_service_up{") && line.ends_with(" 0")
                || line.starts_with("openstack_service_down_reason{")
        };
        let blame = metrics.0.lines().find(blames);
        assert_eq!(blame, None, "{what}: {}", exporter.log());
        condition(metrics)
    })
}

/// Cuts the second server off, and checks that its rows are a failed poll until they are current again.
fn check_stale(pair: &Pair, cut_off: &str, rejoin: &str, message: &str) {
    let engine = if pair.first.url().starts_with("mysql") {
        Engine::MySql
    } else {
        Engine::Postgres
    };
    let database = Database::on(engine, &pair.first.url());
    let writers = services(&database);
    let exporter = quick(&pair.on_second(&database.url()));
    let metrics = wait_without_blame(&exporter, "four services", |metrics| {
        metrics.count("openstack_service_clock_skew_upper_bound_seconds") == 4
    });
    let before = stale_polls(&metrics);

    pair.second.execute(cut_off);
    wait_without_blame(&exporter, "the services are withheld", |metrics| {
        stale_polls(metrics) > before && metrics.count("openstack_service_up") == 0
    });
    exporter.wait_for_log(message);
    exporter.wait_for_log("class=stale");
    let page = exporter.get("/");
    let page = page.text();
    assert!(
        page.contains("the server that answers is not current"),
        "{page}"
    );

    pair.second.execute(rejoin);
    let metrics = wait_without_blame(&exporter, "it is current again", |metrics| {
        metrics.database_up() == Some(1.0)
    });
    let again = heartbeats(&metrics);
    wait_without_blame(&exporter, "a later heartbeat", |metrics| {
        heartbeats(metrics) > again
    });
    assert!(writers.iter().all(Writer::is_running));
}

#[test]
fn every_answer_names_its_server() {
    for product in Product::all() {
        let database = Database::new(product);
        let engine = database.engine;
        database.insert(&[]);
        let name = server(&database);
        assert_eq!(name, server(&database), "on another connection");
        assert_eq!(name.is_none(), engine == Engine::Sqlite);
        if engine != Engine::Sqlite {
            let other = Server::start(product);
            let on_other = server(&Database::on(engine, &other.url()));
            assert_ne!(name, on_other);
            let port = other.address().port().to_string();
            let on_other = on_other.unwrap();
            assert!(on_other.contains(&port), "{on_other}");
        }
    }
}

#[test]
fn a_node_of_galera_that_was_cut_off_is_stale() {
    let pair = Pair::galera();
    for dirty_reads in ["OFF", "ON"] {
        pair.second
            .execute(&format!("SET GLOBAL wsrep_dirty_reads = {dirty_reads}"));
        check_stale(
            &pair,
            "SET GLOBAL wsrep_provider_options = 'gmcast.isolate=1'",
            "SET GLOBAL wsrep_provider_options = 'gmcast.isolate=0'",
            "is cut off from its Galera cluster",
        );
        pair.wait_until_ready();
    }
}

#[test]
fn a_replica_of_mariadb_that_stands_still_is_stale() {
    let pair = Pair::mariadb();
    let message =
        "it accepts no writes, and no service has sent a heartbeat for more than 3 s (hostname=";
    check_stale(
        &pair,
        "STOP SLAVE SQL_THREAD",
        "START SLAVE SQL_THREAD",
        message,
    );
}

#[test]
fn a_replica_that_lacks_what_another_server_shows_is_stale() {
    let pair = Pair::mariadb();
    // Nothing else tells that it stands still.
    pair.second.execute("SET GLOBAL read_only = OFF");
    let database = Database::on(Engine::MySql, &pair.first.url());
    let _writers = services(&database);
    let url = database.url();
    let address = pair.first.address();
    let proxy = Proxy::in_turn(vec![pair.second.address(), address]);
    let through = format!("127.0.0.1:{}", proxy.port);
    let exporter = quick(&url.replace(&address.to_string(), &through));
    wait_without_blame(&exporter, "four services", |metrics| {
        metrics.count("openstack_service_clock_skew_upper_bound_seconds") == 4
    });
    pair.second.execute("STOP SLAVE SQL_THREAD");
    wait_without_blame(&exporter, "no heartbeats", |metrics| {
        standstill(metrics) == Some(1.0)
    });
    // The other server answers, and then this one again.
    end_sessions(&pair.second);
    let metrics = wait_without_blame(&exporter, "the other answers", |metrics| {
        metrics.database_up() == Some(1.0) && standstill(metrics) == Some(0.0)
    });
    let before = heartbeats(&metrics);
    wait_without_blame(&exporter, "later heartbeats", |metrics| {
        heartbeats(metrics) > before.map(|before| before + 3.0)
    });
    end_sessions(&pair.first);
    wait_without_blame(&exporter, "a stale answer", |metrics| {
        stale_polls(metrics) > 0.0
    });
    wait_without_blame(&exporter, "the other again", |metrics| {
        metrics.database_up() == Some(1.0)
    });
    exporter.wait_for_log("another server behind this address has newer heartbeats (hostname=");
}

/// Ends the exporter's sessions at a server.
fn end_sessions(server: &Server) {
    let ids = "SELECT CAST(GROUP_CONCAT(ID) AS CHAR) FROM information_schema.PROCESSLIST WHERE USER LIKE 'hb%'";
    let ids = server.ask(ids);
    assert!(!ids.is_empty());
    for id in ids.split(',') {
        server.execute(&format!("KILL {id}"));
    }
}

#[test]
fn a_standby_of_postgresql_that_stands_still_is_stale_unless_it_replays_other_writes() {
    let pair = Pair::postgres();
    let message =
        "it accepts no writes, and no service has sent a heartbeat for more than 3 s (127.0.0.1 ";
    check_stale(
        &pair,
        "SELECT pg_wal_replay_pause()",
        "SELECT pg_wal_replay_resume()",
        message,
    );

    let database = Database::on(Engine::Postgres, &pair.first.url());
    let writers = services(&database);
    let exporter = quick(&pair.on_second(&database.url()));
    exporter.wait_for("heartbeats", |metrics| heartbeats(metrics) > Some(2.0));
    writers.iter().for_each(Writer::stop);
    let metrics = exporter.wait_for("no heartbeats", |metrics| {
        // A transaction that concerns no service.
        pair.first.execute("SELECT txid_current()");
        standstill(metrics) == Some(1.0)
    });
    assert_eq!(metrics.database_up(), Some(1.0));
    assert!(stale_polls(&metrics) < 1.0, "{}", exporter.log());
}

#[test]
fn where_nothing_proves_it_the_standstill_is_named_before_any_service_is_blamed() {
    for product in Product::all() {
        let database = Database::new(product);
        let writers = services(&database);
        let exporter = quick(&database.url());
        exporter.wait_for("heartbeats", |metrics| heartbeats(metrics) > Some(2.0));
        assert_eq!(standstill(&exporter.metrics()), Some(0.0));
        writers.iter().for_each(Writer::stop);
        wait_without_blame(&exporter, "no heartbeats", |metrics| {
            standstill(metrics) == Some(1.0)
        });
        let page = exporter.get("/");
        let page = page.text();
        assert!(
            page.contains("no service has sent a heartbeat for "),
            "{page}"
        );
        assert!(page.contains("No service sends heartbeats."), "{page}");
        exporter.wait_for("services are down", |metrics| {
            metrics
                .0
                .contains("openstack_service_down_reason{database=\"cinder\",binary=\"cinder-volume\",host=\"controller\",reason=\"stopped\"} 1")
        });
        let services = exporter.get("/api/v1/services");
        let services = services.text();
        assert!(services.contains("\"standstill_seconds\": 1"), "{services}");
        let advice = "Check first whether the database accepts writes";
        assert!(services.contains(advice), "{services}");
        assert!(
            !services.contains("Check whether the process is running"),
            "{services}"
        );
        let log = exporter.wait_for_log("no service sends heartbeats");
        assert_eq!(
            log.matches("no service sends heartbeats").count(),
            1,
            "{log}"
        );

        let _again = self::services(&database);
        exporter.wait_for("it is over", |metrics| standstill(metrics) == Some(0.0));
        assert!(
            exporter
                .terminate_for_log()
                .contains("services send heartbeats again")
        );
    }
}

#[test]
fn a_server_that_limits_the_number_of_rows_shows_all_services() {
    let server = Server::start(Product::MariaDb);
    server.execute("SET GLOBAL sql_select_limit = 1");
    let database = Database::on(Engine::MySql, &server.url());
    let _writers = services(&database);
    let exporter = quick(&database.url());
    let metrics = exporter.wait_for_services();
    assert_eq!(metrics.count("openstack_service_up"), 4);
}
