//! Tests of the whole against real servers; `tests/run` starts those and names them in `HEARTBEAT_TEST_…`.

#![expect(missing_docs, reason = "a test's name says what it shows")]

mod binary;
mod cinder;
mod databases;
mod failure;
mod oslo;
mod prometheus;
mod support;
