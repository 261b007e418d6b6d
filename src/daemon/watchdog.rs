//! Reports to systemd: the status after each poll, and keep-alives for its watchdog while the exporter works.

use std::fmt::Write as _;
use std::future;
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use tracing::error;

use crate::heartbeat::view::View;
use crate::publish::latest::Latest;
use crate::report::condition::{self, Condition, Counts};

/// Reports the status after each poll, and a keep-alive twice per `limit`, systemd's watchdog timeout.
///
/// The keep-alive proves that the runtime runs this task. It is sent only if a poll ended, successfully or not, within
/// `longest_poll`; a longer time means that the poller hangs.
pub(crate) async fn report(
    latest: Arc<Latest>,
    longest_poll: watch::Receiver<Duration>,
    limit: Option<Duration>,
    notify: impl Fn(&[NotifyState]),
) {
    let mut ticks = limit.map(|limit| {
        // As sd_watchdog_enabled(3) recommends.
        let mut ticks = tokio::time::interval((limit / 2).max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks
    });
    let mut polls = latest.polls();
    let mut last_poll = Instant::now();
    let mut hangs = false;
    loop {
        let tick = async {
            match &mut ticks {
                Some(ticks) => ticks.tick().await,
                None => future::pending().await,
            }
        };
        tokio::select! {
            changed = polls.changed() => {
                if changed.is_err() {
                    return;
                }
                last_poll = Instant::now();
                let is_loaded = latest.telemetry().is_config_loaded();
                let status = status(&latest.view(), is_loaded);
                notify(&[NotifyState::Status(&status)]);
            }
            _ = tick => {
                let is_overdue = last_poll.elapsed() > *longest_poll.borrow();
                if !is_overdue {
                    notify(&[NotifyState::Watchdog]);
                } else if !hangs {
                    error!("no poll ended in time; systemd's watchdog will restart the exporter");
                }
                hangs = is_overdue;
            }
        }
    }
}

/// Returns one line about the services, the database and the configuration, in the words of the status page.
fn status(view: &View, is_config_loaded: bool) -> String {
    let snapshot = view.snapshot.as_deref();
    let counts = snapshot.map(Counts::of);
    let mut line = format!("{}.", Condition::of(counts.as_ref(), view).headline);
    if let Some(snapshot) = snapshot {
        let read_at = snapshot.now.0.format("%H:%M:%S");
        let _ = write!(line, " Read at {read_at} UTC.");
    }
    if let Some(trouble) = condition::trouble(view) {
        line.push(' ');
        line.push_str(&trouble.text);
    }
    if !is_config_loaded {
        line.push_str(" The last reload failed; the previous configuration stays active.");
    }
    line
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::heartbeat::failure::Class;

    #[tokio::test(start_paused = true)]
    async fn the_status_contains_the_last_poll_and_every_failure() {
        let latest = Latest::fixture();
        let line = status(&latest.view(), true);
        assert!(!line.contains("UTC"), "{line}");

        let snapshot = latest.show_one().snapshot.clone();
        let read_at = snapshot.now.0.format("%H:%M:%S UTC.").to_string();
        let line = status(&latest.view(), true);
        assert!(line.ends_with(&read_at), "{line}");

        latest.fail(Class::Auth, Duration::ZERO);
        let trouble = condition::trouble(&latest.view()).unwrap();
        let line = status(&latest.view(), false);
        assert!(line.contains(&trouble.text), "{line}");
        assert!(!line.ends_with(&trouble.text), "{line}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_watchdog_is_not_notified_while_no_poll_ends() {
        let latest = Arc::new(Latest::fixture());
        let (_, longest_poll) = watch::channel(Duration::from_secs(45));
        let states = Arc::new(Mutex::new(Vec::new()));
        let sent = states.clone();
        let notify = move |new: &[NotifyState]| sent.lock().unwrap().push(new[0].to_string());
        let notifications = async |seconds| {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            let states = std::mem::take(&mut *states.lock().unwrap());
            states.iter().filter(|state| *state == "WATCHDOG=1").count()
        };
        let limit = Some(Duration::from_secs(20));
        let report = tokio::spawn(report(latest.clone(), longest_poll, limit, notify));
        // At 0, 10, 20, 30 and 40 s.
        assert_eq!(notifications(49).await, 5);
        assert_eq!(notifications(100).await, 0);
        latest.fail(Class::Timeout, Duration::ZERO);
        // At 150 s.
        assert_eq!(notifications(10).await, 1);
        report.abort();
    }
}
