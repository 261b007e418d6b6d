//! A Prometheus exporter that reads the table in which OpenStack services leave their heartbeats, and tells
//! which service is down exactly as Cinder sees it.
//!
//! # The way of the data
//! ```text
//! settings → database ──► snapshot ( liveness ) ──► exposition ──► http
//!    ▲          one SELECT       pure, immutable       rendered      bytes
//!  flags, env, file, cinder.conf                     once a poll
//! ```
//! A task reads the table every poll interval, in one statement that also returns the database's own clock. From
//! the rows it computes one immutable snapshot, which is rendered once into the bytes of `/metrics`. A scrape
//! copies these bytes and adds the exporter's own metrics: it never queries, and never waits for the database.
//!
//! # Invariants
//! 1. [`heartbeat`] and [`metrics::exposition`] know neither tokio, sqlx nor hyper, and read no clock.
//! 2. "Now" is the database's clock, read with the rows. The exporter's wall clock serves one purpose: to publish
//!    how far the database's clock is from it. Elapsed time is monotonic.
//! 3. A published snapshot is never changed.
//! 4. Unknown means no series.
//! 5. A database that can't be read never looks like services that are down.
//! 6. No secret is ever logged, served, or part of an error.
//!
//! # The modules, in reading order
//! - [`heartbeat::service`]: rows as values, with two types of time: the host's and the database's.
//! - [`heartbeat::liveness`]: Cinder's rules for up and down.
//! - [`heartbeat::snapshot`]: what is published.
//! - [`database`]: the statement in each dialect, and what each error of a driver means.
//! - [`poller`]: when to poll and how to fail. What is remembered of a host's clock from poll to poll will have
//!   its place between the reading and the snapshot.
//! - [`picture`]: the latest snapshot as bytes, and when it is too old to be shown.
//! - [`metrics`]: one table of all metrics, the text formats, the exporter's own metrics.
//! - [`web`]: routes, limits, shutdown.
//! - [`config`]: layers of configuration, and where each value came from.
//! - [`listing`]: the services as a table, JSON, CSV.
//! - [`demo`]: a simulated Cinder.
//! - [`cli`]: commands, flags and exit codes.

pub mod cli;
pub mod config;
pub mod database;
pub mod demo;
pub mod heartbeat;
pub mod listing;
pub mod logging;
pub mod metrics;
pub mod picture;
pub mod poller;
pub mod serve;
pub mod web;
