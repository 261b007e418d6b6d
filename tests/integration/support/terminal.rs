//! A terminal, opened by util-linux's `script`, for programs that behave differently on a terminal.

use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::exporter::set_apart;
use super::wait_for;

/// A shell's command line on its own terminal; killed when dropped.
pub(crate) struct Terminal {
    child: Child,
    keyboard: ChildStdin,
    screen: Arc<Mutex<String>>,
}

impl Terminal {
    /// Runs a command line of bash on a terminal with this number of columns.
    pub(crate) fn run(columns: u16, line: &str, environment: &[(&str, &str)]) -> Self {
        let line = format!("stty cols {columns} rows 50; {line}");
        let mut command = Command::new("script");
        set_apart(&mut command);
        command
            .args(["--quiet", "--flush", "--return", "--command", &line])
            .arg("/dev/null")
            .env("SHELL", "/bin/bash")
            .env("TERM", "xterm");
        // These variables affect colours and width too; `CI` enables colours.
        for name in ["CI", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "NO_COLOR"] {
            command.env_remove(name);
        }
        let mut child = command
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = child.stdout.take().unwrap();
        let screen = Arc::new(Mutex::new(String::new()));
        let seen = screen.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            let mut text = Vec::new();
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                text.extend_from_slice(&bytes[..count]);
                *seen.lock().unwrap() = String::from_utf8_lossy(&text).into_owned();
            }
        });
        Self {
            keyboard: child.stdin.take().unwrap(),
            child,
            screen,
        }
    }

    /// Types on the keyboard.
    pub(crate) fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Returns the whole output so far.
    pub(crate) fn screen(&self) -> String {
        self.screen.lock().unwrap().clone()
    }

    /// Waits until a text was written to the terminal.
    pub(crate) fn shows(&self, text: &str) {
        wait_for(
            text,
            Duration::from_secs(20),
            || self.screen().contains(text),
            || self.screen(),
        );
    }

    /// Waits for the exit; returns the exit code and the whole output.
    pub(crate) fn end(mut self) -> (i32, String) {
        let screen = self.screen.clone();
        let mut status = None;
        let has_ended = || {
            status = self.child.try_wait().unwrap();
            // By then the output has been read to its end.
            status.is_some() && Arc::strong_count(&screen) == 2
        };
        let written = || screen.lock().unwrap().clone();
        wait_for("the end", Duration::from_secs(20), has_ended, written);
        (status.unwrap().code().unwrap(), written())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
