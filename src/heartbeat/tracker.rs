//! The memory between polls: the [`Evidence`] of each row, and the last reading of the database's clock.
//!
//! The memory is on the [`Monotonic`] axis; published skews are against the database's clock. A
//! step of that clock shifts the published skews and leaves the memory unchanged. A step forward is indistinguishable
//! from a suspension of this machine, so after one no skew is published until two later reads enclose a heartbeat.

use std::sync::Arc;

use chrono::TimeDelta;

use super::cause::Judge;
use super::evidence::Evidence;
use super::liveness::Intervals;
use super::reference::{self, Reference};
use super::server_clocks::ServerClocks;
use super::service::{Facts, Reading, Service, Stamp};
use super::skew::shared_clock::common_bounds;
use super::skew::{
    Assumptions, Bounds, DatabaseClock, DatabaseOffset, Monotonic, Observation, Quantum, Read, Row,
    Skew,
};
use super::snapshot::{Rows, Snapshot};
use super::status::Observed;
use super::time::{ClockOffset, DatabaseTime};
use crate::project::Project;
use crate::project::rules::{CarriedBy, Rules, StampedBy};

/// A larger difference between the progress of two clocks, beyond the uncertainty of the reads, is a jump.
const JUMP: TimeDelta = TimeDelta::seconds(1);

/// The operator's settings for clocks and delays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tolerances {
    /// See [`Assumptions::visibility_delay`].
    pub visibility_delay: TimeDelta,
    /// See [`Assumptions::bus_delay`]. It counts only where a message bus carries heartbeats.
    pub bus_delay: TimeDelta,
    /// See [`Assumptions::max_drift_ppm`].
    pub max_drift_ppm: u32,
    /// See [`Assumptions::poll_interval`].
    pub poll_interval: TimeDelta,
}

impl Tolerances {
    /// Returns those that count for a project.
    fn of(self, project: &Project) -> Self {
        match project.rules.carried_by {
            CarriedBy::Bus(_) => self,
            CarriedBy::Nobody => Self {
                bus_delay: TimeDelta::zero(),
                ..self
            },
        }
    }
}

/// The memory of one source.
#[derive(Debug)]
pub struct Tracker {
    /// See [`Snapshot::project`].
    pub(crate) project: &'static Project,
    /// Changed by [`reconfigure`](Self::reconfigure) only.
    pub(crate) intervals: Intervals,
    /// See [`intervals`](Self::intervals).
    pub(crate) tolerances: Tolerances,
    quantum: Option<Quantum>,
    /// The rows of the last reading, sorted by primary key.
    rows: Vec<Tracked>,
    /// Indices of `rows`, sorted by name. They are kept because sorting 10,000 names takes longer than the other work.
    by_name: Vec<u32>,
    last: Option<(Read, DatabaseTime, ClockOffset)>,
    database: DatabaseClock,
    /// The clocks of those who stamp rows of others; nothing is added where nobody does.
    servers: ServerClocks,
    /// Jump of the database's clock since hosts last confirmed it, see [`Reference`].
    unconfirmed_jump: Option<TimeDelta>,
}

/// A row as it is published, and what its heartbeats prove.
#[derive(Debug)]
struct Tracked {
    service: Service,
    /// The row as last accepted. If its facts change, the stamp need not be a heartbeat's.
    accepted: Service,
    /// The server that showed it.
    shown_by: Option<Arc<str>>,
    /// `None` until the row has a stamp.
    evidence: Option<Evidence>,
}

impl Tracker {
    /// Returns a tracker without observations.
    #[must_use]
    pub fn new(project: &'static Project, intervals: Intervals, tolerances: Tolerances) -> Self {
        Self {
            project,
            intervals,
            tolerances: tolerances.of(project),
            quantum: None,
            rows: Vec::new(),
            by_name: Vec::new(),
            last: None,
            database: DatabaseClock::default(),
            servers: ServerClocks::default(),
            unconfirmed_jump: None,
        }
    }

    /// Changes the settings. Observations are kept where they do not depend on the old settings, see
    /// [`Skew::set_assumptions`].
    pub(crate) fn reconfigure(&mut self, intervals: Intervals, tolerances: Tolerances) {
        self.intervals = intervals;
        self.tolerances = tolerances.of(self.project);
        let Some(quantum) = self.quantum else {
            return;
        };
        let common = Arc::new(self.assumptions(quantum));
        for row in &mut self.rows {
            if let Some(evidence) = &mut row.evidence {
                evidence.set_assumptions(assumptions_of(&row.service, &common));
            }
        }
        // They rest on the old assumptions.
        self.servers.clear();
    }

