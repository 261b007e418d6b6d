#![no_main]

use libfuzzer_sys::fuzz_target;
use openstack_heartbeat_exporter_fuzz::cinder_conf;

fuzz_target!(|bytes: &[u8]| cinder_conf::run(bytes));
