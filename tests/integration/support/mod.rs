//! Shared parts of the tests: databases with the projects' own schemas, private servers, the exporter's process.

pub(crate) mod alertmanager;
pub(crate) mod certificate;
pub(crate) mod check_config;
pub(crate) mod cinder;
pub(crate) mod client;
pub(crate) mod clock;
pub(crate) mod database;
pub(crate) mod exporter;
pub(crate) mod haproxy;
pub(crate) mod heat;
pub(crate) mod http;
pub(crate) mod ironic;
pub(crate) mod manila;
pub(crate) mod openssl;
pub(crate) mod openstack;
pub(crate) mod pgbouncer;
pub(crate) mod process;
pub(crate) mod prometheus;
pub(crate) mod proxy;
pub(crate) mod replication;
pub(crate) mod server;
pub(crate) mod terminal;
pub(crate) mod writer;

use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::time::Instant;

/// Returns a variable that `tests/run` sets for its servers.
pub(crate) fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: run the tests by tests/run, or start its servers by tests/run --servers")
    })
}

/// Returns a program of Prometheus, Alertmanager or `VictoriaMetrics` that is newer than Debian 12's, if `tests/run` has
/// unpacked them.
pub(crate) fn newer(program: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("HEARTBEAT_TEST_MONITORING");
    if folder.is_none() {
        eprintln!("NOT CHECKED: a newer {program}, since HEARTBEAT_TEST_MONITORING is not set");
    }
    Some(PathBuf::from(folder?).join(program))
}

/// Returns a name that no other test of this run uses.
pub(crate) fn unique(prefix: &str) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{prefix}_{}_{number}", std::process::id())
}

/// Returns a new folder in the run's temporary folder, which `tests/run` removes.
pub(crate) fn folder(prefix: &str) -> PathBuf {
    let folder = PathBuf::from(env("HEARTBEAT_TEST_DIR")).join(unique(prefix));
    std::fs::create_dir(&folder).unwrap();
    folder
}

/// Runs a future to its end.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
    RUNTIME.block_on(future)
}

/// Waits until a condition holds; panics with the text of `describe` after the time limit.
pub(crate) fn wait_for(
    what: &str,
    limit: Duration,
    mut condition: impl FnMut() -> bool,
    describe: impl Fn() -> String,
) {
    let deadline = Instant::now() + limit;
    while !condition() {
        assert!(
            Instant::now() < deadline,
            "{what}: not within {limit:?}\n{}",
            describe()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Returns a port of 127.0.0.1 that is free now.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}
