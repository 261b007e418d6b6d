//! Databases with the projects' own schemas, one a test, and users with exactly the printed grants.

use std::path::PathBuf;

use openstack_heartbeat_exporter::config::database_url::Engine;
use sqlx::mysql::MySqlConnection;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use super::{block_on, client, env, folder, unique};

/// What the databases of the tests run on. As an engine, MySQL is what MariaDB is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Product {
    MariaDb,
    MySql,
    Postgres,
    Sqlite,
}

impl Product {
    /// Returns all products that `tests/run` has: MySQL can't be had everywhere.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = Self::servers();
        all.push(Self::Sqlite);
        all
    }

    /// Returns those of [`Self::all`] that are servers.
    pub(crate) fn servers() -> Vec<Self> {
        let mut servers = vec![Self::MariaDb, Self::Postgres];
        if std::env::var_os("HEARTBEAT_TEST_MYSQL").is_some() {
            servers.push(Self::MySql);
        } else {
            eprintln!("NOT CHECKED: MySQL, since HEARTBEAT_TEST_MYSQL is not set");
        }
        servers
    }

    /// Returns the URL of the server for its superuser, without a database.
    pub(crate) fn server(self) -> String {
        env(match self {
            Self::MariaDb => "HEARTBEAT_TEST_MARIADB",
            Self::MySql => "HEARTBEAT_TEST_MYSQL",
            Self::Postgres => "HEARTBEAT_TEST_POSTGRES",
            Self::Sqlite => unreachable!("SQLite has no server"),
        })
    }

    pub(crate) fn engine(self) -> Engine {
        match self {
            Self::MariaDb | Self::MySql => Engine::MySql,
            Self::Postgres => Engine::Postgres,
            Self::Sqlite => Engine::Sqlite,
        }
    }
}

impl From<Engine> for Product {
    /// Returns the product of Debian 12.
    fn from(engine: Engine) -> Self {
        match engine {
            Engine::MySql => Self::MariaDb,
            Engine::Postgres => Self::Postgres,
            Engine::Sqlite => Self::Sqlite,
        }
    }
}

/// The database of one test.
#[derive(Clone)]
pub(crate) struct Database {
    pub(crate) engine: Engine,
    /// Name on the server, or file.
    pub(crate) name: String,
    /// The name of the project whose tables it has.
    project: &'static str,
    /// URL of the server for its superuser, without a database; empty for SQLite.
    server: String,
}

impl Database {
    /// Creates a database with the tables of `cinder-manage db sync` and no rows.
    pub(crate) fn new(product: impl Into<Product>) -> Self {
        let product = product.into();
        let engine = product.engine();
        match product {
            Product::MariaDb | Product::MySql | Product::Postgres => {
                Self::on(engine, &product.server())
            }
            Product::Sqlite => {
                let file: PathBuf = folder("sqlite").join("cinder.sqlite");
                std::fs::copy(env("HEARTBEAT_TEST_SQLITE"), &file).unwrap();
                Self::named("cinder", engine, "", file.to_str().unwrap())
            }
        }
    }

    /// Creates a database on a server with all tables of a project, but without rows and foreign keys on MariaDB and
    /// MySQL.
    pub(crate) fn of(project: &'static str, product: impl Into<Product>) -> Self {
        let product = product.into();
        let name = unique(project);
        let database = Self::named(project, product.engine(), &product.server(), &name);
        let name = &database.name;
        let template = format!("{project}_template");
        if database.engine == Engine::Postgres {
            let create = format!("CREATE DATABASE {name} TEMPLATE {template}");
            database.execute_at("postgres", &[create]);
            return database;
        }
        let copy = |table| format!("CREATE TABLE {name}.{table} LIKE {template}.{table}");
        let mut statements = vec![format!("CREATE DATABASE {name}")];
        statements.extend(database.tables(&template).into_iter().map(copy));
        database.execute_at("mysql", &statements);
        database
    }

    /// Creates a database of a project with the tables that a script makes.
    pub(crate) fn of_release(
        project: &'static str,
        product: impl Into<Product>,
        sql: &str,
    ) -> Self {
        let product = product.into();
        let name = unique(project);
        let database = Self::named(project, product.engine(), &product.server(), &name);
        database.create(sql);
        database
    }

    /// Returns the database of a project that has or gets this name, on a server.
    pub(crate) fn named(project: &'static str, engine: Engine, server: &str, name: &str) -> Self {
        Self {
            engine,
            name: name.to_owned(),
            project,
            server: server.to_owned(),
        }
    }

    /// Creates the database, with the tables that a script makes.
    pub(crate) fn create(&self, sql: &str) {
        let maintenance = match self.engine {
            Engine::MySql => "mysql",
            _ => "postgres",
        };
        let create = format!("CREATE DATABASE {}", self.name);
        self.execute_at(maintenance, &[create]);
        self.execute(&[sql]);
    }

