//! What a column of times keeps of a stamp, by its precision and by how the engine shortens what it is sent.

use chrono::TimeDelta;

use crate::heartbeat::skew::Quantum;

/// How an engine shortens a time to a column's precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rounding {
    /// Cuts off: MariaDB.
    Down,
    /// To the nearest: MySQL, PostgreSQL.
    Nearest,
    /// One of the two.
    Unknown,
}

/// Returns how the engine of this version of a MySQL-like server shortens times.
///
/// MariaDB cuts off and MySQL rounds, but each has an SQL mode for the contrary. Of others that speak the
/// protocol, such as `8.0.11-TiDB-v7.5.1`, nothing is known.
pub(super) fn rounding(version: &str, sql_modes: &str) -> Rounding {
    /// Words in the versions of MySQL itself, and of those who build it.
    const MYSQL: [&str; 12] = [
        "aurora",
        "cloud",
        "commercial",
        "debug",
        "enterprise",
        "google",
        "log",
        "mysql",
        "percona",
        "rds",
        "ubuntu",
        "valgrind",
    ];
    if sql_modes.contains("_FRACTIONAL") {
        return Rounding::Unknown;
    }
    if version.contains("MariaDB") {
        return Rounding::Down;
    }
    let words = version.to_lowercase();
    let mut words = words
        .split(|c: char| !c.is_alphabetic())
        .filter(|word| !word.is_empty());
    if words.all(|word| MYSQL.contains(&word)) {
        Rounding::Nearest
    } else {
        Rounding::Unknown
    }
}

/// Returns the quantum of a column that keeps `precision` digits of the second.
pub(super) fn of_column(precision: u32, rounding: Rounding) -> Quantum {
    if precision >= 6 {
        return Quantum::MICROSECOND;
    }
    let unit = TimeDelta::microseconds(10_i64.pow(6 - precision));
    let (low, high) = match rounding {
        Rounding::Down => (TimeDelta::zero(), unit),
        Rounding::Nearest => (-unit / 2, unit / 2),
        Rounding::Unknown => (-unit / 2, unit),
    };
    Quantum { low, high }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_is_known_by_its_version() {
        for (version, modes, expected) in [
            (
                "10.11.19-MariaDB-0+deb12u1",
                "STRICT_TRANS_TABLES",
                Rounding::Down,
            ),
            ("5.5.5-10.6.12-MariaDB-log", "", Rounding::Down),
            (
                "10.11.19-MariaDB",
                "TIME_ROUND_FRACTIONAL",
                Rounding::Unknown,
            ),
            ("8.0.35", "", Rounding::Nearest),
            ("5.7.44-log", "", Rounding::Nearest),
            ("8.0.35-0ubuntu0.22.04.1", "", Rounding::Nearest),
            ("8.0.mysql_aurora.3.04.0", "", Rounding::Nearest),
            ("8.0.35", "TIME_TRUNCATE_FRACTIONAL", Rounding::Unknown),
            ("8.0.11-TiDB-v7.5.1", "", Rounding::Unknown),
            ("8.0.30-Vitess", "", Rounding::Unknown),
        ] {
            assert_eq!(rounding(version, modes), expected, "{version}");
        }
    }

    #[test]
    fn the_quantum_follows_the_precision() {
        assert_eq!(of_column(0, Rounding::Down), Quantum::TRUNCATED);
        assert_eq!(of_column(0, Rounding::Nearest), Quantum::ROUNDED);
        assert_eq!(of_column(0, Rounding::Unknown), Quantum::UNKNOWN);
        assert_eq!(of_column(6, Rounding::Down), Quantum::MICROSECOND);
        assert_eq!(
            of_column(3, Rounding::Down).high,
            TimeDelta::milliseconds(1)
        );
    }
}
