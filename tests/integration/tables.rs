//! Projects whose services need too much to run here: their own tables, with rows as their services were seen to write.

use openstack_heartbeat_exporter::config::database_url::Engine;

use crate::support::database::Database;
use crate::support::exporter::Exporter;

/// A row: binary, host, age of the last heartbeat in seconds (`None`: it never came), values of further columns, and
/// whether the service is up.
type Row = (&'static str, &'static str, Option<i64>, &'static str, bool);

/// Reads these rows with the printed grants. `columns` are those of binary, host, times and the further values.
fn check(project: &'static str, release: &str, columns: &str, rows: &[Row]) {
    let path = format!("tests/data/{project}/{release}.mariadb.sql");
    let sql = std::fs::read_to_string(path).unwrap();
    let database = Database::of_release(project, Engine::MySql, &sql);
    for (binary, host, age, values, _) in rows {
        let stamp = age.map_or("NULL".to_owned(), |age| {
            format!("UTC_TIMESTAMP() - INTERVAL {age} SECOND")
        });
        database.execute(&[&format!(
            "INSERT INTO {columns} VALUES ('{binary}', '{host}', UTC_TIMESTAMP() - INTERVAL 1 DAY, {stamp}, {stamp}{values})"
        )]);
    }
    let exporter = Exporter::start(&database.url(), &[&format!("--project={project}")]);
    let metrics = exporter.wait_for_services();
    let shown = |name, (binary, host, ..): &Row| metrics.service(name, binary, host);
    for row in rows {
        let up = shown("openstack_service_up", row);
        let expected = row.3 != DELETED;
        assert_eq!(up.is_some(), expected, "{row:?}");
        let is_up = up == Some(1.0);
        assert_eq!(is_up, row.4, "{row:?}\n{}", metrics.0);
        assert_eq!(shown("openstack_service_up_for_scheduler", row), None);
    }
    let forced = metrics
        .0
        .lines()
        .filter(|line| line.contains("reason=\"forced_down\""));
    let expected = rows.iter().filter(|row| row.3.ends_with(", 1"));
    assert_eq!(forced.count(), expected.count(), "{}", metrics.0);
}

/// The further values of a row that Watcher deleted.
const DELETED: &str = ", 7";

#[test]
fn watchers_table_is_read() {
    let engine = "watcher-decision-engine";
    let columns = "services (name, host, created_at, updated_at, last_seen_up, deleted)";
    let rows: [Row; 6] = [
        (engine, "fresh", Some(5), ", 0", true),
        (engine, "inside", Some(60), ", 0", true),
        (engine, "old", Some(95), ", 0", false),
        (engine, "ahead", Some(-150), ", 0", false),
        (engine, "new", None, ", 0", false),
        (engine, "gone", Some(5), DELETED, false),
    ];
    check("watcher", "2-17", columns, &rows);
}

/// The rows of Magnum and Zun: count, disabled, forced down.
fn rows(binary: &'static str) -> [Row; 6] {
    [
        (binary, "fresh", Some(5), ", 36, 0, 0", true),
        (binary, "inside", Some(120), ", 36, 0, 0", true),
        (binary, "old", Some(200), ", 36, 0, 0", false),
        (binary, "ahead", Some(-300), ", 36, 0, 0", false),
        (binary, "disabled", Some(5), ", 36, 1, 0", true),
        (binary, "forced", Some(5), ", 36, 0, 1", false),
    ]
}

#[test]
fn magnums_and_zuns_tables_are_read() {
    let columns = "(`binary`, host, created_at, updated_at, last_seen_up, report_count, disabled, forced_down)";
    for (project, release, binary) in [
        ("magnum", "8-23", "magnum-conductor"),
        ("zun", "3-18", "zun-compute"),
    ] {
        let table = format!("{project}_service {columns}");
        check(project, release, &table, &rows(binary));
    }
}
