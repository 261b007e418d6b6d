//! The tables of the first and the last release of projects, with rows as their services were seen to write.

use crate::support::database::{Database, Product};
use crate::support::exporter::Exporter;
use crate::support::folder;

/// What PostgreSQL writes in another way than MariaDB.
const POSTGRES: &[(&str, &str)] = &[
    (" ENGINE=InnoDB DEFAULT CHARSET=utf8mb3", ""),
    ("int(11) NOT NULL AUTO_INCREMENT", "serial NOT NULL"),
    ("int(11)", "integer"),
    ("tinyint(1)", "boolean"),
    ("datetime", "timestamp without time zone"),
    ("`", "\""),
];

/// Host, age of the last heartbeat in seconds (`None`: it never came), values of further columns, and what is published:
/// `up`, `down`, a reason that an operator or the service itself caused, or nothing.
type Row = (&'static str, Option<i64>, &'static str, &'static str);

/// Checks that rows are read with the printed grants, without a warning. `insert` is a statement up to the host's value;
/// the times of the creation and of the last heartbeat follow, then the further values.
fn check(table: &'static str, binary: &str, insert: &str, rows: &[Row]) {
    let (project, _) = table.split_once('/').unwrap();
    let script = std::fs::read_to_string(format!("tests/data/{table}.mariadb.sql")).unwrap();
    // Without a file, a warning would say that the options are the defaults.
    let file = folder(project).join("project.conf");
    std::fs::write(&file, "[DEFAULT]\n").unwrap();
    let named = format!("--project={project}={}", file.display());
    for (product, dialect) in [(Product::MariaDb, &[][..]), (Product::Postgres, POSTGRES)] {
        let translate = |sql: &str| {
            let replace = |sql: String, (from, to): &(&str, &str)| sql.replace(from, to);
            dialect.iter().fold(sql.to_owned(), replace)
        };
        let database = Database::of_release(project, product, &translate(&script));
        for (host, age, values, _) in rows {
            let created = database.now(-24 * 3_600);
            let stamp = age.map_or("NULL".to_owned(), |age| database.now(-age));
            let insert = translate(insert);
            database.execute(&[&format!("{insert} '{host}', {created}, {stamp}{values})")]);
        }
        let exporter = Exporter::start(&database.url(), &[&named]);
        let page = exporter.wait_for_services();
        for row in rows {
            let (host, .., expected) = *row;
            let up = page.service("openstack_service_up", binary, host);
            let is_up = f64::from(u8::from(expected == "up"));
            let is_listed = !expected.is_empty();
            assert_eq!(up, is_listed.then_some(is_up), "{row:?}\n{}", page.0);
            for reason in ["forced_down", "shut_down"] {
                let found = page.reason(host) == reason;
                assert_eq!(found, reason == expected, "{row:?}\n{}", page.0);
            }
        }
        assert_eq!(page.count("openstack_service_up_for_scheduler"), 0);
        let log = exporter.terminate_for_log();
        assert!(!log.contains("level=WARN"), "{log}");
    }
}

#[test]
fn watchers_table_is_read() {
    let name = "watcher-decision-engine";
    let insert = format!(
        "INSERT INTO services (name, host, created_at, last_seen_up, deleted) VALUES ('{name}',"
    );
    let rows = [
        ("fresh", Some(5), ", 0", "up"),
        ("inside", Some(60), ", 0", "up"),
        ("old", Some(95), ", 0", "down"),
        ("ahead", Some(-150), ", 0", "down"),
        ("new", None, ", 0", "down"),
        ("gone", Some(5), ", 7", ""),
    ];
    check("watcher/2-17", name, &insert, &rows);
}

#[test]
fn magnums_and_zuns_tables_are_read() {
    let rows = [
        ("fresh", Some(5), ", 36, FALSE, FALSE", "up"),
        ("inside", Some(120), ", 36, FALSE, FALSE", "up"),
        ("old", Some(200), ", 36, FALSE, FALSE", "down"),
        ("ahead", Some(-300), ", 36, FALSE, FALSE", "down"),
        ("disabled", Some(5), ", 36, TRUE, FALSE", "up"),
        ("forced", Some(5), ", 36, FALSE, TRUE", "forced_down"),
    ];
    for (table, name, binary) in [
        ("magnum/8-23", "magnum_service", "magnum-conductor"),
        ("zun/3-18", "zun_service", "zun-compute"),
    ] {
        let insert = format!(
            "INSERT INTO {name} (`binary`, host, created_at, last_seen_up, report_count, disabled, forced_down) \
             VALUES ('{binary}',"
        );
        check(table, binary, &insert, &rows);
    }
}

#[test]
fn the_table_of_the_first_release_of_ironic_is_read() {
    let insert = "INSERT INTO conductors (version, hostname, created_at, updated_at, online) VALUES ('1.50',";
    let rows = [
        ("fresh", Some(5), ", TRUE", "up"),
        ("old", Some(65), ", TRUE", "down"),
        ("ahead", Some(-150), ", TRUE", "up"),
        ("gone", Some(5), ", FALSE", "shut_down"),
    ];
    check("ironic/12", "ironic-conductor", insert, &rows);
}

#[test]
fn heats_table_is_read() {
    let insert = "INSERT INTO service (hostname, topic, report_interval, engine_id, `binary`, host, created_at, updated_at, \
                  deleted_at, id) VALUES ('node', 'engine', 30, '', 'heat-engine',";
    let rows = [
        ("fresh", Some(5), ", NULL, repeat('0', 32)", "up"),
        ("inside", Some(55), ", NULL, repeat('1', 32)", "up"),
        ("old", Some(65), ", NULL, repeat('2', 32)", "down"),
        ("ahead", Some(-150), ", NULL, repeat('3', 32)", "up"),
        ("gone", Some(5), ", '2026-11-28', repeat('4', 32)", ""),
    ];
    check("heat/12-27", "heat-engine", insert, &rows);
}
