//! PgBouncer in front of the tests' PostgreSQL, with one server connection that all clients share.

use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};

use super::process::Process;
use super::{block_on, env, folder, free_port, wait_for};

/// A pool for one user of one server; killed when dropped.
pub(crate) struct PgBouncer {
    process: Process,
    url: String,
}

impl PgBouncer {
    /// Starts a pool with a `pool_mode` for the user of a database URL, and waits until that user can log in.
    pub(crate) fn start(url: &str, mode: &str) -> Self {
        let (scheme, rest) = url.split_once("://").unwrap();
        let (credentials, rest) = rest.split_once('@').unwrap();
        let (user, password) = credentials.split_once(':').unwrap();
        let (address, database) = rest.split_once('/').unwrap();
        let (host, server_port) = address.split_once(':').unwrap();
        let port = free_port();

        let folder = folder("pgbouncer");
        let users = folder.join("users");
        std::fs::write(&users, format!("\"{user}\" \"{password}\"\n")).unwrap();
        let settings = folder.join("pgbouncer.ini");
        let text = format!(
            "[databases]\n\
             * = host={host} port={server_port}\n\
             [pgbouncer]\n\
             listen_addr = 127.0.0.1\n\
             listen_port = {port}\n\
             unix_socket_dir =\n\
             auth_type = scram-sha-256\n\
             auth_file = {}\n\
             pool_mode = {mode}\n\
             default_pool_size = 1\n",
            users.display()
        );
        std::fs::write(&settings, text).unwrap();

        let mut command = Command::new("pgbouncer");
        command.arg(&settings).current_dir(&folder);
        // It refuses to run as root.
        let owner = std::fs::metadata(env("HEARTBEAT_TEST_POSTGRES_DATA")).unwrap();
        if std::fs::metadata("/proc/self").unwrap().uid() != owner.uid() {
            command.uid(owner.uid()).gid(owner.gid());
        }
        let pool = Self {
            process: Process::start(&mut command, folder.join("log")),
            url: format!("{scheme}://{credentials}@127.0.0.1:{port}/{database}"),
        };
        wait_for(
            "PgBouncer answers",
            Duration::from_secs(20),
            || pool.ask("SELECT 'there'").is_ok(),
            || pool.process.log(),
        );
        pool
    }

    /// Returns the URL of the database through the pool.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Returns the text that a statement selects, through another client of the same user.
    pub(crate) fn ask(&self, statement: &str) -> Result<String, sqlx::Error> {
        let options: PgConnectOptions = self.url.parse()?;
        block_on(async {
            // PgBouncer refuses unknown parameters.
            let mut client = options.extra_float_digits(None).connect().await?;
            // A prepared statement would not survive a change of the server's session.
            let row = sqlx::raw_sql(AssertSqlSafe(statement))
                .fetch_one(&mut client)
                .await?;
            client.close().await?;
            row.try_get(0)
        })
    }
}
