//! The primary key of a row: a number or a UUID, by the project's schema.

use std::fmt;

/// A primary key. Numbers sort before UUIDs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowId {
    /// A whole number.
    Number(i64),
    /// A UUID. Its bytes are smaller than a `u128`, which is aligned to 16 bytes.
    Uuid([u8; 16]),
}

/// Number of hexadecimal digits of a UUID.
const DIGITS: usize = 32;

impl RowId {
    /// Returns the key that a text contains: a decimal number, or a UUID with or without dashes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() < DIGITS {
            return text.parse().ok().map(Self::Number);
        }
        let (mut value, mut count) = (0, 0);
        for digit in text.chars().filter(|&c| c != '-') {
            value = value << 4 | u128::from(digit.to_digit(16)?);
            count += 1;
        }
        (count == DIGITS).then(|| Self::Uuid(value.to_be_bytes()))
    }

    /// Returns a number that likely differs between two keys.
    pub(super) fn digest(self) -> i64 {
        match self {
            Self::Number(number) => number,
            Self::Uuid(bytes) => {
                let [first, second] = [&bytes[..8], &bytes[8..]].map(|half| {
                    half.iter()
                        .fold(0, |number, &byte| number << 8 | i64::from(byte))
                });
                first ^ second
            }
        }
    }
}

impl Default for RowId {
    fn default() -> Self {
        Self::Number(0)
    }
}

impl From<i64> for RowId {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl fmt::Display for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Uuid(bytes) => {
                let digits = format!("{:032x}", u128::from_be_bytes(*bytes));
                let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| &digits[part]);
                f.write_str(&parts.join("-"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let id = RowId::parse(text).map(|id| id.to_string());
        assert_eq!(id.as_deref(), expected, "{text}");
    }

    #[test]
    fn a_number_or_a_uuid_is_read_and_shown() {
        for number in ["0", "7", "-7", "9223372036854775807"] {
            check(number, Some(number));
        }
        let uuid = "0fa2e7b4-58c1-4ad6-9a3e-00112233ffee";
        check(uuid, Some(uuid));
        check(&uuid.replace('-', ""), Some(uuid));
        check(&uuid.to_uppercase(), Some(uuid));
    }

    #[test]
    fn any_other_text_is_no_key() {
        for text in ["", "x", "1.5", "9223372036854775808", "0fa2e7b4"] {
            check(text, None);
        }
        for text in ["0".repeat(31), "0".repeat(33), "-".repeat(36)] {
            assert_eq!(RowId::parse(&text).filter(|id| id.digest() != 0), None);
        }
        check("0fa2e7b4-58c1-4ad6-9a3e-00112233ffeg", None);
    }

    #[test]
    fn uuids_have_the_order_of_their_text() {
        let texts = [
            "1",
            "20",
            "0fa2e7b4-58c1-4ad6-9a3e-00112233ffee",
            "a0a2e7b4-58c1-4ad6-9a3e-00112233ffee",
        ];
        let ids = texts.map(|text| RowId::parse(text).unwrap());
        assert!(ids.is_sorted());
        assert_ne!(ids[2].digest(), ids[3].digest());
    }
}
