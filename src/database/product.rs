//! Which product a database server is, and of which version.

/// The product that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Product {
    /// `mariadb`, `mysql`, `postgresql` or `sqlite`.
    pub engine: &'static str,
    /// The number of the version alone, such as `10.11.14`.
    pub version: String,
}

impl Product {
    /// Takes the number from the beginning of a version.
    pub(super) fn new(engine: &'static str, version: &str) -> Self {
        let number = version.split(|c: char| !c.is_ascii_digit() && c != '.');
        Self {
            engine,
            version: number.map(str::to_owned).next().unwrap_or_default(),
        }
    }

    /// Returns the product of a server that speaks `MySQL`'s protocol. All but `MariaDB` take the place of `MySQL`.
    pub(super) fn of_mysql(version: &str) -> Self {
        let is_mariadb = version.to_lowercase().contains("mariadb");
        Self::new(if is_mariadb { "mariadb" } else { "mysql" }, version)
    }

    /// Returns the product of `PostgreSQL`, whose numbers have been `MAJOR * 10000 + MINOR` since release 10.
    pub(super) fn of_postgres(number: Option<u32>) -> Self {
        let version = number.map(|number| format!("{}.{}", number / 10_000, number % 10_000));
        Self::new("postgresql", &version.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_told_apart_by_their_versions() {
        for (version, engine, number) in [
            ("10.11.14-MariaDB-0+deb12u2", "mariadb", "10.11.14"),
            ("8.0.36-28", "mysql", "8.0.36"),
            ("8.0.11-TiDB-v7.5.1", "mysql", "8.0.11"),
            ("9.7.4", "mysql", "9.7.4"),
            ("", "mysql", ""),
        ] {
            let product = Product::of_mysql(version);
            assert_eq!((product.engine, &*product.version), (engine, number));
        }
        assert_eq!(Product::of_postgres(Some(150_016)).version, "15.16");
        assert_eq!(Product::of_postgres(None).version, "");
    }
}
