//! The addresses or sockets to listen on.

use std::fmt;

/// The addresses or sockets to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Listen {
    /// Addresses to bind, at least one.
    Addresses(Vec<ListenAddress>),
    /// The sockets that systemd passes.
    Systemd,
}

/// An address to listen on; without a host, all interfaces on IPv6 and IPv4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListenAddress {
    /// Name or address, IPv6 without brackets.
    pub host: Option<String>,
    /// Port; 0 picks a free one.
    pub port: u16,
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.as_deref() {
            None => write!(f, ":{}", self.port),
            Some(host) if host.contains(':') => write!(f, "[{host}]:{}", self.port),
            Some(host) => write!(f, "{host}:{}", self.port),
        }
    }
}

impl ListenAddress {
    /// Parses `HOST:PORT`, `[IPV6]:PORT` or `:PORT`; `None` for anything else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let port = port.parse().ok()?;
        let host = match host.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').filter(|host| host.contains(':'))?,
            None if host.contains(':') => return None,
            None => host,
        };
        let host = Some(host.to_owned()).filter(|host| !host.is_empty());
        Some(Self { host, port })
    }
}
