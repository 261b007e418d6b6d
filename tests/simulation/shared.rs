//! A row that others stamp too, as Manila's schedulers and its API do, with their own clocks.

use std::sync::Arc;

use openstack_heartbeat_exporter::heartbeat::cause::Reason;
use openstack_heartbeat_exporter::heartbeat::liveness::Intervals;
use openstack_heartbeat_exporter::heartbeat::service::{Service, Stamp};
use openstack_heartbeat_exporter::heartbeat::skew::{Monotonic, Quantum, Read};
use openstack_heartbeat_exporter::heartbeat::status::ServiceStatus;
use openstack_heartbeat_exporter::heartbeat::time::{ClockOffset, DatabaseTime, HostTime};
use openstack_heartbeat_exporter::heartbeat::tracker::{Tolerances, Tracker};
use openstack_heartbeat_exporter::project;

use super::random::Random;
use super::world::{DOWN, date, reading, span};

/// Manila's `report_interval`.
const INTERVAL: f64 = 10.0;
const POLL: f64 = 5.0;
const UNTIL: f64 = 1_800.0;

/// A service, and those who stamp its row as well.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cloud {
    /// Clocks minus the database's clock.
    pub(crate) service: f64,
    pub(crate) scheduler: f64,
    pub(crate) api: f64,
    /// When the process is killed, and when it is started again.
    pub(crate) gone: Option<(f64, f64)>,
    /// Whether it is shut down, and not killed.
    pub(crate) says_goodbye: bool,
    /// Chance that an operator disables or enables it within a second.
    pub(crate) toggled: f64,
    /// The release has the column of the state.
    pub(crate) stores_state: bool,
    /// Every third read is answered by a replica that lags by up to this.
    pub(crate) lag: f64,
    /// When the table is restored from a backup, and how old the backup is.
    pub(crate) restored: Option<(f64, f64)>,
}

pub(crate) const QUIET: Cloud = Cloud {
    service: 0.0,
    scheduler: 0.0,
    api: 0.0,
    gone: None,
    says_goodbye: false,
    toggled: 0.0,
    stores_state: true,
    lag: 0.0,
    restored: None,
};

#[derive(Debug, Clone)]
struct Row {
    stamp: f64,
    count: i64,
    state: &'static str,
    disabled: bool,
}

/// What one read shows, and the truth.
pub(crate) struct Moment<'a> {
    pub(crate) status: &'a ServiceStatus,
    /// Time since the last heartbeat.
    pub(crate) silence: f64,
    pub(crate) state: &'static str,
    pub(crate) cloud: &'a Cloud,
}

impl Moment<'_> {
    /// Returns whether the service's clock is outside the published bounds.
    pub(crate) fn misses(&self) -> bool {
        let Some(skew) = self.status.observed.clock_skew else {
            return false;
        };
        let truth = span(self.cloud.service);
        skew.bounds.lower > truth || skew.bounds.upper.is_some_and(|upper| upper < truth)
    }

    /// Returns whether the published reason is a true one.
    pub(crate) fn is_right(&self) -> bool {
        // A lagging replica, and a backup, show an older state.
        let is_current = self.cloud.lag <= 0.0 && self.cloud.restored.is_none();
        if !is_current {
            return self.status.observed.reason != Some(Reason::Stopped) || self.silence > DOWN;
        }
        let silent = self.silence > DOWN;
        let is_off = self.cloud.service.abs() > DOWN - INTERVAL;
        match self.status.observed.reason {
            // A stop is proven within two polls of the limit.
            None => self.status.up != Some(false) && self.silence <= DOWN + 2.0 * POLL,
            Some(Reason::Stopped) => silent && self.state != "stopped",
            Some(Reason::ShutDown) => self.state == "stopped",
            Some(Reason::ClockSkew) => is_off && !silent,
            Some(Reason::MarkedDown) => self.state == "down" && !silent,
            Some(Reason::Undetermined) => self.silence <= DOWN + 2.0 * POLL,
            Some(_) => false,
        }
    }
}

