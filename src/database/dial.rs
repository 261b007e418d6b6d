//! Opens connections: with TLS and where the URL allows it without, one address of the server after the other, within a
//! time limit.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use tokio::time::timeout;

use super::error::Error;
use super::target::Target;
use super::tls::{self, Route};
use crate::config::tls::TlsMode;
use crate::error::chain;

/// What is opened on one way to the server.
pub(super) trait Open: Sized + Send {
    /// Connects, logs in, and prepares for the first statement.
    fn open(target: &Target, route: &Route) -> impl Future<Output = Result<Self, Error>> + Send;
}

/// Opens a connection. Returns it with the reason why it is not encrypted, if TLS failed and the URL only prefers it.
///
/// # Errors
/// Any class.
pub(super) async fn open<T: Open>(target: &Target) -> Result<(T, Option<String>), Error> {
    let limit = target.connect_timeout;
    timeout(limit, catch_panic(target, connect(target)))
        .await
        .unwrap_or_else(|_| Err(Error::ConnectTimeout(target.login(), limit)))
}

/// Connects with TLS as the URL asks; without it where the URL only prefers it and it fails.
async fn connect<T: Open>(target: &Target) -> Result<(T, Option<String>), Error> {
    let mode = target.tls_mode();
    match connect_by(target, mode).await {
        Err(failure) if mode == TlsMode::Preferred && tls::is_refused(&failure) => {
            match connect_by(target, TlsMode::Disabled).await {
                Ok(opened) => Ok((opened, Some(chain(&failure)))),
                Err(error) => Err(failure.without_tls(error)),
            }
        }
        result => result.map(|opened| (opened, None)),
    }
}

async fn connect_by<T: Open>(target: &Target, mode: TlsMode) -> Result<T, Error> {
    let mut failure = None;
    for route in tls::routes(target, mode).await? {
        match T::open(target, &route).await {
            Err(error @ Error::Connect(..)) => failure = Some(error),
            result => return result,
        }
    }
    Err(failure.unwrap_or_else(|| target.no_address()))
}

/// Waits for the answer to a statement, within its time limit.
///
/// # Errors
/// Any class. Drop the connection after an error.
pub(super) async fn query<T>(
    target: &Target,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    timeout(target.query_timeout, catch_panic(target, work))
        .await
        .unwrap_or_else(|_| Err(target.query_timed_out()))
}

/// Turns a panic of the driver, which some garbled answers cause, into an error.
async fn catch_panic<T>(
    target: &Target,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    // A panic leaves the connection in an unknown state, but nothing uses it again.
    let work = AssertUnwindSafe(work).catch_unwind().await;
    work.unwrap_or_else(|_| Err(Error::Driver(target.login())))
}
