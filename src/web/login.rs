//! Users and passwords: HTTP basic authentication.
//!
//! bcrypt is slow by design: tens of milliseconds of processor time a password. An attacker could use it to keep the
//! exporter busy. So passwords are checked one at a time, apart from the threads that serve requests. The queue is
//! short. Results are cached, and a cached login never waits.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Request;
use hyper::header::AUTHORIZATION;
use ring::hmac;
use ring::rand::SystemRandom;
use tokio::sync::Semaphore;

use crate::config::web::credential::PasswordHash;

/// Maximum number of logins in the queue, the one being checked included; further ones are refused.
const MAX_QUEUED: usize = 16;
/// Maximum number of cached wrong logins; a further one displaces the oldest.
const MAX_WRONG: usize = 128;

/// Users, each with the hash of the password.
pub(crate) type Users = BTreeMap<String, PasswordHash>;

/// Result of checking the login of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The password is the user's.
    Granted,
    /// The login is missing, malformed or wrong.
    Denied,
    /// The queue is full; the login was not checked.
    Busy,
}

/// Checks logins and caches the results.
#[derive(Debug)]
pub(crate) struct LoginChecker {
    /// Generated at start, so that login keys are useless outside this process.
    secret: hmac::Key,
    queue: Arc<Semaphore>,
    /// One permit: checks one password at a time.
    checking: Arc<Semaphore>,
    cache: Mutex<Cache>,
}

/// Keyed hash of a user, a password hash and a password; reveals none of them.
type LoginKey = [u8; 32];

#[derive(Debug, Default)]
struct Cache {
    /// The last right login of each user, kept apart so that wrong logins can't displace it.
    right: HashMap<String, LoginKey>,
    wrong: VecDeque<LoginKey>,
}

/// A user and a password as sent by a client.
struct Login {
    user: String,
    password: Vec<u8>,
}

impl LoginChecker {
    /// Creates a checker with an empty cache.
    ///
    /// # Errors
    /// The system provides no random numbers.
    pub(crate) fn new() -> Result<Self, ring::error::Unspecified> {
        Ok(Self {
            secret: hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())?,
            queue: Arc::new(Semaphore::new(MAX_QUEUED)),
            checking: Arc::new(Semaphore::new(1)),
            cache: Mutex::default(),
        })
    }

    /// Drops cached logins of removed users. A changed password hash makes a different login key.
    pub(crate) fn retain(&self, users: &Users) {
        self.with_cache(|cache| cache.right.retain(|user, _| users.contains_key(user)));
    }

    /// Checks the login of a request against a list of users that is not empty.
    ///
    /// An unknown user takes as long as a known one: the password is checked against a decoy hash.
    pub(crate) async fn check(&self, users: &Users, request: &Request<()>) -> Verdict {
        let Some(login) = login(request) else {
            return Verdict::Denied;
        };
        let (hash, exists) = match users.get(&login.user) {
            Some(hash) => (hash, true),
            None => match self.decoy_hash(users, &login.user) {
                Some(hash) => (hash, false),
                None => return Verdict::Denied,
            },
        };
        let key = self.key(&login, hash);
        if let Some(verdict) = self.cached(&login.user, &key) {
            return verdict;
        }
        let Ok(queued) = self.queue.clone().try_acquire_owned() else {
            return Verdict::Busy;
        };
        let Ok(checking) = self.checking.clone().acquire_owned().await else {
            return Verdict::Busy;
        };
        // The check before this one may have been of the same login.
        if let Some(verdict) = self.cached(&login.user, &key) {
            return verdict;
        }
        let hash = hash.clone();
        let password = login.password;
        let check = tokio::task::spawn_blocking(move || {
            // Held until the check ends, even if the client disconnects.
            let _held = (queued, checking);
            hash.matches(&password)
        });
        let Ok(matches) = check.await else {
            return Verdict::Busy;
        };
        let granted = matches && exists;
        self.with_cache(|cache| {
            if granted {
                cache.right.insert(login.user, key);
            } else {
                cache.wrong.truncate(MAX_WRONG - 1);
                cache.wrong.push_front(key);
            }
        });
        if granted {
            Verdict::Granted
        } else {
            Verdict::Denied
        }
    }

    fn cached(&self, user: &str, key: &LoginKey) -> Option<Verdict> {
        self.with_cache(|cache| {
            if cache.right.get(user) == Some(key) {
                Some(Verdict::Granted)
            } else {
                cache.wrong.contains(key).then_some(Verdict::Denied)
            }
        })
    }

    /// Returns a hash to check an unknown user against: always the same for a name, so that its cost reveals nothing
    /// where the costs of the hashes differ.
    fn decoy_hash<'a>(&self, users: &'a Users, name: &str) -> Option<&'a PasswordHash> {
        let tag = hmac::sign(&self.secret, name.as_bytes());
        let number = tag
            .as_ref()
            .iter()
            .take(4)
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        users.values().nth(number.checked_rem(users.len())?)
    }

    fn key(&self, login: &Login, hash: &PasswordHash) -> LoginKey {
        let mut context = hmac::Context::with_key(&self.secret);
        // Each part is preceded by its length, so that no two logins yield the same bytes.
        for part in [
            login.user.as_bytes(),
            hash.as_str().as_bytes(),
            &login.password,
        ] {
            context.update(&part.len().to_be_bytes());
            context.update(part);
        }
        let mut key = LoginKey::default();
        key.copy_from_slice(context.sign().as_ref());
        key
    }

    fn with_cache<T>(&self, use_cache: impl FnOnce(&mut Cache) -> T) -> T {
        // A panic leaves no half-finished change.
        use_cache(&mut self.cache.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn login(request: &Request<()>) -> Option<Login> {
    let header = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, text) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let bytes = STANDARD.decode(text).ok()?;
    let colon = bytes.iter().position(|byte| *byte == b':')?;
    Some(Login {
        user: String::from_utf8(bytes[..colon].to_vec()).ok()?,
        password: bytes[colon + 1..].to_vec(),
    })
}

#[cfg(test)]
mod tests;
