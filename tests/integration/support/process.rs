//! A program that runs beside the tests, with its output in a file.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::server;

/// A process and its output; killed when dropped.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a command; `log` is a new file for its output.
    pub(crate) fn start(command: &mut Command, log: PathBuf) -> Self {
        let file = std::fs::File::create(&log).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        Self { child, log }
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    pub(crate) fn signal(&self, signal: &str) {
        server::signal(self.child.id(), signal);
    }

    /// Sends a signal to the process and to its workers.
    pub(crate) fn signal_all(&self, signal: &str) {
        for process in self.all() {
            server::signal(process, signal);
        }
    }

    /// Sends a signal to one worker.
    pub(crate) fn signal_worker(&self, signal: &str) {
        server::signal(self.workers()[0], signal);
    }

    /// Kills the process and its workers, none of which notices that another one dies.
    ///
    /// A worker of OpenStack that is killed is restarted by its parent; one whose parent is killed shuts down in an
    /// orderly way.
    pub(crate) fn kill_all(&self) {
        // Later, nothing tells whose workers they were.
        let all = self.all();
        for signal in ["STOP", "KILL"] {
            for &process in &all {
                server::signal(process, signal);
            }
        }
    }

    /// Returns the process and its workers.
    fn all(&self) -> Vec<u32> {
        let mut all = self.workers();
        all.insert(0, self.child.id());
        all
    }

    /// Returns the processes that the threads of this one have started.
    fn workers(&self) -> Vec<u32> {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let children = threads.into_iter().flatten().filter_map(|thread| {
            let children = thread.ok()?.path().join("children");
            std::fs::read_to_string(children).ok()
        });
        let children = children.collect::<Vec<String>>().join(" ");
        let children = children.split_whitespace();
        children.map(|child| child.parse().unwrap()).collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill_all();
        let _ = self.child.wait();
    }
}

/// Returns the resident memory of a process in bytes.
pub(crate) fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.unwrap().trim().trim_end_matches(" kB");
    kibibytes.parse::<u64>().unwrap() << 10
}

/// Returns the number of open files and sockets of a process.
pub(crate) fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .count()
}
