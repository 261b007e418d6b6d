//! Who may ask: users and passwords by HTTP's basic authentication.
//!
//! A password takes bcrypt tens of milliseconds of a processor, which is the point of it, and a way to keep the
//! exporter busy. So one password is checked at a time, away from the threads that answer; few may wait; what was found
//! is remembered; and who is known already waits for nobody.

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

/// Passwords that wait to be checked or are; a further one is refused.
const MAX_WAITING: usize = 16;
/// Wrong passwords that are remembered; a further one displaces the oldest.
const MAX_WRONG: usize = 128;

/// Users with what their password must match.
pub(crate) type Users = BTreeMap<String, PasswordHash>;

/// What is said to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is the user's password.
    Granted,
    /// No user, or not the user's password.
    Denied,
    /// Too many others wait; it was not looked at.
    Busy,
}

/// Checks passwords and remembers what it found.
#[derive(Debug)]
pub(crate) struct LoginChecker {
    /// Made anew by each process, so that what is remembered is of no use elsewhere.
    secret: hmac::Key,
    places: Arc<Semaphore>,
    /// Its one permit is the right to keep a processor busy.
    turn: Arc<Semaphore>,
    known: Mutex<Known>,
}

/// What stands for a user, a hash and a password, and from which none of them can be found.
type LoginKey = [u8; 32];

#[derive(Debug, Default)]
struct Known {
    /// The right password of each user who came: no flood of wrong ones can displace it.
    right: HashMap<String, LoginKey>,
    wrong: VecDeque<LoginKey>,
}

/// A name and a password, as a client sent them.
struct Login {
    user: String,
    password: Vec<u8>,
}

impl LoginChecker {
    /// Returns one that knows nobody yet.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub(crate) fn new() -> Result<Self, ring::error::Unspecified> {
        Ok(Self {
            secret: hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())?,
            places: Arc::new(Semaphore::new(MAX_WAITING)),
            turn: Arc::new(Semaphore::new(1)),
            known: Mutex::default(),
        })
    }

    /// Forgets everybody who is no user any more; a changed hash makes who is a stranger anyway.
    pub(crate) fn keep(&self, users: &Users) {
        self.with_known(|known| known.right.retain(|user, _| users.contains_key(user)));
    }

    /// Says whether a request comes from one of these users, of whom there is at least one.
    ///
    /// A user who does not exist takes as long as one who does: the password is checked against the hash of another.
    pub(crate) async fn check(&self, users: &Users, request: &Request<()>) -> Verdict {
        let Some(login) = login(request) else {
            return Verdict::Denied;
        };
        let (hash, exists) = match users.get(&login.user) {
            Some(hash) => (hash, true),
            None => match self.stand_in(users, &login.user) {
                Some(hash) => (hash, false),
                None => return Verdict::Denied,
            },
        };
        let key = self.key(&login, hash);
        if let Some(verdict) = self.remembered(&login.user, &key) {
            return verdict;
        }
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            return Verdict::Busy;
        };
        let Ok(turn) = self.turn.clone().acquire_owned().await else {
            return Verdict::Busy;
        };
        // The same may have been asked by whoever went before.
        if let Some(verdict) = self.remembered(&login.user, &key) {
            return verdict;
        }
        let hash = hash.clone();
        let password = login.password;
        let checked = tokio::task::spawn_blocking(move || {
            // Held until the work is done, whether or not the client is still there.
            let _held = (place, turn);
            hash.matches(&password)
        });
        let Ok(matches) = checked.await else {
            return Verdict::Busy;
        };
        let granted = matches && exists;
        self.with_known(|known| {
            if granted {
                known.right.insert(login.user, key);
            } else {
                known.wrong.truncate(MAX_WRONG - 1);
                known.wrong.push_front(key);
            }
        });
        if granted {
            Verdict::Granted
        } else {
            Verdict::Denied
        }
    }

    fn remembered(&self, user: &str, key: &LoginKey) -> Option<Verdict> {
        self.with_known(|known| {
            if known.right.get(user) == Some(key) {
                Some(Verdict::Granted)
            } else {
                known.wrong.contains(key).then_some(Verdict::Denied)
            }
        })
    }

    /// Returns the hash that takes the place of one for a user who does not exist, always the same for a name: so
    /// that the cost is that of an existing user, even if they differ.
    fn stand_in<'a>(&self, users: &'a Users, name: &str) -> Option<&'a PasswordHash> {
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
        // Each part with its length, so that no two logins make the same text.
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

    fn with_known<T>(&self, look: impl FnOnce(&mut Known) -> T) -> T {
        // Nothing in there can be half done.
        look(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
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
