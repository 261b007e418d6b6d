//! What a health check asks of an exporter on the same machine: one request, at the address that it listens on.

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

/// Time for all of it: a server that can't say that it is healthy within seconds is not.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Most bytes of an answer that are read.
const MAX_ANSWER: usize = 4096;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    /// Whether the exporter lives.
    Healthy,
    /// Whether it has polled.
    Ready,
}

/// Whether TLS may be spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Security {
    /// The server has a web configuration file, and speaks TLS if that says so.
    ///
    /// The server is asked rather than the file, which may have been broken since, and then is not in force.
    Possible,
    /// It has none.
    None,
}

/// Why an exporter is not known to be well.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(
        "port 0 is any free one, and which one is not known here; give it by web.listen-address"
    )]
    AnyPort,
    #[error(
        "cannot connect to {address}; start the exporter, or give its address by web.listen-address"
    )]
    Connect { address: String, source: io::Error },
    #[error("{address} does not answer within {} s", TIMEOUT.as_secs())]
    Timeout { address: String },
    #[error(
        "{address} lives, but asks for a client's certificate, and a health check has none to ask whether it is ready"
    )]
    Certificate { address: String },
    #[error("{url} gives no answer; if TLS is spoken there, set web.config.file")]
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

/// Asks the exporter that listens on `address`, and returns what the good answer was.
///
/// # Errors
/// Any other answer, and none within five seconds.
pub(crate) async fn ask(
    address: &ListenAddress,
    question: Question,
    security: Security,
) -> Result<String, Error> {
    if address.port == 0 {
        return Err(Error::AnyPort);
    }
    let asking = async {
        if security == Security::Possible
            && let Some(answer) = by_tls(address, question).await?
        {
            return Ok(answer);
        }
        by_http(address, question).await
    };
    let timeout = |_| Error::Timeout {
        address: name(address),
    };
    let asked = tokio::time::timeout(TIMEOUT, asking).await;
    asked.map_err(timeout)?
}

async fn by_http(address: &ListenAddress, question: Question) -> Result<String, Error> {
    let stream = connect(address).await?;
    let url = format!("http://{}{}", name(address), question.path());
    match exchange(stream, address, question).await {
        Ok((status, text)) => judge(url, status, text),
        Err(source) => Err(Error::Answer { url, source }),
    }
}

/// Asks by TLS; returns `None` if the server does not speak it.
async fn by_tls(address: &ListenAddress, question: Question) -> Result<Option<String>, Error> {
    let stream = connect(address).await?;
    let url = format!("https://{}{}", name(address), question.path());
    let server = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST).into());
    let exchanged = match TlsConnector::from(tls::client())
        .connect(server, stream)
        .await
    {
        Ok(stream) => exchange(stream, address, question).await,
        Err(error) => Err(error.into()),
    };
    let source = match exchanged {
        Ok((status, text)) => return judge(url, status, text).map(Some),
        Err(source) => source,
    };
    match (tls::error(&*source), question) {
        (Some(rustls::Error::InvalidMessage(_)), _) => Ok(None),
        // Only a server that lives, and that reads its configuration, can refuse us so.
        (Some(error), Question::Healthy) if tls::wants_certificate(error) => Ok(Some(format!(
            "{} lives: it asks for a client's certificate",
            name(address)
        ))),
        (Some(error), Question::Ready) if tls::wants_certificate(error) => {
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

impl Question {
    fn path(self) -> &'static str {
        match self {
            Self::Healthy => "/-/healthy",
            Self::Ready => "/-/ready",
        }
    }
}

/// Returns whether an address stands for all of the machine.
fn is_everywhere(address: &ListenAddress) -> bool {
    let host = address.host.as_deref();
    host.is_none_or(|host| host.parse().is_ok_and(|ip: IpAddr| ip.is_unspecified()))
}

/// Returns how what is asked is called: by its loopback address, if it has one.
fn name(address: &ListenAddress) -> String {
    if is_everywhere(address) {
        format!("localhost:{}", address.port)
    } else {
        address.to_string()
    }
}

async fn connect(address: &ListenAddress) -> Result<TcpStream, Error> {
    let stream = match &address.host {
        Some(host) if !is_everywhere(address) => {
            TcpStream::connect((host.as_str(), address.port)).await
        }
        _ => {
            // Not by the name localhost, which an image with one file in it may be unable to resolve.
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

/// Asks, and returns the status and the first line of the answer.
async fn exchange<S>(
    stream: S,
    address: &ListenAddress,
    question: Question,
) -> Result<(StatusCode, String), Box<dyn StdError + Send + Sync>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let request = Request::get(question.path())
        .header(HOST, name(address))
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let asking = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER);
        let text = body.collect().await?.to_bytes();
        let text = String::from_utf8_lossy(&text);
        Ok((status, text.lines().next().unwrap_or_default().to_owned()))
    };
    // What goes wrong with the connection is told to whoever asks.
    let (asked, _) = tokio::join!(asking, connection);
    asked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_stands_for_all_is_asked_on_this_machine() {
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
