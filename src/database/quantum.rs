//! The rounding of stamps in a time column, by the column's precision and the engine.

use chrono::TimeDelta;

use crate::heartbeat::skew::Quantum;

/// How an engine reduces a time to the precision of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rounding {
    /// Truncates: MariaDB.
    Down,
    /// Rounds to the nearest: MySQL, PostgreSQL.
    Nearest,
    /// Either of the two.
    Unknown,
}

/// Returns the rounding of a server that speaks MySQL's protocol.
///
/// MariaDB truncates and MySQL rounds, but each has an SQL mode for the opposite. Other servers, such as
/// `8.0.11-TiDB-v7.5.1`, are unknown.
pub(super) fn rounding(version: &str, sql_modes: &str) -> Rounding {
    /// Words in the versions of MySQL and of its distributors.
    const MYSQL: &str =
        "aurora cloud commercial debug enterprise google log mysql percona rds ubuntu valgrind";
    if sql_modes.contains("_FRACTIONAL") {
        return Rounding::Unknown;
    }
    if version.contains("MariaDB") {
        return Rounding::Down;
    }
    let version = version.to_lowercase();
    let mut words = version.split(|c: char| !c.is_alphabetic());
    if words.all(|word| word.is_empty() || MYSQL.split(' ').any(|known| known == word)) {
        Rounding::Nearest
    } else {
        Rounding::Unknown
    }
}

/// Returns the quantum of a column with `precision` decimals of a second.
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
    use super::Rounding::{Down, Nearest, Unknown};
    use super::*;

    #[test]
    fn the_rounding_follows_version_and_sql_mode() {
        for (version, modes, expected) in [
            ("10.11.19-MariaDB-0+deb12u1", "STRICT_TRANS_TABLES", Down),
            ("5.5.5-10.6.12-MariaDB-log", "", Down),
            ("10.11.19-MariaDB", "TIME_ROUND_FRACTIONAL", Unknown),
            ("8.0.35", "", Nearest),
            ("5.7.44-log", "", Nearest),
            ("8.0.35-0ubuntu0.22.04.1", "", Nearest),
            ("8.0.mysql_aurora.3.04.0", "", Nearest),
            ("8.0.35", "TIME_TRUNCATE_FRACTIONAL", Unknown),
            ("8.0.11-TiDB-v7.5.1", "", Unknown),
            ("8.0.30-Vitess", "", Unknown),
        ] {
            assert_eq!(rounding(version, modes), expected, "{version}");
        }
    }

    #[test]
    fn the_quantum_follows_the_precision() {
        assert_eq!(of_column(0, Down), Quantum::TRUNCATED);
        assert_eq!(of_column(0, Nearest), Quantum::ROUNDED);
        assert_eq!(of_column(0, Unknown), Quantum::UNKNOWN);
        assert_eq!(of_column(6, Down), Quantum::MICROSECOND);
        assert_eq!(of_column(3, Down).high, TimeDelta::milliseconds(1));
    }
}
