//! Ironic: its table, and its rules for up and down, from release 12 to 39.
//!
//! Mirrors `Conductor` in ironic/db/sqlalchemy/models.py. Rules:
//!
//! | rule | used by | mirrors |
//! | --- | --- | --- |
//! | API, since 25 | `GET v1/conductors`, `openstack baremetal conductor list` | `convert_with_links` in ironic/api/controllers/v1/conductor.py |
//! | hash ring | which conductor serves a node | `_filter_active_conductors` in ironic/db/sqlalchemy/api.py |
//!
//! Both want `online` and a recent stamp, and neither limits a clock ahead. Before 25, the API ignores `online`; nothing in
//! the table tells the release. On SQLite, a conductor sends no heartbeats.
//!
//! A heartbeat changes `updated_at` and nothing else. A conductor that stops sets `online` to false, which moves
//! `updated_at` too; while it finishes its work, it goes on stamping the row. It waits for an interval after each
//! heartbeat, so that its phase moves by some milliseconds each time.

use super::definition::{Project, Words};
use super::options::{Options, Seconds};
use super::rules::{CarriedBy, Rule, Rules, Sides, StampedBy};
use super::table::{Column, Role, Table};

/// Ironic's `conductors`.
pub(crate) static PROJECT: Project = Project {
    name: "ironic",
    options: Options {
        file: "/etc/ironic/ironic.conf",
        service_down_time: Seconds::of("conductor", "heartbeat_timeout", 60),
        report_interval: Seconds::of("conductor", "heartbeat_interval", 10),
        database: "database",
        refused: None,
    },
    services: Table {
        name: "conductors",
        program: Some("ironic-conductor"),
        columns: &[
            Column::required("id", Role::Id),
            Column::required("hostname", Role::Host),
            Column::required("updated_at", Role::Stamp),
            Column::required("created_at", Role::Created),
            Column::required("online", Role::Online),
            Column::info("version"),
            Column::info("conductor_group"),
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
        stored: None,
        stamped_by: StampedBy::Service,
        carried_by: CarriedBy::Nobody,
    },
    words: Words {
        title: "Ironic",
        sync: "ironic-dbsync upgrade",
        list: "openstack baremetal conductor list",
        remove: None,
        stopped: "and the database",
        empty: None,
        marked_down: None,
    },
};
