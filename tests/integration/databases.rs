//! One body of tests on all engines: rows with every oddity, and the resulting metrics.

use openstack_heartbeat_exporter::config::database_url::Engine;

use crate::support::database::{Database, Product};
use crate::support::exporter::{Exporter, Metrics};

const VOLUME: &str = "cinder-volume";

/// Runs a body on each product; a panic names the product.
fn on_each_engine(body: impl Fn(Database)) {
    for product in Product::all() {
        eprintln!("on {product:?}");
        body(Database::new(product));
    }
}

fn metrics(database: &Database) -> Metrics {
    Exporter::start(&database.url(), &[]).wait_for_services()
}

fn up(metrics: &Metrics, host: &str) -> Option<f64> {
    metrics.service("openstack_service_up", VOLUME, host)
}

fn up_for_scheduler(metrics: &Metrics, host: &str) -> Option<f64> {
    metrics.service("openstack_service_up_for_scheduler", VOLUME, host)
}

fn age(metrics: &Metrics, host: &str) -> Option<f64> {
    metrics.service("openstack_service_heartbeat_age_seconds", VOLUME, host)
}

fn rejected(metrics: &Metrics, reason: &str) -> Option<f64> {
    metrics.value("openstack_heartbeat_rows_rejected", &[("reason", reason)])
}

#[test]
fn ages_and_verdicts_use_the_database_clock() {
    on_each_engine(|database| {
        for (host, seconds) in [
            ("now", 0),
            ("behind", -75),
            ("ahead", 75),
            ("safe", 40),
            ("hour", -3600),
        ] {
            let time = database.now(seconds);
            database.insert(&[("host", &format!("'{host}'")), ("updated_at", &time)]);
        }
        let metrics = metrics(&database);
        for (host, r1, r2, expected) in [
            ("now", 1.0, 1.0, 0.0),
            ("behind", 0.0, 0.0, 75.0),
            ("ahead", 0.0, 1.0, -75.0),
            ("safe", 1.0, 1.0, -40.0),
            ("hour", 0.0, 0.0, 3600.0),
        ] {
            assert_eq!(up(&metrics, host), Some(r1), "R1 of {host}");
            assert_eq!(up_for_scheduler(&metrics, host), Some(r2), "R2 of {host}");
            // The rows were written up to some seconds ago, and MariaDB truncates up to one second.
            let age = age(&metrics, host).unwrap();
            assert!((-0.1..15.0).contains(&(age - expected)), "{host}: {age}");
        }
    });
}

#[test]
fn every_fact_of_a_row_is_shown() {
    on_each_engine(|database| {
        database.insert(&[
            ("host", "'block2@lvmdriver-b21'"),
            ("report_count", "2147483647"),
            ("disabled", database.boolean(true)),
            ("disabled_reason", "'maintenance'"),
            ("frozen", database.boolean(true)),
            ("cluster_name", "'c1@lvm'"),
            ("uuid", "'a1b2'"),
            ("rpc_current_version", "'3.19'"),
            ("object_current_version", "'1.39'"),
            ("replication_status", "'failed-over'"),
            ("active_backend_id", "'b2'"),
        ]);
        let metrics = metrics(&database);
        let host = "block2@lvmdriver-b21";
        let value = |name| metrics.service(name, VOLUME, host);
        assert_eq!(value("openstack_service_enabled"), Some(0.0));
        assert_eq!(value("openstack_service_frozen"), Some(1.0));
        assert_eq!(
            value("openstack_service_heartbeats_total"),
            Some(2_147_483_647.0)
        );
        let info = "openstack_service_info{database=\"cinder\",binary=\"cinder-volume\",host=\"block2@lvmdriver-b21\",availability_zone=\"nova\",\
                    cluster_name=\"c1@lvm\",uuid=\"a1b2\",topic=\"cinder-volume\",rpc_version=\"3.19\",\
                    object_version=\"1.39\",replication_status=\"failed-over\",active_backend_id=\"b2\"} 1\n";
        assert!(metrics.0.contains(info), "{}", metrics.0);
    });
}

#[test]
fn null_times_follow_cinders_rules() {
    on_each_engine(|database| {
        database.insert(&[("host", "'new'"), ("updated_at", "NULL")]);
        let old = database.now(-3600);
        database.insert(&[
            ("host", "'old'"),
            ("updated_at", "NULL"),
            ("created_at", &old),
        ]);
        database.insert(&[
            ("host", "'bare'"),
            ("updated_at", "NULL"),
            ("created_at", "NULL"),
        ]);
        let metrics = metrics(&database);
        for (host, r1) in [("new", 1.0), ("old", 0.0), ("bare", 0.0)] {
            assert_eq!(up(&metrics, host), Some(r1), "R1 of {host}");
            assert_eq!(up_for_scheduler(&metrics, host), Some(0.0), "R2 of {host}");
        }
        assert!(age(&metrics, "new").is_some());
        assert_eq!(age(&metrics, "bare"), None);
    });
}

