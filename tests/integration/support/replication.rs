//! Servers that replicate to one another: a cluster of Galera, a replica of MariaDB, a standby of PostgreSQL.

use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use openstack_heartbeat_exporter::config::database_url::Engine;
use sqlx::mysql::MySqlConnection;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};

use super::database::Product;
use super::server::Server;
use super::{block_on, env, folder, free_port, wait_for};

/// Two servers with the template database: what is written to the first appears on the second.
pub(crate) struct Pair {
    pub(crate) first: Server,
    pub(crate) second: Server,
}

impl Pair {
    /// Starts a cluster of Galera. The first node remains the primary component without the second.
    pub(crate) fn galera() -> Self {
        let port = free_port();
        let first = node("first", port, "", "pc.weight=2", &["--wsrep-new-cluster"]);
        let peers = format!("127.0.0.1:{port}");
        let second = node("second", free_port(), &peers, "pc.weight=1", &[]);
        let pair = Self { first, second };
        pair.wait_until_ready();
        pair
    }

    /// Waits until both nodes of a cluster accept statements.
    pub(crate) fn wait_until_ready(&self) {
        for server in [&self.first, &self.second] {
            let status = "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'wsrep_ready'";
            let limit = Duration::from_mins(1);
            let is_ready = || server.ask(status) == "ON";
            wait_for("the node is ready", limit, is_ready, || server.log());
        }
    }

    /// Starts a replica of MariaDB that accepts no writes.
    pub(crate) fn mariadb() -> Self {
        let first = Server::start_with(Engine::MySql, &["--server-id=1", "--log-bin=binlog"]);
        let second = Server::start_with(Engine::MySql, &["--server-id=2", "--read-only=ON"]);
        let port = first.address().port();
        second.execute(&format!(
            "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {port}, MASTER_USER = 'root', \
             MASTER_USE_GTID = slave_pos"
        ));
        second.execute("START SLAVE");
        Self { first, second }
    }

    /// Starts a standby of PostgreSQL.
    pub(crate) fn postgres() -> Self {
        let first = Server::start(Engine::Postgres);
        // Debian's default allows this only to local users.
        first.execute(
            "COPY (SELECT 'host replication postgres 127.0.0.1/32 trust') TO PROGRAM 'cat >>pg_hba.conf'",
        );
        first.execute("SELECT pg_reload_conf()");
        let folder = folder("standby");
        let fresh = env("HEARTBEAT_TEST_POSTGRES_DATA");
        let owner = std::fs::metadata(Path::new(&fresh)).unwrap();
        std::os::unix::fs::chown(&folder, Some(owner.uid()), Some(owner.gid())).unwrap();
        let data = folder.join("data");
        let mut command = Command::new("pg_basebackup");
        command
            .args(["-h", "127.0.0.1", "-U", "postgres", "--checkpoint=fast"])
            .args(["--write-recovery-conf", "-p"])
            .arg(first.address().port().to_string())
            .arg("-D")
            .arg(&data)
            .current_dir(&folder);
        if std::fs::metadata("/proc/self").unwrap().uid() != owner.uid() {
            command.uid(owner.uid()).gid(owner.gid());
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let second = Server::of(Product::Postgres, &data, &[]);
        Self { first, second }
    }

    /// Returns the URL of the second server for one of the first.
    pub(crate) fn on_second(&self, url: &str) -> String {
        let [first, second] = [&self.first, &self.second].map(Server::address);
        let (first, second) = (format!("{first}/"), format!("{second}/"));
        assert!(url.contains(&first), "{url}");
        url.replace(&first, &second)
    }
}

/// Starts a node. The second one replaces its data by those of the first.
fn node(name: &str, port: u16, peers: &str, options: &str, arguments: &[&str]) -> Server {
    // Short limits: a node that is cut off need not wait for the defaults.
    let options = format!(
        "--wsrep-provider-options=base_port={port};gmcast.listen_addr=tcp://127.0.0.1:{port};\
         ist.recv_addr=127.0.0.1:{};gcache.size=8M;evs.keepalive_period=PT0.3S;evs.suspect_timeout=PT1S;\
         evs.inactive_timeout=PT3S;{options}",
        free_port()
    );
    let state = format!("--wsrep-sst-receive-address=127.0.0.1:{}", free_port());
    let name = format!("--wsrep-node-name={name}");
    let peers = format!("--wsrep-cluster-address=gcomm://{peers}");
    let cluster = [
        "--wsrep-on=ON",
        "--wsrep-provider=/usr/lib/galera/libgalera_smm.so",
        "--wsrep-node-address=127.0.0.1",
        "--wsrep-sst-method=rsync",
        &state,
        "--binlog-format=ROW",
        "--innodb-autoinc-lock-mode=2",
        &options,
        &name,
        &peers,
    ];
    Server::start_with(Engine::MySql, &[&cluster, arguments].concat())
}

impl Server {
    /// Runs a statement as the superuser.
    pub(crate) fn execute(&self, statement: &str) {
        self.run(statement);
    }

    /// Returns the first value that a statement selects.
    pub(crate) fn ask(&self, statement: &str) -> String {
        self.run(statement).unwrap_or_default()
    }

    fn run(&self, statement: &str) -> Option<String> {
        use sqlx::Row as _;
        let query = sqlx::raw_sql(AssertSqlSafe(statement.to_owned()));
        let url = self.url();
        block_on(async {
            if url.starts_with("mysql") {
                let mut session = MySqlConnection::connect(&format!("{url}/mysql"))
                    .await
                    .unwrap();
                let row = query.fetch_optional(&mut session).await.unwrap();
                row.and_then(|row| row.try_get(0).ok())
            } else {
                let mut session = PgConnection::connect(&format!("{url}/postgres"))
                    .await
                    .unwrap();
                let row = query.fetch_optional(&mut session).await.unwrap();
                row.and_then(|row| row.try_get(0).ok())
            }
        })
    }
}
