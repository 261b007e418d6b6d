//! Real Cinder on the same database: the exporter agrees with Cinder.

use std::cell::RefCell;
use std::time::Duration;

use openstack_heartbeat_exporter::config::database_url::Engine;

use crate::support::cinder::{Cinder, Cluster, SCHEDULER};
use crate::support::database::Database;
use crate::support::exporter::{Exporter, Metrics, program, project};
use crate::support::openstack::Service;
use crate::support::process::Process;
use crate::support::{unique, wait_for};

const VOLUME: &str = "cinder-volume";

/// Starts the exporter with Cinder's own cinder.conf. On MariaDB it has its own user, with the printed grants. On
/// PostgreSQL the URL is Cinder's, too.
fn exporter(database: &Database, cinder: &Cinder) -> Exporter {
    let project = project(cinder.config_file());
    let mut command = program(&["serve", "--poll.interval=200ms", &project]);
    if database.engine == Engine::MySql {
        command.env("OPENSTACK_HEARTBEAT_DATABASE_URL", database.url());
    }
    Exporter::spawn(&mut command)
}

/// The expected listing of a service: binary and host, then its state by the API and by `cinder-manage`.
type Expected<'a> = (&'a str, &'a str, &'a str, &'a str);

/// Cinder's listings.
struct Told {
    /// By the API.
    listed: Vec<Service>,
    /// By `cinder-manage`.
    printed: Vec<Service>,
    /// By the API.
    clusters: Vec<Cluster>,
}

/// Checks that Cinder lists what is expected, and the exporter agrees.
///
/// They can't be asked at one instant. So the exporter is asked before and after Cinder, and all are asked again
/// while anything differs. `files` are further configuration files for `cinder-manage`.
fn check(cinder: &Cinder, exporter: &Exporter, files: &[&str], expected: &[Expected]) {
    let wrong = RefCell::new(Vec::new());
    wait_for(
        "Cinder and the exporter agree",
        Duration::from_secs(40),
        || {
            let before = exporter.metrics();
            let told = Told {
                listed: cinder.services(),
                printed: cinder.service_list(files),
                clusters: cinder.clusters(),
            };
            let after = exporter.metrics();
            let mut wrong = wrong.borrow_mut();
            *wrong = surprises(&told, expected);
            wrong.extend(differences(&before, &told));
            wrong.extend(differences(&after, &told));
            wrong.is_empty()
        },
        || wrong.borrow().join("\n"),
    );
}

/// Returns the differences between Cinder's listings and the expected ones.
fn surprises(told: &Told, expected: &[Expected]) -> Vec<String> {
    let mut said: Vec<Expected> = Vec::new();
    for service in &told.listed {
        let printed = told
            .printed
            .iter()
            .find(|other| (&other.binary, &other.host) == (&service.binary, &service.host));
        let printed = printed.map_or("not printed", |printed| &printed.state);
        said.push((&service.binary, &service.host, &service.state, printed));
    }
    let mut expected = expected.to_vec();
    said.sort_unstable();
    expected.sort_unstable();
    if said == expected {
        return Vec::new();
    }
    vec![format!("Cinder says {said:?}\nand not     {expected:?}")]
}

/// Returns the differences between the exporter and Cinder.
fn differences(metrics: &Metrics, told: &Told) -> Vec<String> {
    let mut values = Vec::new();
    for service in &told.listed {
        let labels = [("binary", &service.binary), ("host", &service.host)];
        values.push(("openstack_service_up", labels, flag(&service.state)));
        values.push(("openstack_service_enabled", labels, flag(&service.status)));
    }
    for service in &told.printed {
        let labels = [("binary", &service.binary), ("host", &service.host)];
        values.push((
            "openstack_service_up_for_scheduler",
            labels,
            flag(&service.state),
        ));
    }
    for cluster in &told.clusters {
        let labels = [("binary", &cluster.binary), ("cluster", &cluster.name)];
        values.push(("openstack_cluster_up", labels, flag(&cluster.state)));
        values.push(("openstack_cluster_enabled", labels, flag(&cluster.status)));
        values.push(("openstack_cluster_hosts", labels, cluster.num_hosts));
        values.push((
            "openstack_cluster_hosts_down",
            labels,
            cluster.num_down_hosts,
        ));
    }
    let mut differences = Vec::new();
    for (name, labels, theirs) in &values {
        let labels = labels.map(|(label, value)| (label, value.as_str()));
        let ours = metrics.value(name, &labels);
        if ours != Some(*theirs) {
            differences.push(format!(
                "{name} of {labels:?} is {ours:?}, and {theirs} in Cinder"
            ));
        }
    }
    for (name, rows) in [
        ("openstack_service_up", told.listed.len()),
        ("openstack_service_up_for_scheduler", told.printed.len()),
        ("openstack_cluster_up", told.clusters.len()),
    ] {
        let count = metrics.count(name);
        if count != rows {
            differences.push(format!("{count} of {name}, and {rows} in Cinder"));
        }
    }
    differences
}

