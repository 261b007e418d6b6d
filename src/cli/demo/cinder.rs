//! Cinder in the simulated cloud: the six services of the documentation.
//!
//! The clock of `block1` has been 75 s behind for 35 minutes, the scheduler on `controller` was killed 8 minutes ago, and
//! the clock of `network` is 3 s ahead and gains 0.2 ms per second. `block2` was away for 4 minutes.

use chrono::TimeDelta;

use super::service::{Silence, SimulatedService, killed, service};
use super::story::Story;

pub(super) static STORY: Story = Story {
    project: "cinder",
    schema: SCHEMA,
    insert: "INSERT INTO services (id, host, \"binary\", topic, availability_zone, report_count, created_at, updated_at, \
             deleted, disabled, rpc_current_version, object_current_version, replication_status, frozen, uuid) \
             VALUES (?1, ?2, ?3, ?3, ?4, ?5, ?6, ?7, 0, 0, '3.19', '1.39', 'not-capable', 0, lower(hex(randomblob(16))))",
    beat: "UPDATE services SET report_count = report_count + 1, \
           updated_at = strftime('%Y-%m-%d %H:%M:%f', 'now', ?2) WHERE id = ?1",
    services: &SERVICES,
};

/// As `cinder-manage db sync` creates them.
const SCHEMA: &str = "
CREATE TABLE services (
    created_at DATETIME, updated_at DATETIME, deleted_at DATETIME, deleted BOOLEAN,
    id INTEGER NOT NULL PRIMARY KEY, host VARCHAR(255), \"binary\" VARCHAR(255), topic VARCHAR(255),
    report_count INTEGER NOT NULL, disabled BOOLEAN, availability_zone VARCHAR(255),
    disabled_reason VARCHAR(255), modified_at DATETIME, rpc_current_version VARCHAR(36),
    object_current_version VARCHAR(36), replication_status VARCHAR(36), frozen BOOLEAN,
    active_backend_id VARCHAR(255), cluster_name VARCHAR(255), uuid VARCHAR(36)
);
CREATE UNIQUE INDEX services_uuid_idx ON services (uuid);
CREATE TABLE clusters (
    created_at DATETIME, updated_at DATETIME, deleted_at DATETIME, deleted BOOLEAN,
    id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(255) NOT NULL, \"binary\" VARCHAR(255) NOT NULL,
    disabled BOOLEAN, disabled_reason VARCHAR(255), race_preventer INTEGER NOT NULL,
    replication_status VARCHAR(36), active_backend_id VARCHAR(255), frozen BOOLEAN NOT NULL
);";

/// `block2` was rebooted.
const REBOOT: Silence = Silence {
    until: Some(TimeDelta::minutes(-48)),
    ..killed(52)
};

const SERVICES: [SimulatedService; 6] = [
    service(1, "cinder-backup", "controller"),
    SimulatedService {
        silence: Some(killed(8)),
        ..service(2, "cinder-scheduler", "controller")
    },
    SimulatedService {
        skew: TimeDelta::seconds(-75),
        skewed_at: TimeDelta::minutes(-35),
        ..service(3, "cinder-volume", "block1")
    },
    SimulatedService {
        zone: "az1",
        silence: Some(REBOOT),
        ..service(4, "cinder-volume", "block2@lvmdriver-b21")
    },
    SimulatedService {
        zone: "az1",
        silence: Some(REBOOT),
        ..service(5, "cinder-volume", "block2@lvmdriver-b22")
    },
    SimulatedService {
        skew: TimeDelta::seconds(3),
        drift_ppm: 200,
        ..service(6, "cinder-volume", "network@lvmdriver-network")
    },
];
