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

use super::refusal::Refusal;
use crate::config::web::credential::PasswordHash;

/// Maximum number of logins in the queue, the one being checked included; further ones are refused.
const MAX_QUEUED: usize = 16;
/// Maximum number of cached wrong logins; a further one displaces the oldest.
const MAX_WRONG: usize = 128;

/// Users, each with the hash of the password.
pub(crate) type Users = BTreeMap<String, PasswordHash>;

/// Checks logins and caches the results.
#[derive(Debug)]
pub(crate) struct LoginChecker {
    /// Generated at start, so that login keys are useless outside this process.
    secret: hmac::Key,
    queue: Arc<Semaphore>,
    /// Held while a password is checked.
    checking: Arc<tokio::sync::Mutex<()>>,
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

impl LoginChecker {
    /// Creates a checker with an empty cache.
    ///
    /// # Errors
    /// The system provides no random numbers.
    pub(crate) fn new() -> Result<Self, ring::error::Unspecified> {
        Ok(Self {
            secret: hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())?,
            queue: Arc::new(Semaphore::new(MAX_QUEUED)),
            checking: Arc::default(),
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
    ///
    /// # Errors
    /// The login is missing, malformed or wrong, or the queue is full.
    pub(crate) async fn check(&self, users: &Users, request: &Request<()>) -> Result<(), Refusal> {
        let (user, password) = login(request).ok_or(Refusal::Login)?;
        let known = users.get(&user);
        let hash = known.or_else(|| self.decoy_hash(users, &user));
        let hash = hash.ok_or(Refusal::Login)?.clone();
        let key = self.key(&user, &hash, &password);
        if let Some(result) = self.cached(&user, &key) {
            return result;
        }
        let queued = self.queue.clone().try_acquire_owned();
        let queued = queued.map_err(|_| Refusal::Busy)?;
        let checking = self.checking.clone().lock_owned().await;
        // The check before this one may have been of the same login.
        if let Some(result) = self.cached(&user, &key) {
            return result;
        }
        let check = tokio::task::spawn_blocking(move || {
            // Held until the check ends, even if the client disconnects.
            let _held = (queued, checking);
            hash.matches(&password)
        });
        let matches = check.await.map_err(|_| Refusal::Busy)?;
        let granted = matches && known.is_some();
        self.with_cache(|cache| {
            if granted {
                cache.right.insert(user, key);
            } else {
                cache.wrong.truncate(MAX_WRONG - 1);
                cache.wrong.push_front(key);
            }
        });
        granted.then_some(()).ok_or(Refusal::Login)
    }

    fn cached(&self, user: &str, key: &LoginKey) -> Option<Result<(), Refusal>> {
        self.with_cache(|cache| {
            if cache.right.get(user) == Some(key) {
                return Some(Ok(()));
            }
            let wrong = cache.wrong.contains(key);
            wrong.then_some(Err(Refusal::Login))
        })
    }

    /// Returns a hash to check an unknown user against: always the same for a name, so that its cost reveals nothing
    /// where the costs of the hashes differ.
    fn decoy_hash<'a>(&self, users: &'a Users, name: &str) -> Option<&'a PasswordHash> {
        let tag = hmac::sign(&self.secret, name.as_bytes());
        let number = usize::from_be_bytes(*tag.as_ref().first_chunk()?);
        users.values().nth(number.checked_rem(users.len())?)
    }

    fn key(&self, user: &str, hash: &PasswordHash, password: &[u8]) -> LoginKey {
        let mut context = hmac::Context::with_key(&self.secret);
        // Each part is preceded by its length, so that no two logins yield the same bytes.
        for part in [user.as_bytes(), hash.as_str().as_bytes(), password] {
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

/// Returns the user and the password of a request.
fn login(request: &Request<()>) -> Option<(String, Vec<u8>)> {
    let header = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, text) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let bytes = STANDARD.decode(text).ok()?;
    let colon = bytes.iter().position(|byte| *byte == b':')?;
    let user = String::from_utf8(bytes[..colon].to_vec()).ok()?;
    Some((user, bytes[colon + 1..].to_vec()))
}

#[cfg(test)]
mod tests;
