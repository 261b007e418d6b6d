//! What is known of a source from earlier readings, and what the next one adds to it.

use crate::heartbeat::liveness::Intervals;
use crate::heartbeat::service::Reading;
use crate::heartbeat::skew::Read;
use crate::heartbeat::snapshot::Snapshot;
use crate::heartbeat::standstill::{Motion, Stale, Standstill};
use crate::heartbeat::time::ClockOffset;
use crate::heartbeat::tracker::{Tolerances, Tracker};
use crate::project::Project;

/// What is known from earlier readings.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(super) standstill: Standstill,
    pub(super) tracker: Tracker,
}

impl Memory {
    /// Returns a memory of nothing.
    pub(crate) fn new(
        project: &'static Project,
        intervals: Intervals,
        tolerances: Tolerances,
    ) -> Self {
        Self {
            standstill: Standstill::default(),
            tracker: Tracker::new(project, intervals, tolerances),
        }
    }

    /// Forgets everything except the settings.
    pub(super) fn reset(&mut self) {
        let Tracker {
            project,
            intervals,
            tolerances,
            ..
        } = self.tracker;
        *self = Self::new(project, intervals, tolerances);
    }

    /// Learns from a reading. A server that is not current proves nothing about services: the tracker does not see it.
    pub(crate) fn evaluate(
        &mut self,
        reading: Reading,
        read: Read,
        clock: ClockOffset,
    ) -> Result<Snapshot, Stale> {
        let Self {
            standstill,
            tracker,
        } = self;
        let (intervals, tolerances) = (&tracker.intervals, &tracker.tolerances);
        let beating = || tracker.beating();
        let motion = standstill.observe(&reading, read, intervals, tolerances, beating);
        let standstill = match motion {
            Motion::Stale(stale) => return Err(stale),
            Motion::Still(lasted) => Some(lasted),
            Motion::Resumes => {
                tracker.suspect_axis(read.answered);
                None
            }
            Motion::Moves => None,
        };
        let snapshot = tracker.observe(reading, read, clock);
        Ok(Snapshot {
            standstill,
            ..snapshot
        })
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::heartbeat::fixture::{self, INTERVALS, TOLERANCES, at};
    use crate::heartbeat::service::{Service, Stamp};
    use crate::heartbeat::time::{DatabaseTime, HostTime};
    use crate::project::cinder;

    /// Reads at this second a replica that shows the table of another second. Three services report every ten seconds.
    fn read(memory: &mut Memory, second: i64, shown: i64) -> Result<Snapshot, Stale> {
        let time = |second| fixture::now("2026-03-30 00:00:00").0 + TimeDelta::seconds(second);
        let hosts = [("block1", 1), ("block2", 4), ("block3", 7)];
        let row = |(id, (host, first)): (i64, (&str, i64))| {
            let beats = (shown - first).div_euclid(10);
            Service {
                id: id.into(),
                heartbeats: Some(100 + beats),
                stamp: Stamp::At(HostTime(time(first + beats * 10))),
                ..fixture::service("cinder-volume", host)
            }
        };
        let reading = Reading {
            now: DatabaseTime(time(second)),
            read_only: true,
            ..fixture::reading((1..).zip(hosts).map(row).collect())
        };
        let read = Read {
            sent: at(second),
            answered: at(second),
        };
        memory.evaluate(reading, read, ClockOffset::default())
    }

    #[test]
    fn a_replica_that_stands_still_blames_no_service_and_moves_no_bound() {
        let mut memory = Memory::new(&cinder::PROJECT, INTERVALS, TOLERANCES);
        let mut stale = 0;
        for second in (0..1_200).step_by(5) {
            // It stands still for ten minutes, and then replays within two.
            let shown = match second {
                300..900 => 300,
                900.. => (300 + (second - 900) * 6).min(second),
                _ => second,
            };
            match read(&mut memory, second, shown) {
                Ok(snapshot) => {
                    assert_eq!(snapshot.standstill, None);
                    for status in &snapshot.services {
                        assert_eq!(status.up, Some(true), "{second}");
                        assert_eq!(status.observed.reason, None, "{second}");
                        assert_eq!(status.observed.clock_steps, Some(0));
                        if let Some(skew) = status.observed.clock_skew {
                            let truth = TimeDelta::zero();
                            assert!(skew.bounds.lower <= truth, "{second}: {skew:?}");
                            assert!(
                                skew.bounds.upper.is_none_or(|upper| upper >= truth),
                                "{second}: {skew:?}"
                            );
                        }
                    }
                }
                Err(_) => stale += 1,
            }
        }
        assert!((115..145).contains(&stale), "{stale}");
    }

    #[test]
    fn a_reset_forgets_the_servers_too() {
        let mut memory = Memory::new(&cinder::PROJECT, INTERVALS, TOLERANCES);
        for second in (0..100).step_by(5) {
            read(&mut memory, second, second).unwrap();
        }
        for second in (100..200).step_by(5) {
            let _ = read(&mut memory, second, 97);
        }
        assert!(read(&mut memory, 200, 97).is_err());
        memory.reset();
        // This is the first table that is known, and it is current.
        assert!(read(&mut memory, 205, 205).is_ok());
    }
}
