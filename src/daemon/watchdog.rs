//! How the exporter is doing, after each poll and as often as systemd's watchdog wants it.

use std::fmt::Write as _;
use std::future;
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use tracing::error;

use crate::publish::latest::{Latest, View};
use crate::publish::telemetry::Telemetry;
use crate::report::condition::{self, Condition, Counts};

/// What tells how the exporter is doing.
#[derive(Debug)]
pub(crate) struct Watchdog {
    /// The services and the database.
    pub latest: Arc<Latest>,
    /// The configuration.
    pub telemetry: Arc<Telemetry>,
    /// Counts the polls made so far.
    pub polls: watch::Receiver<u64>,
    /// The longest time between two polls of a poller that is not stuck.
    pub patience: watch::Receiver<Duration>,
}

impl Watchdog {
    /// Tells the status after each poll, and twice each `watchdog` that the exporter is alive: that the runtime runs
    /// this task, and that a poll ended within the last `patience`, whether it succeeded or not.
    ///
    /// Ends when there are no more polls.
    pub(crate) async fn report(
        mut self,
        watchdog: Option<Duration>,
        tell: impl Fn(&[NotifyState]),
    ) {
        let mut ticks = watchdog.map(|limit| {
            // As often as sd_watchdog_enabled has it.
            let mut ticks = tokio::time::interval((limit / 2).max(Duration::from_millis(1)));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        });
        let mut last_poll = Instant::now();
        let mut stuck = false;
        loop {
            let tick = async {
                match &mut ticks {
                    Some(ticks) => ticks.tick().await,
                    None => future::pending().await,
                }
            };
            tokio::select! {
                changed = self.polls.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    last_poll = Instant::now();
                    let status = status(&self.latest.view(), self.telemetry.is_config_loaded());
                    tell(&[NotifyState::Status(&status)]);
                }
                _ = tick => {
                    let overdue = last_poll.elapsed() > *self.patience.borrow();
                    if !overdue {
                        tell(&[NotifyState::Watchdog]);
                    } else if !stuck {
                        error!("no poll has ended for too long; it is left to systemd's watchdog to start anew");
                    }
                    stuck = overdue;
                }
            }
        }
    }
}

/// Returns one line on the services, the database and the configuration, as the status page has it.
fn status(view: &View, config_loaded: bool) -> String {
    let counts = view
        .rendered
        .as_ref()
        .map(|rendered| Counts::of(&rendered.snapshot));
    let mut line = format!("{}.", Condition::of(counts.as_ref(), view).headline);
    if let Some(rendered) = &view.rendered {
        let read_at = rendered.snapshot.now.0.format("%H:%M:%S");
        let _ = write!(line, " Read at {read_at} UTC.");
    }
    if let Some(trouble) = condition::trouble(view) {
        line.push(' ');
        line.push_str(&trouble.text);
    }
    if !config_loaded {
        line.push_str(" The last reload was refused, and the old configuration kept.");
    }
    line
}

#[cfg(test)]
mod tests {
    use crate::publish::metrics_page::OwnMetrics;
    use std::sync::Mutex;

    use super::*;
    use crate::heartbeat::failure::Class;
    use crate::heartbeat::fixture;
    use crate::publish::rendered::RenderedSnapshot;

    fn latest() -> Latest {
        Latest::new(Duration::from_secs(30), Duration::from_secs(5))
    }

    #[tokio::test(start_paused = true)]
    async fn the_status_has_services_last_poll_and_what_fails() {
        let latest = latest();
        let line = status(&latest.view(), true);
        assert_eq!(
            line,
            "The services’ states are not known yet. The exporter started 0 s ago; the first reading of the database \
             is under way."
        );

        let reading = fixture::reading(vec![fixture::service("cinder-volume", "block1")]);
        let read_at = reading.now.0.format("%H:%M:%S").to_string();
        let rendered = RenderedSnapshot::new(fixture::snapshot(reading), Instant::now());
        latest.show(rendered, OwnMetrics::default);
        let line = status(&latest.view(), true);
        assert!(line.contains("service"), "{line}");
        assert!(
            line.ends_with(&format!(" Read at {read_at} UTC.")),
            "{line}"
        );

        latest.fail(Class::Auth, OwnMetrics::default);
        let line = status(&latest.view(), false);
        assert!(
            line.contains("The database has not been readable"),
            "{line}"
        );
        assert!(line.ends_with("the old configuration kept."), "{line}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_watchdog_hears_nothing_while_polls_fail_to_end() {
        let (poll, polls) = watch::channel(0);
        let (_, patience) = watch::channel(Duration::from_secs(45));
        let interval = Duration::from_secs(5);
        let telemetry = Telemetry::new("cinder", &fixture::INTERVALS, interval, Duration::ZERO);
        let watchdog = Watchdog {
            latest: Arc::new(latest()),
            telemetry: Arc::new(telemetry.unwrap()),
            polls,
            patience,
        };
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = {
            let told = told.clone();
            move |states: &[NotifyState]| told.lock().unwrap().push(states[0].to_string())
        };
        let beats = |seconds| {
            let told = told.clone();
            async move {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                let told = std::mem::take(&mut *told.lock().unwrap());
                told.iter().filter(|state| *state == "WATCHDOG=1").count()
            }
        };
        let report = tokio::spawn(watchdog.report(Some(Duration::from_secs(20)), tell));
        // At 0, 10, 20, 30 and 40 s.
        assert_eq!(beats(49).await, 5);
        assert_eq!(beats(100).await, 0);
        poll.send_replace(1);
        // At 150 s.
        assert_eq!(beats(10).await, 1);
        drop(poll);
        report.await.unwrap();
    }
}
