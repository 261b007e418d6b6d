//! Why a poll failed, by class: the databases' drivers have many errors, and an operator a few remedies.

/// The kind of a failure. The names are label values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// No connection: name, network, server down or full.
    Connect,
    /// Certificates or the TLS handshake.
    Tls,
    /// User, password, or the way of logging in.
    Auth,
    /// A missing grant.
    Permission,
    /// A missing database, table or column.
    Schema,
    /// The connect or the query timeout.
    Timeout,
    /// Anything else the server says.
    Query,
    /// An answer that is not the one asked for.
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