/// Returns the value of a metric for one of Cinder's words.
fn flag(word: &str) -> f64 {
    match word {
        "up" | "enabled" => 1.0,
        "down" | "disabled" => 0.0,
        _ => panic!("{word}"),
    }
}

/// Adds a row whose last heartbeat is this many seconds ahead of the database clock.
fn insert(database: &Database, host: &str, seconds: i64, columns: &[(&str, &str)]) {
    let time = database.now(seconds);
    let host = format!("'{host}'");
    let uuid = format!("'{}'", unique("uuid"));
    let mut all = vec![
        ("host", host.as_str()),
        ("updated_at", &time),
        // As a service of this release writes them; a scheduler updates rows without them when it starts.
        ("uuid", &uuid),
        ("rpc_current_version", "'3.19'"),
        ("object_current_version", "'1.39'"),
    ];
    all.extend(columns);
    database.insert(&all);
}

/// Returns the `report_count` of a scheduler.
fn count(metrics: &Metrics, host: &str) -> Option<f64> {
    metrics.service("openstack_service_heartbeats_total", SCHEDULER, host)
}

/// Services that run, are stopped, killed, disabled and removed.
fn services_live_and_die(engine: Engine) {
    let database = Database::new(engine);
    let cinder = Cinder::start(&database, "service_down_time = 6\nreport_interval = 2");
    let exporter = exporter(&database, &cinder);
    let hosts = ["running@backend", "stopped", "killed"];
    let [running, stopped, killed] = hosts.map(|host| cinder.scheduler(host));
    // An age of 20 s is down by this service_down_time, and up by the default.
    insert(&database, "behind", -20, &[]);
    insert(&database, "ahead", 3600, &[]);
    let nulls = [("disabled", "NULL"), ("availability_zone", "NULL")];
    insert(&database, "null", 3600, &nulls);
    insert(
        &database,
        "deleted",
        0,
        &[("deleted", database.boolean(true))],
    );
    let others = [
        (VOLUME, "behind", "down", "down"),
        (VOLUME, "ahead", "down", "up"),
        (VOLUME, "null", "down", "up"),
    ];
    let check = |schedulers: [&str; 3]| {
        let states = hosts.iter().zip(schedulers);
        let states = states.map(|(host, state)| (SCHEDULER, *host, state, state));
        let expected: Vec<Expected> = states.chain(others).collect();
        check(&cinder, &exporter, &[], &expected);
    };

    wait_for(
        "every scheduler beats",
        Duration::from_secs(40),
        || {
            let metrics = exporter.metrics();
            hosts.iter().all(|host| count(&metrics, host) > Some(0.0))
        },
        || [&running, &stopped, &killed].map(Process::log).concat(),
    );

    cinder.disable("running@backend");
    // Right after a heartbeat, it stops outside a transaction.
    let before = count(&exporter.metrics(), "stopped");
    exporter.wait_for("a heartbeat", |metrics| count(metrics, "stopped") > before);
    stopped.signal("STOP");
    drop(killed);
    let up = |metrics: &Metrics, host| metrics.service("openstack_service_up", SCHEDULER, host);
    exporter.wait_for("silence is noticed", |metrics| {
        up(metrics, "stopped") == Some(0.0) && up(metrics, "killed") == Some(0.0)
    });
    check(["up", "down", "down"]);
    let metrics = exporter.metrics();
    let enabled = |host| metrics.service("openstack_service_enabled", SCHEDULER, host);
    assert_eq!(hosts.map(enabled), [Some(0.0), Some(1.0), Some(1.0)]);

    // More than a new row can have when it is first read.
    database.execute(&["UPDATE services SET report_count = 1000 WHERE host = 'stopped'"]);
    exporter.wait_for("the count", |metrics| {
        count(metrics, "stopped") == Some(1000.0)
    });
    cinder.manage(&[], &["service", "remove", SCHEDULER, "stopped"]);
    exporter.wait_for("the removed service is dropped", |metrics| {
        up(metrics, "stopped").is_none() && count(metrics, "stopped").is_none()
    });
    stopped.signal("CONT");
    let metrics = exporter.wait_for("a new row", |metrics| count(metrics, "stopped").is_some());
    assert!(count(&metrics, "stopped") < Some(1000.0));
    check(["up", "up", "down"]);
}

