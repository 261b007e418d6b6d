//! A project's rules for up and down, and whose clock stamps a row. [`heartbeat::rules`](crate::heartbeat::rules) applies them.
//!
//! All limits are inclusive. "Now" is the database's clock; a project uses the clock of the process that applies the rule.
//! Whether a service is disabled or frozen affects no verdict.

/// The rules of one project.
#[derive(Debug, PartialEq, Eq)]
pub struct Rules {
    /// The rule of the API where a row has no [stored](Self::stored) state. Reasons are judged by it in any case.
    pub(crate) api: Rule,
    /// The rule of the scheduler, where the project has one.
    pub(crate) scheduler: Option<Rule>,
    /// The words of a stored state. Where a row has one, the API shows it and applies no rule.
    pub(crate) stored: Option<Stored>,
    /// Who stamps a row.
    pub(crate) stamped_by: StampedBy,
    /// How a heartbeat gets from the stamp to the row.
    pub(crate) carried_by: CarriedBy,
}

/// A rule that compares the last heartbeat with now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rule {
    /// The sides on which the limit applies.
    pub(crate) sides: Sides,
    /// Whether the creation of the row counts as a heartbeat until there is one. If not, such a service is down.
    pub(crate) created_counts: bool,
    /// Whether the limit is raised where it is not above the report interval, see
    /// [`Intervals`](crate::heartbeat::liveness::Intervals).
    pub(crate) raised: bool,
}

/// The sides of now on which the last heartbeat may be too far away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sides {
    /// Too old, or too far in the future.
    Both,
    /// Too old. A time in the future is up, however far.
    Past,
}

/// The words of a stored state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stored {
    /// The word of a service that is up. Any other is down.
    pub(crate) up: &'static str,
    /// The word that a process writes when it is shut down.
    pub(crate) shut_down: &'static str,
    /// The age in seconds above which the state of a service is changed to down; `None` where that is the rule's limit.
    pub(crate) marked_after: Option<u32>,
}

/// Whose clock a stamp is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StampedBy {
    /// The service's, but for rare commands.
    Service,
    /// The service's, and often another one's. A stamp is the service's only if it came with a counted heartbeat, and
    /// nothing shows another write since: a stored state other than up, or a change by an operator. Two such changes
    /// between two reads leave no trace: disabling and enabling a service within one poll interval.
    Others,
    /// For some rows, a process of another program, which took the message of the service: now this one, now that one.
    /// The service's clock is nowhere in such a row.
    Servers(Servers),
}

/// The processes that stamp the rows of other services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Servers {
    /// Their program. Its own rows, where it has any, are stamped by its own clock.
    pub(crate) program: &'static str,
    /// The program whose rows they stamp; `None` for all other programs.
    pub(crate) stamped: Option<&'static str>,
}

impl Rules {
    /// Returns who stamps the rows of other services.
    pub(crate) fn servers(&self) -> Option<Servers> {
        match self.stamped_by {
            StampedBy::Servers(servers) => Some(servers),
            StampedBy::Service | StampedBy::Others => None,
        }
    }

    /// Returns the program whose processes stamp the rows of this one; `None` for rows that a service stamps itself.
    pub(crate) fn stamping_program(&self, binary: &str) -> Option<&'static str> {
        let Servers { program, stamped } = self.servers()?;
        let is_stamped = stamped.map_or(binary != program, |stamped| binary == stamped);
        is_stamped.then_some(program)
    }
}

/// How a heartbeat gets from the process that stamps it to its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CarriedBy {
    /// The process that stamps the row writes it.
    Nobody,
    /// The message bus carries it, in whole seconds, perhaps late and out of order. This program writes all rows.
    Bus(&'static str),
}
