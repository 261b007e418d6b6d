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
//! 1. [`heartbeat`] and [`publish::exposition`] know neither tokio, sqlx nor hyper, and read no clock.
//! 2. "Now" is the database's clock, read with the rows. The exporter's wall clock serves one purpose: to publish
//!    how far the database's clock is from it. Elapsed time is monotonic.
//! 3. A published snapshot is never changed.
//! 4. Unknown means no series.
//! 5. A database that can't be read never looks like services that are down.
//! 6. No secret is ever logged, served, or part of an error.
//!
//! # The rooms, in the order of the data
//! Each imports only rooms above its own; `tests/architecture.rs` holds that.
//!
//! | room | knows, and nobody else does |
//! | --- | --- |
//! | [`error`] | an error and its sources on one line |
//! | [`heartbeat`] | what heartbeats prove: verdicts, clock skew, cause, history; pure |
//! | [`project`] | the tables of each OpenStack project, a file each |
//! | [`config`] | settings, and where each value came from |
//! | [`database`] | one connection: the statement in each dialect, and what each error means |
//! | [`source`] | one database, read and tracked: when to poll it, and how to fail |
//! | [`report`] | services in words: headline, advice, table, JSON, CSV |
//! | [`publish`] | the metrics, their text formats, and the latest snapshot as bytes |
//! | [`web`] | routes, connections, access, the status page |
//! | [`daemon`] | the life of the server: start, reload, watchdog, log, end |
//! | [`cli`] | a file a command |

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
