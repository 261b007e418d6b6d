//! Tests of the program against real servers, which `tests/run` starts and names in `HEARTBEAT_TEST_…`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and what it prints is shown then"
)]

mod alerting;
mod attack;
mod binary;
mod cinder;
mod cli;
mod dashboard;
mod databases;
mod demo;
mod designate;
mod discovery;
mod documentation;
mod failure;
mod faults;
mod grants;
mod half_close;
mod healthcheck;
mod heat;
mod intermediaries;
mod ironic;
mod kept;
mod logins;
mod manila;
mod oslo;
mod page;
mod prometheus;
mod reload;
mod rules;
mod secrets;
mod skew;
mod soak;
mod sources;
mod standstill;
mod support;
mod systemd;
mod tables;
mod tls;
mod watch;
mod web_config;
