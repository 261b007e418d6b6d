//! Obstacles between the exporter and the rows: connection pools, impostors, collations, missing grants, and a
//! silent name server.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener};
use std::process::Command;
use std::time::Duration;

use openstack_heartbeat_exporter::config::database_url::Engine;
use openstack_heartbeat_exporter::heartbeat::failure::Class;
use tokio::time::Instant;

use crate::support::database::{Database, Product};
use crate::support::exporter::{Exporter, Metrics, program, run};
use crate::support::haproxy::HaProxy;
use crate::support::pgbouncer::PgBouncer;
use crate::support::{env, folder};

/// Short limits: a test need not wait for the defaults.
const QUICK: &[&str] = &[
    "--database.connect-timeout=1s",
    "--database.query-timeout=1s",
];

fn failures(metrics: &Metrics, class: Class) -> Option<f64> {
    let labels = [("class", class.as_str())];
    metrics.value("openstack_heartbeat_poll_failures_total", &labels)
}

fn polls(metrics: &Metrics) -> f64 {
    let name = "openstack_heartbeat_poll_duration_seconds_count";
    metrics.value(name, &[]).unwrap()
}

fn standard_error(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs a command on a database and returns its exit code and standard error.
fn command(arguments: &[&str], url: &str) -> (Option<i32>, String) {
    let environment = [
        ("OPENSTACK_HEARTBEAT_DATABASE_URL", url),
        ("OPENSTACK_HEARTBEAT_PROJECT", "cinder"),
    ];
    let output = run(arguments, &environment);
    (output.status.code(), standard_error(&output))
}

/// Waits until an exporter shows a heartbeat that is written now.
fn wait_for_new_heartbeat(exporter: &Exporter, database: &Database) {
    database.execute(&["UPDATE services SET report_count = report_count + 1"]);
    let beats = |metrics: &Metrics| {
        metrics.service(
            "openstack_service_heartbeats_total",
            "cinder-volume",
            "block1",
        )
    };
    let before = beats(&exporter.wait_for_services());
    database.execute(&["UPDATE services SET report_count = report_count + 1"]);
    exporter.wait_for("a new heartbeat", |metrics| beats(metrics) > before);
}

#[test]
fn exporters_share_a_transaction_pool_and_leave_no_state_in_it() {
    let database = Database::new(Engine::Postgres);
    database.insert(&[]);
    let pool = PgBouncer::start(&database.url(), "transaction");
    let first = Exporter::start(pool.url(), QUICK);
    let second = Exporter::start(pool.url(), QUICK);
    for exporter in [&first, &second] {
        wait_for_new_heartbeat(exporter, &database);
        let metrics = exporter.metrics();
        for class in Class::ALL {
            assert_eq!(failures(&metrics, class), Some(0.0), "{}", exporter.log());
        }
    }
    for (statement, expected) in [
        ("SHOW statement_timeout", "0"),
        ("SHOW lock_timeout", "0"),
        ("SHOW default_transaction_read_only", "off"),
        ("SELECT count(*)::text FROM pg_prepared_statements", "0"),
    ] {
        // Each query follows another poll, or falls within one.
        for _ in 0..10 {
            assert_eq!(pool.ask(statement).unwrap(), expected, "{statement}");
        }
    }
    // Longer than the exporter's own limit on a statement: its polls wait, and fail.
    pool.ask("SELECT 'slept' FROM pg_sleep(2.5)").unwrap();
    for exporter in [&first, &second] {
        wait_for_new_heartbeat(exporter, &database);
    }

    first.signal("KILL");
    let restarted = Exporter::start(pool.url(), QUICK);
    for exporter in [restarted, second] {
        wait_for_new_heartbeat(&exporter, &database);
        assert!(exporter.terminate().success());
    }
}

#[test]
fn an_exporter_holds_a_pooled_session_and_returns_it() {
    let database = Database::new(Engine::Postgres);
    database.insert(&[]);
    let pool = PgBouncer::start(&database.url(), "session");
    // The pool has a single session: the second exporter must get the session of the first.
    for _ in 0..2 {
        let exporter = Exporter::start(pool.url(), QUICK);
        wait_for_new_heartbeat(&exporter, &database);
        assert!(exporter.terminate().success());
    }
    assert_eq!(pool.ask("SHOW statement_timeout").unwrap(), "0");
}

/// A listener at the address of a database.
#[derive(Clone, Copy)]
enum Impostor {
    /// Sends this and closes the connection.
    Says(&'static [u8]),
    /// Accepts, and sends nothing.
    Silent,
    /// Closes the connection at once.
    HangsUp,
}

/// Starts an impostor, which runs until the tests end, and returns its port.
fn impostor(kind: Impostor) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for mut stream in listener.incoming().map_while(Result::ok) {
            match kind {
                Impostor::Says(bytes) => {
                    // Clients of PostgreSQL send first, those of MySQL wait. Unread bytes would turn the end into
                    // a reset, and the client might not see the answer.
                    let _ = stream.set_read_timeout(Some(Duration::from_millis(50)));
                    let _ = stream.read(&mut [0; 1024]);
                    let _ = stream.write_all(bytes);
                    let _ = stream.shutdown(Shutdown::Write);
                    let _ = stream.read(&mut [0; 1024]);
                }
                Impostor::Silent => kept.push(stream),
                Impostor::HangsUp => {}
            }
        }
    });
    port
}

