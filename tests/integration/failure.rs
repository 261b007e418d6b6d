//! Databases that can't be read: class, message, and a snapshot that is never wrong.

use std::time::Duration;

use openstack_heartbeat_exporter::config::database_url::Engine;

use crate::support::database::{Database, Product};
use crate::support::exporter::{Exporter, Metrics, run};
use crate::support::server::Server;
use crate::support::{env, folder, free_port, wait_for};

/// Short limits: a test need not wait for the defaults.
const QUICK: &[&str] = &[
    "--database.connect-timeout=1s",
    "--database.query-timeout=1s",
    "--poll.stale-after=3s",
];

/// Returns exit code and standard error of `check-config --connect`, which must match those of `services`.
fn refusal(url: &str) -> (i32, String) {
    let environment = [
        ("OPENSTACK_HEARTBEAT_DATABASE_URL", url),
        ("OPENSTACK_HEARTBEAT_PROJECT", "cinder"),
    ];
    let checked = run(&["check-config", "--connect"], &environment);
    let listed = run(&["services"], &environment);
    assert_eq!(listed.status.code(), Some(2), "{listed:?}");
    let error = |output: &[u8]| {
        let text = String::from_utf8(output.to_vec()).unwrap();
        text.lines()
            .filter(|line| line.starts_with("error: "))
            .collect::<String>()
    };
    // The check names the source even if it is the only one.
    let refused = error(&checked.stderr).replacen("error: cinder: ", "error: ", 1);
    assert_eq!(refused, error(&listed.stderr));
    (checked.status.code().unwrap(), refused)
}

/// Asserts the class of the counted failure, and that the commands exit with 2 and name the remedy.
fn check(url: &str, class: &str, remedies: &[&str]) {
    let exporter = Exporter::start(url, &[]);
    let metrics = exporter.wait_for_failure(class);
    assert_eq!(metrics.database_up(), Some(0.0));
    assert_eq!(metrics.count("openstack_service_up"), 0);
    assert_eq!(exporter.get("/-/healthy").status, 200);
    assert_eq!(exporter.get("/api/v1/services").status, 503);
    let (code, message) = refusal(url);
    assert_eq!(code, 2, "{message}");
    for remedy in remedies {
        assert!(message.contains(remedy), "`{remedy}` is not in: {message}");
    }
}

/// A URL that differs from a good one in one part.
fn with(url: &str, part: &str, other: &str) -> String {
    assert!(url.contains(part), "{url} has no {part}");
    url.replacen(part, other, 1)
}

#[test]
fn a_refused_connection_names_the_address() {
    let port = free_port();
    for scheme in ["mysql", "postgresql"] {
        check(
            &format!("{scheme}://u:p@127.0.0.1:{port}/cinder"),
            "connect",
            &[&format!("127.0.0.1:{port}"), "refused"],
        );
    }
    check(
        "mysql://u:p@no.such.host.invalid/cinder",
        "connect",
        &["no.such.host.invalid:3306"],
    );
    check(
        "sqlite:////nowhere/cinder.sqlite",
        "connect",
        &["/nowhere/cinder.sqlite"],
    );
    check(
        "mysql://u:p@localhost/cinder?unix_socket=/nowhere.sock",
        "connect",
        &["/nowhere.sock"],
    );
}

#[test]
fn a_wrong_password_names_the_user_and_not_the_password() {
    for product in Product::servers() {
        let database = Database::new(product);
        let (user, url) = database.user("right");
        let wrong = with(&url, ":right@", ":wr0ng-canary@");
        check(&wrong, "auth", &[&format!("user `{user}`")]);
        let (_, message) = refusal(&wrong);
        assert!(!message.contains("wr0ng"), "{message}");
    }
}

#[test]
fn a_password_that_scram_does_not_allow_is_no_fault_of_tls() {
    let (_, url) = Database::new(Product::Postgres).user("right");
    // A control character, which SASLprep prohibits.
    let prohibited = with(&url, ":right@", ":a%01b@");
    for options in ["", "?sslmode=require", "?sslmode=disable"] {
        let remedy = "the password contains a character that SCRAM does not allow";
        check(&format!("{prohibited}{options}"), "auth", &[remedy]);
    }
}

#[test]
fn a_role_that_the_url_does_not_name_is_in_the_command_for_grants() {
    let database = Database::new(Product::Postgres);
    database.insert(&[]);
    let (user, url) = database.user("p");
    let url = with(&url, &format!("{user}:p@"), "");
    let environment = [
        ("OPENSTACK_HEARTBEAT_DATABASE_URL", url.as_str()),
        ("OPENSTACK_HEARTBEAT_PROJECT", "cinder"),
        ("PGUSER", &user),
        ("PGPASSWORD", "p"),
    ];
    let connect = || run(&["check-config", "--connect"], &environment);
    let refused = connect();
    let message = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{message}");
    assert!(message.contains(&format!("user `{user}`")), "{message}");
    database.run_grants(&message);
    assert_eq!(connect().status.code(), Some(0));
}