    /// Returns the services whose report interval was observed, with its mean. Left out are those whose heartbeats
    /// stopped more than three intervals before the latest heartbeat of all.
    pub(crate) fn beating(&self) -> impl Iterator<Item = (&Facts, TimeDelta)> {
        let answered = self.last.map(|(read, ..)| read.answered);
        let rows = self.rows.iter().filter_map(move |row| {
            let evidence = row.evidence.as_ref()?;
            let (silence, _) = evidence.silence(answered?);
            Some((&*row.service.facts, evidence.interval()?.mean, silence))
        });
        let least = rows.clone().map(|(.., silence)| silence).min();
        rows.filter(move |&(_, mean, silence)| {
            least.is_none_or(|least| silence - least <= mean * 3)
        })
        .map(|(facts, mean, _)| (facts, mean))
    }

    /// Learns from a reading, which must not be older than the last, and returns the resulting snapshot.
    ///
    /// `clock` compares the database's clock with the exporter's in that reading.
    pub fn observe(&mut self, reading: Reading, read: Read, clock: ClockOffset) -> Snapshot {
        let now = reading.now;
        let quantum = match self.project.rules.carried_by {
            CarriedBy::Nobody => reading.quantum,
            CarriedBy::Bus(_) => Quantum::TRUNCATED,
        };
        // Another engine behind the same address stores stamps in another precision, so the old bounds do not hold.
        if self.quantum.replace(quantum) != Some(quantum) {
            self.rows.clear();
            self.by_name.clear();
            self.servers.clear();
        }
        let jump = self.jump(read, now, clock);
        self.last = Some((read, now, clock));
        let assumptions = Arc::new(self.assumptions(quantum));
        let server = reading.server.as_ref();
        let (offset, stood_still) = self.database.observe(server, read, now, &assumptions);
        if stood_still {
            self.suspect_axis(read.answered);
        }
        self.track(reading.services, read, server, &assumptions);
        if stood_still {
            // Rows that this read is the first to show.
            self.suspect_axis(read.answered);
        }
        self.compare_servers(read.answered, &assumptions);
        let intervals = self.judged_by();
        let observed = |row: &Tracked, bounds| {
            let judge = Judge {
                rules: &self.project.rules,
                intervals: &intervals.of(&row.service),
                now,
                answered: read.answered,
            };
            (row.service.clone(), row.observed(judge, offset, bounds))
        };
        let name = |&index: &u32| self.rows[index as usize].service.facts.name();
        let has_processes = self.project.has_processes();
        let is_same = |a: &u32, b: &u32| has_processes(name(a).0) && name(a) == name(b);
        let mut services: Vec<(Service, Observed)> = Vec::with_capacity(self.rows.len());
        for group in self.by_name.chunk_by(is_same) {
            let rows = group.iter().map(|&index| &self.rows[index as usize]);
            let bounds = common_bounds(rows.clone().filter_map(Tracked::skew), read.answered);
            services.extend(rows.map(|row| observed(row, bounds)));
        }
        self.unconfirmed_jump = self.unconfirmed(jump, &services);
        let reference = Reference {
            now,
            jump,
            unconfirmed_jump: self.unconfirmed_jump,
            offset: clock,
        };
        let servers = self.servers.spread(read.answered, offset, &assumptions);
        let rows = Rows {
            services,
            servers,
            clusters: reading.clusters,
            rejected: reading.rejected,
            count: reading.rows,
        };
        Snapshot::new(rows, reference, self.project, intervals)
    }

    /// Returns the options that decide verdicts and reasons. A heartbeat may be older by the time for which the message bus
    /// may carry the next one.
    fn judged_by(&self) -> Intervals {
        Intervals {
            service_down_time: self.intervals.service_down_time + self.tolerances.bus_delay,
            ..self.intervals
        }
    }

    /// Notes that the axis may have stood still until a read that was answered at `answered`, or that heartbeats were
    /// invisible for longer than the visibility delay, which has the same consequences.
    pub(crate) fn suspect_axis(&mut self, answered: Monotonic) {
        let evidence = self.rows.iter_mut().filter_map(|row| row.evidence.as_mut());
        evidence.for_each(|evidence| evidence.suspect_axis(answered));
        self.servers.clear();
    }

    /// Learns from the heartbeats that a read is the first to show, in rows that others stamp.
    fn compare_servers(&mut self, answered: Monotonic, assumptions: &Assumptions) {
        self.servers.expire(answered);
        let evidence = self.rows.iter_mut().filter_map(|row| row.evidence.as_mut());
        let arrivals = evidence.filter_map(Evidence::arrivals_mut);
        let mut latest = Vec::new();
        for arrivals in arrivals {
            let Some(bounds) = arrivals.latest(answered) else {
                continue;
            };
            // A restored table goes back in one read, so what this read shows of other rows confirms nothing.
            if !arrivals.is_trusted() && self.servers.know(bounds, answered, assumptions) {
                arrivals.trust();
            }
            latest.push((bounds, arrivals.is_trusted()));
        }
        for (bounds, is_trusted) in latest {
            if is_trusted {
                self.servers.add(bounds, answered, assumptions);
            } else {
                self.servers.doubt(bounds, answered, assumptions);
            }
        }
    }

