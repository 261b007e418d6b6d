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

/// Words in the versions of MySQL: of its builds, its distributors and the packages of distributions, such as
/// `9.7.4-2+deb14u1`. Percona Server, and Alibaba's and Amazon's servers without a word of their own, round as well.
const MYSQL: &str = "advanced asan aurora azure b bpo build cloud cluster commercial community deb debug dfsg dmr el \
                     enterprise exp google gpl innovation log lts mysql ndb nmu percona ppa rc rds standard txsql u ubuntu \
                     valgrind wsrep";

/// Returns the rounding of a server that speaks MySQL's protocol.
///
/// MariaDB truncates and MySQL rounds, but each has an SQL mode for the opposite. Other servers, such as
/// `8.0.11-TiDB-v7.5.1`, are unknown: the bounds then allow for both.
pub(super) fn rounding(version: &str, sql_modes: &str) -> Rounding {
    let version = version.to_lowercase();
    if sql_modes.contains("_FRACTIONAL") {
        return Rounding::Unknown;
    }
    if version.contains("mariadb") {
        return Rounding::Down;
    }
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
            ("9.7.4-2", "", Nearest),
            ("9.7.4-2+deb14u1", "", Nearest),
            ("8.4.7-1~bpo13+1", "", Nearest),
            ("8.0.45-0ubuntu0.24.04.1~ppa1", "", Nearest),
            ("8.0.45-1build2-log", "", Nearest),
            ("8.0.mysql_aurora.3.04.0", "", Nearest),
            ("8.0.37-azure", "", Nearest),
            ("8.0.31-google", "", Nearest),
            ("9.1.2-u3-cloud", "", Nearest),
            ("8.0.36-28.1", "", Nearest),
            ("5.7.44-31.65-log", "", Nearest),
            ("8.0.35-cluster", "", Nearest),
            ("8.0.30-txsql", "", Nearest),
            ("10.3.23-MariaDB-azure-log", "", Down),
            ("12.1.2-MariaDB-ubu2404", "", Down),
            ("5.7.25-OceanBase-v4.2.1.0", "", Unknown),
            ("8.0.11 (ProxySQL)", "", Unknown),
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
