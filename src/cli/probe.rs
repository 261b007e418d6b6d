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
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{self, AlertDescription};

use crate::config::listen_address::ListenAddress;

/// Limit on the whole check.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Largest response body accepted, in bytes.
const MAX_ANSWER: usize = 4096;

/// A check of the exporter that listens on an address.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Probe<'a> {
    pub(crate) address: &'a ListenAddress,
    /// Whether to check that its first poll has ended, and not only that it is running.
    pub(crate) of_readiness: bool,
    /// Whether the server has a web configuration file, which may enable TLS.
    ///
    /// The check tries TLS instead of reading the file: an edit that broke the file since is not active.
    pub(crate) may_use_tls: bool,
}

/// The status and the first line of an answer, or why there is none.
type Exchanged = Result<(StatusCode, String), Box<dyn StdError + Send + Sync>>;

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

impl Probe<'_> {
    /// Returns the exporter's answer.
    ///
    /// # Errors
    /// Any status but 200, or no answer within five seconds.
    pub(crate) async fn check(self) -> Result<String, Error> {
        if self.address.port == 0 {
            return Err(Error::AnyPort);
        }
        let address = self.name();
        let checked = tokio::time::timeout(TIMEOUT, self.answer()).await;
        checked.map_err(|_| Error::Timeout { address })?
    }

    async fn answer(self) -> Result<String, Error> {
        if self.may_use_tls
            && let Some(answer) = self.over_tls().await?
        {
            return Ok(answer);
        }
        let exchanged = self.exchange(self.connect().await?).await;
        self.judge("http", exchanged)
    }

    /// Checks over TLS; returns `None` if the server does not use TLS.
    async fn over_tls(self) -> Result<Option<String>, Error> {
        let stream = self.connect().await?;
        let server = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST).into());
        let connector = TlsConnector::from(tls::client());
        let exchanged = match connector.connect(server, stream).await {
            Ok(stream) => self.exchange(stream).await,
            Err(error) => Err(error.into()),
        };
        let failed = exchanged.as_ref().err();
        let address = self.name();
        match failed.and_then(|error| tls::error(&**error)) {
            Some(rustls::Error::InvalidMessage(_)) => Ok(None),
            // Only a running server with a valid configuration sends this alert.
            Some(rustls::Error::AlertReceived(AlertDescription::CertificateRequired)) => {
                if self.of_readiness {
                    return Err(Error::Certificate { address });
                }
                Ok(Some(format!(
                    "{address} is running: it requires a client certificate"
                )))
            }
            _ => self.judge("https", exchanged).map(Some),
        }
    }

    fn judge(self, scheme: &str, exchanged: Exchanged) -> Result<String, Error> {
        let url = format!("{scheme}://{}{}", self.name(), self.path());
        match exchanged {
            Ok((StatusCode::OK, text)) => Ok(format!("{url} answers: {text}")),
            Ok((status, text)) => Err(Error::Status { url, status, text }),
            Err(source) => Err(Error::Answer { url, source }),
        }
    }

    fn path(self) -> &'static str {
        if self.of_readiness {
            "/-/ready"
        } else {
            "/-/healthy"
        }
    }

    /// Returns the address as messages show it: `localhost` if the server listens on all interfaces.
    fn name(self) -> String {
        match self.host() {
            Some(_) => self.address.to_string(),
            None => format!("localhost:{}", self.address.port),
        }
    }

    /// Returns the host to connect to; `None` if the server listens on all interfaces of the machine.
    fn host(&self) -> Option<&str> {
        let host = self.address.host.as_deref()?;
        let is_unspecified = host.parse().is_ok_and(|ip: IpAddr| ip.is_unspecified());
        (!is_unspecified).then_some(host)
    }

    async fn connect(self) -> Result<TcpStream, Error> {
        let port = self.address.port;
        let connected = if let Some(host) = self.host() {
            TcpStream::connect((host, port)).await
        } else {
            // Addresses, not the name localhost: an image with a single file may be unable to resolve it.
            let loopback = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
            let loopback = loopback.map(|ip: IpAddr| SocketAddr::new(ip, port));
            TcpStream::connect(&loopback[..]).await
        };
        let address = self.name();
        connected.map_err(|source| Error::Connect { address, source })
    }

    /// Sends the request, and returns the status and the first line of the body.
    async fn exchange<S>(self, stream: S) -> Exchanged
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let request = Request::get(self.path())
            .header(HOST, self.name())
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
            let probe = Probe {
                address: &ListenAddress::parse(address).unwrap(),
                of_readiness: false,
                may_use_tls: false,
            };
            assert_eq!(probe.name(), expected);
        }
    }
}
