//! Every fault of a database, one after the other: a single exporter recovers from all of them.
//!
//! During the faults, services send heartbeats and an observer scrapes continuously. A service with heartbeats is
//! never shown as down, and a stopped one never as up. States are never older than `poll.stale-after`, and the
//! exporter has one connection to the database at most. Four more databases are read and shown all the time.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use openstack_heartbeat_exporter::config::database_url::Engine;
use sqlx::mysql::MySqlConnection;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};
use tokio::time::Instant;

use crate::sources::{are_healthy, file, healthy, healthy_polls, of, settings};
use crate::support::database::{Database, Product};
use crate::support::exporter::{Exporter, Metrics, program};
use crate::support::proxy::{Proxy, Way};
use crate::support::server::Server;
use crate::support::{block_on, folder};

const STALE_AFTER: Duration = Duration::from_secs(3);

/// Services with a heartbeat each second, each on its own host.
const BEATING: [&str; 4] = ["block1", "block2", "block3", "block4"];
const STOPPED: &str = "stopped";

/// The name of the source whose database has the faults.
const SOURCE: &str = "cinder";

/// The name of the database server in the exporter's URL.
const NAME: &str = "database.test";

/// A server with a database, and the proxy, name and password through which the exporter reaches it.
struct World {
    engine: Engine,
    server: Server,
    database: Database,
    proxy: Proxy,
    user: String,
    passwords: u32,
    password_file: PathBuf,
    names: PathBuf,
    /// Sessions that hold locks which the exporter needs.
    sessions: Vec<Session>,
}

/// A session of the superuser.
enum Session {
    MySql(MySqlConnection),
    Postgres(PgConnection),
}

impl Session {
    fn open(database: &Database) -> Option<Self> {
        let url = database.superuser_url();
        block_on(async {
            match database.engine {
                Engine::MySql => MySqlConnection::connect(&url).await.ok().map(Self::MySql),
                _ => PgConnection::connect(&url).await.ok().map(Self::Postgres),
            }
        })
    }

    fn execute(&mut self, statement: &str) -> Result<(), sqlx::Error> {
        let statement = sqlx::raw_sql(AssertSqlSafe(statement.to_owned()));
        block_on(async {
            match self {
                Self::MySql(session) => statement.execute(session).await.map(drop),
                Self::Postgres(session) => statement.execute(session).await.map(drop),
            }
        })
    }
}

impl Session {
    /// Ends the sessions of a user.
    fn end_those_of(&mut self, user: &str) {
        let Self::MySql(session) = self else {
            let end = format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{user}'"
            );
            return self.execute(&end).unwrap();
        };
        // MySQL has no KILL USER.
        let numbers =
            "SELECT CAST(id AS SIGNED) FROM information_schema.processlist WHERE user = ?";
        let numbers = sqlx::query_scalar(numbers).bind(user);
        let numbers: Vec<i64> = block_on(numbers.fetch_all(session)).unwrap();
        for number in numbers {
            // It may have ended by itself.
            let _ = self.execute(&format!("KILL {number}"));
        }
    }
}

impl World {
    /// Starts everything, and an exporter.
    fn start(product: Product) -> (Self, Exporter) {
        let server = Server::start(product);
        let database = Database::on(product.engine(), &server.url());
        for host in BEATING {
            let frozen = database.boolean(false);
            database.insert(&[("host", &format!("'{host}'")), ("frozen", frozen)]);
        }
        let long_ago = database.now(-600);
        database.insert(&[("host", "'stopped'"), ("updated_at", &long_ago)]);

        let (user, url) = database.reader("password-0");
        let proxy = Proxy::start(server.address());
        let scheme = url.split_once("://").unwrap().0;
        let url = format!("{scheme}://{user}@{NAME}:{}/{}", proxy.port, database.name);

        let folder = folder("faults");
        let password_file = folder.join("password");
        std::fs::write(&password_file, "password-0\n").unwrap();
        let more = format!(
            ", database.password-file: '{}', service-down-time: 60, report-interval: 1",
            password_file.display()
        );
        let settings = file(&(settings(&[(SOURCE, &url, &more)]) + &healthy()));
        let names = folder.join("hosts");
        std::fs::write(&names, format!("127.0.0.1 {NAME}\n")).unwrap();
        std::fs::write(folder.join("nsswitch.conf"), "hosts: files\n").unwrap();
        let serve = program(&[
            "serve",
            "--poll.interval=200ms",
            "--poll.stale-after=3s",
            "--database.connect-timeout=1s",
            "--database.query-timeout=1s",
            &format!("--config.file={}", settings.display()),
        ]);
        // In its own namespace, the exporter resolves names by our file.
        let script = "mount --bind \"$0/hosts\" /etc/hosts && mount --bind \"$0/nsswitch.conf\" /etc/nsswitch.conf && \
                      exec \"$@\"";
        let mut command = Command::new("unshare");
        command
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
            .arg(&folder)
            .arg(serve.get_program())
            .args(serve.get_args());
        let world = Self {
            engine: product.engine(),
            server,
            database,
            proxy,
            user,
            passwords: 0,
            password_file,
            names,
            sessions: Vec::new(),
        };
        (world, Exporter::spawn(&mut command))
    }