/// Returns all versions of the row with the time from which they are visible, and when the last heartbeat was.
fn versions(random: &mut Random, cloud: &Cloud) -> Vec<(f64, Row, f64)> {
    let mut row = Row {
        stamp: 0.0,
        count: 1_000,
        state: "up",
        disabled: false,
    };
    let (mut beat, mut mark) = (random.unit() * INTERVAL, random.unit() * DOWN);
    let (mut last, mut time, mut toggled) = (0.0, 0.0, 0.0);
    let mut versions: Vec<(f64, Row, f64)> = vec![(0.0, row.clone(), 0.0)];
    let fails = |stamp: f64, now: f64| (now - stamp).abs() > DOWN;
    let mut is_gone = false;
    while time < UNTIL {
        // A tenth of a second at a time: the order of writes within it is that of the code.
        time += 0.1;
        let was_gone = is_gone;
        is_gone = cloud
            .gone
            .is_some_and(|gone| gone.0 <= time && time < gone.1);
        let before = row.clone();
        if is_gone && !was_gone && cloud.says_goodbye {
            (row.state, row.stamp) = ("stopped", time + cloud.service);
        }
        if was_gone && !is_gone {
            (row.state, row.stamp) = ("down", time + cloud.service);
            beat = time + INTERVAL;
        }
        if time >= beat && !is_gone {
            beat += INTERVAL + random.between(-0.05, 0.05);
            let now = time + cloud.service;
            row.state = if fails(row.stamp, now) { "down" } else { "up" };
            (row.stamp, last) = (now, time);
            row.count += 1;
        }
        if time >= mark {
            mark += DOWN;
            let now = time + cloud.scheduler;
            if fails(row.stamp, now) && row.state == "up" && cloud.stores_state {
                (row.state, row.stamp) = ("down", now);
            }
        }
        // Two changes between two reads leave no trace.
        if random.chance(cloud.toggled / 10.0) && time - toggled > 2.0 * POLL {
            toggled = time;
            row.disabled = !row.disabled;
            row.stamp = time + cloud.api;
        }
        if let Some((at, age)) = cloud.restored
            && (at..at + 0.1).contains(&time)
        {
            let older = versions.partition_point(|(visible, ..)| *visible <= time - age);
            row = versions[older.max(1) - 1].1.clone();
        }
        if (before.count, before.stamp, before.state) != (row.count, row.stamp, row.state) {
            let visible = time + random.between(0.004, 0.03);
            versions.push((visible, row.clone(), last));
        }
    }
    versions
}

/// Reads the row every five seconds, and passes each moment to `look`; returns the number of reads.
pub(crate) fn simulate(seed: u64, cloud: &Cloud, mut look: impl FnMut(&Moment)) -> usize {
    let mut random = Random(seed);
    let database = random.between(-1e6, 1e6).round() + 2e9;
    let versions = versions(&mut random, cloud);
    let intervals = Intervals {
        service_down_time: span(DOWN),
        report_interval: span(INTERVAL),
    };
    let tolerances = Tolerances {
        visibility_delay: span(2.0),
        bus_delay: span(30.0),
        max_drift_ppm: 1_000,
        poll_interval: span(POLL),
    };
    let mut tracker = Tracker::new(
        project::find("manila").expect("it is known"),
        intervals,
        tolerances,
    );
    let (mut time, mut reads) = (random.unit() * 600.0, 0);
    while time < UNTIL {
        time += POLL * random.between(5.0 / 6.0, 7.0 / 6.0);
        let happens = time + random.between(0.001, 0.003);
        let lag = if reads % 3 == 2 {
            random.unit() * cloud.lag
        } else {
            0.0
        };
        let at = |time: f64| {
            let landed = versions.partition_point(|(visible, ..)| *visible <= time);
            &versions[landed.max(1) - 1]
        };
        let (_, row, _) = at(happens - lag);
        let (_, truth, last) = at(happens);
        let service = Service {
            heartbeats: Some(row.count),
            stamp: Stamp::At(HostTime(date(row.stamp + database))),
            disabled: Some(row.disabled),
            shown: cloud.stores_state.then(|| Arc::from(row.state)),
            ..Service::default()
        };
        let now = DatabaseTime(date(happens + database));
        let reading = reading(now, Quantum::MICROSECOND, service);
        let read = Read {
            sent: Monotonic(span(time)),
            answered: Monotonic(span(time + 0.004)),
        };
        let snapshot = tracker.observe(reading, read, ClockOffset::default());
        reads += 1;
        look(&Moment {
            status: &snapshot.services[0],
            silence: happens - last,
            state: truth.state,
            cloud,
        });
    }
    reads
}