    /// Returns the tables of a database of this server, which is MariaDB or MySQL.
    fn tables(&self, database: &str) -> Vec<String> {
        let url = format!("{}/{database}?ssl-mode=DISABLED", self.server);
        block_on(async {
            let mut connection = MySqlConnection::connect(&url).await.unwrap();
            let statement = "SELECT CAST(table_name AS CHAR) FROM information_schema.tables \
                             WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'";
            let tables = sqlx::query_scalar(statement)
                .fetch_all(&mut connection)
                .await
                .unwrap();
            connection.close().await.unwrap();
            tables
        })
    }

    /// Creates a database on a given server that has the template.
    pub(crate) fn on(engine: Engine, server: &str) -> Self {
        let database = Self::named("cinder", engine, server, &unique("cinder"));
        let name = &database.name;
        match engine {
            Engine::MySql => database.execute_at(
                "mysql",
                &[
                    format!("CREATE DATABASE {name}"),
                    format!("CREATE TABLE {name}.services LIKE cinder_template.services"),
                    format!("CREATE TABLE {name}.clusters LIKE cinder_template.clusters"),
                ],
            ),
            Engine::Postgres => database.execute_at(
                "postgres",
                &[format!("CREATE DATABASE {name} TEMPLATE cinder_template")],
            ),
            Engine::Sqlite => unreachable!("SQLite has no server"),
        }
        database
    }

    /// Runs statements in this database as its superuser.
    pub(crate) fn execute(&self, statements: &[&str]) {
        let statements: Vec<String> = statements.iter().map(|&sql| sql.to_owned()).collect();
        self.execute_at(&self.name, &statements);
    }

    fn execute_at(&self, database: &str, statements: &[String]) {
        // A test may have given the server a certificate that the driver can't take.
        let plain = match self.engine {
            Engine::MySql => "?ssl-mode=DISABLED",
            _ => "?sslmode=disable",
        };
        let url = format!("{}/{database}{plain}", self.server);
        let sql = |statement: &String| sqlx::raw_sql(AssertSqlSafe(statement.clone()));
        block_on(async {
            match self.engine {
                Engine::MySql => {
                    let mut connection = MySqlConnection::connect(&url).await.unwrap();
                    for statement in statements {
                        let result = sql(statement).execute(&mut connection).await;
                        result.unwrap_or_else(|error| panic!("{statement}: {error}"));
                    }
                    connection.close().await.unwrap();
                }
                Engine::Postgres => {
                    let mut connection = PgConnection::connect(&url).await.unwrap();
                    for statement in statements {
                        let result = sql(statement).execute(&mut connection).await;
                        result.unwrap_or_else(|error| panic!("{statement}: {error}"));
                    }
                    connection.close().await.unwrap();
                }
                Engine::Sqlite => {
                    let options = SqliteConnectOptions::new().filename(&self.name);
                    let mut connection: SqliteConnection = options.connect().await.unwrap();
                    for statement in statements {
                        let result = sql(statement).execute(&mut connection).await;
                        result.unwrap_or_else(|error| panic!("{statement}: {error}"));
                    }
                    connection.close().await.unwrap();
                }
            }
        });
    }

    /// Returns the number that a statement of PostgreSQL selects, for its superuser.
    pub(crate) fn number(&self, statement: &str) -> i64 {
        let url = self.superuser_url();
        block_on(async {
            let mut connection = PgConnection::connect(&url).await.unwrap();
            let statement = AssertSqlSafe(statement.to_owned());
            let (number,) = sqlx::query_as(statement)
                .fetch_one(&mut connection)
                .await
                .unwrap();
            connection.close().await.unwrap();
            number
        })
    }

    /// Returns the database time plus seconds, as SQL.
    pub(crate) fn now(&self, seconds: i64) -> String {
        match self.engine {
            // Of whole seconds, as MariaDB's column truncates it: MySQL's would round it, and perhaps up.
            Engine::MySql => format!("UTC_TIMESTAMP() + INTERVAL {seconds} SECOND"),
            Engine::Postgres => {
                format!("(statement_timestamp() AT TIME ZONE 'UTC' + INTERVAL '{seconds} seconds')")
            }
            Engine::Sqlite => {
                format!("strftime('%Y-%m-%d %H:%M:%f', 'now', '{seconds:+} seconds')")
            }
        }
    }

