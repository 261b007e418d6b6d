//! How narrow the bounds get for each kind of project.

use super::random::Random;
use super::world::{HEALTHY, Process, READER, Reader, simulate};
use super::{COLUMNS, quantile, times};

/// A project's heartbeats, how they are read, and the widest bounds after 30 minutes.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) process: Process,
    pub(crate) reader: Reader,
    widest: f64,
}

pub(crate) fn kinds() -> [Kind; 4] {
    let stamps_alone = |name, interval, poll, widest| Kind {
        name,
        process: Process {
            interval,
            walk: 0.005,
            ..HEALTHY
        },
        reader: Reader {
            poll,
            down: 1.5 * interval,
            report_interval: interval,
            counted: false,
            until: 1_860.0,
            ..READER
        },
        widest,
    };
    let watcher = stamps_alone("Heat, Watcher", 60.0, 5.0, 3.7);
    let magnum = Kind {
        name: "Magnum, Zun",
        process: Process {
            walk: 0.0,
            whole_seconds: 2.0,
            ..watcher.process.clone()
        },
        reader: Reader {
            down: 180.0,
            counted: true,
            ..watcher.reader.clone()
        },
        widest: 7.2,
    };
    [
        stamps_alone("Ironic", 10.0, 5.0, 3.0),
        stamps_alone("Ironic, polls every 15 s", 10.0, 15.0, 17.5),
        watcher,
        magnum,
    ]
}

#[test]
fn the_bounds_narrow_for_each_project() {
    for (column_name, column) in COLUMNS {
        for kind in kinds() {
            let reader = Reader {
                column,
                ..kind.reader
            };
            let (mut widths, mut errors) = ([vec![], vec![]], vec![]);
            for seed in 0..100 * times() {
                let process = Process {
                    ahead: Random(seed ^ 0x0012_3456).between(-5.0, 5.0),
                    ..kind.process.clone()
                };
                simulate(seed, &[process], &reader, |moment| {
                    assert!(!moment.misses(moment.truth), "{}, seed {seed}", kind.name);
                    let minutes = [300.0..360.0, 1_800.0..1_860.0];
                    for (minute, widths) in minutes.iter().zip(&mut widths) {
                        widths.extend(moment.width().filter(|_| minute.contains(&moment.time)));
                    }
                    errors.extend(moment.error().filter(|_| moment.time > 1_800.0));
                });
            }
            let [early, late] = widths.map(|mut widths| quantile(&mut widths, 0.5));
            println!(
                "{}, {column_name}: width {early:.2} s after 5 min, {late:.2} s after 30 min; error of the estimate \
                 {:.2} s (p95 {:.2} s)",
                kind.name,
                quantile(&mut errors, 0.5),
                quantile(&mut errors, 0.95)
            );
            let quantum = (column.high - column.low).as_seconds_f64();
            assert!(late <= kind.widest + quantum, "{}: {late} s", kind.name);
        }
    }
}
