//! Draws `docs/clock-skew.svg`: a service that runs through a step of its host's clock, and then stops.
//!
//! ```sh
//! cargo run --example clock_skew_svg > docs/clock-skew.svg
//! ```
//!
//! The host and the polls are simulated, from a seed. The chart shows the values that the crate's tracker
//! publishes after each poll, with the default settings and a column of whole seconds, as in MariaDB.
//! Seconds are `f64` here, by the database clock, from the first poll on. Skew is positive when the host is ahead.

mod chart;
mod simulation;

use std::fmt::Write as _;
use std::io::{self, Write as _};

use chart::{CLOSE, LEFT, WHOLE, strip, text, x};
use fastrand::Rng;
use openstack_heartbeat_exporter::heartbeat::cause::Reason;
use simulation::{AHEAD, END, Heartbeat, Point, SET_AT, SET_BY};

/// A seed whose widths are near the medians of `tests/simulation.rs`.
const SEED: u64 = 44;

/// The times of the events, in seconds.
struct Story {
    first_width: f64,
    width_before: f64,
    width_after: f64,
    set_proven: f64,
    last_heartbeat: f64,
    stop_proven: f64,
}

impl Story {
    /// Returns `None` unless every event happens and the true skew is always within the published bounds. The
    /// time from the clock step to the next heartbeat is exempt.
    fn of(heartbeats: &[Heartbeat], points: &[Point]) -> Option<Self> {
        let before = points.iter().rfind(|point| point.till < SET_AT);
        let proven = |reason: Reason| points.iter().find(|point| point.reason() == Some(reason));
        let set_proven = proven(Reason::ClockSkew)?.from;
        let unseen = SET_AT..set_proven;
        if points
            .iter()
            .any(|point| point.misses() && !unseen.contains(&point.from))
        {
            return None;
        }
        Some(Self {
            first_width: points.iter().find_map(Point::width)?,
            width_before: before?.width()?,
            width_after: points.iter().rev().find_map(Point::width)?,
            set_proven,
            last_heartbeat: heartbeats.last()?.visible,
            stop_proven: proven(Reason::Stopped)?.from,
        })
    }

    fn description(&self) -> String {
        format!(
            "Six minutes of a service whose host is {AHEAD} s ahead of the database. The first observed heartbeat bounds \
             the skew to {:.1} s; after {:.1} minutes the bounds are {:.1} s wide. Then the host's clock is stepped by \
             +{SET_BY} s. {:.1} s later a heartbeat shows it: the bounds follow, and narrow again to {:.1} s. Then the \
             service stops. Its last stamp lies in the future, so the API lists it as up again. {:.1} s after the last \
             heartbeat the stop is proven, and bounds and estimate are withdrawn. The true skew is always within the \
             bounds, except between the step and the next heartbeat.",
            self.first_width,
            SET_AT / 60.0,
            self.width_before,
            self.set_proven - SET_AT,
            self.width_after,
            self.stop_proven - self.last_heartbeat
        )
    }

    /// Returns vertical lines at the events, with their names.
    fn marks(&self) -> String {
        let mut svg = String::new();
        let marks = [
            (SET_AT, format!("clock set by +{SET_BY} s")),
            (self.last_heartbeat, "last heartbeat".to_owned()),
            (self.stop_proven, "stop proven".to_owned()),
        ];
        for (at, what) in marks {
            let x = x(at);
            let _ = write!(
                svg,
                "<path class=\"mark\" d=\"M{x:.1} {}V554\"/>{}",
                WHOLE.top - 6.0,
                text("middle", x, WHOLE.top - 11.0, &what)
            );
        }
        svg
    }

    fn labels(&self) -> String {
        let (start, end) = (LEFT + 20.0, x(END) - 6.0);
        let ageing = x(f64::midpoint(self.last_heartbeat, self.stop_proven));
        [
            (start, WHOLE.y(82.0), "", "API down, scheduler still up"),
            (start, WHOLE.y(62.0), "", "API alternates: +60 to +70 s"),
            (start, WHOLE.y(30.0), "", "safe: −50 to +60 s"),
            (start, WHOLE.y(-58.0), "", "both alternate: −60 to −50 s"),
            (start, WHOLE.y(-73.0), "", "API and scheduler down"),
            (
                LEFT + 14.0,
                CLOSE.y(-4.8),
                "",
                "← no upper bound before a heartbeat is seen",
            ),
            (ageing, CLOSE.y(6.4), "middle", "age 1 ms/s"),
            (end, CLOSE.y(6.4), "end", "withdrawn"),
        ]
        .map(|(x, y, class, what)| text(class, x, y, what))
        .concat()
    }
}

fn state(up: Option<bool>) -> (&'static str, &'static str) {
    if up == Some(true) {
        ("up", "up")
    } else {
        ("down", "down")
    }
}

fn draw(heartbeats: &[Heartbeat], points: &[Point], story: &Story) -> String {
    let style = include_str!("style.css");
    let reason = |point: &Point| match point.reason() {
        Some(Reason::ClockSkew) => ("clock_skew", "skew"),
        Some(reason) => (reason.as_str(), "down"),
        None => ("none", "none"),
    };
    [
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"800\" height=\"576\" viewBox=\"0 0 800 576\" role=\"img\" aria-labelledby=\"title desc\">\n"
            .to_owned(),
        "<title id=\"title\">Clock skew, proven by heartbeats</title>\n".to_owned(),
        format!("<desc id=\"desc\">{}</desc>\n<style>{style}</style>\n", story.description()),
        "<rect class=\"back\" width=\"800\" height=\"576\" rx=\"6\"/>\n".to_owned(),
        text("head", 14.0, 24.0, "Clock skew, and Cinder's verdict"),
        chart::legend(),
        WHOLE.zone("red", 70.0, WHOLE.high),
        WHOLE.zone("amber", 60.0, 70.0),
        WHOLE.zone("amber", -60.0, -50.0),
        WHOLE.zone("red", WHOLE.low, -60.0),
        WHOLE.grid(&[-60, -30, 0, 30, 60, 90]),
        WHOLE.curves(points),
        text("head", 14.0, 308.0, "Clock skew minus its true value"),
        CLOSE.grid(&[-6, -4, -2, 0, 2, 4, 6, 8]),
        CLOSE.curves(points),
        story.marks(),
        story.labels(),
        chart::time_scale(heartbeats, 472.0),
        strip("API", 492.0, points, |point| state(point.status.up)),
        strip("scheduler", 512.0, points, |point| state(point.status.up_for_scheduler)),
        strip("reason", 532.0, points, reason),
        "</svg>\n".to_owned(),
    ]
    .concat()
}

fn main() -> io::Result<()> {
    let mut random = Rng::with_seed(SEED);
    let heartbeats = simulation::heartbeats(&mut random);
    let points = simulation::observe(&mut random, &heartbeats);
    let story = Story::of(&heartbeats, &points).ok_or(io::ErrorKind::InvalidData)?;
    io::stdout().write_all(draw(&heartbeats, &points, &story).as_bytes())
}
