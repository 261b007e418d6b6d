//! The meaning of the driver's errors that are alike in all engines.

use std::io::{self, ErrorKind};

use super::error::Error;
use super::target::Target;
use super::tls;

/// Translates an error that no engine's own code explains.
pub(super) fn translate(target: &Target, error: sqlx::Error) -> Error {
    let address = target.address();
    let tls = |source: sqlx::Error| Error::Tls {
        address: target.address(),
        remedy: tls::remedy(target.url.tls.mode, &source),
        source,
    };
    match error {
        sqlx::Error::Tls(_) => tls(error),
        // A failed handshake is an I/O error that wraps the error of rustls.
        sqlx::Error::Io(ref io) if io.kind() == ErrorKind::InvalidData => tls(error),
        // For a closed connection, rustls adds a paragraph of its manual. Replace it.
        sqlx::Error::Io(ref io) if io.kind() == ErrorKind::UnexpectedEof => Error::Lost {
            address,
            source: sqlx::Error::Io(io::Error::new(
                io.kind(),
                "the server closed the connection",
            )),
        },
        source @ sqlx::Error::Io(_) => Error::Lost { address, source },
        source @ sqlx::Error::Protocol(_) => Error::Protocol { address, source },
        source => Error::Query { address, source },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::database_url::DatabaseUrl;
    use crate::heartbeat::failure::Class;
    use crate::project::cinder;

    fn check(error: sqlx::Error, expected: Class) {
        let target = Target {
            url: DatabaseUrl::parse("mysql://u:p@db/cinder").unwrap(),
            layout: &cinder::LAYOUT,
            connect_timeout: Duration::from_secs(1),
            query_timeout: Duration::from_secs(1),
        };
        let error = translate(&target, error);
        assert_eq!(error.class(), expected, "{error}");
    }

    #[test]
    fn an_error_of_the_driver_has_the_class_of_its_cause() {
        let io = |kind: ErrorKind| sqlx::Error::Io(kind.into());
        check(sqlx::Error::Tls("refused".into()), Class::Tls);
        check(io(ErrorKind::InvalidData), Class::Tls);
        check(io(ErrorKind::UnexpectedEof), Class::Connect);
        check(io(ErrorKind::ConnectionReset), Class::Connect);
        check(sqlx::Error::Protocol("garbled".into()), Class::Decode);
        check(sqlx::Error::RowNotFound, Class::Query);
    }
}