#[test]
fn a_missing_grant_names_the_command_that_prints_it() {
    for product in Product::servers() {
        let database = Database::new(product);
        database.insert(&[]);
        let (user, url) = database.user("p");
        if database.engine == Engine::MySql {
            // MySQL refuses access to a database without any privilege in it.
            check(&url, "permission", &["print grants"]);
            let other = format!("GRANT CREATE ON {}.other TO '{user}'@'%'", database.name);
            database.execute(&[&other]);
        }
        check(&url, "permission", &["print grants"]);
        let exporter = Exporter::start(&url, &[]);
        exporter.wait_for_failure("permission");
        let (_, message) = refusal(&url);
        database.run_grants(&message);
        exporter.wait_for_services();
    }
}

#[test]
fn a_schema_other_than_public_is_read_and_named_in_grants() {
    let database = Database::new(Product::Postgres);
    database.insert(&[]);
    database.execute(&[
        "CREATE SCHEMA \"Volume's\"",
        "ALTER TABLE services SET SCHEMA \"Volume's\"",
        "ALTER TABLE clusters SET SCHEMA \"Volume's\"",
    ]);
    let (user, url) = database.user("p");
    let found = format!(
        "table `services` is in schema `Volume's`, which is not in the search path of user `{user}`"
    );
    check(&url, "schema", &[&found]);

    // The option names the schema; the user may not use it yet.
    let (_, message) = refusal(&url);
    let (_, option) = message.split_once("add ").unwrap();
    let (option, _) = option.split_once(" to the database URL").unwrap();
    let option = format!("{url}?{option}");
    check(&option, "schema", &["--schema 'Volume'\\''s'"]);
    let exporter = Exporter::start(&option, &[]);
    exporter.wait_for_failure("schema");
    let grants = database.run_grants(&refusal(&option).1);
    assert!(
        grants.contains("GRANT USAGE ON SCHEMA \"Volume''s\""),
        "{grants}"
    );
    exporter.wait_for_services();

    // So does the role, by the statement that the message names.
    let (_, message) = refusal(&url);
    let (_, statement) = message.split_once("run: ").unwrap();
    database.execute(&[statement]);
    Exporter::start(&url, &[]).wait_for_services();

    // Without a grant on the tables, the schema is named as well.
    database.execute(&[&format!(
        "REVOKE SELECT ON ALL TABLES IN SCHEMA \"Volume's\" FROM {user}"
    )]);
    check(&url, "permission", &["--schema 'Volume'\\''s'"]);
    database.run_grants(&refusal(&url).1);
    exporter.wait_for_services();
}

#[test]
fn an_error_of_postgresql_does_not_name_a_line_of_its_source() {
    let database = Database::new(Product::Postgres);
    let (user, url) = database.user("p");
    database.execute(&["ALTER TABLE services RENAME report_count TO reports"]);
    let messages = [
        refusal(&url).1,
        refusal(&with(&url, &user, "nobody")).1,
        refusal(&with(&url, &database.name, "missing")).1,
    ];
    for message in messages {
        assert!(!message.contains(" at line "), "{message}");
    }
}

#[test]
fn a_missing_database_table_or_column_is_named() {
    for product in Product::servers() {
        let database = Database::new(product);
        let url = database.superuser_url();
        check(
            &with(&url, &database.name, "no_such_db"),
            "schema",
            &["database `no_such_db`"],
        );
        database.execute(&["ALTER TABLE services DROP COLUMN report_count"]);
        check(&url, "schema", &["report_count"]);
        let cascade = if database.engine == Engine::Postgres {
            " CASCADE"
        } else {
            ""
        };
        database.execute(&[&format!("DROP TABLE services{cascade}")]);
        check(&url, "schema", &["table `services`", "db sync"]);
    }
    let database = Database::new(Engine::Sqlite);
    database.execute(&["DROP TABLE services"]);
    check(&database.url(), "schema", &["table `services`"]);
}

#[test]
fn a_table_altered_while_running_is_inspected_again() {
    for product in Product::servers() {
        let database = Database::new(product);
        database.insert(&[("frozen", database.boolean(true))]);
        let exporter = Exporter::start(&database.superuser_url(), &[]);
        let metrics = exporter.wait_for_services();
        assert_eq!(metrics.count("openstack_service_frozen"), 1);
        database.execute(&["ALTER TABLE services DROP COLUMN frozen"]);
        exporter.wait_for("the column is gone and the services are not", |metrics| {
            metrics.count("openstack_service_frozen") == 0
                && metrics.count("openstack_service_up") == 1
                && metrics.database_up() == Some(1.0)
        });
    }
}

