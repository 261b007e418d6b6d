//! Why a poll failed, by class. The database drivers report many errors; an operator has a few remedies.

named! {
    /// The kind of a failure. The names are label values, in the order of the documentation.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum Class {
        /// No connection: name resolution, the network, or a server that is down or full.
        Connect = "connect",
        /// Certificates or the TLS handshake.
        Tls = "tls",
        /// User, password, or authentication method.
        Auth = "auth",
        /// A missing grant.
        Permission = "permission",
        /// A missing database, table or column.
        Schema = "schema",
        /// The connect or the query timeout.
        Timeout = "timeout",
        /// Any other error from the server.
        Query = "query",
        /// A response that does not fit the statement.
        Decode = "decode",
        /// A server that is known not to be current: a replica that stands still, or a node without its cluster.
        Stale = "stale",
    }
}
