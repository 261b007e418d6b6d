//! Databases that are found on a server, and those that are passed over.

use crate::support::database::{Database, Product};
use crate::support::exporter::{Exporter, Metrics, program, run};
use crate::support::server::Server;

const UP: &str = "openstack_heartbeat_discovery_up";

/// A server with Cinder's database, a copy, somebody else's `services`, and an empty database.
struct Cloud {
    server: Server,
    cinder: Database,
    copy: Database,
    foreign: Database,
    empty: Database,
}

impl Cloud {
    fn start(product: Product) -> Self {
        let server = Server::start(product);
        let engine = product.engine();
        let [cinder, copy, foreign, empty] = [(); 4].map(|()| Database::on(engine, &server.url()));
        cinder.insert(&[]);
        copy.insert(&[]);
        foreign.execute(&[
            "DROP TABLE services CASCADE",
            "DROP TABLE clusters CASCADE",
            "CREATE TABLE services (id int, name text)",
        ]);
        empty.execute(&["DROP TABLE services CASCADE", "DROP TABLE clusters CASCADE"]);
        Self {
            server,
            cinder,
            copy,
            foreign,
            empty,
        }
    }

    /// Returns the settings for a user of the server who may read the databases that are granted.
    fn user(&self, granted: &[&Database]) -> String {
        let (user, url) = self.cinder.user("heart-beat");
        for database in granted {
            database.grant(&user);
        }
        url.strip_suffix(&self.cinder.name).unwrap().to_owned()
    }
}

/// Serves without naming a project.
fn serve(url: &str, arguments: &[&str]) -> Exporter {
    let mut command = program(&["serve", "--poll.interval=200ms"]);
    command.args(arguments);
    Exporter::spawn(command.env("OPENSTACK_HEARTBEAT_DATABASE_URL", url))
}

fn is_up(metrics: &Metrics, database: &Database) -> bool {
    let labels = [("database", database.name.as_str())];
    metrics.value("openstack_heartbeat_database_up", &labels) == Some(1.0)
}