    fn is_mysql(&self) -> bool {
        self.engine == Engine::MySql
    }

    /// Ends the exporter's session at the server.
    fn end_session(&self) {
        let mut session = Session::open(&self.database).unwrap();
        session.end_those_of(&self.user);
    }
}

/// Sends heartbeats of the services until `ended`, by this machine's clock, during all faults.
fn beat(database: &Database, ended: &AtomicBool) {
    let mut session = None;
    let mut next = Instant::now();
    while !ended.load(Ordering::Relaxed) {
        session = session.or_else(|| Session::open(database));
        let update = format!(
            "UPDATE services SET report_count = report_count + 1, updated_at = '{}' WHERE host LIKE 'block%'",
            now().format("%Y-%m-%d %H:%M:%S%.6f")
        );
        let beaten = session
            .as_mut()
            .map(|session: &mut Session| session.execute(&update));
        if matches!(beaten, Some(Ok(()))) {
            next = (next + Duration::from_secs(1)).max(Instant::now());
        } else {
            session = None;
            next = Instant::now() + Duration::from_millis(100);
        }
        std::thread::sleep(next - Instant::now());
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the hosts of the services have this machine's clock"
)]
fn now() -> chrono::DateTime<chrono::Utc> {
    chrono::Utc::now()
}

/// The results of the observer.
#[derive(Debug, Default)]
struct Seen {
    looks: u32,
    /// The longest time for which the states of one poll were shown.
    longest_frozen: Duration,
    /// The longest time for which a service with heartbeats was not shown as up.
    longest_unknown: Duration,
    /// The longest time between two polls of a healthy source.
    longest_healthy: Duration,
}

/// A client that scrapes continuously.
struct Observer<'a> {
    exporter: &'a Exporter,
    /// Port of the database in the exporter's URL.
    port: u16,
    /// The latest published time of a poll, and when it was first seen.
    polled: (Option<f64>, Instant),
    /// When all services with heartbeats were last shown as up.
    up: Instant,
    /// The number of polls of each healthy source, and when it was first seen.
    healthy: [(f64, Instant); 4],
}

