//! Magnum: its table, and its rules for up and down, from release 8 to 23.
//!
//! Mirrors `MagnumService` in magnum/db/sqlalchemy/models.py. The only rule is `ServiceGroup.service_is_up` in
//! magnum/api/servicegroup.py, used by `GET v1/mservices` and `openstack coe service list`. A service that is forced down
//! is down, whatever its heartbeats.
//!
//! The main process of magnum-conductor stamps `last_seen_up` and raises `report_count`, every 60 to 62 s. Both the
//! interval and its jitter are constants of oslo.service. Nothing else writes them.

use super::definition::{Project, Words};
use super::options::{Options, Seconds};
use super::rules::{CarriedBy, Rule, Rules, Sides, StampedBy};
use super::table::{Column, Role, Table};

/// `service_is_up`, which Zun has too: inclusive, on both sides, `last_seen_up or updated_at or created_at`. A row with
/// `updated_at` alone does not occur: the first heartbeat follows the creation within a second.
pub(super) const IS_UP: Rules = Rules {
    api: Rule {
        sides: Sides::Both,
        created_counts: true,
        raised: false,
    },
    scheduler: None,
    stored: None,
    stamped_by: StampedBy::Service,
    carried_by: CarriedBy::Nobody,
};

/// Magnum's `magnum_service`.
pub(crate) static PROJECT: Project = Project {
    name: "magnum",
    options: Options {
        file: "/etc/magnum/magnum.conf",
        service_down_time: Seconds::new("service_down_time", 180),
        report_interval: Seconds::constant_interval(60),
        database: "database",
        refused: None,
    },
    services: Table {
        name: "magnum_service",
        columns: &[
            Column::required("id", Role::Id),
            Column::required("binary", Role::Binary),
            Column::required("host", Role::Host),
            Column::required("report_count", Role::Count),
            Column::required("last_seen_up", Role::Stamp),
            Column::required("created_at", Role::Created),
            Column::required("forced_down", Role::Forced),
            Column::required("disabled", Role::Disabled),
            Column::optional("disabled_reason", Role::DisabledReason),
        ],
        ..Table::EMPTY
    },
    clusters: None,
    servers: None,
    rules: IS_UP,
    words: Words {
        title: "Magnum",
        sync: "magnum-db-manage upgrade",
        list: "openstack coe service list",
        remove: None,
        stopped: "and the database",
        empty: None,
        marked_down: None,
    },
};