/// Returns the lines of the table of `check-config --connect`.
fn table(url: &str, arguments: &[&str]) -> Vec<String> {
    let mut all = vec!["check-config", "--connect"];
    all.extend(arguments);
    let output = run(&all, &[("OPENSTACK_HEARTBEAT_DATABASE_URL", url)]);
    let text = String::from_utf8(output.stdout).unwrap();
    let start = text
        .find("DATABASE ")
        .unwrap_or_else(|| panic!("no table in: {text}"));
    let lines = text[start..].lines().take_while(|line| !line.is_empty());
    lines
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

fn check(product: Product) {
    let cloud = Cloud::start(product);
    let Cloud {
        cinder,
        copy,
        foreign,
        empty,
        ..
    } = &cloud;
    let url = cloud.user(&[cinder, copy]);
    // PostgreSQL shows the columns of the templates, without a grant.
    let templates = "--discovery.exclude=*_template";
    let exclude = format!("--discovery.exclude={}*", copy.name);

    let exporter = serve(&url, &[templates]);
    let metrics = exporter.wait_for("both databases are read", |metrics| {
        is_up(metrics, cinder) && is_up(metrics, copy)
    });
    assert_eq!(metrics.value(UP, &[]), Some(1.0));
    assert_eq!(metrics.count("openstack_heartbeat_database_up"), 2);
    assert_eq!(exporter.get("/-/ready").status, 200);

    let lines = table(&url, &[&exclude]);
    let read = "cinder service_down_time 60 s (default), report_interval 10 s (default)";
    let excluded = "- passed over: `discovery.exclude` leaves it out";
    let mut expected = vec![(cinder, read), (copy, excluded)];
    if product == Product::Postgres {
        // The others show only what is granted.
        let unknown = "- passed over: its table `services` matches no known project";
        let none = "- passed over: it has no table of services that the user can see";
        expected.extend([(foreign, unknown), (empty, none)]);
    }
    for (database, note) in expected {
        let line = format!("{} {note}", database.name);
        assert!(lines.contains(&line), "`{line}` is not in: {lines:?}");
    }
    let only = serve(&url, &[&exclude]);
    only.wait_for("one database is read", |metrics| is_up(metrics, cinder));
    assert_eq!(only.metrics().count("openstack_heartbeat_database_up"), 1);
}

#[test]
fn on_mariadb_every_database_with_a_known_table_is_read() {
    check(Product::MariaDb);
}

#[test]
fn on_mysql_every_database_with_a_known_table_is_read() {
    check(Product::MySql);
}

#[test]
fn on_postgresql_every_database_with_a_known_table_is_read() {
    check(Product::Postgres);
}

#[test]
fn a_server_that_is_away_is_asked_again_and_what_was_found_stays() {
    let mut cloud = Cloud::start(Product::MariaDb);
    let url = cloud.user(&[&cloud.cinder]);
    cloud.server.kill();
    let exporter = serve(&url, &[]);
    exporter.wait_for("the search fails", |metrics| {
        metrics.value(UP, &[]) == Some(0.0)
    });
    exporter.wait_for_log("cannot find the databases");
    let answer = exporter.get("/");
    let page = answer.text();
    assert!(
        page.contains("The exporter cannot look for databases"),
        "{page}"
    );
    assert_eq!(exporter.get("/api/v1/services").status, 503);

    cloud.server.restart();
    exporter.wait_for("the database is found", |metrics| {
        is_up(metrics, &cloud.cinder)
    });
    cloud.server.kill();
    exporter.signal("HUP");
    let labels = [("database", cloud.cinder.name.as_str())];
    exporter.wait_for("search and poll fail", |metrics| {
        metrics.value(UP, &[]) == Some(0.0)
            && metrics.value("openstack_heartbeat_database_up", &labels) == Some(0.0)
    });
}

#[test]
fn a_user_without_grants_finds_nothing_and_a_reload_finds_what_was_granted() {
    let cloud = Cloud::start(Product::MariaDb);
    let url = cloud.user(&[]);
    let exporter = serve(&url, &[]);
    exporter.wait_for_log("no database of a known project is there");
    assert_eq!(exporter.metrics().value(UP, &[]), Some(0.0));
    let user = url.split("://").nth(1).unwrap().split(':').next().unwrap();
    cloud.copy.grant(user);
    exporter.signal("HUP");
    exporter.wait_for("the granted database is read", |metrics| {
        is_up(metrics, &cloud.copy)
    });
    let services = run(
        &["services", "--format=json"],
        &[("OPENSTACK_HEARTBEAT_DATABASE_URL", &url)],
    );
    let services = String::from_utf8(services.stdout).unwrap();
    assert!(services.contains(&cloud.copy.name), "{services}");
}

#[test]
fn the_project_of_one_database_is_recognised_by_its_table() {
    let manila = Database::of("manila", Product::MariaDb);
    let (user, url) = manila.user("heart-beat");
    manila.grant(&user);
    let exporter = serve(&url, &[]);
    let metrics = exporter.wait_for("the database is read", |metrics| {
        metrics.value("openstack_heartbeat_database_up", &[("database", "manila")]) == Some(1.0)
    });
    let labels = [("database", "manila"), ("project", "manila")];
    assert_eq!(
        metrics.value("openstack_heartbeat_database_info", &labels),
        Some(1.0)
    );
}

#[test]
fn a_project_that_cannot_be_read_is_named_and_read_once_it_is_granted() {
    let cloud = Cloud::start(Product::Postgres);
    let url = cloud.user(&[&cloud.cinder]);
    let user = url.split("://").nth(1).unwrap().split(':').next().unwrap();
    // The server shows the columns of the copy and of the templates.
    let exclude = "--discovery.exclude=*_template";
    let exporter = serve(&url, &[exclude]);
    exporter.wait_for("a database is read", |metrics| {
        is_up(metrics, &cloud.cinder)
    });
    assert_eq!(exporter.metrics().value(UP, &[]), Some(0.0));
    exporter.wait_for_log("a database was found, but can't be read");
    let answer = exporter.get("/");
    let page = answer.text();
    assert!(
        page.contains("cannot read every database that it found"),
        "{page}"
    );

    let environment = [("OPENSTACK_HEARTBEAT_DATABASE_URL", &*url)];
    for command in [
        ["check-config", "--connect", exclude],
        ["services", "--wait=0", exclude],
    ] {
        let output = run(&command, &environment);
        assert_eq!(output.status.code(), Some(2), "{command:?}");
        let error = String::from_utf8(output.stderr).unwrap();
        let grants = format!(
            "print grants cinder --engine postgresql --database {}",
            cloud.copy.name
        );
        assert!(error.contains(&grants), "{error}");
    }
    cloud.copy.grant(user);
    exporter.wait_for("both are read", |metrics| {
        is_up(metrics, &cloud.copy) && metrics.value(UP, &[]) == Some(1.0)
    });
    // A reload forgets nothing that can't be read for a moment.
    cloud
        .copy
        .execute(&[&format!("REVOKE SELECT (id) ON services FROM {user}")]);
    exporter.signal("HUP");
    exporter.wait_for("the search sees it", |metrics| {
        metrics.value(UP, &[]) == Some(0.0)
    });
    assert_eq!(
        exporter.metrics().count("openstack_heartbeat_database_up"),
        2
    );
}