impl Observer<'_> {
    /// Scrapes once, and asserts the invariants.
    fn look(&mut self, seen: &Mutex<Seen>) {
        let metrics = self.exporter.metrics();
        let up = |host| metrics.service("openstack_service_up", "cinder-volume", host);
        for host in BEATING {
            let message = "beats and is shown as down";
            assert_ne!(up(host), Some(0.0), "{host} {message}\n{}", metrics.0);
        }
        let message = "a service that stopped is shown as up";
        assert_ne!(up(STOPPED), Some(1.0), "{message}\n{}", metrics.0);
        assert!(are_healthy(&metrics), "{}", metrics.0);
        self.look_at_healthy(&metrics, seen);
        let last = of(
            &metrics,
            "openstack_heartbeat_last_poll_timestamp_seconds",
            SOURCE,
        );
        if last != self.polled.0 {
            self.polled = (last, Instant::now());
        }
        let mut seen = seen.lock().unwrap();
        if is_shown(&metrics, "openstack_service_info") {
            seen.longest_frozen = seen.longest_frozen.max(self.polled.1.elapsed());
            // Allowance for a busy machine.
            let limit = STALE_AFTER + Duration::from_secs(2);
            assert!(seen.longest_frozen < limit, "{seen:?}\n{}", metrics.0);
        }
        if BEATING.iter().all(|host| up(host) == Some(1.0)) {
            self.up = Instant::now();
        }
        seen.longest_unknown = seen.longest_unknown.max(self.up.elapsed());
        seen.looks += 1;
        let connections = self.connections();
        let log = self.exporter.log();
        assert!(connections <= 1, "{connections} connections\n{log}");
    }

    /// Measures how long the other sources wait for their polls.
    fn look_at_healthy(&mut self, metrics: &Metrics, seen: &Mutex<Seen>) {
        let longest = &mut seen.lock().unwrap().longest_healthy;
        for (known, polls) in self.healthy.iter_mut().zip(healthy_polls(metrics)) {
            *longest = known.1.elapsed().max(*longest);
            if known.0 < polls {
                *known = (polls, Instant::now());
            }
        }
    }

    /// Returns the number of connections to the database that the exporter has or is opening.
    fn connections(&self) -> usize {
        let process = format!("/proc/{}", self.exporter.id());
        let table = std::fs::read_to_string(format!("{process}/net/tcp")).unwrap();
        let open = std::fs::read_dir(format!("{process}/fd")).unwrap();
        // A descriptor can be closed during this loop.
        let sockets: Vec<_> = open
            .filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok())
            .collect();
        let remote = format!("0100007F:{:04X}", self.port);
        let is_ours = |line: &&str| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            // ESTABLISHED and SYN_SENT; other processes, for example this test, have connections to this port too.
            fields.get(2) == Some(&remote.as_str())
                && matches!(fields.get(3), Some(&"01" | &"02"))
                && fields.get(9).is_some_and(|inode| {
                    let socket = format!("socket:[{inode}]");
                    sockets
                        .iter()
                        .any(|open| open.as_os_str() == socket.as_str())
                })
        };
        table.lines().filter(is_ours).count()
    }
}

/// A fault of the database, and its repair.
struct Fault {
    name: &'static str,
    /// Polls fail with one of these classes; if empty, they need not fail.
    classes: &'static [&'static str],
    strike: fn(&mut World),
    /// The condition that holds during the fault.
    during: fn(&Metrics) -> bool,
    /// The shortest duration of the fault.
    lasts: Duration,
    mend: fn(&mut World),
}

fn database_up(metrics: &Metrics) -> Option<f64> {
    of(metrics, "openstack_heartbeat_database_up", SOURCE)
}

/// Returns whether services of the source have a series with this name.
fn is_shown(metrics: &Metrics, name: &str) -> bool {
    metrics
        .0
        .contains(&format!("\n{name}{{database=\"{SOURCE}\","))
}

/// The database can't be read, and the known states are too old to be shown.
fn is_withheld(metrics: &Metrics) -> bool {
    database_up(metrics) == Some(0.0) && !is_shown(metrics, "openstack_service_info")
}

fn all_shown(metrics: &Metrics) -> bool {
    let up = |host| metrics.service("openstack_service_up", "cinder-volume", host);
    BEATING.iter().all(|host| up(host) == Some(1.0))
        && up(STOPPED) == Some(0.0)
        && database_up(metrics) == Some(1.0)
}

/// The database is read, its clock is an hour off, which is reported, and no verdict depends on that.
fn is_clock_suspect(metrics: &Metrics) -> bool {
    let offset = of(
        metrics,
        "openstack_heartbeat_database_clock_offset_seconds",
        SOURCE,
    );
    let up = |host| metrics.service("openstack_service_up", "cinder-volume", host);
    offset.is_some_and(|offset| (3590.0..3610.0).contains(&offset.abs()))
        && of(
            metrics,
            "openstack_heartbeat_reference_clock_suspect",
            SOURCE,
        ) == Some(1.0)
        && BEATING.iter().all(|host| up(host).is_none())
        && up(STOPPED) == Some(0.0)
}