    /// Learns from the rows of services.
    fn track(
        &mut self,
        mut services: Vec<Service>,
        read: Read,
        server: Option<&Arc<str>>,
        assumptions: &Arc<Assumptions>,
    ) {
        services.sort_unstable_by_key(|service| service.id);
        let ids = self.rows.iter().map(|row| row.service.id);
        let mut are_renamed = !ids.eq(services.iter().map(|service| service.id));
        if are_renamed {
            self.align(&services);
        }
        let rules = &self.project.rules;
        for (row, service) in self.rows.iter_mut().zip(services) {
            are_renamed |= row.service.facts != service.facts;
            row.track(service, read, server, (rules, assumptions));
        }
        if are_renamed {
            let name = |&index: &u32| self.rows[index as usize].service.facts.name();
            self.by_name = (0..).take(self.rows.len()).collect();
            self.by_name.sort_by(|a, b| name(a).cmp(&name(b)));
        }
    }

    /// Forgets removed rows and adds new ones. `services` is sorted by primary key.
    fn align(&mut self, services: &[Service]) {
        let mut before = std::mem::take(&mut self.rows).into_iter().peekable();
        let aligned = services.iter().map(|service| {
            while before.next_if(|row| row.service.id < service.id).is_some() {}
            before
                .next_if(|row| row.service.id == service.id)
                .unwrap_or_else(|| Tracked::new(service.clone()))
        });
        self.rows = aligned.collect();
    }

    fn assumptions(&self, quantum: Quantum) -> Assumptions {
        Assumptions {
            visibility_delay: self.tolerances.visibility_delay,
            bus_delay: self.tolerances.bus_delay,
            max_drift_ppm: self.tolerances.max_drift_ppm,
            poll_interval: self.tolerances.poll_interval,
            service_down_time: self.judged_by().service_down_time,
            stamped_by_others: self.project.rules.stamped_by == StampedBy::Others,
            ..Assumptions::new(quantum, self.intervals.report_interval)
        }
    }

    /// Returns the jump of the database's clock since the last reading; positive is forward.
    ///
    /// `None` when its progress agrees with the monotonic axis or with the exporter's clock, to within one second + the
    /// uncertainty of both reads. The exporter's clock agrees after this machine was suspended.
    fn jump(&self, read: Read, now: DatabaseTime, clock: ClockOffset) -> Option<TimeDelta> {
        let (last, then, before) = self.last?;
        let jump = (now.0 - then.0) - (read.answered - last.answered);
        let against_exporter = clock.offset - before.offset;
        let uncertainty = (read.answered - read.sent) + (last.answered - last.sent);
        let is_jump = jump.abs().min(against_exporter.abs()) > JUMP + uncertainty;
        is_jump.then_some(jump)
    }

    /// Returns the jump of the database's clock since hosts last confirmed it, this `jump` included.
    fn unconfirmed(
        &self,
        jump: Option<TimeDelta>,
        services: &[(Service, Observed)],
    ) -> Option<TimeDelta> {
        let jumped = match jump {
            // After a jump and the opposite jump, the clock is the old one.
            Some(jump) => Some(self.unconfirmed_jump.unwrap_or_default() + jump)
                .filter(|jumped| jumped.abs() > JUMP),
            None => self.unconfirmed_jump,
        };
        jumped.filter(|_| !reference::is_confirmed(services, &self.judged_by()))
    }
}

/// Returns the assumptions for a row: with its own intervals where it has them.
fn assumptions_of(service: &Service, common: &Arc<Assumptions>) -> Arc<Assumptions> {
    let facts = &service.facts;
    if facts.report_interval.is_none() && facts.service_down_time.is_none() {
        return common.clone();
    }
    let configured = Intervals {
        service_down_time: common.service_down_time,
        report_interval: common.report_interval,
    };
    let Intervals {
        service_down_time,
        report_interval,
    } = configured.of(service);
    Arc::new(Assumptions {
        report_interval,
        service_down_time,
        ..**common
    })
}

impl Tracked {
    fn new(service: Service) -> Self {
        Self {
            accepted: service.clone(),
            shown_by: None,
            service,
            evidence: None,
        }
    }

    /// Learns from another read of the row.
    ///
    /// A lagging replica shows an older version of a row. All but its facts are then replaced by the last accepted ones,
    /// because an old stamp would look like a stopped service or a clock step.
    fn track(
        &mut self,
        mut service: Service,
        read: Read,
        server: Option<&Arc<str>>,
        (rules, assumptions): (&Rules, &Arc<Assumptions>),
    ) {
        if let Stamp::At(stamp) = service.stamp {
            let row = Row {
                heartbeats: service.heartbeats,
                stamp,
                foreign: self.is_foreign(&service, rules),
                elsewhere: self.shown_by.as_ref() != server,
            };
            let is_stale = if let Some(evidence) = &mut self.evidence {
                evidence.observe(read, row) == Observation::Stale
            } else {
                let assumptions = assumptions_of(&service, assumptions);
                let is_own = rules.stamping_program(&service.facts.binary).is_none();
                self.evidence = Some(Evidence::new(read, row, assumptions, is_own));
                false
            };
            if is_stale {
                service = Service {
                    facts: service.facts,
                    ..self.accepted.clone()
                };
            } else {
                self.accepted = service.clone();
                if row.elsewhere {
                    self.shown_by = server.cloned();
                }
            }
        }
        self.service = service;
    }

