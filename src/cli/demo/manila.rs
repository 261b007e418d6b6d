//! Manila in the simulated cloud: five services, two of them no longer alive.
//!
//! It is Manila 18. Until release 20, nothing but a service changes its stored state: the API lists the manila-share of
//! `storage2`, which was killed 12 minutes ago, as up for ever. The one of `storage3` was shut down 25 minutes ago.

use super::service::{Silence, SimulatedService, killed, service};
use super::story::Story;

pub(super) static STORY: Story = Story {
    project: "manila",
    schema: SCHEMA,
    insert: "INSERT INTO services (id, host, \"binary\", topic, availability_zone_id, report_count, created_at, \
             updated_at, deleted, disabled, state) \
             SELECT ?1, ?2, ?3, ?3, zone.id, ?5, ?6, ?7, 0, 0, ?8 FROM availability_zones zone WHERE zone.name = ?4",
    beat: "UPDATE services SET report_count = report_count + 1, state = 'up', \
           updated_at = strftime('%Y-%m-%d %H:%M:%f', 'now', ?2) WHERE id = ?1",
    services: &SERVICES,
};

/// As `manila-manage db sync` creates them.
const SCHEMA: &str = "
CREATE TABLE availability_zones (
    created_at DATETIME, updated_at DATETIME, deleted_at DATETIME, deleted VARCHAR(36),
    id VARCHAR(36) NOT NULL PRIMARY KEY, name VARCHAR(255), UNIQUE (name, deleted)
);
INSERT INTO availability_zones (id, name, deleted) VALUES (lower(hex(randomblob(16))), 'nova', 'False');
CREATE TABLE services (
    created_at DATETIME, updated_at DATETIME, deleted_at DATETIME, deleted INTEGER,
    id INTEGER NOT NULL PRIMARY KEY, host VARCHAR(255), \"binary\" VARCHAR(255), topic VARCHAR(255),
    report_count INTEGER NOT NULL, disabled BOOLEAN, availability_zone_id VARCHAR(36), state VARCHAR(36),
    disabled_reason VARCHAR(255)
);";

const SERVICES: [SimulatedService; 5] = [
    service(1, "manila-scheduler", "controller"),
    service(2, "manila-data", "controller"),
    service(3, "manila-share", "storage1@generic"),
    SimulatedService {
        silence: Some(killed(12)),
        ..service(4, "manila-share", "storage2@generic")
    },
    SimulatedService {
        silence: Some(Silence {
            says_goodbye: true,
            ..killed(25)
        }),
        ..service(5, "manila-share", "storage3@generic")
    },
];