#[test]
fn deleted_rows_and_rows_with_deleted_null_are_not_listed() {
    on_each_engine(|database| {
        database.insert(&[("host", "'kept'")]);
        database.insert(&[("host", "'gone'"), ("deleted", database.boolean(true))]);
        database.insert(&[("host", "'null'"), ("deleted", "NULL")]);
        let metrics = metrics(&database);
        assert_eq!(metrics.count("openstack_service_up"), 1);
        assert_eq!(up(&metrics, "kept"), Some(1.0));
        assert_eq!(metrics.value("openstack_heartbeat_rows", &[]), Some(1.0));
    });
}

#[test]
fn null_flags_are_false() {
    on_each_engine(|database| {
        database.insert(&[
            ("disabled", "NULL"),
            ("frozen", "NULL"),
            ("availability_zone", "NULL"),
            ("topic", "NULL"),
        ]);
        let metrics = metrics(&database);
        assert_eq!(
            metrics.service("openstack_service_enabled", VOLUME, "block1"),
            Some(1.0)
        );
        assert_eq!(metrics.count("openstack_service_frozen"), 0);
    });
}

#[test]
fn unnamed_rows_are_counted_and_hide_no_other() {
    on_each_engine(|database| {
        database.insert(&[("host", "NULL")]);
        database.insert(&[("binary", "NULL"), ("host", "'x'")]);
        database.insert(&[("host", "'good'")]);
        let metrics = metrics(&database);
        assert_eq!(up(&metrics, "good"), Some(1.0));
        assert_eq!(metrics.count("openstack_service_up"), 1);
        assert_eq!(rejected(&metrics, "null_host"), Some(1.0));
        assert_eq!(rejected(&metrics, "null_binary"), Some(1.0));
        assert_eq!(rejected(&metrics, "unreadable_time"), Some(0.0));
        assert_eq!(metrics.value("openstack_heartbeat_rows", &[]), Some(3.0));
    });
}

#[test]
fn the_freshest_of_duplicate_rows_is_shown() {
    on_each_engine(|database| {
        for seconds in [-500, -3, -90] {
            let time = database.now(seconds);
            database.insert(&[
                ("updated_at", &time),
                ("report_count", &seconds.abs().to_string()),
            ]);
        }
        let metrics = metrics(&database);
        assert_eq!(metrics.count("openstack_service_up"), 1);
        assert_eq!(
            metrics.service("openstack_service_heartbeats_total", VOLUME, "block1"),
            Some(3.0)
        );
        assert_eq!(
            metrics.service("openstack_service_duplicate_rows", VOLUME, "block1"),
            Some(2.0)
        );
    });
}

#[test]
fn hostile_names_survive() {
    on_each_engine(|database| {
        let long = "ж".repeat(127);
        // Each as SQL and as a label. A backslash is literal in standard SQL, and an escape in MySQL.
        let backslash = if database.engine == Engine::MySql {
            "a\\\\b"
        } else {
            "a\\b"
        };
        for (host, label) in [
            ("say \"hi\"", "say \\\"hi\\\"".to_owned()),
            (backslash, "a\\\\b".to_owned()),
            ("two\nlines", "two\\nlines".to_owned()),
            (
                "rbd:volumes@backend#pool",
                "rbd:volumes@backend#pool".to_owned(),
            ),
            ("日本語 {}=,", "日本語 {}=,".to_owned()),
            (&long, long.clone()),
            (&"h".repeat(255), "h".repeat(255)),
        ] {
            database.insert(&[("host", &format!("'{host}'"))]);
            let metrics = metrics(&database);
            assert_eq!(up(&metrics, &label), Some(1.0), "{label}\n{}", metrics.0);
            database.execute(&["DELETE FROM services"]);
        }
    });
}

