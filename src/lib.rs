//! A Prometheus exporter that reads the table in which OpenStack services leave their heartbeats, and tells
//! which service is down exactly as Cinder sees it, and why: its clock is off, its heartbeats stopped, they come
//! too slowly, or nobody can tell yet.
//!
//! # The way of the data
//! ```text
//! settings → database ──► tracker ( liveness · skew · cause ) ──► snapshot ──► exposition ──► http
//!    ▲          one SELECT      pure, no clock, no I/O, no Result      immutable    rendered once   bytes
//!  flags, env, file, cinder.conf
//! ```
//! A task reads the table every poll interval, in one statement that also returns the database's own clock. From
//! the rows and what is remembered of them it computes one immutable snapshot, which is rendered into the bytes of
//! `/metrics` family by family, and only where it changed. The exporter's own metrics are gathered with each poll, and
//! each second while somebody scrapes. A scrape is answered with both, put together beforehand: it never queries, and
//! never waits for the database.
//!
//! # The method
//! A row holds times by the clock of the service's host, and a counter that rises with each heartbeat. A read sent
//! at a and answered at b, on the exporter's monotonic axis, that shows a heartbeat which the read sent at a' did
//! not show yet, proves two things of the skew θ = host's clock − reference, v being the stamp:
//! - causality: θ ≥ v − b, whatever the delays;
//! - visibility: θ ≤ v − (a' − D) + ρ (b − a' + D), if a heartbeat can be read at most D after its stamp and the
//!   clocks drift by at most ρ.
//!
//! Each is widened by what the column cuts off, aged by ρ, and intersected with the next heartbeat's as long as the
//! host's clock is seen to run on undisturbed; [`heartbeat::skew`] has the details, and the limits: a constant delay
//! can't be told from an offset, so that the bounds are never narrower than D. The reasons of [`heartbeat::cause`]
//! follow from the bounds.
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
//! - [`heartbeat::skew`], [`heartbeat::cause`], [`heartbeat::reference`]: what heartbeats prove about a clock, why a
//!   service is down, and when it is rather the reference that is off.
//! - [`heartbeat::tracker`], [`heartbeat::snapshot`]: what is remembered from poll to poll, and what is published.
//! - [`heartbeat::advice`], [`heartbeat::urgency`], [`heartbeat::history`]: what to do about it, what to do first, and
//!   how the last hour was.
//! - [`database`]: the statement in each dialect, and what each error of a driver means.
//! - [`plan`], [`poller`]: what to poll, when, and how to fail.
//! - [`picture`]: a snapshot as bytes.
//! - [`scrape`]: what a scrape is answered with.
//! - [`gallery`]: the latest picture until it is too old to be shown, and the hour before it.
//! - [`metrics`]: one table of all metrics, the text formats, the exporter's own metrics.
//! - [`web`]: routes, limits, shutdown, the status page, and, in [`web::access`], who is answered.
//! - [`pulse`]: how the exporter is doing, for systemd.
//! - [`config`]: layers of configuration, and where each value came from.
//! - [`listing`]: the services as a table, JSON, CSV.
//! - [`probe`]: what a health check asks of the exporter.
//! - [`demo`]: a simulated Cinder.
//! - [`bundle`]: the files that the program brings along.
//! - [`systemd`], [`lifecycle`]: what systemd is told and passes; the configuration in force and how it is replaced.
//! - [`cli`], [`serve`], [`logging`]: commands, flags and exit codes; the life of the server; the log.

pub mod bundle;
pub mod cli;
pub mod config;
pub mod database;
pub mod demo;
pub mod gallery;
pub mod heartbeat;
pub mod lifecycle;
pub mod listing;
pub mod logging;
pub mod metrics;
pub mod picture;
pub mod plan;
pub mod poller;
pub mod probe;
pub mod pulse;
pub mod scrape;
pub mod serve;
pub mod systemd;
pub mod web;
