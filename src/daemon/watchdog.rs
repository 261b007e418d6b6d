//! Reports to systemd: the status after each poll, and keep-alives for its watchdog while the exporter works.

use std::fmt::Write as _;
use std::future;
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::MissedTickBehavior;
use tracing::error;

use crate::publish::latest::Latest;
use crate::report::condition::{self, Condition, Counts};
use crate::report::view::{SearchState, View};

/// Reports the status after each poll, and a keep-alive twice per `limit`, systemd's watchdog timeout.
///
/// The keep-alive proves that the runtime runs this task. It is sent only while no poller
/// [hangs](Latest::overdue).
pub(crate) async fn report(
    latest: Arc<Latest>,
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
                let is_loaded = latest.telemetry().is_config_loaded();
                let status = status(&latest.views(), latest.search(), is_loaded);
                notify(&[NotifyState::Status(&status)]);
            }
            _ = tick => {
                let overdue = latest.overdue();
                match &overdue {
                    None => notify(&[NotifyState::Watchdog]),
                    Some(database) if !hangs => {
                        error!(
                            database = &**database,
                            "no poll ended in time; systemd's watchdog will restart the exporter"
                        );
                    }
                    Some(_) => {}
                }
                hangs = overdue.is_some();
            }
        }
    }
}

/// Returns one line about the services, the databases and the configuration, in the words of the status page.
fn status(views: &[View], search: Option<SearchState>, is_config_loaded: bool) -> String {
    let mut line = format!(
        "{}.",
        Condition::of(Counts::shown(views).as_ref(), views).headline
    );
    // The database that was read longest ago, by its own clock.
    let shown = views.iter().filter(|view| view.snapshot.is_some());
    let oldest = shown.max_by_key(|view| view.age);
    if let Some(snapshot) = oldest.and_then(|view| view.snapshot.as_ref()) {
        let read_at = snapshot.now.0.format("%H:%M:%S");
        let _ = write!(line, " Read at {read_at} UTC.");
    }
    let search = condition::search_trouble(search).into_iter();
    for trouble in search.chain(condition::troubles(views)) {
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
    use crate::publish::latest::EntrySettings;

    #[tokio::test(start_paused = true)]
    async fn the_status_contains_the_last_poll_and_every_failure() {
        let (latest, entry) = Latest::fixture();
        let line = status(&latest.views(), None, true);
        assert!(!line.contains("UTC"), "{line}");

        let snapshot = entry.show_one().snapshot.clone();
        let read_at = snapshot.now.0.format("%H:%M:%S UTC.").to_string();
        let line = status(&latest.views(), None, true);
        assert!(line.ends_with(&read_at), "{line}");

        entry.fail(Class::Auth, Duration::ZERO);
        let other = latest.add("manila", EntrySettings::fixture());
        other.fail(Class::Connect, Duration::ZERO);
        let line = status(&latest.views(), None, false);
        let troubles = condition::troubles(&latest.views());
        assert_eq!(troubles.len(), 2);
        for trouble in troubles {
            assert!(line.contains(&trouble.text), "{line}");
        }
        assert!(line.contains("cinder: The database"), "{line}");
        assert!(line.ends_with("stays active."), "{line}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_watchdog_is_not_notified_while_no_poll_of_a_source_ends() {
        let (latest, entry) = Latest::fixture();
        let latest = Arc::new(latest);
        let other = latest.add("manila", EntrySettings::fixture());
        let states = Arc::new(Mutex::new(Vec::new()));
        let sent = states.clone();
        let notify = move |new: &[NotifyState]| sent.lock().unwrap().push(new[0].to_string());
        let notifications = async |seconds| {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            let states = std::mem::take(&mut *states.lock().unwrap());
            states.iter().filter(|state| *state == "WATCHDOG=1").count()
        };
        let limit = Some(Duration::from_secs(20));
        let report = tokio::spawn(report(latest.clone(), limit, notify));
        // At 0, 10, 20, 30 and 40 s; the longest poll takes 45 s.
        assert_eq!(notifications(49).await, 5);
        assert_eq!(notifications(50).await, 0);
        entry.fail(Class::Timeout, Duration::ZERO);
        assert_eq!(notifications(20).await, 0);
        other.fail(Class::Timeout, Duration::ZERO);
        // At 120 s.
        assert_eq!(notifications(10).await, 1);
        // At 130 s and 140 s.
        latest.remove("cinder");
        assert_eq!(notifications(20).await, 2);
        report.abort();
    }
}
