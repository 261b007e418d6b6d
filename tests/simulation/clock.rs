//! The clocks of a host: its time, and the monotonic clock on which its loops wait.
//!
//! Linux slews the monotonic clock together with the time. Only the time can be set. A pause of the machine stops both.

use super::random::Random;

/// What happens to a host's clocks, besides drift. All times are true times, in seconds.
#[derive(Clone)]
pub(crate) struct Disturbances {
    /// When the time is set, and by how much.
    pub(crate) steps: Vec<(f64, f64)>,
    /// Start, end and rate of slews, in seconds per second.
    pub(crate) slews: Vec<(f64, f64, f64)>,
    /// Start and end of the pauses of the machine.
    pub(crate) pauses: Vec<(f64, f64)>,
}

pub(crate) const UNDISTURBED: Disturbances = Disturbances {
    steps: Vec::new(),
    slews: Vec::new(),
    pauses: Vec::new(),
};

/// The clocks from a moment on.
#[derive(Clone, Copy)]
struct Piece {
    since: f64,
    /// Host time − true time at `since`.
    ahead: f64,
    monotonic: f64,
    /// Progress of both clocks in one true second.
    rate: f64,
}

/// Pieces of constant rate.
#[derive(Clone)]
pub(crate) struct Clocks(Vec<Piece>);

impl Clocks {
    /// Clocks whose drift changes every ten minutes, on average. The monotonic clock shows true time at the start.
    pub(crate) fn new(
        random: &mut Random,
        (ahead, max_drift): (f64, f64),
        disturbances: &Disturbances,
        until: f64,
    ) -> Self {
        let mut drifts = Vec::new();
        let mut turn = -100.0;
        while turn < until {
            let share = random.between(-1.0, 1.0);
            drifts.push((turn, random.choice(&[-1.0, 1.0, share]) * max_drift));
            turn += random.between(100.0, 1100.0);
        }
        let Disturbances {
            steps,
            slews,
            pauses,
        } = disturbances;
        let mut turns: Vec<f64> = drifts.iter().map(|drift| drift.0).collect();
        turns.extend(steps.iter().map(|step| step.0));
        turns.extend(slews.iter().flat_map(|slew| [slew.0, slew.1]));
        turns.extend(pauses.iter().flat_map(|pause| [pause.0, pause.1]));
        turns.sort_by(f64::total_cmp);
        turns.dedup();

        let start = turns[0];
        let mut pieces = Self(vec![Piece {
            since: start,
            ahead,
            monotonic: start,
            rate: 1.0,
        }]);
        for since in turns {
            let drift = drifts.iter().rev().find(|drift| drift.0 <= since);
            let slewed = slews
                .iter()
                .filter(|slew| slew.0 <= since && since < slew.1);
            let is_paused = pauses
                .iter()
                .any(|pause| pause.0 <= since && since < pause.1);
            let stepped = steps.iter().filter(|step| step.0.total_cmp(&since).is_eq());
            let rate =
                1.0 + drift.map_or(0.0, |drift| drift.1) + slewed.map(|slew| slew.2).sum::<f64>();
            pieces.0.push(Piece {
                since,
                ahead: pieces.ahead(since) + stepped.map(|step| step.1).sum::<f64>(),
                monotonic: pieces.monotonic(since),
                rate: if is_paused { 0.0 } else { rate },
            });
        }
        pieces
    }

    fn piece(&self, time: f64) -> Piece {
        let after = self.0.partition_point(|piece| piece.since <= time);
        self.0[after.max(1) - 1]
    }

    /// Returns host time − true time.
    pub(crate) fn ahead(&self, time: f64) -> f64 {
        let piece = self.piece(time);
        piece.ahead + (piece.rate - 1.0) * (time - piece.since)
    }

    /// Returns what the monotonic clock shows.
    pub(crate) fn monotonic(&self, time: f64) -> f64 {
        let piece = self.piece(time);
        piece.monotonic + piece.rate * (time - piece.since)
    }

    /// Returns when the monotonic clock shows `monotonic`; during a pause, that is its end.
    pub(crate) fn when(&self, monotonic: f64) -> f64 {
        let after = self.0.partition_point(|piece| piece.monotonic <= monotonic);
        let piece = self.0[after.max(1) - 1];
        piece.since + (monotonic - piece.monotonic) / piece.rate
    }
}
