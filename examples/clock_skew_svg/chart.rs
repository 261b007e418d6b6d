//! Two skew axes and rows of words above one time axis, as SVG.

use std::fmt::Write as _;

use crate::simulation::{END, Heartbeat, Point, SET_AT, true_skew};

pub(super) const LEFT: f64 = 80.0;
const RIGHT: f64 = 776.0;

/// One skew axis above the common time axis.
pub(super) struct Panel {
    name: &'static str,
    pub(super) top: f64,
    bottom: f64,
    /// The skews at top and bottom.
    pub(super) high: f64,
    pub(super) low: f64,
    /// Subtracted from every skew.
    origin: fn(f64) -> f64,
}

pub(super) const WHOLE: Panel = Panel {
    name: "whole",
    top: 62.0,
    bottom: 282.0,
    high: 96.0,
    low: -76.0,
    origin: |_| 0.0,
};
pub(super) const CLOSE: Panel = Panel {
    name: "close",
    top: 322.0,
    bottom: 462.0,
    high: 8.0,
    low: -6.0,
    origin: true_skew,
};

pub(super) fn x(at: f64) -> f64 {
    LEFT + (RIGHT - LEFT) * at / END
}

impl Panel {
    pub(super) fn y(&self, skew: f64) -> f64 {
        self.top + (self.bottom - self.top) * (self.high - skew) / (self.high - self.low)
    }

    /// Returns the frame, and the grid lines with their labels.
    pub(super) fn grid(&self, ticks: &[i32]) -> String {
        let Self { top, bottom, .. } = self;
        let (width, height) = (RIGHT - LEFT, bottom - top);
        let mut svg = format!(
            "<clipPath id=\"{}\"><rect x=\"{LEFT}\" y=\"{top}\" width=\"{width}\" height=\"{height}\"/></clipPath>\n",
            self.name
        );
        for &tick in ticks {
            let y = self.y(tick.into());
            let sign = if tick > 0 { "+" } else { "" };
            let label = format!("{sign}{tick} s").replace('-', "−");
            let _ = writeln!(
                svg,
                "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{RIGHT}\"/>{}",
                text("tick", LEFT - 6.0, y + 4.0, &label)
            );
        }
        svg
    }

    /// Returns a filled range of skews over the whole time.
    pub(super) fn zone(&self, class: &str, low: f64, high: f64) -> String {
        let (top, bottom) = (self.y(high), self.y(low));
        let (width, height) = (RIGHT - LEFT, bottom - top);
        format!(
            "<rect class=\"{class}\" x=\"{LEFT}\" y=\"{top:.1}\" width=\"{width}\" height=\"{height:.1}\"/>\n"
        )
    }

    /// Returns the lines of bounds, estimate and true skew.
    pub(super) fn curves(&self, points: &[Point]) -> String {
        let mut band = String::new();
        let [mut lower, mut upper, mut estimate] = [const { String::new() }; 3];
        for point in points {
            let level = |skew: f64| self.y(skew - (self.origin)(point.from));
            let (from, till) = (x(point.from), x(point.till));
            if let Some(low) = point.lower().map(level) {
                // Without an upper bound, any skew above the lower one is possible.
                let high = point.upper().map_or(self.top, level);
                let _ = write!(band, "M{from:.1} {low:.1}H{till:.1}V{high:.1}H{from:.1}Z");
            }
            line(&mut lower, from, till, point.lower().map(level));
            line(&mut upper, from, till, point.upper().map(level));
            line(&mut estimate, from, till, point.estimate().map(level));
        }
        let mut truth = String::new();
        for (from, till) in [(0.0, SET_AT), (SET_AT, END)] {
            let y = self.y(true_skew(from) - (self.origin)(from));
            line(&mut truth, x(from), x(till), Some(y));
        }
        format!(
            "<g clip-path=\"url(#{})\"><path class=\"band\" d=\"{band}\"/><path class=\"bound\" d=\"{lower}{upper}\"/>\
             <path class=\"estimate\" d=\"{estimate}\"/><path class=\"truth\" d=\"{truth}\"/></g>\n",
            self.name
        )
    }
}

/// Continues a stepped line, or interrupts it.
fn line(path: &mut String, from: f64, till: f64, y: Option<f64>) {
    let Some(y) = y else { return };
    let pen = if path.ends_with(&format!("H{from:.1}")) {
        format!("V{y:.1}")
    } else {
        format!("M{from:.1} {y:.1}")
    };
    let _ = write!(path, "{pen}H{till:.1}");
}

pub(super) fn text(class: &str, x: f64, y: f64, text: &str) -> String {
    format!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>\n")
}

/// Returns a row of rectangles, each with a word and a class, over the time for which the word held.
pub(super) fn strip(
    name: &str,
    top: f64,
    points: &[Point],
    word: fn(&Point) -> (&'static str, &'static str),
) -> String {
    let mut svg = text("tick", LEFT - 6.0, top + 12.0, name);
    for run in points.chunk_by(|a, b| word(a) == word(b)) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else {
            continue;
        };
        let (said, class) = word(first);
        let (from, till) = (x(first.from), x(last.till));
        let _ = write!(
            svg,
            "<rect class=\"{class}\" x=\"{from:.1}\" y=\"{top}\" width=\"{:.1}\" height=\"16\"/>{}",
            till - from - 1.0,
            text("", from + 8.0, top + 12.0, said)
        );
    }
    svg
}

/// Returns the heartbeats as ticks, and the time axis.
pub(super) fn time_scale(heartbeats: &[Heartbeat], top: f64) -> String {
    let mut svg = text("tick", LEFT - 6.0, top + 12.0, "heartbeats");
    for heartbeat in heartbeats
        .iter()
        .filter(|heartbeat| heartbeat.visible >= 0.0)
    {
        let x = x(heartbeat.visible);
        let _ = writeln!(svg, "<path class=\"beat\" d=\"M{x:.1} {}v12\"/>", top + 2.0);
    }
    for minute in 0..=6 {
        let x = x(60.0 * f64::from(minute));
        let _ = write!(
            svg,
            "{}",
            text("middle faint", x, top + 90.0, &format!("{minute} min"))
        );
    }
    svg
}

/// Returns the legend of the three lines.
pub(super) fn legend() -> String {
    let mut svg = String::new();
    for (from, class, what) in [
        (470.0, "truth", "true skew"),
        (568.0, "estimate", "estimate"),
        (660.0, "bound", "proven bounds"),
    ] {
        if class == "bound" {
            let _ = write!(
                svg,
                "<rect class=\"band\" x=\"{from}\" y=\"15\" width=\"26\" height=\"10\"/>"
            );
            let _ = write!(
                svg,
                "<path class=\"bound\" d=\"M{from} 15h26M{from} 25h26\"/>"
            );
        } else {
            let _ = write!(svg, "<path class=\"{class}\" d=\"M{from} 20h26\"/>");
        }
        svg.push_str(&text("", from + 32.0, 24.0, what));
    }
    svg
}
