//! A password as bcrypt leaves it, and whether it can be checked at all.

use base64::Engine as _;

/// Costs that are accepted. Each step doubles the work; at 18 one login takes many seconds.
const COSTS: std::ops::RangeInclusive<u32> = 4..=18;

/// A bcrypt hash: version 2a, 2b or 2y, a cost from 4 to 18, salt and hash as bcrypt's base64 has them.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

/// Does not show the hash, from which a weak password can be found.
impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash")
    }
}

/// Why a text is no hash. No text is repeated: it may be a password.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    #[error(
        "the value of this user is no bcrypt hash, such as $2y$10$ and 53 characters; make one with \
         `htpasswd -nBC 10 \"\"`"
    )]
    Form,
    #[error(
        "the cost of this user's hash is not from {} to {}; each step doubles the time of a login; make one with \
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
    /// What could never match, and what would take too long to find out.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let rest = ["$2a$", "$2b$", "$2y$"]
            .iter()
            .find_map(|version| text.strip_prefix(version))
            .ok_or(Error::Form)?;
        let (cost, rest) = rest.split_once('$').ok_or(Error::Form)?;
        if cost.len() != 2 || rest.len() != 53 || !rest.is_ascii() {
            return Err(Error::Form);
        }
        let (salt, hash) = rest.split_at(22);
        let decodes = |text| bcrypt::BASE_64.decode(text).is_ok();
        if !decodes(salt) || !decodes(hash) {
            return Err(Error::Form);
        }
        if !cost.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(Error::Form);
        }
        let cost: u32 = cost.parse().map_err(|_| Error::Form)?;
        if !COSTS.contains(&cost) {
            return Err(Error::Cost);
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns whether a password matches, after a time that its cost decides: tens of milliseconds and more.
    ///
    /// As with Go's `bcrypt.CompareHashAndPassword`, only the first 72 bytes of a password count.
    #[must_use]
    pub(crate) fn matches(&self, password: &[u8]) -> bool {
        // What `parse` accepted can't be refused here; if it were, nobody gets in.
        bcrypt::verify(password, &self.0).unwrap_or(false)
    }

    /// Returns the hash as it was written.
    #[must_use]
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_one_that_can_be_checked() {
        let rest = "X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG";
        for (text, expected) in [
            (format!("$2y$10${rest}"), None),
            (format!("$2a$04${rest}"), None),
            (format!("$2b$18${rest}"), None),
            (format!("$2b$19${rest}"), Some(Error::Cost)),
            (format!("$2b$03${rest}"), Some(Error::Cost)),
            (format!("$2x$10${rest}"), Some(Error::Form)),
            (format!("$2$10${rest}"), Some(Error::Form)),
            (format!("$2y$1${rest}"), Some(Error::Form)),
            (format!("$2y$10${rest}x"), Some(Error::Form)),
            (format!("$2y$10${}", &rest[1..]), Some(Error::Form)),
            (format!("$2y$10$*{}", &rest[1..]), Some(Error::Form)),
            (format!("$2y$+9${rest}"), Some(Error::Form)),
            (
                "$2y$10$".to_owned() + &"é".repeat(26) + "x",
                Some(Error::Form),
            ),
            ("secret".to_owned(), Some(Error::Form)),
            (String::new(), Some(Error::Form)),
        ] {
            assert_eq!(PasswordHash::parse(&text).err(), expected, "{text}");
        }
    }

    #[test]
    fn the_hash_of_other_programs_matches_and_only_72_bytes_count() {
        // The one that exporter-toolkit holds.
        let fake = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";
        let fake = PasswordHash::parse(fake).unwrap();
        assert!(fake.matches(b"fakepassword"));
        assert!(!fake.matches(b"fakepasswore"));
        let long = "x".repeat(72);
        for version in ["2a", "2b", "2y"] {
            let hash = bcrypt::hash_with_salt(&long, 4, *b"sixteen bytes...").unwrap();
            let hash = hash.format_for_version(match version {
                "2a" => bcrypt::Version::TwoA,
                "2b" => bcrypt::Version::TwoB,
                _ => bcrypt::Version::TwoY,
            });
            let hash = PasswordHash::parse(&hash).unwrap();
            assert!(hash.matches(long.as_bytes()), "{version}");
            assert!(hash.matches(format!("{long}more").as_bytes()), "{version}");
            assert!(!hash.matches(&long.as_bytes()[..71]), "{version}");
        }
    }
}