/// Asserts that polls keep failing, with one class for MySQL and one for PostgreSQL, and that all else works.
fn check_impostor(kind: Impostor, mysql: Class, postgres: Class) {
    for (scheme, class) in [("mysql", mysql), ("postgresql", postgres)] {
        let url = format!("{scheme}://u:p@127.0.0.1:{}/cinder", impostor(kind));
        let exporter = Exporter::start(&url, QUICK);
        let metrics = exporter.wait_for(&format!("{scheme}: failures of {class:?}"), |metrics| {
            failures(metrics, class) >= Some(2.0)
        });
        assert_eq!(metrics.database_up(), Some(0.0));
        assert_eq!(metrics.count("openstack_service_up"), 0);
        for path in ["/-/healthy", "/-/ready"] {
            assert_eq!(exporter.get(path).status, 200);
        }
        let log = exporter.wait_for_log("the database can't be read");
        let said = log.matches("the database can't be read").count();
        assert_eq!(said, 1, "{log}");
        assert!(!log.contains("please report it"), "{log}");
        assert_eq!(exporter.terminate().code(), Some(0));

        let (code, message) = command(&["services"], &url);
        assert_eq!(code, Some(2), "{message}");
        assert!(message.contains("127.0.0.1:"), "{message}");
    }
}

#[test]
fn a_packet_that_makes_the_driver_panic_is_a_failed_poll() {
    let packet = &[4, 0, 0, 0, 10, b'5', 0, 1];
    check_impostor(Impostor::Says(packet), Class::Decode, Class::Decode);
}

#[test]
fn a_web_server_is_not_taken_for_a_database() {
    let answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    // A client of MySQL reads this as a packet of five megabytes that is cut off.
    check_impostor(Impostor::Says(answer), Class::Connect, Class::Decode);
}

#[test]
fn a_silent_server_times_out() {
    check_impostor(Impostor::Silent, Class::Timeout, Class::Timeout);
}

#[test]
fn a_server_that_closes_the_connection_is_retried() {
    check_impostor(Impostor::HangsUp, Class::Connect, Class::Connect);
}

#[test]
fn a_proxy_without_a_server_is_no_connection() {
    let port = HaProxy::start(None, Duration::from_secs(1)).port;
    for url in [
        format!("mysql://u:p@127.0.0.1:{port}/cinder"),
        format!("postgresql://u:p@127.0.0.1:{port}/cinder"),
        format!("postgresql://u:p@127.0.0.1:{port}/cinder?sslmode=disable"),
    ] {
        let exporter = Exporter::start(&url, QUICK);
        exporter.wait_for(&url, |metrics| {
            failures(metrics, Class::Connect) >= Some(2.0)
        });
        let (code, message) = command(&["services"], &url);
        assert_eq!(code, Some(2), "{message}");
        assert!(
            message.contains("cannot connect to 127.0.0.1:"),
            "{message}"
        );
    }
}

