//! Cinder: its tables, and its rules for up and down.
//!
//! Mirrors `Service` and `Cluster` in cinder/db/models.py. Rules:
//!
//! | rule | used by | mirrors |
//! | --- | --- | --- |
//! | API | `GET os-services`, `openstack volume service list` | `ServiceController.index` in cinder/api/v3/services.py |
//! | scheduler | scheduler, volume and backup API | `Service.is_up` in cinder/objects/service.py |
//! | clusters | `GET clusters` | `Cluster.is_up` in cinder/objects/cluster.py, `Cluster.num_down_hosts` in cinder/db/models.py |
//!
//! Each heartbeat adds one to `report_count`, and nothing else does. The start, freezing and `cinder-manage service
//! remove` move `updated_at` too; enabling and disabling do not (`service_update` in cinder/db/api.py).

use super::definition::{Project, Words};
use super::options::{Options, Seconds};
use super::rules::{CarriedBy, Rule, Rules, Sides, StampedBy};
use super::table::{Column, Live, Role, Table};

/// Cinder's `services` and `clusters`.
pub static PROJECT: Project = Project {
    name: "cinder",
    options: Options {
        file: "/etc/cinder/cinder.conf",
        service_down_time: Seconds::new("service_down_time", 60),
        report_interval: Seconds::new("report_interval", 10),
        database: "database",
        refused: None,
    },
    services: Table {
        name: "services",
        live: Live::False("deleted"),
        columns: &[
            Column::required("id", Role::Id),
            Column::required("binary", Role::Binary),
            Column::required("host", Role::Host),
            Column::required("report_count", Role::Count),
            Column::required("updated_at", Role::Stamp),
            Column::required("created_at", Role::Created),
            Column::required("disabled", Role::Disabled),
            Column::info("topic"),
            Column::optional("availability_zone", Role::Zone),
            Column::optional("disabled_reason", Role::DisabledReason),
            Column::optional("rpc_current_version", Role::Info("rpc_version")),
            Column::optional("object_current_version", Role::Info("object_version")),
            // Only of cinder-volume, like the next two.
            Column::info("replication_status"),
            Column::info("active_backend_id"),
            Column::optional("frozen", Role::Frozen("cinder-volume")),
            // Since Newton.
            Column::optional("cluster_name", Role::Cluster),
            // Since Pike.
            Column::optional("uuid", Role::Uuid),
        ],
        lacks: &["last_seen_up"],
        ..Table::EMPTY
    },
    // Since Newton.
    clusters: Some(Table {
        name: "clusters",
        live: Live::False("deleted"),
        columns: &[
            Column::required("id", Role::Id),
            Column::required("binary", Role::Binary),
            Column::required("name", Role::Host),
            Column::required("disabled", Role::Disabled),
        ],
        ..Table::EMPTY
    }),
    servers: None,
    rules: Rules {
        api: Rule {
            sides: Sides::Both,
            created_counts: true,
            raised: false,
        },
        // A process that runs a `Service` raises the limit (`Service.basic_config_check` in cinder/service.py).
        scheduler: Some(Rule {
            sides: Sides::Past,
            created_counts: false,
            raised: true,
        }),
        stored: None,
        stamped_by: StampedBy::Service,
        carried_by: CarriedBy::Nobody,
    },
    words: Words {
        title: "Cinder",
        sync: "cinder-manage db sync",
        list: "openstack volume service list",
        remove: Some("cinder-manage service remove BINARY HOST"),
        stopped: "the database and the driver",
        empty: None,
        marked_down: None,
    },
};
