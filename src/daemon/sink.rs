//! Publishes the results of polls: connects the poller to the latest snapshot.

use std::sync::Arc;
use std::time::Duration;

use crate::heartbeat::failure::Class;
use crate::heartbeat::snapshot::Snapshot;
use crate::publish::latest::Latest;
use crate::source::Poll;
use crate::source::poll_settings::PollSettings;
use crate::source::poller::Sink;

impl Sink for Latest {
    fn succeeded(&self, poll: Poll) -> Arc<Snapshot> {
        self.show(poll).snapshot.clone()
    }

    fn failed(&self, class: Class, took: Duration) {
        self.fail(class, took);
    }

    fn reconfigured(&self, settings: &PollSettings) {
        self.set_pace(settings.stale_after, settings.poll_interval);
        self.telemetry()
            .configured(&settings.intervals, settings.poll_interval);
    }
}