#[test]
fn tables_of_different_collations_are_read_together() {
    let sets = [
        ("utf8mb3 COLLATE utf8mb3_general_ci", "straße"),
        ("utf8 COLLATE utf8_unicode_ci", "straße"),
        ("utf8 COLLATE utf8_bin", "straße"),
        ("latin1", "straße"),
        ("latin1 COLLATE latin1_bin", "straße"),
        ("utf8mb4 COLLATE utf8mb4_unicode_520_ci", "straße😀"),
        ("utf8mb4 COLLATE utf8mb4_bin", "straße😀"),
        ("binary", "straße😀"),
    ];
    let mut products = Product::servers();
    products.retain(|product| product.engine() == Engine::MySql);
    // Each collation with the next, and each with itself.
    let pairs = products.iter().flat_map(|product| {
        let sets = sets.iter().enumerate();
        sets.map(move |(at, set)| (*product, at, set))
    });
    for (product, at, (services, host)) in pairs {
        for (clusters, name) in [sets[at], sets[(at + 1) % sets.len()]] {
            let database = Database::new(product);
            // The name that both tables can hold.
            let cluster = if host.len() < name.len() { host } else { name };
            database.execute(&[
                &format!("ALTER TABLE services CONVERT TO CHARACTER SET {services}"),
                &format!("ALTER TABLE clusters CONVERT TO CHARACTER SET {clusters}"),
            ]);
            database.insert(&[
                ("host", &format!("'{host}'")),
                ("cluster_name", &format!("'{cluster}'")),
            ]);
            database.insert_cluster(cluster, "NULL", false);
            let both = format!("{product:?}, services in {services}, clusters in {clusters}");
            let exporter = Exporter::start(&database.url(), &[]);
            let metrics = exporter.wait_for(&both, |metrics| polls(metrics) > 0.0);
            assert_eq!(
                metrics.service("openstack_service_up", "cinder-volume", host),
                Some(1.0),
                "{both}: {}",
                exporter.log()
            );
            let hosts = metrics.value("openstack_cluster_hosts", &[("cluster", cluster)]);
            assert_eq!(hosts, Some(1.0), "{both}");
        }
    }
}

/// Checks a user without read access to `missing`: services are shown without clusters, `check-config` names what is
/// missing, and the statements of the command in its warning fix it.
fn check_partial_grants(what: &str, missing: &str) {
    for product in Product::servers() {
        eprintln!("on {product:?}");
        let database = Database::new(product);
        database.insert(&[("cluster_name", "'c1@lvm'")]);
        database.insert_cluster("c1@lvm", "NULL", false);
        let (user, url) = database.reader("p");
        let account = database.account(&user);
        database.execute(&[&format!("REVOKE {what} FROM {account}")]);

        let exporter = Exporter::start(&url, QUICK);
        let metrics = exporter.wait_for("some polls", |metrics| polls(metrics) >= 4.0);
        let up = metrics.service("openstack_service_up", "cinder-volume", "block1");
        assert_eq!(up, Some(1.0), "{}", exporter.log());
        let mut series = metrics.0.lines().filter(|line| !line.starts_with('#'));
        let of_clusters = series.find(|line| line.starts_with("openstack_cluster_"));
        assert_eq!(of_clusters, None);
        // An old release lacks them too, so that the log is silent.
        let log = exporter.log();
        assert!(!log.contains(missing), "{log}");

        let check = ["check-config", "--connect"];
        let (code, message) = command(&check, &url);
        assert_eq!(code, Some(0), "{message}");
        assert!(message.contains("print grants"), "{message}");
        assert!(message.contains(missing), "{message}");
        database.run_grants(&message);
        let (code, message) = command(&check, &url);
        assert_eq!(code, Some(0), "{message}");
        assert!(!message.contains("print grants"), "{message}");
        let metrics = Exporter::start(&url, QUICK).wait_for_services();
        assert_eq!(metrics.count("openstack_cluster_up"), 1);
        assert_eq!(metrics.value("openstack_cluster_hosts", &[]), Some(1.0));
    }
}

#[test]
fn services_are_shown_without_a_grant_on_clusters() {
    check_partial_grants("ALL PRIVILEGES ON clusters", "clusters");
}

#[test]
fn no_cluster_looks_empty_without_a_grant_on_cluster_name() {
    check_partial_grants("SELECT (cluster_name) ON services", "cluster_name");
}

