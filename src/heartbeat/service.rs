//! The rows of the tables `services` and `clusters` as values.
//!
//! A row holds times stamped by the service's own host, and is read together with one time of the database.

use std::sync::Arc;

use super::skew::Quantum;
use super::time::{DatabaseTime, HostTime};

/// A nullable time column as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Stamp {
    /// The column is NULL: the event never happened.
    #[default]
    Never,
    /// The event's time by the host's clock.
    At(HostTime),
    /// The column holds something that is no time, such as MySQL's `0000-00-00 00:00:00`.
    Unreadable,
}

/// One row of `services` that is not deleted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Service {
    /// Primary key; a removed and recreated row has a new one.
    pub id: i64,
    /// Number of heartbeats since the row was created: rises by one a heartbeat, and by nothing else.
    pub report_count: i64,
    /// Last write by a service, which is mostly, but not always, a heartbeat.
    pub updated_at: Stamp,
    /// Whether an operator disabled the service (NULL: not). It never enters a verdict.
    pub disabled: bool,
    /// The operator's reason.
    pub disabled_reason: Option<Arc<str>>,
    /// The rest: from poll to poll the same value as long as it does not change, so that it is cheap to keep, to
    /// compare and to copy.
    pub facts: Arc<Facts>,
}

/// What a row says beyond its heartbeats: nothing of it changes unless something else than a heartbeat is written,
/// perhaps with another machine's clock.
///
/// Enable and disable are no part of it: they leave `updated_at` as it is (`service_update` in cinder/db/api.py), and
/// so prove nothing of a clock. An optional column is `None` when it is NULL, unreadable, or missing from the
/// release's schema. `T` is a text: shared, or borrowed from where it was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts<T = Arc<str>> {
    /// Program, such as `cinder-volume`; part of the identity.
    pub binary: T,
    /// `HOST` or `HOST@BACKEND`; part of the identity.
    pub host: T,
    /// RPC topic.
    pub topic: Option<T>,
    /// Creation of the row.
    pub created_at: Stamp,
    /// Whether the backend is frozen; meant for `cinder-volume` alone. It never enters a verdict.
    pub frozen: Option<bool>,
    /// Availability zone.
    pub availability_zone: Option<T>,
    /// Active-active cluster, `CLUSTER@BACKEND`.
    pub cluster_name: Option<T>,
    /// Unique identity of the row since Pike.
    pub uuid: Option<T>,
    /// RPC version the service runs with.
    pub rpc_current_version: Option<T>,
    /// Object version the service runs with.
    pub object_current_version: Option<T>,
    /// Replication status; `cinder-volume` alone.
    pub replication_status: Option<T>,
    /// Backend in use after a failover; `cinder-volume` alone.
    pub active_backend_id: Option<T>,
}

impl Service {
    /// Returns `updated_at or created_at`, the time that Cinder's API takes for the last heartbeat.
    ///
    /// [`Stamp::Unreadable`] stays so: falling back to `created_at` would invent a verdict.
    #[must_use]
    pub(crate) fn last_heartbeat(&self) -> Stamp {
        match self.updated_at {
            Stamp::Never => self.facts.created_at,
            stamp => stamp,
        }
    }
}

impl Facts {
    /// Returns binary and host, by which services are told apart and in the order of which they are shown.
    #[must_use]
    pub(crate) fn name(&self) -> (&str, &str) {
        (&self.binary, &self.host)
    }

    /// Returns whether the backend is frozen; `None` where that is not known, and for programs without a backend,
    /// whose rows have the column as well.
    #[must_use]
    pub(crate) fn frozen_backend(&self) -> Option<bool> {
        self.frozen.filter(|_| &*self.binary == "cinder-volume")
    }

    /// Returns the same, borrowed.
    #[must_use]
    pub(crate) fn borrowed(&self) -> Facts<&str> {
        Facts {
            binary: &self.binary,
            host: &self.host,
            topic: self.topic.as_deref(),
            created_at: self.created_at,
            frozen: self.frozen,
            availability_zone: self.availability_zone.as_deref(),
            cluster_name: self.cluster_name.as_deref(),
            uuid: self.uuid.as_deref(),
            rpc_current_version: self.rpc_current_version.as_deref(),
            object_current_version: self.object_current_version.as_deref(),
            replication_status: self.replication_status.as_deref(),
            active_backend_id: self.active_backend_id.as_deref(),
        }
    }
}

impl Facts<&str> {
    /// Returns the same with texts that last: those that other rows have as well are made by `shared`.
    #[must_use]
    pub(crate) fn to_shared(&self, mut shared: impl FnMut(&str) -> Arc<str>) -> Facts {
        Facts {
            host: self.host.into(),
            uuid: self.uuid.map(Into::into),
            binary: shared(self.binary),
            topic: self.topic.map(&mut shared),
            created_at: self.created_at,
            frozen: self.frozen,
            availability_zone: self.availability_zone.map(&mut shared),
            cluster_name: self.cluster_name.map(&mut shared),
            rpc_current_version: self.rpc_current_version.map(&mut shared),
            object_current_version: self.object_current_version.map(&mut shared),
            replication_status: self.replication_status.map(&mut shared),
            active_backend_id: self.active_backend_id.map(&mut shared),
        }
    }
}

/// One row of `clusters` that is not deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Program of all members, such as `cinder-volume`.
    pub binary: String,
    /// `CLUSTER@BACKEND`; unique together with the binary.
    pub name: String,
    /// Whether an operator disabled the cluster (NULL: not).
    pub disabled: bool,
}

/// A row that could not be used, or not in full.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rejection {
    /// The table: `services` or `clusters`.
    pub table: &'static str,
    /// What is wrong with it.
    pub defect: Defect,
    /// Primary key, if that could be read.
    pub id: Option<i64>,
}

/// What can be wrong with a row. The names are label values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Defect {
    /// `binary` is NULL: the service has no name and is not shown.
    NullBinary,
    /// `host` is NULL: the service has no name and is not shown.
    NullHost,
    /// `updated_at` or `created_at` is no time: the service is shown without what depends on it.
    UnreadableTime,
    /// A column that identifies or counts holds another type than Cinder's schema has; the row is not shown.
    UnreadableColumn,
}

impl Defect {
    /// Every defect, in the order of the label values' first appearance in the documentation.
    pub(crate) const ALL: [Self; 4] = [
        Self::NullBinary,
        Self::NullHost,
        Self::UnreadableTime,
        Self::UnreadableColumn,
    ];

    /// Returns the value of the label `reason`.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::NullBinary => "null_binary",
            Self::NullHost => "null_host",
            Self::UnreadableTime => "unreadable_time",
            Self::UnreadableColumn => "unreadable_column",
        }
    }
}

/// Everything that one statement read: one moment of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The database's clock at the statement.
    pub now: DatabaseTime,
    /// What the column `updated_at` keeps of a stamp.
    pub quantum: Quantum,
    /// Services that are not deleted, in the order of the database.
    pub services: Vec<Service>,
    /// Clusters that are not deleted; empty where the release has none.
    pub clusters: Vec<Cluster>,
    /// Rows of either table that were not read, or not in full.
    pub rejected: Vec<Rejection>,
    /// Rows of `services` that are not deleted, the unreadable ones included.
    pub rows: usize,
}
