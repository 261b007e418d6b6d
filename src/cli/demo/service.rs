//! A simulated service: its clock, when its heartbeats come, and what its row shows at any time.
//!
//! Times are relative to the start of the demo: the hour before it is negative. A service beats as oslo.service's
//! looping calls do, at a fixed phase.

use chrono::TimeDelta;

use crate::heartbeat::time::DatabaseTime;

/// The default of the projects' report intervals.
const REPORT_INTERVAL: TimeDelta = TimeDelta::seconds(10);

/// How long before the start all services were created.
const LIFETIME: TimeDelta = TimeDelta::days(30);

/// A service, and what happens to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct SimulatedService {
    /// Primary key of its row, from 1.
    pub(super) id: i64,
    pub(super) binary: &'static str,
    pub(super) host: &'static str,
    pub(super) zone: &'static str,
    /// Clock skew at the start; positive: the host is ahead.
    pub(super) skew: TimeDelta,
    /// When the clock was set wrong. It was right until then.
    pub(super) skewed_at: TimeDelta,
    /// Drift of the host's clock in parts per million; positive: it gains.
    pub(super) drift_ppm: i32,
    /// When it sends no heartbeats.
    pub(super) silence: Option<Silence>,
}

/// A time without heartbeats.
#[derive(Debug, Clone, Copy)]
pub(super) struct Silence {
    pub(super) from: TimeDelta,
    /// `None` for a service that does not come back.
    pub(super) until: Option<TimeDelta>,
    /// Whether the service was shut down, and stamped its row once more.
    pub(super) says_goodbye: bool,
}

/// What a row shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) heartbeats: i64,
    /// The stamp, by the clock of the service's host.
    pub(super) stamp: TimeDelta,
    /// The stored state, for projects that store one.
    pub(super) state: &'static str,
}

/// Returns a service that has always sent heartbeats, with a right clock.
pub(super) const fn service(id: i64, binary: &'static str, host: &'static str) -> SimulatedService {
    SimulatedService {
        id,
        binary,
        host,
        zone: "nova",
        skew: TimeDelta::zero(),
        skewed_at: TimeDelta::MIN,
        drift_ppm: 0,
        silence: None,
    }
}

/// Returns the silence of a service that was killed so many minutes before the start.
pub(super) const fn killed(minutes: i64) -> Silence {
    Silence {
        from: TimeDelta::minutes(-minutes),
        until: None,
        says_goodbye: false,
    }
}

impl SimulatedService {
    /// Returns what its row shows at a time.
    pub(super) fn at(&self, at: TimeDelta) -> Shown {
        let gone = self.silence.filter(|it| it.from <= at);
        let back = gone.and_then(|it| it.until).map(|until| self.beat(until));
        let is_back = back.is_some_and(|back| self.beat(at) > back);
        let silence = gone.filter(|_| !is_back);
        let last = self.beat(silence.map_or(at, |it| it.from));
        let missed = gone.zip(back).filter(|_| is_back);
        let missed = missed.map_or(0, |(gone, back)| back - self.beat(gone.from));
        let goodbye = silence.filter(|it| it.says_goodbye);
        let written = goodbye.map_or(self.time(last), |it| it.from);
        Shown {
            heartbeats: last - missed - self.beat(-LIFETIME),
            stamp: milliseconds(written + self.skew(written)),
            state: if goodbye.is_some() { "stopped" } else { "up" },
        }
    }

    /// Returns how far its clock is ahead at a time.
    pub(super) fn skew(&self, at: TimeDelta) -> TimeDelta {
        let skew = if at < self.skewed_at {
            TimeDelta::zero()
        } else {
            self.skew
        };
        skew + TimeDelta::microseconds(at.num_milliseconds() * i64::from(self.drift_ppm) / 1_000)
    }

    /// Returns when the first heartbeat is due after a time that is not before the start; `None` if none will be.
    pub(super) fn due_after(&self, at: TimeDelta) -> Option<TimeDelta> {
        let is_gone = self.silence.is_some_and(|silence| silence.until.is_none());
        (!is_gone).then(|| self.time(self.beat(at) + 1))
    }

    /// Returns the number of the latest heartbeat at a time; 0 is the first after the start.
    fn beat(&self, at: TimeDelta) -> i64 {
        let interval = REPORT_INTERVAL.num_milliseconds();
        (at - self.phase()).num_milliseconds().div_euclid(interval)
    }

