#![no_main]

use libfuzzer_sys::fuzz_target;
use openstack_heartbeat_exporter_fuzz::rows;

fuzz_target!(|story: rows::Story| rows::run(&story));
