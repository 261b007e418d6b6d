//! Logins of MySQL that need TLS, accounts with limits, and servers that let nobody in.

use openstack_heartbeat_exporter::config::database_url::Engine;

use crate::support::check_config::{connect, connects, refuses};
use crate::support::database::{Database, Product};
use crate::support::env;
use crate::support::exporter::Exporter;
use crate::support::server::Server;

/// Returns whether the tests have a server of MySQL, which not every machine can run.
fn has_mysql() -> bool {
    Product::servers().contains(&Product::MySql)
}

/// Asserts the class of the failure, and that the message contains each part.
fn fails(url: &str, class: &str, parts: &[&str]) {
    refuses(url, parts);
    Exporter::start(url, &[]).wait_for_failure(class);
}

#[test]
fn caching_sha2_password_needs_tls_unless_the_server_has_cached_it() {
    if !has_mysql() {
        return;
    }
    let socket = env("HEARTBEAT_TEST_MYSQL_SOCKET");
    let database = Database::new(Product::MySql);
    database.insert(&[]);
    let url = database.url();
    let plain = format!("{url}?ssl-mode=DISABLED");
    let by_socket = format!("{plain}&unix_socket={socket}");
    let remedy = [
        "user `hb_",
        "caching_sha2_password",
        "TLS",
        "ssl-mode=REQUIRED",
    ];
    fails(&plain, "auth", &remedy);
    fails(&by_socket, "auth", &remedy);
    // A login over TLS fills the server's cache.
    connects(&format!("{url}?unix_socket={socket}"));
    connects(&plain);
    connects(&by_socket);
    database.execute(&["FLUSH PRIVILEGES"]);
    fails(&plain, "auth", &remedy);
    connects(&url);
    connects(&plain);
}

#[test]
fn the_certificates_that_mysql_makes_are_verified_without_a_name() {
    if !has_mysql() {
        return;
    }
    let data = env("HEARTBEAT_TEST_MYSQL_DATA");
    let file = |option: &str, name: &str| format!("--{option}={data}/{name}");
    let server = Server::start_with(
        Product::MySql,
        &[
            &file("ssl-ca", "ca.pem"),
            &file("ssl-cert", "server-cert.pem"),
            &file("ssl-key", "server-key.pem"),
        ],
    );
    let database = Database::on(Engine::MySql, &server.url());
    database.insert(&[]);
    let url = format!("{}?ssl_ca={data}/ca.pem", database.url());
    fails(
        &url,
        "tls",
        &["ssl-mode=VERIFY_CA", "ssl_check_hostname=false"],
    );
    connects(&format!("{url}&ssl-mode=VERIFY_CA"));
    connects(&format!("{url}&ssl_check_hostname=false"));
}

#[test]
fn a_limit_of_the_account_is_named_with_its_remedy() {
    for product in Product::servers() {
        if product == Product::Postgres {
            continue;
        }
        let database = Database::new(product);
        database.insert(&[]);
        let url = database.url();
        let (_, rest) = url.split_once("://").unwrap();
        let (user, _) = rest.split_once(':').unwrap();
        database.execute(&[&format!(
            "ALTER USER '{user}'@'%' WITH MAX_QUERIES_PER_HOUR 1"
        )]);
        // MariaDB counts no prepared statements, so it refuses only the next connection.
        connect(&url);
        let exporter = Exporter::start(&url, &[]);
        let metrics = exporter.wait_for_failure("connect");
        assert_eq!(metrics.database_up(), Some(0.0));
        exporter.wait_for_log("has reached a limit");
        let remedy = format!("ALTER USER '{user}'@'%' WITH MAX_QUERIES_PER_HOUR 0;");
        exporter.wait_for_log(&remedy);
        database.execute(&[&remedy]);
        exporter.wait_for("the limit is gone", |metrics| {
            metrics.database_up() == Some(1.0)
        });
    }
}

#[test]
fn a_server_in_offline_mode_is_no_connection() {
    if !has_mysql() {
        return;
    }
    let server = Server::start(Product::MySql);
    // The superuser is let in.
    let database = Database::on(Engine::MySql, &server.url());
    database.insert(&[]);
    let url = database.url();
    database.execute(&["SET GLOBAL offline_mode = ON"]);
    let (_, message) = connect(&url);
    let exporter = Exporter::start(&url, &[]);
    exporter.wait_for_failure("connect");
    database.execute(&["SET GLOBAL offline_mode = OFF"]);
    assert!(message.contains("offline mode"), "{message}");
    exporter.wait_for_services();
}
