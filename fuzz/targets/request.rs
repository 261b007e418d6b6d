#![no_main]

use libfuzzer_sys::fuzz_target;
use openstack_heartbeat_exporter_fuzz::request;

fuzz_target!(|bytes: &[u8]| request::run(bytes));
