#![no_main]

use libfuzzer_sys::fuzz_target;
use openstack_heartbeat_exporter_fuzz::settings;

fuzz_target!(|bytes: &[u8]| settings::run(bytes));
