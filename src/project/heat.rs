//! Heat: its table, and its rules for up and down, from release 12 to 27.
//!
//! Mirrors `Service` in heat/db/models.py. The only rule is `format_service` in `heat/common/service_utils.py`, used by
//! `openstack orchestration service list` and `heat-manage service list`. Release 12 allows one interval instead of two;
//! nothing in the table tells the release.
//!
//! Each process of heat-engine has a row of its own: inserted when it starts, marked as deleted when it is shut down, and
//! left behind when it is killed. A process stamps `updated_at` once per `periodic_interval`, which its row contains.

use super::definition::{Project, Words};
use super::options::{Options, Seconds};
use super::rules::{CarriedBy, Rule, Rules, Sides, StampedBy};
use super::table::{Column, Live, Role, Table};

/// The option behind interval and limit. Each row contains the value that its process has.
const INTERVAL: Seconds = Seconds::new("periodic_interval", 60);

/// Heat's `service`.
pub(crate) static PROJECT: Project = Project {
    name: "heat",
    options: Options {
        file: "/etc/heat/heat.conf",
        service_down_time: INTERVAL.times(2),
        report_interval: INTERVAL,
        database: "database",
        refused: None,
    },
    services: Table {
        name: "service",
        live: Live::Null("deleted_at"),
        columns: &[
            Column::required("id", Role::Id),
            Column::required("binary", Role::Binary),
            Column::required("host", Role::Host),
            Column::required("engine_id", Role::Process),
            Column::required("updated_at", Role::Stamp),
            Column::required("created_at", Role::Created),
            Column::required("report_interval", Role::Interval(2)),
            Column::info("hostname"),
            Column::info("topic"),
        ],
        ..Table::EMPTY
    },
    clusters: None,
    servers: None,
    rules: Rules {
        api: Rule {
            sides: Sides::Past,
            created_counts: true,
            raised: false,
        },
        scheduler: None,
        stored: None,
        stamped_by: StampedBy::Service,
        carried_by: CarriedBy::Nobody,
    },
    words: Words {
        title: "Heat",
        sync: "heat-manage db_sync",
        list: "openstack orchestration service list",
        remove: Some("heat-manage service clean, which removes every row that is down"),
        stopped: "and the database",
        empty: None,
        marked_down: None,
    },
};