#[test]
fn an_unsupported_authentication_plugin_names_the_remedy() {
    let database = Database::new(Engine::MySql);
    let (user, url) = database.user("p");
    database.execute(&[
        "INSTALL SONAME 'auth_ed25519'",
        &format!("ALTER USER '{user}'@'%' IDENTIFIED VIA ed25519 USING PASSWORD('p')"),
    ]);
    check(&url, "auth", &["mysql_native_password"]);
}

#[test]
fn certificates_are_verified_if_a_ca_is_given() {
    let tls = format!("{}/tls", env("HEARTBEAT_TEST_DIR"));
    // A certificate of another authority.
    let other = folder("tls").join("other.pem");
    let status = std::process::Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            "/CN=other",
            "-days",
            "2",
        ])
        .args(["-keyout", "/dev/null", "-out"])
        .arg(&other)
        .output()
        .unwrap()
        .status;
    assert!(status.success());
    let other = other.display();
    for (engine, ca, verify) in [
        (Engine::MySql, "ssl_ca", ""),
        (Engine::Postgres, "sslrootcert", "sslmode=verify-full&"),
    ] {
        let database = Database::new(engine);
        database.insert(&[]);
        let url = database.url();
        let good = Exporter::start(&format!("{url}?{verify}{ca}={tls}/ca.pem"), &[]);
        good.wait_for_services();
        check(
            &format!("{url}?{verify}{ca}={other}"),
            "tls",
            &["an unknown authority", ca],
        );
        check(
            &format!("{url}?{verify}{ca}=/nowhere.pem"),
            "tls",
            &["/nowhere.pem", "readable"],
        );
    }
}

#[test]
fn a_client_certificate_lets_a_user_in() {
    let tls = format!("{}/tls", env("HEARTBEAT_TEST_DIR"));
    let database = Database::new(Engine::MySql);
    database.insert(&[]);
    let url = database.url();
    let (_, rest) = url.split_once("://").unwrap();
    let user = rest.split(':').next().unwrap();
    database.execute(&[&format!("ALTER USER '{user}'@'%' REQUIRE X509")]);
    check(
        &format!("{url}?ssl_ca={tls}/ca.pem"),
        "auth",
        &[&format!("user `{user}`")],
    );
    let certificate = format!("ssl_cert={tls}/client.pem&ssl_key={tls}/client.key");
    let exporter = Exporter::start(&format!("{url}?ssl_ca={tls}/ca.pem&{certificate}"), &[]);
    exporter.wait_for_services();
}

#[test]
fn unix_sockets_work() {
    let database = Database::new(Engine::MySql);
    database.insert(&[]);
    let url = format!(
        "{}?unix_socket={}",
        database.url(),
        env("HEARTBEAT_TEST_MARIADB_SOCKET")
    );
    Exporter::start(&with(&url, "127.0.0.1:", "no.such.host.invalid:"), &[]).wait_for_services();

    let database = Database::new(Product::Postgres);
    database.insert(&[]);
    let url = database.url();
    let (address, _) = url.split_once('@').unwrap();
    let port = url
        .rsplit_once(':')
        .unwrap()
        .1
        .split('/')
        .next()
        .unwrap()
        .to_owned();
    let folder = env("HEARTBEAT_TEST_POSTGRES_SOCKET_DIR");
    let url = format!("{address}@:{port}/{}?host={folder}", database.name);
    Exporter::start(&url, &[]).wait_for_services();
}

/// Runs a body with its own server, a database with one service, and an exporter that shows the service.
fn on_own_server(body: impl Fn(&mut Server, &Database, &Exporter)) {
    for product in Product::servers() {
        eprintln!("on {product:?}");
        let mut server = Server::start(product);
        let database = Database::on(product.engine(), &server.url());
        database.insert(&[]);
        let exporter = Exporter::start(&database.url(), QUICK);
        exporter.wait_for_services();
        body(&mut server, &database, &exporter);
    }
}

/// Waits until the snapshot is withheld; until then, no service may look down.
fn wait_until_withheld(exporter: &Exporter) {
    exporter.wait_for("the snapshot is withheld", |metrics| {
        let up = metrics.service("openstack_service_up", "cinder-volume", "block1");
        assert_ne!(
            up,
            Some(0.0),
            "a service looks down because the database is"
        );
        up.is_none()
    });
}

