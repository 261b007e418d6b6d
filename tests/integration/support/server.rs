//! A database server for one test, which may kill, stop and restart it.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use openstack_heartbeat_exporter::config::database_url::Engine;
use sqlx::Connection as _;
use sqlx::mysql::MySqlConnection;
use sqlx::postgres::PgConnection;

use super::database::Product;
use super::{block_on, env, folder, free_port, wait_for};

/// Debian's libfaketime for programs with threads; the linker finds its folder for this architecture.
const FAKE_CLOCK: &str = "/usr/$LIB/faketime/libfaketimeMT.so.1";

/// Sends a signal to a process; returns whether the process exists.
pub(crate) fn signal(pid: u32, name: &str) -> bool {
    let status = Command::new("kill")
        .args([format!("-{name}"), pid.to_string()])
        .stderr(Stdio::null())
        .status();
    status.unwrap().success()
}

/// A server with the template database, on a fixed port.
pub(crate) struct Server {
    product: Product,
    folder: PathBuf,
    port: u16,
    /// Further arguments of the server.
    arguments: Vec<String>,
    child: Option<Child>,
}

impl Server {
    pub(crate) fn start(product: impl Into<Product>) -> Self {
        Self::start_with(product, &[])
    }

    /// Starts a server with further arguments.
    pub(crate) fn start_with(product: impl Into<Product>, arguments: &[&str]) -> Self {
        let product = product.into();
        let fresh = match product {
            Product::MariaDb => env("HEARTBEAT_TEST_MARIADB_DATA"),
            Product::MySql => env("HEARTBEAT_TEST_MYSQL_DATA"),
            Product::Postgres => env("HEARTBEAT_TEST_POSTGRES_DATA"),
            Product::Sqlite => unreachable!("SQLite has no server"),
        };
        Self::of(product, Path::new(&fresh), arguments)
    }

    /// Starts a server on a copy of a data folder.
    pub(crate) fn of(product: Product, fresh: &Path, arguments: &[&str]) -> Self {
        let folder = folder("server");
        let status = Command::new("cp")
            .arg("-a")
            .arg(fresh)
            .arg(folder.join("data"))
            .status()
            .unwrap();
        assert!(status.success());
        let owner = std::fs::metadata(fresh).unwrap();
        std::os::unix::fs::chown(&folder, Some(owner.uid()), Some(owner.gid())).unwrap();
        let mut server = Self {
            product,
            folder,
            port: free_port(),
            arguments: arguments.iter().copied().map(str::to_owned).collect(),
            child: None,
        };
        server.restart();
        server
    }

    fn engine(&self) -> Engine {
        self.product.engine()
    }

    /// Starts the server on its data and waits until it answers.
    pub(crate) fn restart(&mut self) {
        self.restart_ahead(0);
    }

    /// Starts the server with its clock this many seconds ahead.
    pub(crate) fn restart_ahead(&mut self, seconds: i64) {
        assert!(self.child.is_none(), "the server runs");
        let data = self.folder.join("data");
        let owner = std::fs::metadata(&data).unwrap();
        let port = self.port.to_string();
        let program = match self.product {
            Product::MySql => env("HEARTBEAT_TEST_MYSQLD"),
            _ => "mariadbd".to_owned(),
        };
        let mut command = if self.engine() == Engine::MySql {
            let mut command = Command::new(program);
            command
                .arg(format!("--defaults-file={}", data.join("my.cnf").display()))
                .arg(format!("--datadir={}", data.display()))
                .arg(format!("--socket={}", self.folder.join("socket").display()))
                .arg(format!("--port={port}"));
            command
        } else {
            let mut command = Command::new("postgres");
            command
                .arg("-D")
                .arg(&data)
                .arg("-k")
                .arg(&self.folder)
                .args(["-p", &port]);
            command
        };
        let log = std::fs::File::create(self.folder.join("log")).unwrap();
        command
            .args(&self.arguments)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        if seconds != 0 {
            command
                .env("LD_PRELOAD", FAKE_CLOCK)
                .env("FAKETIME", format!("{seconds:+}"))
                .env("DONT_FAKE_MONOTONIC", "1");
        }
        // The user need not change if the data folder belongs to the user who started the tests.
        if std::fs::metadata("/proc/self").unwrap().uid() != owner.uid() {
            command.uid(owner.uid()).gid(owner.gid());
        }
        self.child = Some(command.spawn().unwrap());
        let url = self.url();
        let engine = self.engine();
        wait_for(
            "the server answers",
            Duration::from_mins(1),
            || {
                block_on(async {
                    match engine {
                        Engine::MySql => {
                            MySqlConnection::connect(&format!("{url}/mysql?ssl-mode=DISABLED"))
                                .await
                                .is_ok()
                        }
                        _ => PgConnection::connect(&format!("{url}/postgres?sslmode=disable"))
                            .await
                            .is_ok(),
                    }
                })
            },
            || self.log(),
        );
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Returns the URL of the superuser, without a database.
    pub(crate) fn url(&self) -> String {
        match self.engine() {
            Engine::MySql => format!("mysql://root@127.0.0.1:{}", self.port),
            _ => format!("postgres://postgres@127.0.0.1:{}", self.port),
        }
    }

    /// Kills the server, without closing its clients' connections.
    pub(crate) fn kill(&mut self) {
        for pid in self.processes() {
            signal(pid, "KILL");
        }
        if let Some(mut child) = self.child.take() {
            let _ = child.wait();
        }
        // PostgreSQL would take this file for a running server.
        let _ = std::fs::remove_file(self.folder.join("data/postmaster.pid"));
    }

    /// Shuts the server down as its administrator does.
    pub(crate) fn shut_down(&mut self) {
        let mut child = self.child.take().unwrap();
        // INT is PostgreSQL's fast shutdown; MariaDB and MySQL need TERM.
        let name = match self.engine() {
            Engine::MySql => "TERM",
            _ => "INT",
        };
        signal(child.id(), name);
        assert!(child.wait().unwrap().success());
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Stops the server's processes: its sockets stay open and nothing answers.
    pub(crate) fn stop(&self) {
        for pid in self.processes() {
            signal(pid, "STOP");
        }
    }

    /// Continues a stopped server.
    pub(crate) fn go_on(&self) {
        for pid in self.processes() {
            signal(pid, "CONT");
        }
    }

    /// Returns the process of the server and, for PostgreSQL, those of its connections.
    fn processes(&self) -> Vec<u32> {
        let Some(child) = &self.child else {
            return Vec::new();
        };
        let pid = child.id();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let children = children.unwrap_or_default();
        let children = children
            .split_whitespace()
            .filter_map(|pid| pid.parse().ok());
        std::iter::once(pid).chain(children).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.go_on();
        self.kill();
    }
}
