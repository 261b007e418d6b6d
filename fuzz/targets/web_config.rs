#![no_main]

use libfuzzer_sys::fuzz_target;
use openstack_heartbeat_exporter_fuzz::web_config;

fuzz_target!(|text: &str| web_config::run(text));
