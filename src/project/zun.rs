//! Zun: its table, and its rules for up and down, from release 3 to 18.
//!
//! Mirrors `ZunService` in zun/db/sqlalchemy/models.py. The only rule is `ServiceGroup.service_is_up` in
//! zun/api/servicegroup.py, used by `GET v1/services`, `openstack appcontainer service list` and the scheduler. It is that
//! of Magnum, from which the code was taken.
//!
//! zun-compute stamps `last_seen_up` and raises `report_count`, every 60 to 62 s, with the clock of the compute node. What
//! an operator sets moves neither. Release 3 could use etcd instead of SQL.

use super::definition::{Project, Words};
use super::magnum;
use super::options::{Options, Seconds};
use super::table::{Column, Role, Table};

/// Zun's `zun_service`.
pub(crate) static PROJECT: Project = Project {
    name: "zun",
    options: Options {
        file: "/etc/zun/zun.conf",
        service_down_time: Seconds::new("service_down_time", 180),
        report_interval: Seconds::constant_interval(60),
        database: "database",
        refused: None,
    },
    services: Table {
        name: "zun_service",
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
            Column::optional("availability_zone", Role::Zone),
        ],
        ..Table::EMPTY
    },
    clusters: None,
    servers: None,
    rules: magnum::IS_UP,
    words: Words {
        title: "Zun",
        sync: "zun-db-manage upgrade",
        list: "openstack appcontainer service list",
        remove: Some("openstack appcontainer service delete HOST BINARY"),
        stopped: "and the database",
        empty: None,
        marked_down: None,
    },
};
