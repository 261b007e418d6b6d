//! Manila: its table, and its rules for up and down, from release 8 to 23.
//!
//! Mirrors `Service` in manila/db/sqlalchemy/models.py. Rules:
//!
//! | rule | used by | mirrors |
//! | --- | --- | --- |
//! | stored state, since 16 | `GET services`, `openstack share service list` | `ViewBuilder` in manila/api/views/services.py |
//! | API, before 16 | the same | `service_is_up` in manila/utils.py |
//! | scheduler | scheduler, share API, `manila-manage service list` | `service_is_up` in manila/utils.py |
//!
//! A service writes its `state` with each heartbeat. Since 21, a manila-scheduler also sets it to `down` where the
//! scheduler's rule fails (`_mark_services_as_down` in manila/scheduler/manager.py), and so stamps `updated_at` with its
//! own clock. The API stamps it when a service is enabled or disabled. Neither adds to `report_count`.

use super::definition::{Project, Words};
use super::options::{Options, Seconds};
use super::rules::{CarriedBy, Rule, Rules, Sides, StampedBy, Stored};
use super::table::{Column, Live, Lookup, Role, Table};

/// `service_is_up`: inclusive, on both sides, `updated_at or created_at`.
const IS_UP: Rule = Rule {
    sides: Sides::Both,
    created_counts: true,
    raised: false,
};

/// Manila's `services`.
pub(crate) static PROJECT: Project = Project {
    name: "manila",
    options: Options {
        file: "/etc/manila/manila.conf",
        service_down_time: Seconds::new("service_down_time", 60),
        report_interval: Seconds::new("report_interval", 10),
        database: "database",
        refused: None,
    },
    services: Table {
        name: "services",
        live: Live::Zero("deleted"),
        columns: &[
            Column::required("id", Role::Id),
            Column::required("binary", Role::Binary),
            Column::required("host", Role::Host),
            Column::required("report_count", Role::Count),
            Column::required("updated_at", Role::Stamp),
            Column::required("created_at", Role::Created),
            Column::required("disabled", Role::Disabled),
            Column::optional("availability_zone_id", Role::Zone).looked_up(Lookup {
                table: "availability_zones",
                key: "id",
                value: "name",
            }),
            Column::info("topic"),
            // Since 16.
            Column::optional("state", Role::Shown),
            // Since 18.
            Column::optional("disabled_reason", Role::DisabledReason),
        ],
        lacks: &["last_seen_up"],
        ..Table::EMPTY
    },
    clusters: None,
    servers: None,
    rules: Rules {
        api: IS_UP,
        scheduler: Some(IS_UP),
        stored: Some(Stored {
            up: "up",
            shut_down: "stopped",
            marked_after: None,
        }),
        stamped_by: StampedBy::Others,
        carried_by: CarriedBy::Nobody,
    },
    words: Words {
        title: "Manila",
        sync: "manila-manage db sync",
        list: "openstack share service list",
        remove: Some("manila-manage service cleanup, which removes every row that is down"),
        stopped: "the database and the driver",
        empty: None,
        marked_down: Some(
            "After a restart this lasts for one report interval. If it comes back every minute, a manila-scheduler marks \
             the service: compare the clocks of the schedulers with this host's.",
        ),
    },
};
