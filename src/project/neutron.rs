//! Neutron: its tables, and its rules for up and down, from release 14 to 29.
//!
//! Mirrors `Agent` in neutron/db/models/agent.py. The API and the schedulers share one rule, `is_agent_down` in
//! neutron/agent/common/utils.py: an agent is alive up to `agent_down_time` after its last heartbeat, inclusive, and
//! for as long as a heartbeat is in the future.
//!
//! An agent sends its state, and whichever neutron-server takes the message stamps `heartbeat_timestamp` with its own clock
//! (`create_or_update_agent` in `neutron/db/agents_db.py`). Nothing else moves that column. A server drops a report that the
//! agent stamped before the server's own start, and logs `Stale message received` at the level DEBUG. So an agent
//! whose clock is behind is silent for that long after each start of a server, and so are all agents after the start of a
//! server whose clock is ahead.
//!
//! With OVN, the workers of the API stamp `ovn_hash_ring` with their own clocks (`touch_node` in
//! `neutron/db/ovn_hash_ring_db.py`), every 15 s; until release 25 every 30 s. No API shows these rows. A worker is a member of the
//! ring up to 120 s after its stamp (`HASH_RING_NODES_TIMEOUT` in neutron/common/ovn/constants.py), until release 25 up to
//! 60 s. The agents of OVN are in no table.

use super::definition::{Project, Words};
use super::options::{Options, Seconds};
use super::rules::{CarriedBy, Rule, Rules, Servers, Sides, StampedBy};
use super::table::{Column, Constants, Role, Table};

/// Who stamps the agents, and has rows of its own in the hash ring.
const SERVER: &str = "neutron-server";

/// Neutron's `agents` and `ovn_hash_ring`.
pub(crate) static PROJECT: Project = Project {
    name: "neutron",
    options: Options {
        file: "/etc/neutron/neutron.conf",
        service_down_time: Seconds::new("agent_down_time", 75),
        // Each agent has its own.
        report_interval: Seconds::of("agent", "report_interval", 30).float(),
        database: "database",
        refused: None,
    },
    services: Table {
        name: "agents",
        columns: &[
            Column::required("id", Role::Id),
            Column::required("binary", Role::Binary),
            Column::required("host", Role::Host),
            Column::required("heartbeat_timestamp", Role::Stamp),
            Column::required("created_at", Role::Created),
            Column::required("admin_state_up", Role::Disabled).negated(),
            Column::optional("availability_zone", Role::Zone),
            Column::info("agent_type"),
            Column::info("topic"),
        ],
        ..Table::EMPTY
    },
    clusters: None,
    // Since Ussuri.
    servers: Some(Table {
        name: "ovn_hash_ring",
        program: Some(SERVER),
        columns: &[
            Column::required("node_uuid", Role::Id),
            Column::required("hostname", Role::Host),
            Column::required("updated_at", Role::Stamp),
            Column::required("created_at", Role::Created),
            Column::required("group_name", Role::Process),
        ],
        constants: Some(Constants {
            report_interval: 15,
            service_down_time: 120,
        }),
        ..Table::EMPTY
    }),
    rules: Rules {
        api: Rule {
            sides: Sides::Past,
            created_counts: false,
            raised: false,
        },
        scheduler: None,
        stored: None,
        stamped_by: StampedBy::Servers(Servers {
            program: SERVER,
            stamped: None,
        }),
        carried_by: CarriedBy::Nobody,
    },
    words: Words {
        title: "Neutron",
        sync: "neutron-db-manage upgrade heads",
        list: "openstack network agent list",
        remove: Some("openstack network agent delete ID"),
        stopped: "and the database",
        empty: Some("with OVN that is normal: its agents are in OVN's southbound database"),
        marked_down: None,
    },
};
