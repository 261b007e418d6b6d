//! An active setting, and where it was given.

/// An active setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// Name of the setting.
    pub name: &'static str,
    /// Its value, with `***` for a secret.
    pub value: String,
    /// Where it was given.
    pub origin: String,
}