const FAULTS: &[Fault] = &[
    Fault {
        name: "killed",
        classes: &["connect"],
        strike: |world| world.server.kill(),
        during: is_withheld,
        lasts: Duration::ZERO,
        mend: |world| world.server.restart(),
    },
    Fault {
        name: "stopped",
        classes: &["timeout"],
        strike: |world| world.server.stop(),
        during: is_withheld,
        lasts: Duration::ZERO,
        mend: |world| world.server.go_on(),
    },
    Fault {
        name: "restarted",
        classes: &["connect"],
        // A restart that falls between two polls would fail none.
        strike: |world| world.server.shut_down(),
        during: |metrics| database_up(metrics) == Some(0.0),
        lasts: Duration::ZERO,
        mend: |world| world.server.restart(),
    },
    Fault {
        name: "refusing",
        classes: &["connect"],
        strike: |world| world.proxy.set(Way::Refusing),
        during: is_withheld,
        lasts: Duration::ZERO,
        mend: |world| world.proxy.set(Way::Open),
    },
    Fault {
        name: "out of connections",
        classes: &["connect", "auth"],
        strike: |world| {
            if world.is_mysql() {
                world.database.execute(&["SET GLOBAL max_connections = 10"]);
                // The exporter may reconnect before the test looks, but not each time.
                for _ in 0..5 {
                    while let Some(session) = Session::open(&world.database) {
                        world.sessions.push(session);
                    }
                    world.sessions[0].end_those_of(&world.user);
                }
            } else {
                let limit = format!("ALTER ROLE {} CONNECTION LIMIT 0", world.user);
                world.database.execute(&[&limit]);
                world.end_session();
            }
        },
        during: is_withheld,
        lasts: Duration::ZERO,
        mend: |world| {
            world.sessions.clear();
            if world.is_mysql() {
                std::thread::sleep(Duration::from_millis(200));
                world
                    .database
                    .execute(&["SET GLOBAL max_connections = 300"]);
            } else {
                let limit = format!("ALTER ROLE {} CONNECTION LIMIT -1", world.user);
                world.database.execute(&[&limit]);
            }
        },
    },
    Fault {
        name: "table locked",
        classes: &["timeout"],
        strike: |world| {
            let mut session = Session::open(&world.database).unwrap();
            let lock = if world.is_mysql() {
                "LOCK TABLES services WRITE"
            } else {
                "BEGIN; LOCK TABLE services IN ACCESS EXCLUSIVE MODE"
            };
            session.execute(lock).unwrap();
            world.sessions.push(session);
        },
        during: is_withheld,
        lasts: Duration::from_secs(20),
        mend: |world| world.sessions.clear(),
    },
    Fault {
        name: "a byte a second",
        classes: &["timeout"],
        strike: |world| world.proxy.set(Way::Slow),
        during: is_withheld,
        lasts: Duration::ZERO,
        mend: |world| world.proxy.set(Way::Open),
    },
    Fault {
        name: "dropped silently",
        classes: &["timeout"],
        strike: |world| world.proxy.set(Way::Silent),
        during: is_withheld,
        lasts: Duration::ZERO,
        mend: |world| world.proxy.set(Way::Open),
    },
    Fault {
        name: "name unknown",
        classes: &["connect"],
        strike: |world| {
            std::fs::write(&world.names, "").unwrap();
            world.end_session();
        },
        during: is_withheld,
        lasts: Duration::ZERO,
        mend: |world| std::fs::write(&world.names, format!("127.0.0.1 {NAME}\n")).unwrap(),
    },
    Fault {
        name: "password rotated",
        classes: &["auth"],
        strike: |world| {
            world.passwords += 1;
            let (user, password) = (&world.user, format!("password-{}", world.passwords));
            let statement = if world.is_mysql() {
                format!("ALTER USER '{user}'@'%' IDENTIFIED BY '{password}'")
            } else {
                format!("ALTER ROLE {user} PASSWORD '{password}'")
            };
            world.database.execute(&[&statement]);
            world.end_session();
        },
        during: is_withheld,
        lasts: Duration::ZERO,
        mend: |world| {
            let password = format!("password-{}\n", world.passwords);
            std::fs::write(&world.password_file, password).unwrap();
        },
    },
    Fault {
        name: "table altered",
        classes: &["query"],
        strike: |world| {
            world
                .database
                .execute(&["ALTER TABLE services DROP COLUMN frozen"]);
        },
        during: |metrics| !is_shown(metrics, "openstack_service_frozen") && all_shown(metrics),
        lasts: Duration::ZERO,
        mend: |world| {
            let add = "ALTER TABLE services ADD COLUMN frozen BOOLEAN";
            world.database.execute(&[add]);
            // No user has a grant on a new column.
            world.database.grant(&world.user);
        },
    },
    Fault {
        name: "another server, an hour ahead",
        classes: &[],
        strike: |world| another_server(world, 3600),
        during: is_clock_suspect,
        lasts: Duration::from_secs(5),
        mend: |world| another_server(world, 0),
    },
    Fault {
        name: "another server, an hour behind",
        classes: &[],
        strike: |world| another_server(world, -3600),
        during: is_clock_suspect,
        lasts: Duration::from_secs(5),
        mend: |world| another_server(world, 0),
    },
];

