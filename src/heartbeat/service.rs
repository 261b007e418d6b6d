//! The rows of the tables `services` and `clusters` as values.
//!
//! The times in a row are stamped by the service's own host, or by another one where the project's rules say so. Each reading adds one time of the database.

use std::sync::Arc;

use chrono::TimeDelta;

use super::row_id::RowId;
use super::skew::Quantum;
use super::time::{DatabaseTime, HostTime};
use crate::project::MOST_FACTS;

/// A nullable time column, as read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Stamp {
    /// The column is NULL: the event never happened.
    #[default]
    Never,
    /// The time of the event by the host's clock.
    At(HostTime),
    /// The column holds no valid time, for example MySQL's `0000-00-00 00:00:00`.
    Unreadable,
}

impl Stamp {
    /// Returns the time; `None` if there is none that can be read.
    pub(crate) fn time(self) -> Option<HostTime> {
        match self {
            Self::At(stamp) => Some(stamp),
            Self::Never | Self::Unreadable => None,
        }
    }

    /// Returns whether the time passes a test: a time that is NULL does not, and of an unreadable one it is unknown.
    pub(super) fn passes(self, test: impl FnOnce(HostTime) -> bool) -> Option<bool> {
        match self {
            Self::At(stamp) => Some(test(stamp)),
            Self::Never => Some(false),
            Self::Unreadable => None,
        }
    }
}

/// How fresh a row is, for comparisons; see [`Service::freshness`].
pub(super) type Freshness = (u8, Option<HostTime>);

/// One row of `services` that is not deleted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Service {
    /// Primary key; a removed and recreated row has a new one.
    pub id: RowId,
    /// Number of heartbeats since the row was created. Each heartbeat adds one; nothing else changes it. `None` where the
    /// project counts none.
    pub heartbeats: Option<i64>,
    /// Time of the last write by a service, which is usually, but not always, a heartbeat.
    pub stamp: Stamp,
    /// Whether an operator disabled the service; `None` where services cannot be disabled. It never affects a verdict.
    pub disabled: Option<bool>,
    /// The operator's reason for disabling the service.
    pub disabled_reason: Option<Arc<str>>,
    /// Whether an operator forced the service down; `None` where services cannot be forced down.
    pub forced_down: Option<bool>,
    /// Whether its process said goodbye. A stamp since then is no heartbeat.
    pub has_left: bool,
    /// The state that the project stores and its API shows; `None` where the row has none. Heartbeats change it too.
    pub shown: Option<Arc<str>>,
    /// The other columns. While they do not change, polls share one value, which is cheap to keep, compare and copy.
    pub facts: Arc<Facts>,
}

/// The columns of a row that no heartbeat changes.
///
/// A change means that another write touched the row, perhaps with another machine's clock. What
/// operators and the process itself set, such as disabled and the stored state, are no facts: the project's [rules](super::rules) say whether they touch the stamp. An optional column is
/// `None` when it is NULL, unreadable, or missing from the release's schema. `T` is the text type: shared, or borrowed
/// from the buffer it was read from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts<T = Arc<str>> {
    /// Program; part of the name.
    pub binary: T,
    /// `HOST` or `HOST@BACKEND`; part of the name.
    pub host: T,
    /// Creation of the row.
    pub created: Stamp,
    /// How often the service reports, where the row tells it.
    pub report_interval: Option<TimeDelta>,
    /// How old a heartbeat may be, where the row tells it.
    pub service_down_time: Option<TimeDelta>,
    /// Whether the backend is frozen; `None` for programs without a backend. It never affects a verdict.
    pub frozen: Option<bool>,
    /// Availability zone.
    pub availability_zone: Option<T>,
    /// Active-active cluster, `CLUSTER@BACKEND`.
    pub cluster_name: Option<T>,
    /// Identity of the row, different in every row.
    pub uuid: Option<T>,
    /// The facts without a role of their own, in the order of the project's columns.
    pub info: [Option<T>; MOST_FACTS],
}

impl Service {
    /// Returns `stamp or created`, which many rules treat as the last heartbeat.
    ///
    /// [`Stamp::Unreadable`] is returned as it is: a fallback to `created` would invent a verdict.
    pub(crate) fn last_heartbeat(&self) -> Stamp {
        match self.stamp {
            Stamp::Never => self.facts.created,
            stamp => stamp,
        }
    }

