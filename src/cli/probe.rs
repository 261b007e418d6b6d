//! The HTTP request of a health check, to an exporter on the same machine.

mod tls;

use std::error::Error as StdError;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, rustls};

use crate::config::listen_address::ListenAddress;

/// Limit on the whole check.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Largest response body accepted, in bytes.
const MAX_ANSWER: usize = 4096;

/// The endpoint to request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// Whether the exporter is running.
    Healthy,
    /// Whether its first poll has ended.
    Ready,
}

/// Whether the server may use TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Security {
    /// The server has a web configuration file, which may enable TLS.
    ///
    /// The check tries TLS instead of reading the file: an edit that broke the file since is not active.
    Possible,
    /// The server has no web configuration file.
    None,
}

/// Why a health check failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("port 0 means any free port; set web.listen-address to the actual port")]
    AnyPort,
    #[error(
        "cannot connect to {address}; start the exporter, or set web.listen-address to its address"
    )]
    Connect { address: String, source: io::Error },
    #[error("{address} does not answer within {} s", TIMEOUT.as_secs())]
    Timeout { address: String },
    #[error(
        "{address} is running, but requires a client certificate; health checks have none, so readiness is unknown"
    )]
    Certificate { address: String },
    #[error("no HTTP response from {url}; if the server uses TLS, set web.config.file")]
    Answer {
        url: String,
        source: Box<dyn StdError + Send + Sync>,
    },
    #[error("{url} answers {status}: {text}")]
    Status {
        url: String,
        status: StatusCode,
        text: String,
    },
}

/// Checks the exporter that listens on `address`, and returns its answer.
///
/// # Errors
/// Any status but 200, or no answer within five seconds.
pub(crate) async fn check(
    address: &ListenAddress,
    endpoint: Endpoint,
    security: Security,
) -> Result<String, Error> {
    if address.port == 0 {
        return Err(Error::AnyPort);
    }
    let checking = async {
        if security == Security::Possible
            && let Some(answer) = over_tls(address, endpoint).await?
        {
            return Ok(answer);
        }
        over_http(address, endpoint).await
    };
    let timeout = |_| Error::Timeout {
        address: name(address),
    };
    let checked = tokio::time::timeout(TIMEOUT, checking).await;
    checked.map_err(timeout)?
}

async fn over_http(address: &ListenAddress, endpoint: Endpoint) -> Result<String, Error> {
    let stream = connect(address).await?;
    let url = format!("http://{}{}", name(address), endpoint.path());
    match exchange(stream, address, endpoint).await {
        Ok((status, text)) => judge(url, status, text),
        Err(source) => Err(Error::Answer { url, source }),
    }
}

/// Checks over TLS; returns `None` if the server does not use TLS.
async fn over_tls(address: &ListenAddress, endpoint: Endpoint) -> Result<Option<String>, Error> {
    let stream = connect(address).await?;
    let url = format!("https://{}{}", name(address), endpoint.path());
    let server = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST).into());
    let exchanged = match TlsConnector::from(tls::client())
        .connect(server, stream)
        .await
    {
        Ok(stream) => exchange(stream, address, endpoint).await,
        Err(error) => Err(error.into()),
    };
    let source = match exchanged {
        Ok((status, text)) => return judge(url, status, text).map(Some),
        Err(source) => source,
    };
    match (tls::error(&*source), endpoint) {
        (Some(rustls::Error::InvalidMessage(_)), _) => Ok(None),
        // Only a running server with a valid configuration sends this alert.
        (Some(error), Endpoint::Healthy) if tls::wants_certificate(error) => Ok(Some(format!(
            "{} is running: it requires a client certificate",
            name(address)
        ))),
        (Some(error), Endpoint::Ready) if tls::wants_certificate(error) => {
            Err(Error::Certificate {
                address: name(address),
            })
        }
        _ => Err(Error::Answer { url, source }),
    }
}

fn judge(url: String, status: StatusCode, text: String) -> Result<String, Error> {
    if status == StatusCode::OK {
        Ok(format!("{url} answers: {text}"))
    } else {
        Err(Error::Status { url, status, text })
    }
}

impl Endpoint {
    fn path(self) -> &'static str {
        match self {
            Self::Healthy => "/-/healthy",
            Self::Ready => "/-/ready",
        }
    }
}

/// Returns whether an address means all interfaces of the machine.
fn is_unspecified(address: &ListenAddress) -> bool {
    let host = address.host.as_deref();
    host.is_none_or(|host| host.parse().is_ok_and(|ip: IpAddr| ip.is_unspecified()))
}

/// Returns the address as messages show it: `localhost` if the server listens on all interfaces.
fn name(address: &ListenAddress) -> String {
    if is_unspecified(address) {
        format!("localhost:{}", address.port)
    } else {
        address.to_string()
    }
}

async fn connect(address: &ListenAddress) -> Result<TcpStream, Error> {
    let stream = match &address.host {
        Some(host) if !is_unspecified(address) => {
            TcpStream::connect((host.as_str(), address.port)).await
        }
        _ => {
            // Addresses, not the name localhost: an image with a single file may be unable to resolve it.
            let loopback: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
            let loopback = loopback.map(|ip| SocketAddr::new(ip, address.port));
            TcpStream::connect(&loopback[..]).await
        }
    };
    stream.map_err(|source| Error::Connect {
        address: name(address),
        source,
    })
}

/// Sends the request, and returns the status and the first line of the body.
async fn exchange<S>(
    stream: S,
    address: &ListenAddress,
    endpoint: Endpoint,
) -> Result<(StatusCode, String), Box<dyn StdError + Send + Sync>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let request = Request::get(endpoint.path())
        .header(HOST, name(address))
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let requesting = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER);
        let text = body.collect().await?.to_bytes();
        let text = String::from_utf8_lossy(&text);
        Ok((status, text.lines().next().unwrap_or_default().to_owned()))
    };
    // A connection error also ends the request with an error.
    let (response, _) = tokio::join!(requesting, connection);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unspecified_address_is_shown_as_localhost() {
        for (address, expected) in [
            (":10390", "localhost:10390"),
            ("0.0.0.0:1", "localhost:1"),
            ("[::]:1", "localhost:1"),
            ("127.0.0.2:1", "127.0.0.2:1"),
            ("[::1]:1", "[::1]:1"),
            ("controller:1", "controller:1"),
        ] {
            let address = ListenAddress::parse(address).unwrap();
            assert_eq!(name(&address), expected);
        }
    }
}