/// Restarts the server on the same rows, with its clock this many seconds ahead.
fn another_server(world: &mut World, ahead: i64) {
    world.server.shut_down();
    world.server.restart_ahead(ahead);
}

fn failures(metrics: &Metrics, class: &str) -> f64 {
    let labels = [("database", SOURCE), ("class", class)];
    let name = "openstack_heartbeat_poll_failures_total";
    metrics.value(name, &labels).unwrap()
}

fn check(product: Product) {
    let (mut world, exporter) = World::start(product);
    let (ended, seen) = (AtomicBool::new(false), Mutex::new(Seen::default()));
    let writers = world.database.clone();
    let port = world.proxy.port;
    std::thread::scope(|scope| {
        // The end of this scope ends the other threads.
        let ending = Ending(&ended);
        scope.spawn(|| beat(&writers, &ended));
        exporter.wait_for("the services are shown", |it| {
            all_shown(it) && are_healthy(it)
        });
        let observing = scope.spawn(|| {
            let mut observer = Observer {
                exporter: &exporter,
                port,
                polled: (None, Instant::now()),
                up: Instant::now(),
                healthy: [(0.0, Instant::now()); 4],
            };
            while !ended.load(Ordering::Relaxed) {
                observer.look(&seen);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        // By then, a heartbeat of each service is on disk, and its clock is known.
        std::thread::sleep(Duration::from_secs(5));
        for fault in FAULTS {
            let before = exporter.metrics();
            *seen.lock().unwrap() = Seen::default();
            let struck = Instant::now();
            (fault.strike)(&mut world);
            exporter.wait_for(fault.name, |metrics| {
                let mut classes = fault.classes.iter();
                fault.classes.is_empty()
                    || classes.any(|class| failures(metrics, class) > failures(&before, class))
            });
            exporter.wait_for(fault.name, fault.during);
            std::thread::sleep(fault.lasts.saturating_sub(struck.elapsed()));
            (fault.mend)(&mut world);
            let mended = Instant::now();
            exporter.wait_for(&format!("{}: recovery", fault.name), all_shown);
            let recovered = mended.elapsed();
            assert!(!observing.is_finished(), "{}", fault.name);
            let seen = seen.lock().unwrap();
            eprintln!(
                "{product:?}: {}: {:.1} s, shown again {:.1} s later; longest without a verdict {:.1} s, longest as of \
                 one poll {:.1} s, longest between polls of a healthy source {:.1} s; {} looks",
                fault.name,
                (mended - struck).as_secs_f64(),
                recovered.as_secs_f64(),
                seen.longest_unknown.as_secs_f64(),
                seen.longest_frozen.as_secs_f64(),
                seen.longest_healthy.as_secs_f64(),
                seen.looks,
            );
            assert!(seen.looks > 0);
        }
        drop(ending);
        observing.join().unwrap();
    });
    assert!(exporter.terminate().success());
}

/// Ends the other threads when dropped, even by a panic.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn an_exporter_on_mariadb_recovers_from_every_fault() {
    check(Product::MariaDb);
}

#[test]
fn an_exporter_on_postgresql_recovers_from_every_fault() {
    check(Product::Postgres);
}

#[test]
fn an_exporter_on_mysql_recovers_from_every_fault() {
    if Product::servers().contains(&Product::MySql) {
        check(Product::MySql);
    }
}
