//! How many processes write one row, from the stamps of its heartbeats.
//!
//! Hosts that share a name share its row: `report_count` then rises once an interval for each of them, and the
//! stamps come from their clocks in turn. N writers make N interleaved series: the stamps of every Nth heartbeat
//! are regular among themselves, while all heartbeats together are not. Late or lost heartbeats, pauses and a
//! clock that is set disturb the series of any N alike, and are no sign of a second writer.

use std::collections::VecDeque;

use chrono::TimeDelta;

use super::pace::Beat;
use super::{Assumptions, scaled};

/// Heartbeats looked at, the latest ones.
const WINDOW: usize = 32;
/// Fewest heartbeats that can prove anything.
const FEWEST: usize = 12;
/// Most writers told apart: each needs three heartbeats in the window.
const MOST: usize = 8;

/// The latest heartbeats of a row, and how many processes wrote them.
#[derive(Debug, Clone, Default)]
pub(super) struct Writers {
    beats: VecDeque<Beat>,
    number: Option<u32>,
}

/// The stamps seen as so many interleaved series.
struct Series {
    /// Median interval of a series: the report interval of each writer.
    interval: TimeDelta,
    /// Spans within a series that are no multiple of that.
    misfits: usize,
    /// Whether each series has enough heartbeats to be judged.
    complete: bool,
}

impl Writers {
    /// Returns the number of writers, at least 2; `None` while one writer explains what is seen.
    pub(super) fn number(&self) -> Option<u32> {
        self.number
    }

    /// Takes one more heartbeat into account.
    ///
    /// One misfit as a single series is a clock that was set. The verdict stands until the stamps prove another:
    /// a late heartbeat among those of several writers fits none.
    pub(super) fn observe(&mut self, beat: Beat, assumptions: &Assumptions) {
        if self.beats.len() == WINDOW {
            self.beats.pop_front();
        }
        self.beats.push_back(beat);
        if self.beats.len() < FEWEST {
            return;
        }
        let slack = assumptions.slack();
        if self.series(1, slack).misfits <= 1 {
            // Reads in step with the writers show one of them for long, and that one is no proof against others.
            if self
                .number
                .is_some_and(|number| self.series(i64::from(number), slack).complete)
            {
                self.number = None;
            }
            return;
        }
        let proven = (2..=MOST).find(|&number| self.proves(number, assumptions));
        if let Some(number) = proven {
            self.number = u32::try_from(number).ok();
        }
    }
}
