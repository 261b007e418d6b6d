//! A proxy between the exporter and its database that fails like a network.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{block_on, free_port};

/// The treatment of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Bytes arrive.
    Open,
    /// Connections are reset, and new ones are refused.
    Refusing,
    /// Connections are accepted, and bytes silently wait until the proxy is open again.
    Silent,
    /// The database's answers arrive at a byte a second.
    Slow,
}

/// A TCP proxy on its own port.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    way: watch::Sender<Way>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub(crate) fn start(target: SocketAddr) -> Self {
        Self::in_turn(vec![target])
    }

    /// Starts a proxy that passes each connection to the next of these servers.
    pub(crate) fn in_turn(targets: Vec<SocketAddr>) -> Self {
        let port = free_port();
        let (way, seen) = watch::channel(Way::Open);
        block_on(async {
            let task = tokio::spawn(serve(port, targets, seen));
            Self { port, way, task }
        })
    }

    pub(crate) fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(port: u16, targets: Vec<SocketAddr>, mut way: watch::Receiver<Way>) {
    let seen = way.clone();
    let mut targets = targets.into_iter().cycle();
    loop {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let (client, _) = accepted.unwrap();
                    let target = targets.next().unwrap();
                    tokio::spawn(pass(client, target, seen.clone()));
                }
                _ = way.wait_for(|way| *way == Way::Refusing) => break,
            }
        }
        drop(listener);
        if way.wait_for(|way| *way != Way::Refusing).await.is_err() {
            return;
        }
    }
}

/// Serves one connection until either side or the way ends it.
async fn pass(client: TcpStream, target: SocketAddr, mut way: watch::Receiver<Way>) {
    // A client is reset, as by a firewall, rather than told of an end.
    client.set_zero_linger().unwrap();
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let seen = way.clone();
    tokio::select! {
        () = pump(from_client, to_server, seen.clone(), false) => {}
        () = pump(from_server, to_client, seen, true) => {}
        _ = way.wait_for(|way| *way == Way::Refusing) => {}
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut way: watch::Receiver<Way>,
    can_be_slow: bool,
) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let mut rest = &buffer[..count];
        while !rest.is_empty() {
            let Ok(now) = way
                .wait_for(|way| *way != Way::Silent)
                .await
                .map(|way| *way)
            else {
                return;
            };
            let mut piece = rest.len();
            if can_be_slow && now == Way::Slow {
                tokio::time::sleep(Duration::from_secs(1)).await;
                piece = 1;
            }
            if to.write_all(&rest[..piece]).await.is_err() {
                return;
            }
            rest = &rest[piece..];
        }
    }
}