    /// Returns `true` or `false` as SQL.
    pub(crate) fn boolean(&self, value: bool) -> &'static str {
        match (self.engine, value) {
            (Engine::Postgres, true) => "true",
            (Engine::Postgres, false) => "false",
            (_, true) => "1",
            (_, false) => "0",
        }
    }

    /// Adds a service; other columns are as Cinder writes them for a new row with a heartbeat.
    pub(crate) fn insert(&self, columns: &[(&str, &str)]) {
        let now = self.now(0);
        let mut all = vec![
            ("binary", "'cinder-volume'"),
            ("host", "'block1'"),
            ("topic", "'cinder-volume'"),
            ("report_count", "7"),
            ("created_at", now.as_str()),
            ("updated_at", now.as_str()),
            ("disabled", self.boolean(false)),
            ("deleted", self.boolean(false)),
            ("availability_zone", "'nova'"),
        ];
        for (name, value) in columns {
            all.retain(|(known, _)| known != name);
            all.push((name, value));
        }
        let quote = if self.engine == Engine::MySql {
            '`'
        } else {
            '"'
        };
        let names: Vec<String> = all
            .iter()
            .map(|(name, _)| format!("{quote}{name}{quote}"))
            .collect();
        let values: Vec<&str> = all.iter().map(|(_, value)| *value).collect();
        self.execute(&[&format!(
            "INSERT INTO services ({}) VALUES ({})",
            names.join(", "),
            values.join(", ")
        )]);
    }

    /// Adds copies of the existing service, on `block2` and so on, up to this number of services.
    pub(crate) fn multiply(&self, count: usize) {
        let binary = if self.engine == Engine::MySql {
            "`binary`"
        } else {
            "\"binary\""
        };
        let rest =
            format!("{binary}, topic, report_count, created_at, updated_at, disabled, deleted");
        let host = if self.engine == Engine::MySql {
            "concat('block', i)"
        } else {
            "'block' || i"
        };
        // MariaDB limits recursion to 1000 by default.
        for first in (2..=count).step_by(500) {
            let last = count.min(first + 499);
            self.execute(&[&format!(
                "INSERT INTO services (host, {rest}) \
                 WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last}) \
                 SELECT {host}, {rest} FROM n, services WHERE host = 'block1'"
            )]);
        }
    }

    /// Adds a cluster.
    pub(crate) fn insert_cluster(&self, name: &str, disabled: &str, deleted: bool) {
        let quote = if self.engine == Engine::MySql {
            '`'
        } else {
            '"'
        };
        self.execute(&[&format!(
            "INSERT INTO clusters (name, {quote}binary{quote}, disabled, deleted, race_preventer, frozen) \
             VALUES ('{name}', 'cinder-volume', {disabled}, {}, {}, {})",
            self.boolean(deleted),
            u8::from(deleted),
            self.boolean(false)
        )]);
    }

    /// Creates a user with a password and without grants, and returns the URL to connect as that user.
    pub(crate) fn user(&self, password: &str) -> (String, String) {
        let user = unique("hb");
        let statement = match self.engine {
            Engine::MySql => {
                let account = self.account(&user);
                format!("CREATE USER {account} IDENTIFIED BY '{password}'")
            }
            Engine::Postgres => format!("CREATE ROLE {user} LOGIN PASSWORD '{password}'"),
            Engine::Sqlite => return (user, self.superuser_url()),
        };
        self.execute(&[&statement]);
        let (scheme, address) = self.server.split_once("://").unwrap();
        let (_, address) = address.split_once('@').unwrap();
        let url = format!("{scheme}://{user}:{password}@{address}/{}", self.name);
        (user, url)
    }

    /// Lets a user read what the exporter reads, as `print grants` says.
    pub(crate) fn grant(&self, user: &str) {
        let engine = match self.engine {
            Engine::MySql => "mysql",
            Engine::Postgres => "postgresql",
            Engine::Sqlite => return,
        };
        let (project, name) = (self.project, &self.name);
        let arguments = format!("{project} --engine {engine} --database {name} --user {user}");
        let script = client::printed(&format!("print grants {arguments}"));
        client::feed(self.engine, &self.server, &script);
    }

    /// Runs the output of the command for grants that a message names. Returns the output.
    pub(crate) fn run_grants(&self, message: &str) -> String {
        let (_, rest) = message
            .split_once("`openstack-heartbeat-exporter ")
            .unwrap_or_else(|| panic!("no command in: {message}"));
        let (arguments, _) = rest.split_once('`').unwrap();
        let script = client::printed(arguments);
        client::feed(self.engine, &self.server, &script);
        script
    }

    /// Creates a user with exactly the grants that the exporter prints, and returns it with its URL.
    pub(crate) fn reader(&self, password: &str) -> (String, String) {
        let (user, url) = self.user(password);
        self.grant(&user);
        (user, url)
    }

    /// Returns the URL of a new [`reader`](Self::reader).
    pub(crate) fn url(&self) -> String {
        self.reader("heart-beat").1
    }

    /// Returns a user as a statement names it.
    pub(crate) fn account(&self, user: &str) -> String {
        match self.engine {
            Engine::MySql => format!("'{user}'@'%'"),
            _ => user.to_owned(),
        }
    }

    /// Returns the URL of the superuser.
    pub(crate) fn superuser_url(&self) -> String {
        match self.engine {
            Engine::Sqlite => format!("sqlite:///{}", self.name),
            _ => format!("{}/{}", self.server, self.name),
        }
    }
}
