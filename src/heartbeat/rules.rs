//! What a project fills in: its rules for up and down, and whose clock stamps a row.
//!
//! All limits are inclusive. "Now" is the database's clock; a project uses the clock of the process that applies the rule.
//! Whether a service is disabled or frozen affects no verdict.

use chrono::TimeDelta;

use super::liveness::Intervals;
use super::service::{Service, Stamp};
use super::time::{DatabaseTime, apparent_age};

/// The rules of one project.
#[derive(Debug, PartialEq, Eq)]
pub struct Rules {
    /// The rule of the API where a row has no [stored](Self::stored) state. Reasons are judged by it in any case.
    pub api: Rule,
    /// The rule of the scheduler, where the project has one.
    pub scheduler: Option<Rule>,
    /// The words of a stored state. Where a row has one, the API shows it and applies no rule.
    pub stored: Option<Stored>,
    /// Who stamps a row.
    pub stamped_by: StampedBy,
}

/// A rule that compares the last heartbeat with now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// The sides on which the limit applies.
    pub sides: Sides,
    /// Whether the creation of the row counts as a heartbeat until there is one. If not, such a service is down.
    pub created_counts: bool,
    /// Whether the limit is raised where it is not above the report interval, see [`Intervals::scheduler_service_down_time`].
    pub raised: bool,
}

/// The sides of now on which the last heartbeat may be too far away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sides {
    /// Too old, or too far in the future.
    Both,
    /// Too old. A time in the future is up, however far.
    Past,
}

/// The words of a stored state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// The word of a service that is up. Any other is down.
    pub up: &'static str,
    /// The word that a process writes when it is shut down.
    pub shut_down: &'static str,
}

/// Whose clock a stamp is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StampedBy {
    /// The service's, but for rare commands.
    Service,
    /// The service's, and often another one's. A stamp is the service's only if it came with a counted heartbeat, and
    /// nothing shows another write since: a stored state other than up, or a change by an operator. Two such changes
    /// between two reads leave no trace: disabling and enabling a service within one poll interval.
    Others,
}

impl Rule {
    /// Returns the limit on the age.
    pub(crate) fn limit(self, intervals: &Intervals) -> TimeDelta {
        if self.raised {
            intervals.scheduler_service_down_time()
        } else {
            intervals.service_down_time
        }
    }

    /// Returns whether a service is up; `None` when the time of its last heartbeat is unreadable.
    ///
    /// A row without any time is down.
    pub(crate) fn is_up(
        self,
        service: &Service,
        now: DatabaseTime,
        intervals: &Intervals,
    ) -> Option<bool> {
        let limit = self.limit(intervals);
        self.last_heartbeat(service).passes(|stamp| {
            let age = apparent_age(now, stamp);
            age <= limit && (self.sides == Sides::Past || age >= -limit)
        })
    }

    fn last_heartbeat(self, service: &Service) -> Stamp {
        if self.created_counts {
            service.last_heartbeat()
        } else {
            service.updated_at
        }
    }
}

impl Rules {
    /// Returns whether the API lists a service as up; `None` when the time that decides it is unreadable.
    #[must_use]
    pub fn is_up(
        &self,
        service: &Service,
        now: DatabaseTime,
        intervals: &Intervals,
    ) -> Option<bool> {
        match self.word(service) {
            Some((word, stored)) => Some(word == stored.up),
            None => self.api.is_up(service, now, intervals),
        }
    }

    /// Returns whether the scheduler uses a service; `None` when the time is unreadable, and without such a rule.
    #[must_use]
    pub fn is_up_for_scheduler(
        &self,
        service: &Service,
        now: DatabaseTime,
        intervals: &Intervals,
    ) -> Option<bool> {
        self.scheduler?.is_up(service, now, intervals)
    }

    /// Returns whether the stored state is another than up.
    pub(crate) fn is_marked_down(&self, service: &Service) -> bool {
        self.word(service)
            .is_some_and(|(word, stored)| word != stored.up)
    }

    /// Returns whether a service said that it was shut down.
    pub(crate) fn is_shut_down(&self, service: &Service) -> bool {
        self.word(service)
            .is_some_and(|(word, stored)| word == stored.shut_down)
    }

    /// Returns whether another write than a heartbeat may be the last one on a row, whose version before is `earlier`.
    pub(crate) fn is_stamped_by_others(&self, earlier: &Service, service: &Service) -> bool {
        let decision = |row: &Service| (row.disabled, row.disabled_reason.clone());
        self.stamped_by == StampedBy::Others
            && (self.is_marked_down(service) || decision(earlier) != decision(service))
    }

    fn word<'a>(&self, service: &'a Service) -> Option<(&'a str, &Stored)> {
        service.shown.as_deref().zip(self.stored.as_ref())
    }
}
