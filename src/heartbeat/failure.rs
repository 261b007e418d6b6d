//! Why a poll failed, by class. The database drivers report many errors; an operator has a few remedies.

/// The kind of a failure. The names are label values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// No connection: name resolution, the network, or a server that is down or full.
    Connect,
    /// Certificates or the TLS handshake.
    Tls,
    /// User, password, or authentication method.
    Auth,
    /// A missing grant.
    Permission,
    /// A missing database, table or column.
    Schema,
    /// The connect or the query timeout.
    Timeout,
    /// Any other error from the server.
    Query,
    /// A response that does not fit the statement.
    Decode,
}

impl Class {
    /// Every class, in the order of the documentation.
    pub const ALL: [Self; 8] = [
        Self::Connect,
        Self::Tls,
        Self::Auth,
        Self::Permission,
        Self::Schema,
        Self::Timeout,
        Self::Query,
        Self::Decode,
    ];

    /// Returns the value of the label `class`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Auth => "auth",
            Self::Permission => "permission",
            Self::Schema => "schema",
            Self::Timeout => "timeout",
            Self::Query => "query",
            Self::Decode => "decode",
        }
    }
}
