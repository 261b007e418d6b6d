//! Which formats were asked for lately, so that the next answers in them are ready before they are asked for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::exposition::Format;
use super::rendered::Encoding;

/// Time for which a format is made ready after it was asked for: longer than any sensible scrape interval.
pub(super) const REMEMBERED: Duration = Duration::from_mins(5);

/// The formats and encodings in demand.
#[derive(Debug)]
pub(super) struct Demand {
    started: Instant,
    /// When each was last asked for, in milliseconds since `started`, plus one; 0: never.
    asked: [[AtomicU64; Encoding::ALL.len()]; Format::ALL.len()],
}

impl Demand {
    /// Returns a record without requests.
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
            asked: <[[AtomicU64; _]; _]>::default(),
        }
    }

    /// Notes that a format was asked for.
    pub(super) fn note(&self, format: Format, encoding: Encoding) {
        self.asked[format as usize][encoding as usize].store(self.now() + 1, Ordering::Relaxed);
    }

    /// Returns whether a format was asked for within the last [five minutes](REMEMBERED).
    pub(super) fn includes(&self, format: Format, encoding: Encoding) -> bool {
        let asked = self.asked[format as usize][encoding as usize].load(Ordering::Relaxed);
        let remembered = u64::try_from(REMEMBERED.as_millis()).unwrap_or(u64::MAX);
        asked > 0 && self.now().saturating_sub(asked - 1) < remembered
    }

    /// Returns everything in demand.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Format, Encoding)> {
        let formats = Format::ALL.into_iter();
        let all = formats.flat_map(|format| Encoding::ALL.map(|encoding| (format, encoding)));
        all.filter(|(format, encoding)| self.includes(*format, *encoding))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
