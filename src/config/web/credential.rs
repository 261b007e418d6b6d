//! A password's bcrypt hash, and whether a password can be checked against it.

use base64::Engine as _;

/// Accepted costs. Each step doubles the work; at 18 a login takes many seconds.
const COSTS: std::ops::RangeInclusive<u32> = 4..=18;

/// A bcrypt hash: version 2a, 2b or 2y, a cost from 4 to 18, salt and hash in bcrypt's base64.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

/// Does not show the hash, which would reveal a weak password.
impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash")
    }
}

/// Why a hash is refused. No message contains the text: it may be a password.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HashError {
    #[error(
        "this user's value is not a bcrypt hash ($2y$10$ and 53 characters, for example); create one with \
         `htpasswd -nBC 10 \"\"`"
    )]
    Form,
    #[error(
        "the cost of this user's hash is not from {} to {}, and each step doubles the time of a login; create one with \
         `htpasswd -nBC 10 \"\"`",
        COSTS.start(),
        COSTS.end()
    )]
    Cost,
}

impl PasswordHash {
    /// Checks a hash.
    ///
    /// # Errors
    /// The text is not a hash, or its cost is not accepted.
    pub(crate) fn parse(text: &str) -> Result<Self, HashError> {
        let cost = cost(text).ok_or(HashError::Form)?;
        if !COSTS.contains(&cost) {
            return Err(HashError::Cost);
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns whether a password matches. The time depends on the cost: tens of milliseconds or more.
    ///
    /// As with Go's `bcrypt.CompareHashAndPassword`, only the first 72 bytes of a password count.
    pub(crate) fn matches(&self, password: &[u8]) -> bool {
        // `parse` accepts only valid hashes; an error would deny the login.
        bcrypt::verify(password, &self.0).unwrap_or(false)
    }

    /// Returns the hash as written.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns the cost of a well-formed hash.
fn cost(text: &str) -> Option<u32> {
    let mut versions = ["$2a$", "$2b$", "$2y$"].iter();
    let rest = versions.find_map(|version| text.strip_prefix(version))?;
    let (cost, rest) = rest.split_once('$')?;
    let digits = cost.bytes().all(|digit| digit.is_ascii_digit());
    if !digits || cost.len() != 2 || rest.len() != 53 || !rest.is_ascii() {
        return None;
    }
    let (salt, hash) = rest.split_at(22);
    let decodes = |text| bcrypt::BASE_64.decode(text).is_ok();
    cost.parse().ok().filter(|_| decodes(salt) && decodes(hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hashes_that_can_be_checked_are_accepted() {
        let rest = "X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG";
        let (short, wide) = (&rest[1..], "é".repeat(26));
        for (text, expected) in [
            (format!("$2y$10${rest}"), None),
            (format!("$2a$04${rest}"), None),
            (format!("$2b$18${rest}"), None),
            (format!("$2b$19${rest}"), Some(HashError::Cost)),
            (format!("$2b$03${rest}"), Some(HashError::Cost)),
            (format!("$2x$10${rest}"), Some(HashError::Form)),
            (format!("$2$10${rest}"), Some(HashError::Form)),
            (format!("$2y$1${rest}"), Some(HashError::Form)),
            (format!("$2y$10${rest}x"), Some(HashError::Form)),
            (format!("$2y$10${short}"), Some(HashError::Form)),
            (format!("$2y$10$*{short}"), Some(HashError::Form)),
            (format!("$2y$+9${rest}"), Some(HashError::Form)),
            (format!("$2y$10${wide}x"), Some(HashError::Form)),
            ("secret".to_owned(), Some(HashError::Form)),
            (String::new(), Some(HashError::Form)),
        ] {
            assert_eq!(PasswordHash::parse(&text).err(), expected, "{text}");
        }
    }

    #[test]
    fn hashes_of_other_programs_match_and_only_72_bytes_count() {
        use bcrypt::Version::{TwoA, TwoB, TwoY};
        // The hash in exporter-toolkit's source.
        let fake = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";
        let fake = PasswordHash::parse(fake).unwrap();
        assert!(fake.matches(b"fakepassword"));
        assert!(!fake.matches(b"fakepasswore"));
        let long = "x".repeat(72);
        for version in [TwoA, TwoB, TwoY] {
            let hash = bcrypt::hash_with_salt(&long, 4, *b"sixteen bytes...").unwrap();
            let text = hash.format_for_version(version);
            let hash = PasswordHash::parse(&text).unwrap();
            assert!(hash.matches(long.as_bytes()), "{text}");
            assert!(hash.matches(format!("{long}more").as_bytes()), "{text}");
            assert!(!hash.matches(&long.as_bytes()[..71]), "{text}");
        }
    }
}