    /// Returns whether the stamp of a new version may not be that of a heartbeat.
    ///
    /// The first version of a row that others stamp too proves nothing. One is the first again after its count fell.
    fn is_foreign(&self, service: &Service, rules: &Rules) -> bool {
        let is_first = self.evidence.is_none() || service.heartbeats < self.accepted.heartbeats;
        self.accepted.facts != service.facts
            || service.has_left
            || rules.stamped_by == StampedBy::Others
                && (is_first || rules.shows_other_write(&self.accepted, service))
    }

    /// Returns what is known of the row. `bounds` are those of the clock that stamps it, if they are known.
    fn observed(
        &self,
        judge: Judge<'_>,
        database: DatabaseOffset,
        bounds: Option<Bounds>,
    ) -> Observed {
        let evidence = self.evidence.as_ref();
        let skew = self.skew();
        let writers = skew.and_then(Skew::writers);
        let silence = evidence.map(|evidence| evidence.silence(judge.answered));
        // Several writers have several clocks, and the bounds hold only for the clock of the last one.
        let clock_skew = skew
            .filter(|_| writers.is_none())
            .zip(bounds)
            .map(|(skew, bounds)| skew.against_database(bounds, judge.answered, database));
        Observed {
            clock_skew,
            clock_steps: skew.map(Skew::steps),
            clock_conflicts: skew.map(|skew| skew.conflicts),
            server_clock: evidence
                .and_then(Evidence::arrivals)
                .and_then(|arrivals| arrivals.bounds(judge.answered))
                .map(|bounds| database.relative(bounds)),
            report_interval: evidence
                .and_then(Evidence::interval)
                .map(|interval| interval.mean),
            writers,
            silence_least: silence.map(|(least, _)| least),
            silence_most: silence.and_then(|(_, most)| most),
            reason: judge.reason(&self.service, evidence, clock_skew.map(|skew| skew.bounds)),
        }
    }

