#![no_main]

use libfuzzer_sys::fuzz_target;
use openstack_heartbeat_exporter_fuzz::accept;

fuzz_target!(|header: &str| accept::run(header));
