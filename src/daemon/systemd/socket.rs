//! Sockets opened by systemd. They let the exporter start on the first scrape, or listen on a privileged port.

use std::io;

use listenfd::ListenFd;
use tokio::net::TcpListener;

/// Why the sockets from systemd are unusable.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// systemd passed no socket.
    #[error(
        "web.systemd-socket is set, but systemd passed no socket; start the .socket unit, which starts the service, \
         or remove the setting"
    )]
    NoSocket,
    /// systemd passed a socket of another kind.
    #[error(
        "socket {number} from systemd does not listen for TCP connections; set ListenStream= with a port, and \
         Accept=no, in the .socket unit"
    )]
    Unfit {
        /// Position in the unit, counted from 1.
        number: usize,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

/// Returns the sockets that systemd passed.
///
/// Must be called once, before any thread starts: it clears the environment variables that describe them.
pub(crate) fn passed() -> ListenFd {
    ListenFd::from_env()
}

/// Returns a listener for each passed socket.
///
/// # Errors
/// [`Error::NoSocket`], and [`Error::Unfit`] for the first socket that does not listen for TCP.
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

/// Converts a socket for the runtime. Refuses a client's connection, which `Accept=yes` passes.
fn listening(socket: std::net::TcpListener) -> io::Result<TcpListener> {
    #[cfg(target_os = "linux")]
    if !rustix::net::sockopt::socket_acceptconn(&socket)? {
        return Err(io::Error::other("the socket does not listen"));
    }
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket)
}
