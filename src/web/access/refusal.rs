//! Refusals of requests as HTTP status, message and header.

use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The rate limit is exceeded; the next request is served after this time.
    RateLimit(Duration),
    /// The login is missing or wrong.
    Login,
    /// The queue of logins is full.
    Busy,
}

impl Refusal {
    /// Returns the HTTP status.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::RateLimit(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Login => StatusCode::UNAUTHORIZED,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Returns the message for the body.
    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::RateLimit(_) => "too many requests; see rate_limit in the web configuration file",
            Self::Login => "login required: the user or the password is missing or wrong",
            Self::Busy => "too many logins are being checked; try again",
        }
    }

    /// Returns the header that tells a client how to proceed: whole seconds to wait, rounded up, or how to log in.
    pub(crate) fn header(self) -> (HeaderName, HeaderValue) {
        match self {
            Self::RateLimit(wait) => {
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                (RETRY_AFTER, seconds.into())
            }
            Self::Login => {
                let realm = r#"Basic realm="openstack-heartbeat-exporter", charset="UTF-8""#;
                (WWW_AUTHENTICATE, HeaderValue::from_static(realm))
            }
            Self::Busy => (RETRY_AFTER, 1.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_rounded_up_to_whole_seconds() {
        for (milliseconds, expected) in [(1, "1"), (1_000, "1"), (1_001, "2")] {
            let refusal = Refusal::RateLimit(Duration::from_millis(milliseconds));
            assert_eq!(refusal.header().1, expected);
        }
    }
}
