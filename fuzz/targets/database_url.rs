#![no_main]

use libfuzzer_sys::fuzz_target;
use openstack_heartbeat_exporter_fuzz::database_url;

fuzz_target!(|text: &str| database_url::run(text));
