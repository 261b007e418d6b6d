//! Sockets that systemd opened, so that the exporter may start with the first scrape or listen on a low port.

use std::io;

use listenfd::ListenFd;
use tokio::net::TcpListener;

/// Why the sockets of systemd can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It passed none.
    #[error(
        "web.systemd-socket is set, but systemd passed no socket; start the .socket unit, which starts the service, \
         or leave the setting out"
    )]
    NoSocket,
    /// It passed one of another kind.
    #[error(
        "socket {number} that systemd passed can't be served; the .socket unit must have ListenStream= with a port, \
         and Accept=no"
    )]
    Unfit {
        /// Counted from 1, in the order of the unit.
        number: usize,
        /// What is wrong with it.
        #[source]
        source: io::Error,
    },
}

/// Returns what systemd passed. To be called once, before there are threads: it clears the variables that say so.
#[must_use]
pub(crate) fn passed() -> ListenFd {
    ListenFd::from_env()
}

/// Takes the sockets that systemd passed.
///
/// # Errors
/// That there are none, and the first that does not listen for TCP.
pub(crate) fn listeners(mut passed: ListenFd) -> Result<Vec<TcpListener>, Error> {
    let mut sockets = Vec::new();
    for index in 0..passed.len() {
        let unfit = |source| Error::Unfit {
            number: index + 1,
            source,
        };
        let socket = passed.take_tcp_listener(index).map_err(unfit)?;
        let socket = socket.map(listening).transpose().map_err(unfit)?;
        sockets.extend(socket);
    }
    if sockets.is_empty() {
        return Err(Error::NoSocket);
    }
    Ok(sockets)
}

/// Makes a socket ready for the runtime, unless it is a client's connection, which `Accept=yes` passes.
fn listening(socket: std::net::TcpListener) -> io::Result<TcpListener> {
    #[cfg(target_os = "linux")]
    if !rustix::net::sockopt::socket_acceptconn(&socket)? {
        return Err(io::Error::other("it does not listen"));
    }
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket)
}
