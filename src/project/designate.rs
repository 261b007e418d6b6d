//! Designate: its table, and its rules for up and down, from release 8 to 23.
//!
//! Mirrors `service_status` in designate/storage/sqlalchemy/tables.py. The API shows the column `status`
//! (`designate/api/v2/controllers/service_status.py`), and computes nothing:
//!
//! | releases | a process that died | a process that was shut down |
//! | --- | --- | --- |
//! | 8 to 22 | UP for ever | UP for ever |
//! | 23 | DOWN after half an hour, when a designate-producer looks next, each hour | STOPPED |
//!
//! The only sharp limit is that of `designate-manage service clean`, which removes each row that is older than two
//! intervals, on one side (designate/manage/service.py). Heartbeats are judged by it.
//!
//! A process stamps each heartbeat with its own clock (`designate/heartbeat_emitter.py`) and casts it to designate-central,
//! which writes all rows: its clock is `updated_at`, and its standstill is everybody's silence. The bus carries whole
//! seconds. When a designate-central goes on after a pause, it applies late heartbeats out of order. A producer's mark
//! moves neither time. The row of a process that is shut down stays for two days, and that of one that died for a week.

use super::definition::{Project, Words};
use super::options::{Options, Seconds};
use super::rules::{CarriedBy, Rule, Rules, Sides, StampedBy, Stored};
use super::table::{Column, Role, Table};

/// The option behind interval and limit.
const INTERVAL: Seconds = Seconds::of("heartbeat_emitter", "heartbeat_interval", 10).float();

/// Designate's `service_statuses`.
pub(crate) static PROJECT: Project = Project {
    name: "designate",
    options: Options {
        file: "/etc/designate/designate.conf",
        service_down_time: INTERVAL.times(2),
        report_interval: INTERVAL,
        database: "storage:sqlalchemy",
        refused: None,
    },
    services: Table {
        name: "service_statuses",
        columns: &[
            Column::required("id", Role::Id),
            Column::required("service_name", Role::Binary).after("designate-"),
            Column::required("hostname", Role::Host),
            Column::required("heartbeated_at", Role::Stamp),
            Column::required("created_at", Role::Created),
            Column::required("status", Role::Shown),
        ],
        ..Table::EMPTY
    },
    clusters: None,
    servers: None,
    rules: Rules {
        api: Rule {
            sides: Sides::Past,
            created_counts: false,
            raised: false,
        },
        scheduler: None,
        stored: Some(Stored {
            up: "UP",
            shut_down: "STOPPED",
            // `time_threshold` of [producer_task:periodic_check_service_status].
            marked_after: Some(1_800),
        }),
        stamped_by: StampedBy::Service,
        carried_by: CarriedBy::Bus("designate-central"),
    },
    words: Words {
        title: "Designate",
        sync: "designate-manage database sync",
        list: "openstack dns service list",
        remove: Some(
            "designate-manage service clean, which removes every row without a recent heartbeat",
        ),
        stopped: "RabbitMQ and designate-central",
        empty: None,
        marked_down: Some(
            "Its next heartbeat undoes that. If it comes back every hour, a designate-producer marks the service: compare \
             its clock with this host's.",
        ),
    },
};