#[test]
fn tables_of_old_releases_without_some_columns_or_clusters_are_read() {
    on_each_engine(|database| {
        database.insert(&[]);
        database.insert_cluster("c1", "NULL", false);
        let url = database.superuser_url();
        let drop = |column: &str| {
            database.execute(&[&format!("ALTER TABLE services DROP COLUMN {column}")]);
        };
        // Objects that depend on the columns are dropped first.
        match database.engine {
            Engine::MySql => database.execute(&["DROP INDEX services_uuid_idx ON services"]),
            Engine::Sqlite => database.execute(&["DROP INDEX services_uuid_idx"]),
            Engine::Postgres => {
                database.execute(&["ALTER TABLE services DROP COLUMN uuid CASCADE, ADD uuid int"]);
            }
        }
        for column in [
            "uuid",
            "cluster_name",
            "frozen",
            "replication_status",
            "active_backend_id",
            "modified_at",
            "rpc_current_version",
            "object_current_version",
            "disabled_reason",
        ] {
            drop(column);
        }
        database.execute(&["DROP TABLE clusters"]);
        let metrics = Exporter::start(&url, &[]).wait_for_services();
        assert_eq!(up(&metrics, "block1"), Some(1.0));
        assert_eq!(metrics.count("openstack_service_frozen"), 0);
        assert_eq!(metrics.count("openstack_cluster_up"), 0);
        assert!(
            metrics
                .0
                .contains("uuid=\"\",topic=\"cinder-volume\",rpc_version=\"\""),
            "{}",
            metrics.0
        );
    });
}

#[test]
fn clusters_follow_cinders_rule() {
    on_each_engine(|database| {
        let fresh = database.now(-5);
        let stale = database.now(-500);
        for (host, cluster, time) in [
            ("a", "mixed@lvm", &fresh),
            ("b", "mixed@lvm", &stale),
            ("c", "stale@lvm", &stale),
            ("d", "stale@lvm", &"NULL".to_owned()),
        ] {
            database.insert(&[
                ("host", &format!("'{host}'")),
                ("cluster_name", &format!("'{cluster}'")),
                ("updated_at", time),
            ]);
        }
        for cluster in ["mixed@lvm", "stale@lvm", "empty@lvm"] {
            database.insert_cluster(cluster, "NULL", false);
        }
        database.insert_cluster("off@lvm", database.boolean(true), false);
        database.insert_cluster("deleted@lvm", "NULL", true);
        let metrics = metrics(&database);
        let value = |name: &str, cluster: &str| {
            metrics.value(name, &[("binary", VOLUME), ("cluster", cluster)])
        };
        for (cluster, up, hosts, down) in [
            ("mixed@lvm", 1.0, 2.0, 1.0),
            ("stale@lvm", 0.0, 2.0, 1.0),
            ("empty@lvm", 0.0, 0.0, 0.0),
        ] {
            assert_eq!(
                value("openstack_cluster_up", cluster),
                Some(up),
                "{cluster}"
            );
            assert_eq!(
                value("openstack_cluster_hosts", cluster),
                Some(hosts),
                "{cluster}"
            );
            assert_eq!(
                value("openstack_cluster_hosts_down", cluster),
                Some(down),
                "{cluster}"
            );
            assert_eq!(
                value("openstack_cluster_enabled", cluster),
                Some(1.0),
                "{cluster}"
            );
        }
        assert_eq!(value("openstack_cluster_enabled", "off@lvm"), Some(0.0));
        assert_eq!(value("openstack_cluster_up", "deleted@lvm"), None);
    });
}

#[test]
fn cluster_names_are_compared_as_by_the_collation_of_mysql() {
    for product in Product::servers() {
        let database = Database::new(product);
        let hosts = match database.engine {
            Engine::MySql => 2.0,
            _ => 1.0,
        };
        database.insert(&[("host", "'a'"), ("cluster_name", "'C1@lvm'")]);
        database.insert(&[("host", "'b'"), ("cluster_name", "'c1@LVM '")]);
        database.insert_cluster("C1@lvm", "NULL", false);
        let metrics = metrics(&database);
        let labels = [("cluster", "C1@lvm")];
        let members = metrics.value("openstack_cluster_hosts", &labels);
        assert_eq!(members, Some(hosts), "{product:?}");
        assert_eq!(metrics.value("openstack_cluster_up", &labels), Some(1.0));
    }
}

#[test]
fn an_empty_table_is_not_a_failure() {
    on_each_engine(|database| {
        let exporter = Exporter::start(&database.url(), &[]);
        let metrics = exporter.wait_for("a successful poll", |metrics| {
            metrics.database_up() == Some(1.0)
        });
        assert_eq!(metrics.count("openstack_service_up"), 0);
        assert_eq!(metrics.value("openstack_heartbeat_rows", &[]), Some(0.0));
    });
}