/// Asserts that the command in the message for a user with grants only on the tables prints the grant that PUBLIC lacks,
/// and that its output fixes it.
fn check_revoked(what: impl Fn(&str) -> String, grant: &str) {
    let database = Database::new(Engine::Postgres);
    database.insert(&[]);
    let (user, url) = database.reader("p");
    let what = what(&database.name);
    database.execute(&[&format!("REVOKE {what} FROM PUBLIC, {user}")]);

    let exporter = Exporter::start(&url, QUICK);
    exporter.wait_for("a failed poll", |metrics| polls(metrics) > 0.0);
    let (code, message) = command(&["services"], &url);
    assert_eq!(code, Some(2), "{message}");
    assert_eq!(exporter.metrics().count("openstack_service_up"), 0);
    let grants = database.run_grants(&message);
    assert!(grants.contains(grant), "{grants}");
    exporter.wait_for_services();
    let (code, message) = command(&["services"], &url);
    assert_eq!(code, Some(0), "{message}");
}

#[test]
fn a_schema_closed_to_public_names_the_missing_grant() {
    check_revoked(
        |_| "USAGE ON SCHEMA public".to_owned(),
        "GRANT USAGE ON SCHEMA",
    );
}

#[test]
fn a_database_closed_to_public_names_the_missing_grant() {
    check_revoked(
        |database| format!("CONNECT ON DATABASE {database}"),
        "GRANT CONNECT ON DATABASE",
    );
}

/// Runs a program where the only name server accepts queries and never answers.
///
/// Its network namespace is its own: port 53 is free there and needs no privileges.
const SILENT_NAME_SERVER: &str = r#"
import fcntl, os, socket, struct, subprocess, sys
folder, *program = sys.argv[1:]
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
fcntl.ioctl(server, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
server.bind(("127.0.0.1", 53))
server.set_inheritable(True)
for name in ("resolv.conf", "nsswitch.conf"):
    if os.path.exists("/etc/" + name):
        subprocess.run(["mount", "--bind", folder + "/" + name, "/etc/" + name], check=True)
os.execv(program[0], program)
"#;

/// Returns the program in its own namespaces, where the name server never answers.
fn without_names(arguments: &[&str]) -> Command {
    let folder = folder("names");
    std::fs::write(
        folder.join("resolv.conf"),
        "nameserver 127.0.0.1\noptions timeout:30\n",
    )
    .unwrap();
    std::fs::write(folder.join("nsswitch.conf"), "hosts: files dns\n").unwrap();
    let program = program(arguments);
    let mut command = Command::new("unshare");
    command
        .args(["--user", "--map-root-user", "--mount", "--net"])
        .arg(env("HEARTBEAT_TEST_PYTHON"))
        .args(["-c", SILENT_NAME_SERVER])
        .arg(folder)
        .arg(program.get_program())
        .args(program.get_args());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

const UNKNOWN_HOSTS: [&str; 2] = [
    "mysql://u:p@database.example.org/cinder",
    "postgresql://u:p@database.example.org/cinder",
];

#[test]
fn a_silent_name_server_does_not_delay_shutdown() {
    for url in UNKNOWN_HOSTS {
        let mut command = without_names(&["serve", "--database.connect-timeout=30s"]);
        command.env("OPENSTACK_HEARTBEAT_DATABASE_URL", url);
        let exporter = Exporter::spawn(&mut command);
        // By then it waits for the name; otherwise the poll would have failed.
        std::thread::sleep(Duration::from_secs(1));
        assert!(
            !exporter.log().contains("level=ERROR"),
            "{}",
            exporter.log()
        );
        assert_eq!(exporter.terminate().code(), Some(0));
    }
}

#[test]
fn a_silent_name_server_causes_a_timeout() {
    for url in UNKNOWN_HOSTS {
        let mut command = without_names(&["services", "--database.connect-timeout=2s"]);
        command.env("OPENSTACK_HEARTBEAT_DATABASE_URL", url);
        let started = Instant::now();
        let output = command.output().unwrap();
        let took = started.elapsed();
        let message = standard_error(&output);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains("within 2s"), "{message}");
        let limits = Duration::from_secs(2)..Duration::from_secs(6);
        assert!(limits.contains(&took), "{took:?}: {message}");
    }
}
