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

    /// Takes a token at each of these milliseconds; checks the success, or the milliseconds until the next token.
    fn check(interval: u64, burst: u32, times: &[(u64, Result<(), u64>)]) {
        let limit = RateLimit {
            interval: Duration::from_millis(interval),
            burst,
        };
        let start = Instant::now();
        let mut bucket = Bucket::default();
        for (at, expected) in times {
            let taken = bucket.take(&limit, start + Duration::from_millis(*at));
            assert_eq!(taken, expected.map_err(Duration::from_millis), "at {at}");
        }
    }

    #[test]
    fn a_burst_passes_at_once_and_then_one_request_each_interval() {
        check(
            100,
            3,
            &[
                (0, Ok(())),
                (0, Ok(())),
                (0, Ok(())),
                (0, Err(100)),
                (99, Err(1)),
                (100, Ok(())),
                (100, Err(100)),
                (150, Err(50)),
                (200, Ok(())),
            ],
        );
    }

    #[test]
    fn unused_tokens_accumulate_up_to_the_burst() {
        check(
            100,
            2,
            &[
                (0, Ok(())),
                (0, Ok(())),
                (10_000, Ok(())),
                (10_000, Ok(())),
                (10_000, Err(100)),
            ],
        );
    }

    #[test]
    fn a_burst_of_one_allows_one_request_each_interval() {
        check(1_000, 1, &[(0, Ok(())), (999, Err(1)), (1_000, Ok(()))]);
    }
}
