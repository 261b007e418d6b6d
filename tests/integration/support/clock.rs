//! Hosts whose clocks are off: the programs of a host run with a library that adds seconds to their clock.

use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use super::folder;

/// tests/clock.c, compiled once a run.
static LIBRARY: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = folder("clock");
    let library = folder.join("clock.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clock.c");
    let status = Command::new("cc")
        .args([
            "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o",
        ])
        .args([&library, &source])
        .status()
        .unwrap();
    assert!(status.success());
    library
});

/// The clock of one host.
pub(crate) struct HostClock {
    file: PathBuf,
}

impl HostClock {
    /// Returns a clock that is some seconds ahead of this machine's.
    pub(crate) fn new(ahead: i64) -> Self {
        let clock = Self {
            file: folder("host_clock").join("ahead"),
        };
        clock.set(ahead);
        clock
    }

    /// Steps the clock, for programs that run as well.
    pub(crate) fn set(&self, ahead: i64) {
        // Programs have mapped the file: it must never be empty.
        let mut options = std::fs::OpenOptions::new();
        let file = options.write(true).create(true).truncate(false);
        let file = file.open(&self.file).unwrap();
        file.write_all_at(&ahead.to_ne_bytes(), 0).unwrap();
    }

    /// Lets a program run with this clock.
    pub(crate) fn apply(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &*LIBRARY)
            .env("HEARTBEAT_TEST_CLOCK", &self.file);
    }
}
