//! A project's tables: the columns that are read, and their kinds.

/// A table and the columns read from it.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// Name of the table, in the database of the connection.
    pub name: &'static str,
    /// Boolean column that marks a row as deleted. NULL is not false: Cinder lists neither.
    pub deleted: &'static str,
    /// Columns, in the order of decoding.
    pub columns: &'static [Column],
}

/// A column and its kind.
#[derive(Debug, PartialEq, Eq)]
pub struct Column {
    /// Name of the column.
    pub name: &'static str,
    /// The expected kind of its values.
    pub kind: ColumnKind,
    /// Whether a poll fails without it.
    pub required: bool,
}

/// The kind of a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// A whole number of up to 64 bits.
    Integer,
    /// UTF-8 text.
    Text,
    /// True or false.
    Boolean,
    /// A time in UTC without a zone.
    Time,
}

impl Column {
    /// Returns a column without which a poll fails.
    pub(crate) const fn required(name: &'static str, kind: ColumnKind) -> Self {
        Self {
            name,
            kind,
            required: true,
        }
    }

    /// Returns a column that an old release may lack; it then reads as NULL.
    pub(crate) const fn optional(name: &'static str, kind: ColumnKind) -> Self {
        Self {
            name,
            kind,
            required: false,
        }
    }
}

impl Table {
    /// Returns the names of all columns in the statement, including [`Self::deleted`].
    pub(crate) fn column_names(&self) -> impl Iterator<Item = &'static str> {
        self.columns
            .iter()
            .map(|column| column.name)
            .chain([self.deleted])
    }
}
