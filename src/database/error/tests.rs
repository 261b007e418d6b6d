//! The wording and the class of every error.

use super::*;

fn check(error: &Error, class: Class, message: &str) {
    assert_eq!(
        (error.class(), error.to_string().as_str()),
        (class, message)
    );
}

fn source() -> sqlx::Error {
    sqlx::Error::RowNotFound
}

fn address() -> String {
    "db:3306".to_owned()
}

fn user() -> String {
    "exporter".to_owned()
}

fn database() -> String {
    "cinder".to_owned()
}

#[test]
fn a_failed_connection_names_the_address() {
    let (address, source) = (address(), source());
    check(
        &Error::Connect { address, source },
        Class::Connect,
        "cannot connect to db:3306: check that the database is running and reachable from this host",
    );
    let (address, source) = (self::address(), self::source());
    check(
        &Error::TooManyConnections { address, source },
        Class::Connect,
        "db:3306 accepts no more connections: raise the limit, or find the clients that hold them (this exporter \
         uses one)",
    );
    let (file, source) = ("/cinder.sqlite".to_owned(), self::source());
    check(
        &Error::OpenFile { file, source },
        Class::Connect,
        "cannot open the database file /cinder.sqlite: it must exist and be readable by the exporter's user",
    );
    let (address, source) = (self::address(), self::source());
    check(
        &Error::Lost { address, source },
        Class::Connect,
        "lost the connection to db:3306: check the server's log and the network",
    );
    let (address, source) = (self::address(), self::source());
    check(
        &Error::Tls {
            address,
            remedy: "check it",
            source,
        },
        Class::Tls,
        "TLS with db:3306 failed: check it",
    );
    check(
        &Error::TlsFile {
            option: "ssl_ca",
            path: "/ca.pem".into(),
            source: std::io::ErrorKind::NotFound.into(),
        },
        Class::Tls,
        "cannot read ssl_ca /ca.pem: make the file readable by the exporter's user, or correct the database URL",
    );
    let after = Duration::from_secs(10);
    check(
        &Error::ConnectTimeout {
            address: self::address(),
            after,
        },
        Class::Timeout,
        "db:3306 did not complete the login within 10s: check the port and the network, and whether the server hangs",
    );
}

#[test]
fn a_refused_login_names_the_user() {
    check(
        &Error::Auth {
            address: address(),
            user: user(),
            source: source(),
        },
        Class::Auth,
        "db:3306 refuses user `exporter`: check user and password (percent-encode special characters in the URL, \
         such as %23 for `#`), and whether the user may log in from this host, with or without TLS",
    );
    check(
        &Error::AuthPlugin {
            address: address(),
            user: user(),
            remedy: "use another".to_owned(),
            source: source(),
        },
        Class::Auth,
        "db:3306 authenticates user `exporter` by an unsupported method: use another",
    );
}

#[test]
fn a_missing_right_or_table_names_the_grants() {
    let grant = || "GRANT SELECT;".to_owned();
    check(
        &Error::Permission {
            user: user(),
            grant: grant(),
            source: source(),
        },
        Class::Permission,
        "user `exporter` may not read the heartbeats: as the database administrator, run: GRANT SELECT;",
    );
    check(
        &Error::NoEntry {
            user: user(),
            database: database(),
            grant: grant(),
            source: source(),
        },
        Class::Permission,
        "user `exporter` may not use database `cinder`, or it does not exist: correct the database URL, or as the \
         database administrator, run: GRANT SELECT;",
    );
    check(
        &Error::MissingDatabase {
            address: address(),
            database: database(),
            source: source(),
        },
        Class::Schema,
        "db:3306 has no database `cinder`: correct the name in the database URL",
    );
    for (grant, end) in [
        (String::new(), ""),
        (
            grant(),
            ", or as the database administrator, run: GRANT SELECT;",
        ),
    ] {
        let table = Error::MissingTable {
            database: database(),
            table: "services",
            project: "cinder",
            grant: grant.clone(),
        };
        let message = "database `cinder` has no table `services`: check that it is cinder's database, and that \
                       `cinder-manage db sync` was run";
        check(&table, Class::Schema, &format!("{message}{end}"));
        let columns = Error::MissingColumns {
            table: "services",
            columns: vec!["id", "host"],
            user: user(),
            project: "cinder",
            grant,
        };
        let message = "table `services` has no column `id`, `host` readable by user `exporter`: check that it is \
                       cinder's table";
        check(&columns, Class::Schema, &format!("{message}{end}"));
    }
}

#[test]
fn a_failed_statement_names_the_address() {
    check(
        &Error::QueryTimeout {
            address: address(),
            after: Duration::from_secs(10),
        },
        Class::Timeout,
        "db:3306 did not answer within 10s: check its load and locks, or raise database.query-timeout",
    );
    let (address, source) = (address(), source());
    check(
        &Error::Query { address, source },
        Class::Query,
        "db:3306 reported an error: check the server's log",
    );
    let (address, source) = (self::address(), self::source());
    check(
        &Error::Protocol { address, source },
        Class::Decode,
        "db:3306 does not speak this database's protocol: check host and port in the database URL, and any proxy in \
         between",
    );
    let address = self::address();
    check(
        &Error::Driver { address },
        Class::Decode,
        "the driver panicked on the answer of db:3306: check host and port in the database URL, and any proxy in \
         between; if it is a database, please report this",
    );
    check(
        &Error::Clock(self::source()),
        Class::Decode,
        "the answer contains no database time: check whether a proxy rewrites statements",
    );
}
