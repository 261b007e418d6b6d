//! Watcher: its table, and its rules for up and down, from release 2 to 17.
//!
//! Mirrors `Service` in watcher/db/sqlalchemy/models.py. The only rule is `Service.get_service_status` in
//! watcher/api/controllers/v1/service.py, used by `GET v1/services` and `openstack optimize service list`, which show
//! ACTIVE or FAILED. A decision engine moves continuous audits away from a host that is FAILED.
//!
//! A process stamps `last_seen_up` every 60 s, which is a constant of the code. It counts nothing, and writes nothing when
//! it stops.

use super::definition::{Project, Words};
use super::options::{Options, Seconds};
use super::rules::{CarriedBy, Rule, Rules, Sides, StampedBy};
use super::table::{Column, Live, Role, Table};

/// Watcher's `services`.
pub(crate) static PROJECT: Project = Project {
    name: "watcher",
    options: Options {
        file: "/etc/watcher/watcher.conf",
        service_down_time: Seconds::new("service_down_time", 90),
        report_interval: Seconds::constant_interval(60),
        database: "database",
        refused: None,
    },
    services: Table {
        name: "services",
        live: Live::Zero("deleted"),
        columns: &[
            Column::required("id", Role::Id),
            Column::required("name", Role::Binary),
            Column::required("host", Role::Host),
            Column::required("last_seen_up", Role::Stamp),
            Column::required("created_at", Role::Created),
        ],
        lacks: &["binary", "report_count"],
        ..Table::EMPTY
    },
    clusters: None,
    servers: None,
    rules: Rules {
        // `last_seen_up or updated_at or created_at`; a row with `updated_at` alone does not occur.
        api: Rule {
            sides: Sides::Both,
            created_counts: true,
            raised: false,
        },
        scheduler: None,
        stored: None,
        stamped_by: StampedBy::Service,
        carried_by: CarriedBy::Nobody,
    },
    words: Words {
        title: "Watcher",
        sync: "watcher-db-manage upgrade",
        list: "openstack optimize service list",
        remove: None,
        stopped: "and the database",
        empty: None,
        marked_down: None,
    },
};