#[test]
fn services_never_look_down_while_a_killed_server_restarts() {
    on_own_server(|server, database, exporter| {
        server.kill();
        let metrics = exporter.wait_for_failure("connect");
        assert_eq!(metrics.database_up(), Some(0.0));
        wait_until_withheld(exporter);
        assert_eq!(exporter.metrics().count("openstack_service_info"), 0);
        assert_eq!(
            exporter
                .metrics()
                .count("openstack_heartbeat_service_down_time_seconds"),
            1
        );

        server.restart();
        // The test servers are fast rather than durable, and may have lost the row.
        database.execute(&["DELETE FROM services"]);
        database.insert(&[]);
        let metrics = exporter.wait_for_services();
        assert_eq!(metrics.database_up(), Some(1.0));
        let log = exporter.log();
        assert_eq!(
            log.matches("the database can't be read").count(),
            1,
            "{log}"
        );
        assert_eq!(
            log.matches("the database can be read again").count(),
            1,
            "{log}"
        );
    });
}

#[test]
fn a_stopped_server_blocks_neither_scrapes_nor_the_next_poll() {
    on_own_server(|server, database, exporter| {
        server.stop();
        let first = exporter.wait_for_failure("timeout");
        wait_until_withheld(exporter);
        // Scrapes are answered while polls fail.
        let failures = |metrics: &Metrics| {
            metrics
                .value(
                    "openstack_heartbeat_poll_failures_total",
                    &[("class", "timeout")],
                )
                .unwrap()
        };
        exporter.wait_for("further polls", |metrics| {
            failures(metrics) >= failures(&first) + 2.0
        });
        server.go_on();
        let now = database.now(0);
        database.execute(&[&format!("UPDATE services SET updated_at = {now}")]);
        let metrics = exporter.wait_for_services();
        assert_eq!(
            metrics.service("openstack_service_up", "cinder-volume", "block1"),
            Some(1.0)
        );
    });
}

#[test]
fn the_exporter_starts_without_a_database() {
    let mut server = Server::start(Engine::MySql);
    let database = Database::on(Engine::MySql, &server.url());
    database.insert(&[]);
    let url = database.url();
    server.kill();
    let exporter = Exporter::start(&url, QUICK);
    let metrics = exporter.wait_for_failure("connect");
    assert_eq!(metrics.database_up(), Some(0.0));
    wait_for(
        "readiness",
        Duration::from_secs(10),
        || exporter.get("/-/ready").status == 200,
        || exporter.log(),
    );
    server.restart();
    // The test servers are fast rather than durable, and may have lost the row.
    database.execute(&["DELETE FROM services"]);
    database.insert(&[]);
    exporter.wait_for_services();
}

#[test]
fn new_heartbeats_are_read_from_a_server_without_autocommit() {
    let server = Server::start(Engine::MySql);
    let database = Database::on(Engine::MySql, &server.url());
    database.insert(&[]);
    database.execute(&["SET GLOBAL autocommit = 0"]);
    let exporter = Exporter::start(&database.url(), QUICK);
    let beats = |metrics: &Metrics| {
        metrics.service(
            "openstack_service_heartbeats_total",
            "cinder-volume",
            "block1",
        )
    };
    exporter.wait_for("the first heartbeat", |metrics| beats(metrics) == Some(7.0));
    database.execute(&["UPDATE services SET report_count = 8", "COMMIT"]);
    exporter.wait_for("the next heartbeat", |metrics| beats(metrics) == Some(8.0));
}

#[test]
fn a_locked_table_times_out_on_one_connection() {
    let server = Server::start(Engine::MySql);
    let database = Database::on(Engine::MySql, &server.url());
    database.insert(&[]);
    let exporter = Exporter::start(&database.url(), QUICK);
    exporter.wait_for_services();
    let most = crate::support::block_on(async {
        use sqlx::Connection as _;
        let url = database.superuser_url();
        let mut locker = sqlx::mysql::MySqlConnection::connect(&url).await.unwrap();
        sqlx::raw_sql("LOCK TABLES services WRITE")
            .execute(&mut locker)
            .await
            .unwrap();
        let mut most = 0;
        for _ in 0..40 {
            let (count,): (i64,) = sqlx::query_as(
                "SELECT COUNT(*) FROM information_schema.processlist WHERE user LIKE 'hb%' AND command <> 'Killed'",
            )
            .fetch_one(&mut locker)
            .await
            .unwrap();
            most = most.max(count);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        locker.close().await.unwrap();
        most
    });
    assert_eq!(most, 1, "connections of the exporter");
    let metrics = exporter.wait_for_services();
    assert!(
        metrics
            .value(
                "openstack_heartbeat_poll_failures_total",
                &[("class", "timeout")]
            )
            .unwrap()
            >= 1.0
    );
}