#[test]
fn a_zero_date_loses_only_its_own_value() {
    let database = Database::new(Engine::MySql);
    let zero = "'0000-00-00 00:00:00'";
    database.insert(&[("host", "'zero'")]);
    database.insert(&[("host", "'half'")]);
    database.insert(&[("host", "'good'")]);
    database.execute(&[
        "SET sql_mode = ''",
        &format!("UPDATE services SET updated_at = {zero} WHERE host = 'zero'"),
        &format!("UPDATE services SET created_at = {zero} WHERE host = 'half'"),
    ]);
    let metrics = metrics(&database);
    assert_eq!(up(&metrics, "zero"), None);
    assert_eq!(age(&metrics, "zero"), None);
    assert_eq!(
        metrics.service("openstack_service_enabled", VOLUME, "zero"),
        Some(1.0)
    );
    assert_eq!(up(&metrics, "half"), Some(1.0));
    assert_eq!(up(&metrics, "good"), Some(1.0));
    assert_eq!(rejected(&metrics, "unreadable_time"), Some(2.0));
    assert_eq!(metrics.value("openstack_heartbeat_rows", &[]), Some(3.0));
}

#[test]
fn times_that_only_postgresql_can_hold_lose_only_their_own_value() {
    let database = Database::new(Engine::Postgres);
    for (host, time) in [
        ("infinity", "'infinity'"),
        ("before", "'-infinity'"),
        ("far", "'294276-01-01'"),
    ] {
        database.insert(&[("host", &format!("'{host}'")), ("updated_at", time)]);
    }
    database.insert(&[("host", "'good'")]);
    database.insert(&[("host", "'old'"), ("updated_at", "'0044-03-15 BC'")]);
    let metrics = metrics(&database);
    for host in ["infinity", "before", "far", "old"] {
        assert_eq!(up(&metrics, host), None, "{host}");
    }
    assert_eq!(up(&metrics, "good"), Some(1.0));
    assert_eq!(rejected(&metrics, "unreadable_time"), Some(4.0));
}

#[test]
fn sqlite_columns_may_hold_values_of_any_type() {
    let database = Database::new(Engine::Sqlite);
    database.insert(&[("host", "'text'"), ("updated_at", "'yesterday'")]);
    database.insert(&[("host", "'count'"), ("report_count", "'many'")]);
    database.insert(&[("host", "x'ff00'")]);
    database.insert(&[("host", "'good'")]);
    let metrics = metrics(&database);
    assert_eq!(up(&metrics, "text"), None);
    assert_eq!(up(&metrics, "good"), Some(1.0));
    assert_eq!(rejected(&metrics, "unreadable_time"), Some(1.0));
    assert_eq!(rejected(&metrics, "unreadable_column"), Some(2.0));
}

#[test]
fn the_time_zone_of_the_server_does_not_matter() {
    let database = Database::new(Engine::Postgres);
    database.insert(&[]);
    let (user, url) = database.reader("x");
    database.execute(&[&format!(
        "ALTER ROLE {user} SET timezone = 'Asia/Kathmandu'"
    )]);
    let metrics = Exporter::start(&url, &[]).wait_for_services();
    assert_eq!(up(&metrics, "block1"), Some(1.0));
    let offset = metrics.value("openstack_heartbeat_database_clock_offset_seconds", &[]);
    assert!(offset.unwrap().abs() < 1.0, "{offset:?}");
}

#[test]
fn the_database_clock_is_compared_with_the_exporter_clock() {
    on_each_engine(|database| {
        database.insert(&[]);
        let metrics = metrics(&database);
        let offset = metrics
            .value("openstack_heartbeat_database_clock_offset_seconds", &[])
            .unwrap();
        let error = metrics
            .value(
                "openstack_heartbeat_database_clock_offset_error_seconds",
                &[],
            )
            .unwrap();
        // It is the same clock, in SQLite with milliseconds.
        assert!(offset.abs() <= error + 0.001, "{offset} ± {error}");
        assert!((0.0..1.0).contains(&error), "{error}");
    });
}

#[test]
fn the_product_and_its_version_are_shown_once_it_answers() {
    for product in Product::all() {
        let database = Database::new(product);
        database.insert(&[("host", "'block1'")]);
        let metrics = metrics(&database);
        let engine = match product {
            Product::MariaDb => "mariadb",
            Product::MySql => "mysql",
            Product::Postgres => "postgresql",
            Product::Sqlite => "sqlite",
        };
        let name = "openstack_heartbeat_database_info{";
        let mut series = metrics.0.lines().filter(|line| line.starts_with(name));
        let info = series.next().unwrap();
        assert_eq!(series.next(), None);
        assert!(info.contains(&format!("engine=\"{engine}\"")), "{info}");
        let version = info.split("version=\"").nth(1).unwrap();
        let number = version.split('"').next().unwrap();
        let mut parts = number.split('.');
        assert!(parts.all(|part| part.parse::<u32>().is_ok()), "{info}");
    }
}
