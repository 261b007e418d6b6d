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
    /// Returns status and message, and the header that tells a client how to proceed: whole seconds to wait, rounded
    /// up, or how to log in.
    pub(crate) fn parts(self) -> (StatusCode, &'static str, (HeaderName, HeaderValue)) {
        match self {
            Self::RateLimit(wait) => {
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                let message = "too many requests; see rate_limit in the web configuration file";
                let header = (RETRY_AFTER, seconds.into());
                (StatusCode::TOO_MANY_REQUESTS, message, header)
            }
            Self::Login => {
                let realm = r#"Basic realm="openstack-heartbeat-exporter", charset="UTF-8""#;
                let message = "login required: the user or the password is missing or wrong";
                let header = (WWW_AUTHENTICATE, HeaderValue::from_static(realm));
                (StatusCode::UNAUTHORIZED, message, header)
            }
            Self::Busy => {
                let message = "too many logins are being checked; try again";
                let header = (RETRY_AFTER, 1.into());
                (StatusCode::SERVICE_UNAVAILABLE, message, header)
            }
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
            let (_, _, (_, value)) = refusal.parts();
            assert_eq!(value, expected);
        }
    }
}
