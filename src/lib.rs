//! A Prometheus exporter for the heartbeats of OpenStack services.
//!
//! Each OpenStack service regularly writes a heartbeat into a database table. The exporter reads that table. It reports
//! which services are down, by the project's own rules, and why: the host's clock is off, the heartbeats stopped or come too
//! slowly, the service never reported, or the reason is not yet known.
//!
//! # Data flow
//! ```text
//! config ──► database ──► source, which calls heartbeat ──► publish ──────────► web
//! settings   one SELECT   tracker: liveness, skew, cause    snapshot as text   ready bytes
//!            per poll     pure: no clock read, no I/O       once per poll      per scrape
//! ```
//! 1. [`config`] merges flags, environment, the configuration file and the projects' own files into settings.
//! 2. [`source`] reads the table once per poll interval. One statement of [`database`] returns the rows and the
//!    database's clock.
//! 3. [`heartbeat::tracker`] compares the rows with those of earlier polls and returns an immutable
//!    [snapshot](heartbeat::snapshot): the verdict on each service, the skew of its clock, and the reason.
//! 4. [`publish`] renders the snapshot as the text of `/metrics`. Only metric families that changed are rendered again.
//!    The exporter's own metrics are gathered after each poll, and every second while clients scrape.
//! 5. [`web`] answers a scrape with bytes that are ready. A scrape never queries the database or waits for it.
//!    [`report`] writes the same snapshot for people and scripts: page, table, JSON, CSV.
//!
//! [`daemon`] starts these parts, connects them, and replaces the settings on a reload.
//!
//! # Method
//! A row holds times by the clock of the service's host, and a counter that each heartbeat increments. Take two reads on
//! the exporter's monotonic axis. The first was sent at a' and does not show a heartbeat; the second was answered at b
//! and shows it, with the stamp v. Together they bound the skew θ = host clock − monotonic axis:
//! - causality: θ ≥ v − b, whatever the delays;
//! - visibility: θ ≤ v − (a' − D) + ρ (b − a' + D), if a read can show a heartbeat at most D after its stamp, and the
//!   clocks drift by at most ρ.
//!
//! The bounds are widened by the precision of the column and age by ρ. They are intersected with the bounds of the next
//! heartbeat while the stamps show that the host's clock runs undisturbed. A constant delay is indistinguishable from an
//! offset, so the bounds are never narrower than D. What is published is the skew against the database's clock, which
//! each read compares with the axis. D is the setting `skew.visibility-delay`, and ρ is `skew.max-drift`. Heartbeats
//! that a message bus carries come late and out of order: D then includes `skew.bus-delay`, and bounds are joined. See
//! [`heartbeat::skew`] for details and limits. [`heartbeat::cause`] derives the reason from the bounds.
//!
//! # Invariants
//! 1. [`heartbeat`], [`project`], [`report`] and [`publish::exposition`] use neither tokio, sqlx nor hyper, and read no
//!    clock.
//! 2. "Now" is the database's clock, read with the rows. Elapsed time, and the tracker's axis, are monotonic. The
//!    exporter's wall clock enters no verdict; it dates events, and measures how far the database's clock is off.
//! 3. A published snapshot is never changed.
//! 4. An unknown value has no series.
//! 5. A database that cannot be read never looks like services that are down.
//! 6. No secret is logged, served, or part of an error.
//!
//! # Rooms
//! A room is a top-level module. Each imports only rooms above it; `tests/architecture.rs` checks this. What is pure comes
//! first, then the way of the data.
//!
//! | module | owns |
//! | --- | --- |
//! | [`error`] | an error and its sources on one line |
//! | [`heartbeat`] | the proofs from heartbeats: verdicts, clock skew, cause, history; pure |
//! | [`project`] | the tables of each OpenStack project, one file per project |
//! | [`config`] | the settings, and the origin of each value |
//! | [`database`] | one connection: the statement in each dialect, and the meaning of each error |
//! | [`source`] | the polls of one database: timing, retries, and evaluation of the rows |
//! | [`report`] | services in words: headline, advice, table, JSON, CSV |
//! | [`publish`] | the metrics, their text formats, and the latest snapshot as bytes |
//! | [`web`] | routes, connections, access, the status page |
//! | [`daemon`] | the life of the server: start, reload, watchdog, log, shutdown |
//! | [`cli`] | the commands, one file per command |

pub mod cli;
pub mod config;
pub(crate) mod daemon;
pub mod database;
pub(crate) mod error;
pub mod heartbeat;
pub mod project;
pub mod publish;
pub mod report;
pub mod source;
pub mod web;