    /// Returns the time of a heartbeat.
    fn time(&self, beat: i64) -> TimeDelta {
        self.phase() + TimeDelta::milliseconds(beat * REPORT_INTERVAL.num_milliseconds())
    }

    /// Returns when its first heartbeat after the start comes: services do not beat at the same time.
    fn phase(&self) -> TimeDelta {
        TimeDelta::milliseconds((self.id * 3_700).rem_euclid(REPORT_INTERVAL.num_milliseconds()))
    }
}

/// Returns a time of the demo by the database's clock, which shows this time at the start, as text in a row.
pub(super) fn text(start: DatabaseTime, at: TimeDelta) -> String {
    let time = start.0 + milliseconds(at);
    time.format("%Y-%m-%d %H:%M:%S%.3f").to_string()
}

/// Returns when all services were created.
pub(super) fn creation() -> TimeDelta {
    -LIFETIME
}

/// Returns a time in the precision of `SQLite`.
fn milliseconds(time: TimeDelta) -> TimeDelta {
    TimeDelta::milliseconds(time.num_milliseconds())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks heartbeats since the last one before the start, stamp in milliseconds, and state at a time in seconds.
    #[track_caller]
    fn check(service: SimulatedService, at: i64, heartbeats: i64, stamp: i64, state: &str) {
        let shown = service.at(TimeDelta::seconds(at));
        let always = SimulatedService {
            silence: None,
            ..service
        };
        let before = always.at(TimeDelta::zero()).heartbeats;
        let seen = (
            shown.heartbeats - before,
            shown.stamp.num_milliseconds(),
            shown.state,
        );
        assert_eq!(seen, (heartbeats, stamp, state), "at {at} s");
    }

    const ON_TIME: SimulatedService = service(1, "cinder-volume", "block1");

    #[test]
    fn heartbeats_come_at_their_phase() {
        for (at, heartbeats, stamp) in [(0, 0, -6_300), (4, 1, 3_700), (-7, -1, -16_300)] {
            check(ON_TIME, at, heartbeats, stamp, "up");
        }
        let due = |at| ON_TIME.due_after(TimeDelta::milliseconds(at)).unwrap();
        assert_eq!(due(0), TimeDelta::milliseconds(3_700));
        assert_eq!(due(3_700), TimeDelta::milliseconds(13_700));
    }

    #[test]
    fn a_clock_is_wrong_from_the_time_on_and_drifts() {
        let jumps = SimulatedService {
            skew: TimeDelta::seconds(-75),
            skewed_at: TimeDelta::seconds(-20),
            ..ON_TIME
        };
        check(jumps, -21, -2, -26_300, "up");
        check(jumps, -16, -1, -91_300, "up");
        let drifts = SimulatedService {
            drift_ppm: 200,
            ..ON_TIME
        };
        let skew = |at| drifts.skew(TimeDelta::seconds(at)).num_microseconds();
        assert_eq!([skew(-3_600), skew(0)], [Some(-720_000), Some(0)]);
    }

    #[test]
    fn a_service_that_is_killed_keeps_its_last_row_and_one_that_is_shut_down_stamps_it() {
        let killed = SimulatedService {
            silence: Some(killed(1)),
            ..ON_TIME
        };
        check(killed, -57, -6, -66_300, "up");
        check(killed, 60, -6, -66_300, "up");
        let shut_down = SimulatedService {
            silence: Some(Silence {
                says_goodbye: true,
                ..super::killed(1)
            }),
            ..ON_TIME
        };
        check(shut_down, -61, -6, -66_300, "up");
        check(shut_down, 60, -6, -60_000, "stopped");
        assert_eq!(killed.due_after(TimeDelta::zero()), None);
    }

    #[test]
    fn a_service_that_comes_back_missed_heartbeats() {
        let silence = Silence {
            from: TimeDelta::seconds(-60),
            until: Some(TimeDelta::seconds(-30)),
            says_goodbye: false,
        };
        let away = SimulatedService {
            silence: Some(silence),
            ..ON_TIME
        };
        for (at, heartbeats, stamp) in [
            (-61, -6, -66_300),
            (-27, -6, -66_300),
            (-26, -5, -26_300),
            (0, -3, -6_300),
        ] {
            check(away, at, heartbeats, stamp, "up");
        }
        assert!(away.due_after(TimeDelta::zero()).is_some());
    }
}