    /// Returns the skew of the service's own clock; `None` where its stamps are not from that clock.
    fn skew(&self) -> Option<&Skew> {
        self.evidence.as_ref().and_then(Evidence::skew)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::cause::Reason;
    use crate::heartbeat::fixture;
    use crate::heartbeat::skew::{Bounds, Monotonic};
    use crate::heartbeat::status::ServiceStatus;
    use crate::heartbeat::time::HostTime;
    use crate::project::{cinder, designate, ironic, magnum, manila, watcher};

    /// With a message bus, which counts for one project only.
    const TOLERANCES: Tolerances = Tolerances {
        bus_delay: TimeDelta::seconds(30),
        ..fixture::TOLERANCES
    };

    /// A database that is read every five seconds; each read takes 20 ms.
    struct Reads {
        tracker: Tracker,
        at: TimeDelta,
        /// The database's clock at the origin of the monotonic axis.
        database: DatabaseTime,
        quantum: Quantum,
        server: Option<Arc<str>>,
    }

    impl Reads {
        fn new() -> Self {
            Self::of(&cinder::PROJECT)
        }

        fn of(project: &'static Project) -> Self {
            Self {
                tracker: Tracker::new(project, fixture::INTERVALS, TOLERANCES),
                at: TimeDelta::zero(),
                database: fixture::now("2026-03-30 00:00:00"),
                quantum: Quantum::MICROSECOND,
                server: None,
            }
        }

        /// The row that the next read shows, of a service that reports every ten seconds with a clock `ahead` seconds
        /// ahead.
        fn service(&self, id: i64, ahead: i64) -> Service {
            let beats = (self.at + TimeDelta::seconds(5)).num_seconds() / 10;
            let stamp = self.database.0 + TimeDelta::seconds(beats * 10 + ahead);
            Service {
                id: id.into(),
                heartbeats: Some(100 + beats),
                stamp: Stamp::At(HostTime(stamp)),
                shown: (self.tracker.project.rules.stored).map(|stored| stored.up.into()),
                ..fixture::service("cinder-volume", &format!("host{id}"))
            }
        }

        /// Reads these rows, five seconds after the last read.
        fn read(&mut self, services: Vec<Service>) -> Snapshot {
            self.at += TimeDelta::seconds(5);
            let reading = Reading {
                now: DatabaseTime(self.database.0 + self.at),
                quantum: self.quantum,
                server: self.server.clone(),
                ..fixture::reading(services)
            };
            let read = Read {
                sent: Monotonic(self.at),
                answered: Monotonic(self.at + TimeDelta::milliseconds(20)),
            };
            let clock = ClockOffset {
                offset: self.database.0 - fixture::now("2026-03-30 00:00:00").0,
                ..ClockOffset::default()
            };
            self.tracker.observe(reading, read, clock)
        }

        /// Reads this row only.
        fn read_one(&mut self, service: Service) -> ServiceStatus {
            self.read(vec![service]).services.remove(0)
        }

        /// Reads a minute of these services.
        fn minute_of(&mut self, ids: &[i64], others: &[Service]) {
            for _ in 0..12 {
                let beating = ids.iter().map(|id| self.service(*id, 0));
                self.read(beating.chain(others.iter().cloned()).collect());
            }
        }

        /// Reads a minute of a service with this clock.
        fn minute(&mut self, id: i64, ahead: i64) -> ServiceStatus {
            let statuses = (0..12).map(|_| self.read_one(self.service(id, ahead)));
            statuses.last().unwrap()
        }
    }

    fn bounds(status: &ServiceStatus) -> (f64, f64) {
        let Bounds { lower, upper } = status.observed.clock_skew.unwrap().bounds;
        (lower.as_seconds_f64(), upper.unwrap().as_seconds_f64())
    }

    #[test]
    fn services_are_sorted_by_name_after_a_row_is_renamed() {
        let mut reads = Reads::new();
        for name in ["a", "z", "a", "a", "z"] {
            // It never reported, so there is nothing to observe.
            let renamed = fixture::service("cinder-volume", name);
            let other = Service {
                id: 2.into(),
                ..fixture::service("cinder-volume", "m")
            };
            let snapshot = reads.read(vec![renamed, other]);
            let statuses = snapshot.services.iter();
            assert!(
                statuses.is_sorted_by_key(|status| status.service.facts.name()),
                "{name}"
            );
        }
    }

    #[test]
    fn a_skew_is_bounded_and_is_the_reason_beyond_the_limit() {
        let skew = Some(Reason::ClockSkew);
        for (ahead, reason) in [(0, None), (40, None), (75, skew), (-75, skew)] {
            let status = Reads::new().minute(1, ahead);
            let Bounds { lower, upper } = status.observed.clock_skew.unwrap().bounds;
            let (truth, upper) = (TimeDelta::seconds(ahead), upper.unwrap());
            assert!(lower <= truth && truth <= upper, "{lower} to {upper}");
            assert!(upper - lower < TimeDelta::seconds(8), "{lower} to {upper}");
            assert_eq!(status.observed.reason, reason, "{ahead}");
        }
    }

    #[test]
    fn a_jump_of_the_databases_clock_shifts_the_published_skew_and_counts_no_step() {
        for hours in [1, -1] {
            let mut reads = Reads::new();
            let (lower, upper) = bounds(&reads.minute(1, 0));
            // Another node answers, and its clock is an hour off.
            let service = reads.service(1, 0);
            reads.database.0 += TimeDelta::hours(hours);
            let jumped = reads.read(vec![service]);
            let jump = jumped.clock_jump.unwrap();
            assert!((jump - TimeDelta::hours(hours)).abs() < TimeDelta::seconds(1));
            let skew = jumped.services[0].observed.clock_skew;
            // After a forward jump, the axis may have stood still: nothing is known until later reads enclose a
            // heartbeat.
            assert_eq!(skew.is_some(), hours < 0);
            let after = reads.read(vec![reads.service(1, -3600 * hours)]);
            assert_eq!(after.clock_jump, None);
            let read = |_| reads.read_one(reads.service(1, -3600 * hours));
            let status = (0..3).map(read).last().unwrap();
            let (after_lower, after_upper) = bounds(&status);
            let shift = if hours > 0 { 3600.0 } else { -3600.0 };
            assert!(after_lower + shift <= lower.max(0.0) + 0.1, "{after_lower}");
            assert!(after_upper + shift >= upper.min(0.0) - 0.1, "{after_upper}");
            let width = after_upper - after_lower;
            assert!(width < 12.0, "{after_lower} to {after_upper}");
            assert_eq!(status.observed.clock_steps, Some(0));
        }
    }

    /// Reads five hosts for a minute: four with correct clocks, and one that stopped long ago. The database's clock is
    /// `ahead` seconds ahead.
    fn minute_of_five(reads: &mut Reads, ahead: i64) -> Vec<Snapshot> {
        let right = reads.database;
        let mut snapshots = Vec::new();
        for _ in 0..12 {
            let mut services: Vec<Service> = (1..=4).map(|id| reads.service(id, 0)).collect();
            services.push(Service {
                id: 5.into(),
                stamp: Stamp::At(HostTime(right.0 - TimeDelta::minutes(10))),
                ..fixture::service("cinder-volume", "stopped")
            });
            reads.database.0 = right.0 + TimeDelta::seconds(ahead);
            snapshots.push(reads.read(services));
            reads.database = right;
        }
        snapshots
    }

    fn verdicts(snapshot: &Snapshot) -> Vec<Option<bool>> {
        snapshot.services.iter().map(|status| status.up).collect()
    }

    #[test]
    fn a_clock_that_jumped_takes_no_service_down_until_hosts_confirm_it() {
        let (up, unknown) = (Some(true), None);
        let alive = |verdict| [verdict, verdict, verdict, verdict, Some(false)];
        for ahead in [3_600, -3_600] {
            let mut reads = Reads::new();
            for snapshot in minute_of_five(&mut reads, 0) {
                assert_eq!(verdicts(&snapshot), alive(up));
            }
            // No host confirms the clock of this server: only verdicts on which both clocks agree are known.
            for snapshot in minute_of_five(&mut reads, ahead) {
                assert_eq!(verdicts(&snapshot), alive(unknown), "{ahead}");
                assert_eq!(snapshot.services[0].observed.reason, None);
                assert!(snapshot.services[4].observed.reason.is_some());
            }
            for snapshot in minute_of_five(&mut reads, 0) {
                assert_eq!(verdicts(&snapshot), alive(up), "{ahead}");
                assert_eq!(snapshot.unconfirmed_jump, None);
            }
        }
    }

    #[test]
    fn a_clock_that_jumped_gives_no_reason_to_a_service_whose_stored_state_is_up() {
        for ahead in [3_600, -3_600] {
            let mut reads = Reads::of(&manila::PROJECT);
            minute_of_five(&mut reads, 0);
            for snapshot in minute_of_five(&mut reads, ahead) {
                for status in &snapshot.services[..4] {
                    assert_eq!((status.up, status.observed.reason), (Some(true), None));
                }
            }
        }
    }

    #[test]
    fn a_clock_that_is_set_right_is_confirmed_by_the_next_heartbeats() {
        for ahead in [3_600, -3_600] {
            let mut reads = Reads::new();
            // The clock was wrong from the start, perhaps like the controllers' clocks. Cinder then has these verdicts.
            let before = minute_of_five(&mut reads, ahead).pop().unwrap();
            assert_eq!(verdicts(&before)[..4], [Some(false); 4]);
            let after = minute_of_five(&mut reads, 0);
            // Hosts confirm a step back at once.
            let first = if ahead > 0 { Some(true) } else { None };
            assert_eq!(verdicts(&after[0])[..4], [first; 4]);
            for snapshot in &after[3..] {
                assert_eq!(verdicts(snapshot)[..4], [Some(true); 4], "{ahead}");
                assert_eq!(snapshot.unconfirmed_jump, None);
            }
        }
    }

    #[test]
    fn a_pause_of_the_exporter_counts_no_clock_step() {
        let mut reads = Reads::new();
        reads.minute(1, 0);
        // The axis stands still for a minute while the database and the host continue.
        reads.database.0 += TimeDelta::seconds(60);
        for _ in 0..6 {
            let mut service = reads.service(1, 0);
            service.heartbeats = service.heartbeats.map(|number| number + 6);
            let status = reads.read_one(service);
            assert_eq!(status.observed.clock_steps, Some(0));
            if let Some(skew) = status.observed.clock_skew {
                assert!(skew.bounds.lower <= TimeDelta::zero(), "{skew:?}");
            }
        }
    }

    #[test]
    fn freezing_a_service_is_a_foreign_write_and_disabling_it_is_not() {
        type Change = fn(&mut Service);
        let disable: Change = |service| service.disabled = Some(true);
        // Like Cinder, with a new stamp that no heartbeat wrote.
        let freeze: Change = |service| {
            Arc::make_mut(&mut service.facts).frozen = Some(true);
            if let Stamp::At(HostTime(stamp)) = &mut service.stamp {
                *stamp += TimeDelta::seconds(1);
            }
        };
        for (change, kept) in [(disable, true), (freeze, false)] {
            let mut reads = Reads::new();
            reads.minute(1, 0);
            let mut known = true;
            for _ in 0..2 {
                let mut service = reads.service(1, 0);
                change(&mut service);
                let observed = reads.read_one(service).observed;
                // After a foreign write the interval is learnt again.
                known &= observed.report_interval.is_some();
                assert_eq!(observed.clock_steps, Some(0));
            }
            assert_eq!(known, kept);
            assert!(reads.minute(1, 0).observed.report_interval.is_some());
        }
    }

    #[test]
    fn a_service_that_said_goodbye_sends_no_heartbeats_and_its_stamps_are_no_stop() {
        let mut reads = Reads::of(&ironic::PROJECT);
        let uncounted = |reads: &Reads| Service {
            heartbeats: None,
            ..reads.service(1, 0)
        };
        for _ in 0..12 {
            let service = uncounted(&reads);
            assert_eq!(reads.read_one(service).up, Some(true));
        }
        // It goes on stamping its row while it finishes its work.
        for _ in 0..20 {
            let leaving = Service {
                has_left: true,
                ..uncounted(&reads)
            };
            let status = reads.read_one(leaving);
            let verdict = (status.up, status.observed.reason);
            assert_eq!(verdict, (Some(false), Some(Reason::ShutDown)));
            assert_eq!(status.observed.clock_steps, Some(0));
        }
        for _ in 0..4 {
            let service = uncounted(&reads);
            let status = reads.read_one(service);
            assert_eq!((status.up, status.observed.reason), (Some(true), None));
        }
    }

    #[test]
    fn a_service_that_is_forced_down_is_down_though_its_heartbeats_are_observed() {
        let mut reads = Reads::of(&magnum::PROJECT);
        for forced_down in [false, true, false] {
            for _ in 0..12 {
                let forced = Service {
                    forced_down: Some(forced_down),
                    ..reads.service(1, 0)
                };
                let status = reads.read_one(forced);
                let reason = forced_down.then_some(Reason::ForcedDown);
                let verdict = (status.up, status.observed.reason);
                assert_eq!(verdict, (Some(!forced_down), reason));
            }
        }
        assert!(reads.tracker.rows[0].skew().unwrap().interval().is_some());
    }

    #[test]
    fn an_earlier_stamp_is_shown_if_the_server_that_showed_the_later_one_shows_it() {
        for (server, shown) in [("db1", true), ("db2", false)] {
            let mut reads = Reads::of(&watcher::PROJECT);
            let uncounted = |reads: &Reads| Service {
                heartbeats: None,
                ..reads.service(1, 0)
            };
            reads.server = Some("db1".into());
            let before = uncounted(&reads);
            for _ in 0..12 {
                let service = uncounted(&reads);
                reads.read_one(service);
            }
            reads.server = Some(server.into());
            let status = reads.read_one(before.clone());
            assert_eq!(status.service.stamp == before.stamp, shown, "{server}");
        }
    }

    #[test]
    fn a_removed_row_is_forgotten_and_a_recreated_row_starts_over() {
        let mut reads = Reads::new();
        reads.minute(1, 30);
        assert!(reads.read(vec![]).services.is_empty());
        assert!(reads.tracker.rows.is_empty());
        let status = reads.read_one(reads.service(2, 0));
        assert_eq!(status.observed.clock_skew.unwrap().bounds.upper, None);
        assert_eq!(status.observed.clock_steps, Some(0));
    }

    #[test]
    fn a_lagging_replica_changes_nothing() {
        let mut reads = Reads::new();
        let before = reads.service(1, 0);
        let fresh = reads.minute(1, 0);
        let status = reads.read_one(before);
        assert_eq!(status.service.heartbeats, fresh.service.heartbeats);
        assert_eq!(status.service.stamp, fresh.service.stamp);
        assert_eq!(status.up, Some(true));
        assert_eq!(status.observed.clock_steps, Some(0));
        assert_eq!(status.observed.reason, None);
    }

    #[test]
    fn a_lagging_replica_after_an_unreadable_time_shows_the_last_accepted_one() {
        let mut reads = Reads::new();
        let before = reads.service(1, 0);
        let fresh = reads.minute(1, 0).service;
        let unreadable = Service {
            stamp: Stamp::Unreadable,
            ..reads.service(1, 0)
        };
        assert_eq!(reads.read_one(unreadable).up, None);
        let status = reads.read_one(before);
        assert_eq!(status.service.heartbeats, fresh.heartbeats);
        assert_eq!(status.service.stamp, fresh.stamp);
    }

    #[test]
    fn another_engine_behind_the_address_starts_over() {
        let mut reads = Reads::new();
        reads.minute(1, 0);
        reads.quantum = Quantum::TRUNCATED;
        let status = reads.read_one(reads.service(1, 0));
        assert_eq!(status.observed.clock_skew.unwrap().bounds.upper, None);
        // Its table may also be empty.
        reads.quantum = Quantum::ROUNDED;
        assert!(reads.read(vec![]).services.is_empty());
    }

    #[test]
    fn new_settings_keep_the_bounds_and_a_longer_delay_widens_them() {
        for (delay, report_interval, wider) in [(2, 10, 0.0), (2, 20, 0.0), (7, 10, 5.0)] {
            let mut reads = Reads::new();
            let (_, upper) = bounds(&reads.minute(1, 0));
            let intervals = Intervals {
                service_down_time: TimeDelta::seconds(90),
                report_interval: TimeDelta::seconds(report_interval),
            };
            let tolerances = Tolerances {
                visibility_delay: TimeDelta::seconds(delay),
                ..reads.tracker.tolerances
            };
            reads.tracker.reconfigure(intervals, tolerances);
            // Read again before the next heartbeat.
            let service = Service {
                stamp: Stamp::At(HostTime(reads.database.0 + TimeDelta::seconds(60))),
                heartbeats: Some(106),
                ..reads.service(1, 0)
            };
            let snapshot = reads.read(vec![service]);
            assert_eq!(snapshot.intervals, intervals);
            let (_, after) = bounds(&snapshot.services[0]);
            assert!((after - upper - wider).abs() < 0.1, "{upper} to {after}");
            let (lower, upper) = bounds(&reads.minute(1, 0));
            assert!(lower <= 0.0 && upper >= 0.0, "{lower} to {upper}");
        }
    }

    #[test]
    fn a_row_without_a_time_is_not_observed() {
        let mut reads = Reads::new();
        let status = reads.read_one(fixture::service("cinder-backup", "controller"));
        assert_eq!(status.observed.reason, Some(Reason::NeverReported));
        assert_eq!(status.observed.clock_skew, None);
        assert_eq!(status.observed.clock_steps, None);
    }

    #[test]
    fn a_stop_is_known_after_service_down_time() {
        let mut reads = Reads::new();
        reads.minute(1, 0);
        let last = reads.service(1, 0);
        let reason = |_| reads.read_one(last.clone()).observed.reason;
        let reasons: Vec<Option<Reason>> = (0..16).map(reason).collect();
        assert_eq!(reasons[0], None);
        assert_eq!(reasons[15], Some(Reason::Stopped));
        assert!(!reasons.contains(&Some(Reason::ClockSkew)), "{reasons:?}");
    }

    #[test]
    fn a_service_that_stopped_before_the_others_does_not_beat() {
        let mut reads = Reads::new();
        let beating = |reads: &Reads| {
            let hosts = reads
                .tracker
                .beating()
                .map(|(facts, _)| facts.host.to_string());
            hosts.collect::<Vec<String>>()
        };
        reads.minute_of(&[1, 2, 3], &[]);
        assert_eq!(beating(&reads), ["host1", "host2", "host3"]);
        let dead = reads.service(3, 0);
        reads.minute_of(&[1, 2], std::slice::from_ref(&dead));
        assert_eq!(beating(&reads), ["host1", "host2"]);
        // The others stop together.
        let all = [reads.service(1, 0), reads.service(2, 0), dead];
        reads.minute_of(&[], &all);
        assert_eq!(beating(&reads), ["host1", "host2"]);
    }

    /// A service of Designate that beats every ten seconds until `last`, listed as `shown`.
    fn carried(reads: &Reads, last: i64, shown: &str) -> Service {
        let beats = (reads.at.num_seconds() + 5).min(last).div_euclid(10);
        let stamp = reads.database.0 + TimeDelta::seconds(beats * 10);
        Service {
            heartbeats: None,
            stamp: Stamp::At(HostTime(stamp)),
            shown: Some(shown.into()),
            ..fixture::service("designate-worker", "host1")
        }
    }

    #[test]
    fn a_stop_is_known_after_the_limit_and_the_bus_delay() {
        for (shown, stopped) in [
            ("UP", Reason::Stopped),
            ("DOWN", Reason::Stopped),
            ("STOPPED", Reason::ShutDown),
        ] {
            let mut reads = Reads::of(&designate::PROJECT);
            reads.tracker.intervals.service_down_time = TimeDelta::seconds(20);
            let mut last = None;
            // The last heartbeat comes with the read at 50 s.
            for second in (5..=150).step_by(5) {
                let beats = if second > 55 { shown } else { "UP" };
                let status = reads.read_one(carried(&reads, 55, beats));
                last = status.observed.reason;
                if second <= 100 {
                    assert_ne!(last, Some(Reason::Stopped), "{shown}, {second}");
                } else {
                    assert_eq!(last, Some(stopped), "{shown}, {second}");
                }
            }
            assert_eq!(last, Some(stopped));
        }
    }

    #[test]
    fn a_service_that_beats_though_its_stored_word_is_down_is_marked_or_has_a_clock_behind() {
        for (behind, expected) in [(0, Reason::MarkedDown), (2_000, Reason::ClockSkew)] {
            let mut reads = Reads::of(&designate::PROJECT);
            reads.tracker.intervals.service_down_time = TimeDelta::seconds(20);
            let read = |_| {
                let service = carried(&reads, i64::MAX, "DOWN");
                let stamp = service.stamp.time().unwrap().0 - TimeDelta::seconds(behind);
                reads.read_one(Service {
                    stamp: Stamp::At(HostTime(stamp)),
                    ..service
                })
            };
            let status = (0..12).map(read).last().unwrap();
            assert_eq!(status.observed.reason, Some(expected), "{behind}");
            let (lower, upper) = bounds(&status);
            // Whole seconds, though the column has microseconds.
            let width = upper - lower;
            assert!((38.0..45.0).contains(&width), "{lower} to {upper}");
        }
    }
}
