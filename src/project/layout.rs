//! The tables of a project: which columns are read, and what they hold.

/// The tables of one OpenStack project.
#[derive(Debug, PartialEq, Eq)]
pub struct Layout {
    /// The project's name, which is the value of the label `database`.
    pub project: &'static str,
    /// Where the heartbeats are.
    pub services: Table,
    /// Where the clusters are, if the project has any.
    pub clusters: Option<Table>,
}

/// A table and what is read of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// Name of the table, in the connection's database.
    pub name: &'static str,
    /// Boolean column that marks a row as deleted. NULL is not false: Cinder lists neither.
    pub deleted: &'static str,
    /// Columns in the order in which rows are decoded.
    pub columns: &'static [Column],
}

/// A column and what it must hold.
#[derive(Debug, PartialEq, Eq)]
pub struct Column {
    /// Name of the column.
    pub name: &'static str,
    /// What is expected in it.
    pub kind: ColumnKind,
    /// Whether nothing can be told without it.
    pub required: bool,
}

/// What a column holds.
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
    /// A column without which nothing can be told.
    #[must_use]
    pub(crate) const fn required(name: &'static str, kind: ColumnKind) -> Self {
        Self {
            name,
            kind,
            required: true,
        }
    }

    /// A column that an old release may lack; it then reads as NULL.
    #[must_use]
    pub(crate) const fn optional(name: &'static str, kind: ColumnKind) -> Self {
        Self {
            name,
            kind,
            required: false,
        }
    }
}

impl Table {
    /// Names of all columns that the statement may name, the mark of deletion included.
    pub(crate) fn column_names(&self) -> impl Iterator<Item = &'static str> {
        self.columns
            .iter()
            .map(|column| column.name)
            .chain([self.deleted])
    }
}