#[test]
fn services_start_stop_and_are_removed_on_mariadb() {
    services_live_and_die(Engine::MySql);
}

#[test]
fn services_start_stop_and_are_removed_on_postgresql() {
    services_live_and_die(Engine::Postgres);
}

/// Skewed clocks, and clusters, with Cinder's default `service_down_time`. No row is near a limit.
fn clocks_and_clusters(engine: Engine) {
    let database = Database::new(engine);
    let cinder = Cinder::start(&database, "");
    let exporter = exporter(&database, &cinder);
    for (host, seconds, cluster) in [
        ("far-ahead", 150, "'ahead@lvm'"),
        ("ahead", 30, "'mixed@lvm'"),
        ("behind", -10, "'mixed@lvm'"),
        ("far-behind", -75, "'mixed@lvm'"),
        ("old", -3600, "'silent@lvm'"),
    ] {
        insert(&database, host, seconds, &[("cluster_name", cluster)]);
    }
    let never = ("updated_at", "NULL");
    let silent = ("cluster_name", "'silent@lvm'");
    insert(&database, "never", 0, &[never, silent]);
    let hour_ago = database.now(-3600);
    insert(
        &database,
        "never-old",
        0,
        &[never, ("created_at", &hour_ago)],
    );
    // Members of a cluster are all services with its name that are not deleted, of any binary.
    let backup = ("binary", "'cinder-backup'");
    insert(
        &database,
        "behind",
        -10,
        &[backup, ("cluster_name", "'mixed@lvm'")],
    );
    let deleted = ("deleted", database.boolean(true));
    insert(
        &database,
        "deleted",
        0,
        &[deleted, ("cluster_name", "'empty@lvm'")],
    );
    for cluster in ["ahead@lvm", "mixed@lvm", "silent@lvm", "empty@lvm"] {
        database.insert_cluster(cluster, database.boolean(false), false);
    }
    database.insert_cluster("disabled@lvm", database.boolean(true), false);
    database.insert_cluster("deleted@lvm", database.boolean(false), true);
    check(
        &cinder,
        &exporter,
        &[],
        &[
            (VOLUME, "far-ahead", "down", "up"),
            (VOLUME, "ahead", "up", "up"),
            (VOLUME, "behind", "up", "up"),
            (VOLUME, "far-behind", "down", "down"),
            (VOLUME, "old", "down", "down"),
            (VOLUME, "never", "up", "down"),
            (VOLUME, "never-old", "down", "down"),
            ("cinder-backup", "behind", "up", "up"),
        ],
    );
    let metrics = exporter.metrics();
    let cluster = |name: &str, cluster| metrics.value(name, &[("cluster", cluster)]);
    for (name, up, hosts, down) in [
        ("ahead@lvm", 1.0, 1.0, 0.0),
        ("mixed@lvm", 1.0, 4.0, 1.0),
        ("silent@lvm", 0.0, 2.0, 1.0),
        ("empty@lvm", 0.0, 0.0, 0.0),
        ("disabled@lvm", 0.0, 0.0, 0.0),
    ] {
        let ours = [
            cluster("openstack_cluster_up", name),
            cluster("openstack_cluster_hosts", name),
            cluster("openstack_cluster_hosts_down", name),
        ];
        assert_eq!(ours, [up, hosts, down].map(Some), "{name}");
    }
}

#[test]
fn skewed_clocks_and_clusters_match_cinder_on_mariadb() {
    clocks_and_clusters(Engine::MySql);
}

#[test]
fn skewed_clocks_and_clusters_match_cinder_on_postgresql() {
    clocks_and_clusters(Engine::Postgres);
}

#[test]
fn a_scheduler_that_raises_its_service_down_time_differs_from_the_api() {
    let database = Database::new(Engine::MySql);
    let cinder = Cinder::start(&database, "report_interval = 100");
    let exporter = exporter(&database, &cinder);
    let scheduler = cinder.scheduler("running");
    let raised = "Setting global service_down_time to: 250";
    wait_for(
        "the scheduler raises its limit",
        Duration::from_secs(30),
        || scheduler.log().contains(raised),
        || scheduler.log(),
    );
    // cinder-manage does not raise service_down_time as a service does, so it gets the scheduler's value.
    let raised = cinder.write_config("raised.conf", "service_down_time = 250");
    insert(&database, "fresh", 0, &[]);
    insert(&database, "between", -100, &[]);
    insert(&database, "old", -400, &[]);
    check(
        &cinder,
        &exporter,
        &[&raised],
        &[
            (SCHEDULER, "running", "up", "up"),
            (VOLUME, "fresh", "up", "up"),
            (VOLUME, "between", "down", "up"),
            (VOLUME, "old", "down", "down"),
        ],
    );
}
