//! Nova: its table, and its rules for up and down, from release 19 to 34.
//!
//! Mirrors `Service` in nova/db/main/models.py. The API, the scheduler and the conductor share one rule:
//! `API.service_is_up` in nova/servicegroup/api.py and `DbDriver.is_up` in nova/servicegroup/drivers/db.py.
//!
//! A nova-compute does not reach the database: its heartbeats are calls to whichever nova-conductor takes them, and that
//! conductor stamps `last_seen_up` with its own clock (`service_update` in nova/db/main/api.py). A nova-conductor and a
//! nova-scheduler stamp their own rows. Nothing else writes `last_seen_up`. `report_count` is no count: each process writes
//! its own number, which also counts failed attempts, and may fall.
//!
//! Each cell has a database of its own, and a row is in that which its process has in `[database]`.

use super::definition::{Project, Words};
use super::options::{Options, Refused, Seconds};
use super::rules::{CarriedBy, Rule, Rules, Servers, Sides, StampedBy};
use super::table::{Column, Live, Role, Table};

/// Nova's `services`.
pub(crate) static PROJECT: Project = Project {
    name: "nova",
    options: Options {
        file: "/etc/nova/nova.conf",
        service_down_time: Seconds::new("service_down_time", 60),
        report_interval: Seconds::new("report_interval", 10),
        database: "database",
        refused: Some(Refused {
            name: "servicegroup_driver",
            value: "mc",
            why: "Nova then keeps heartbeats in memcached, and its table says nothing about them",
        }),
    },
    services: Table {
        name: "services",
        live: Live::Zero("deleted"),
        columns: &[
            Column::required("id", Role::Id),
            Column::required("binary", Role::Binary),
            Column::required("host", Role::Host),
            Column::required("last_seen_up", Role::Stamp),
            Column::required("created_at", Role::Created),
            Column::required("forced_down", Role::Forced),
            Column::required("disabled", Role::Disabled),
            Column::optional("disabled_reason", Role::DisabledReason),
            Column::optional("uuid", Role::Uuid),
            Column::info("topic"),
        ],
        // They have a row and no heartbeats, and the API hides them (`ServiceController` in
        // nova/api/openstack/compute/services.py).
        hidden: &["nova-osapi_compute", "nova-metadata"],
        ..Table::EMPTY
    },
    clusters: None,
    servers: None,
    rules: Rules {
        // Every process raises the limit (`API.__init__` in nova/servicegroup/api.py).
        api: Rule {
            sides: Sides::Both,
            created_counts: true,
            raised: true,
        },
        scheduler: None,
        stored: None,
        stamped_by: StampedBy::Servers(Servers {
            program: "nova-conductor",
            stamped: Some("nova-compute"),
        }),
        carried_by: CarriedBy::Nobody,
    },
    words: Words {
        title: "Nova",
        sync: "nova-manage db sync",
        list: "openstack compute service list",
        remove: Some("openstack compute service delete ID"),
        stopped: "and the database",
        empty: None,
        marked_down: None,
    },
};
