//! The rate limit: a token bucket, full at first. Each request takes a token.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::web::RateLimit;

/// A token bucket, stored as the time at which it is full again.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    full_at: Option<Instant>,
}

impl Bucket {
    /// Takes a token.
    ///
    /// # Errors
    /// The bucket is empty: the time until the next token.
    pub(crate) fn take(&mut self, limit: &RateLimit, now: Instant) -> Result<(), Duration> {
        let full_at = self.full_at.map_or(now, |full_at| full_at.max(now));
        let most = limit.interval * (limit.burst - 1);
        let wait = full_at.duration_since(now).saturating_sub(most);
        if !wait.is_zero() {
            return Err(wait);
        }
        self.full_at = Some(full_at + limit.interval);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes a token at each of these milliseconds; checks the milliseconds until the next token, 0 for success.
    fn check(interval: u64, burst: u32, times: &[(u64, u64)]) {
        let interval = Duration::from_millis(interval);
        let limit = RateLimit { interval, burst };
        let start = Instant::now();
        let mut bucket = Bucket::default();
        for &(at, wait) in times {
            let taken = bucket.take(&limit, start + Duration::from_millis(at));
            let wait = (wait > 0).then_some(Duration::from_millis(wait));
            assert_eq!(taken.err(), wait, "at {at}");
        }
    }

    #[test]
    fn a_burst_passes_at_once_and_then_one_request_each_interval() {
        let burst = [(0, 0), (0, 0), (0, 0), (0, 100)];
        let later = [(99, 1), (100, 0), (100, 100), (150, 50), (200, 0)];
        check(100, 3, &[&burst[..], &later].concat());
    }

    #[test]
    fn unused_tokens_accumulate_up_to_the_burst() {
        let (now, later) = ((0, 0), (10_000, 0));
        check(100, 2, &[now, now, later, later, (10_000, 100)]);
    }

    #[test]
    fn a_burst_of_one_allows_one_request_each_interval() {
        check(1_000, 1, &[(0, 0), (999, 1), (1_000, 0)]);
    }
}
