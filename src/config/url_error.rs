//! The reasons why a database URL cannot be used.

use std::io;
use std::path::PathBuf;

/// Why a database URL cannot be used. No message contains any part of the URL: it could be part of the password.
#[derive(Debug, thiserror::Error)]
pub enum UrlError {
    #[error(
        "the URL is empty; write one such as mysql://user:password@host/database, or remove the setting"
    )]
    Empty,
    #[error("it starts with a quotation mark; remove the quotation marks")]
    Quoted,
    #[error(
        "a client certificate and its key must be given together; add the missing one or remove both (for PostgreSQL, \
         PGSSLCERT and PGSSLKEY of the environment count where the URL lacks them)"
    )]
    HalfCertificate,
    #[error(
        "unknown scheme; use mysql://, mariadb://, postgresql:// or sqlite://, optionally with a +driver"
    )]
    Scheme,
    #[error(
        "it contains a line break or another control character; write the URL on one line, and \
         comments on separate lines"
    )]
    ControlCharacter,
    #[error(
        "unescaped '@' after the user part; write '@' in the password or in an option as %40, and \
         '/' in the user name as %2F"
    )]
    RawAt,
    #[error(
        "the host is not a single name or address; write '@' in the password as %40, and an IPv6 \
         address in brackets"
    )]
    Host,
    #[error("several hosts are not supported; name one, such as the virtual address")]
    SeveralHosts,
    #[error("it contains a comment; write comments on separate lines")]
    Comment,
    #[error(
        "the port is not a number from 1 to 65535; write '@' in the password as %40, and ':' in the \
         user name as %3A"
    )]
    Port,
    #[error("no database name; end the URL with a slash and the name")]
    NoDatabase,
    #[error("an SQLite URL has no host; write sqlite:///relative or sqlite:////absolute")]
    SqliteHost,
    #[error("an SQLite database in memory cannot be read by another process; name a file")]
    SqliteMemory,
    #[error(
        "the name of an option is empty or contains a special character; separate options by a plain '&', not by \
         '&amp;', ';' or another '?'"
    )]
    OptionName,
    #[error(
        "{0} contains another option, which would be ignored; write '?' before the first option and a plain '&' before \
         each further one"
    )]
    HiddenOption(String),
    #[error("option {0} has no value; set one or remove the option")]
    NoValue(String),
    #[error("{0} asks for a safer connection, which the exporter does not support; remove it")]
    Demand(String),
    #[error("option {0} is unknown, and could ask for a verified connection; {1}")]
    UnknownTls(String, String),
    #[error("{0} has an unknown mode; use {1}")]
    TlsMode(&'static str, &'static str),
    #[error("option {0} must be true or false")]
    Flag(&'static str),
    #[error(
        "failed to read the option file {}; make it readable by the exporter's user, or remove \
         read_default_file",
        path.display()
    )]
    OptionFile { path: PathBuf, source: io::Error },
}