    /// Returns how fresh the row is: a time is fresher than no time, and an unreadable time is the least fresh.
    pub(super) fn freshness(&self) -> Freshness {
        match self.last_heartbeat() {
            Stamp::At(stamp) => (2, Some(stamp)),
            Stamp::Never => (1, None),
            Stamp::Unreadable => (0, None),
        }
    }

    /// Returns whether an operator disabled the service.
    pub(crate) fn is_disabled(&self) -> bool {
        self.disabled == Some(true)
    }

    /// Returns whether an operator forced the service down.
    pub(crate) fn is_forced_down(&self) -> bool {
        self.forced_down == Some(true)
    }

    /// Returns whether the row shows a heartbeat: a start stamps it without one.
    pub(crate) fn has_reported(&self) -> bool {
        self.heartbeats != Some(0) && self.stamp != Stamp::Never
    }
}

impl Facts {
    /// Returns the machine: the host without its backend.
    pub(crate) fn machine(&self) -> &str {
        self.host.split('@').next().unwrap_or_default()
    }

    /// Returns binary and host, which identify a service and define the order of services.
    pub(crate) fn name(&self) -> (&str, &str) {
        (&self.binary, &self.host)
    }

    /// Returns these facts with borrowed texts.
    pub(crate) fn borrowed(&self) -> Facts<&str> {
        Facts {
            binary: &self.binary,
            host: &self.host,
            created: self.created,
            report_interval: self.report_interval,
            service_down_time: self.service_down_time,
            frozen: self.frozen,
            availability_zone: self.availability_zone.as_deref(),
            cluster_name: self.cluster_name.as_deref(),
            uuid: self.uuid.as_deref(),
            info: self.info.each_ref().map(Option::as_deref),
        }
    }
}

impl Facts<&str> {
    /// Returns these facts with owned texts.
    ///
    /// `shared` makes the texts that other rows may contain too; host and UUID are unique and bypass it.
    pub(crate) fn to_shared(&self, mut shared: impl FnMut(&str) -> Arc<str>) -> Facts {
        Facts {
            host: self.host.into(),
            uuid: self.uuid.map(Into::into),
            binary: shared(self.binary),
            created: self.created,
            report_interval: self.report_interval,
            service_down_time: self.service_down_time,
            frozen: self.frozen,
            availability_zone: self.availability_zone.map(&mut shared),
            cluster_name: self.cluster_name.map(&mut shared),
            info: self.info.map(|fact| fact.map(&mut shared)),
        }
    }
}

/// One row of `clusters` that is not deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Program of all members.
    pub binary: String,
    /// `CLUSTER@BACKEND`; unique together with the binary.
    pub name: String,
    /// Whether an operator disabled the cluster; NULL means no.
    pub disabled: bool,
}

/// A row that could not be read, or not in full.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rejection {
    /// The table: `services` or `clusters`.
    pub table: &'static str,
    /// The defect of the row.
    pub defect: Defect,
    /// Primary key, if readable.
    pub id: Option<RowId>,
}

named! {
    /// The kind of a defect in a row. The names are label values, in the order of the documentation.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub enum Defect {
        /// `binary` is NULL: the service has no name and is not shown.
        NullBinary = "null_binary",
        /// `host` is NULL: the service has no name and is not shown.
        NullHost = "null_host",
        /// The time of the stamp or of the creation is invalid: the service is shown without the values that depend on it.
        UnreadableTime = "unreadable_time",
        /// An identifying or counting column has another type than in the project's schema: the row is not shown.
        UnreadableColumn = "unreadable_column",
    }
}

/// The result of one statement: the rows and the database's clock at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The database's clock when the statement ran.
    pub now: DatabaseTime,
    /// The server that answered: a text that differs between the servers behind one address, and is the same in each
    /// answer of one server. `None` for SQLite, and where a server does not know its name.
    pub server: Option<Arc<str>>,
    /// Whether that server accepts no writes from services: it shows what another server replicates to it.
    pub read_only: bool,
    /// When the last transaction that the server replayed was committed, by the clock of the server that committed it.
    /// `None` on a server that replays none, and on MySQL and MariaDB, which do not tell without a further grant.
    pub replayed: Option<DatabaseTime>,
    /// The precision of the column of the stamps.
    pub quantum: Quantum,
    /// Services that are not deleted, in the database's order.
    pub services: Vec<Service>,
    /// Clusters that are not deleted; empty where the release has no clusters.
    pub clusters: Vec<Cluster>,
    /// Rows of either table that could not be read, or not in full.
    pub rejected: Vec<Rejection>,
    /// Number of rows of `services` that are not deleted, unreadable rows included.
    pub rows: usize,
}
