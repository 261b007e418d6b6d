#![no_main]

use libfuzzer_sys::fuzz_target;
use openstack_heartbeat_exporter_fuzz::columns;

fuzz_target!(|rows: Vec<columns::Row>| columns::run(&rows));
