//! A project's tables: the columns that are read, and the role of each.

/// A table and the columns read from it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Table {
    /// Name of the table, in the database of the connection.
    pub(crate) name: &'static str,
    /// The program whose services it has, where no column tells it.
    pub(crate) program: Option<&'static str>,
    /// The rows that count.
    pub(crate) live: Live,
    /// The columns, one for each role.
    pub(crate) columns: &'static [Column],
    /// Columns that no release has, but the table of the same name of another project.
    pub(crate) lacks: &'static [&'static str],
    /// Programs whose rows have no heartbeats, and that the project's API hides.
    pub(crate) hidden: &'static [&'static str],
    /// The intervals of all rows, where the project has no options for them.
    pub(crate) constants: Option<Constants>,
}

/// Intervals in seconds that are constants of a project's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Constants {
    /// Time between two heartbeats.
    pub(crate) report_interval: u32,
    /// How old a heartbeat may be.
    pub(crate) service_down_time: u32,
}

/// The rows that are not deleted, by the column that marks the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Live {
    /// The boolean column is false; NULL marks a row as deleted.
    False(&'static str),
    /// The integer column is zero; in a deleted row, it is the row's id, or NULL.
    Zero(&'static str),
    /// The time of the deletion is NULL.
    Null(&'static str),
    /// All rows: deleted ones are removed.
    All,
}

/// A column and its role.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Column {
    /// Name of the column.
    pub(crate) name: &'static str,
    /// What the column says.
    pub(crate) role: Role,
    /// Whether a poll fails without it.
    pub(crate) required: bool,
    /// Where the value is, if the column only refers to it.
    pub(crate) lookup: Option<Lookup>,
    /// What comes before the value, if the column has only the rest.
    pub(crate) prefix: Option<&'static str>,
    /// Whether the column says the opposite.
    pub(crate) is_negated: bool,
}

/// A table in which a row is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lookup {
    /// Name of the table.
    pub(crate) table: &'static str,
    /// The column that identifies a row.
    pub(crate) key: &'static str,
    /// The column with the value.
    pub(crate) value: &'static str,
}

/// What a column says about a service, or about a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Primary key: a whole number or a UUID.
    Id,
    /// Program.
    Binary,
    /// Host of a service; name of a cluster.
    Host,
    /// Identity of the process that writes the row: a service has a row for each of its processes. It is not read.
    Process,
    /// Number of heartbeats. Without it, each later stamp is a heartbeat.
    Count,
    /// Time of the last heartbeat.
    Stamp,
    /// Time of the row's creation.
    Created,
    /// Seconds between two heartbeats. A heartbeat may be this many times as old.
    Interval(i32),
    /// Whether an operator disabled it.
    Disabled,
    /// Why an operator disabled it.
    DisabledReason,
    /// Whether an operator forced it down, whatever its heartbeats.
    Forced,
    /// Whether its process runs: false, or NULL, once it said goodbye. A stamp is then no heartbeat.
    Online,
    /// Whether the backend is frozen; only services of this program have a backend.
    Frozen(&'static str),
    /// Availability zone.
    Zone,
    /// Name of the service's cluster.
    Cluster,
    /// Identity of the row, different in every row.
    Uuid,
    /// The state that the project stores and its API shows.
    Shown,
    /// A fact that becomes this label of the info metric.
    Info(&'static str),
}

/// The kind of a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnKind {
    /// A whole number or a UUID, which is read as text.
    Key,
    /// A whole number of up to 64 bits.
    Integer,
    /// UTF-8 text.
    Text,
    /// True or false.
    Boolean,
    /// A time in UTC without a zone.
    Time,
}

impl Role {
    /// Returns the kind of the values.
    pub(crate) fn kind(self) -> ColumnKind {
        match self {
            Self::Id => ColumnKind::Key,
            Self::Count | Self::Interval(_) => ColumnKind::Integer,
            Self::Stamp | Self::Created => ColumnKind::Time,
            Self::Disabled | Self::Forced | Self::Online | Self::Frozen(_) => ColumnKind::Boolean,
            Self::Binary
            | Self::Host
            | Self::Process
            | Self::DisabledReason
            | Self::Zone
            | Self::Cluster
            | Self::Uuid
            | Self::Shown
            | Self::Info(_) => ColumnKind::Text,
        }
    }
}

impl Column {
    /// Returns a column without which a poll fails.
    pub(crate) const fn required(name: &'static str, role: Role) -> Self {
        Self {
            name,
            role,
            required: true,
            lookup: None,
            prefix: None,
            is_negated: false,
        }
    }

    /// Returns a column that a release may lack; it then reads as NULL.
    pub(crate) const fn optional(name: &'static str, role: Role) -> Self {
        Self {
            required: false,
            ..Self::required(name, role)
        }
    }

    /// Returns a fact whose label is the column's name, and that a release may lack.
    pub(crate) const fn info(name: &'static str) -> Self {
        Self::optional(name, Role::Info(name))
    }

    /// Returns the column with its value in another table.
    pub(crate) const fn looked_up(self, lookup: Lookup) -> Self {
        Self {
            lookup: Some(lookup),
            ..self
        }
    }

    /// Returns the column with a text before each value.
    pub(crate) const fn after(self, prefix: &'static str) -> Self {
        Self {
            prefix: Some(prefix),
            ..self
        }
    }

    /// Returns the column as one that says the opposite.
    pub(crate) const fn negated(self) -> Self {
        Self {
            is_negated: true,
            ..self
        }
    }
}

impl Table {
    /// A table without columns, of which all rows count.
    pub(crate) const EMPTY: Self = Self {
        name: "",
        program: None,
        live: Live::All,
        columns: &[],
        lacks: &[],
        hidden: &[],
        constants: None,
    };

    /// Returns the column of this role, whatever the role's own data.
    pub(crate) fn column(&self, role: Role) -> Option<&Column> {
        let is_same = |column: &&Column| match (column.role, role) {
            (Role::Info(label), Role::Info(other)) => label == other,
            (own, role) => std::mem::discriminant(&own) == std::mem::discriminant(&role),
        };
        self.columns.iter().find(is_same)
    }

    /// Returns whether each row is a process, and a service has several.
    pub(crate) fn is_of_processes(&self) -> bool {
        self.column(Role::Process).is_some()
    }

    /// Returns how many report intervals old a heartbeat may be, where the row has the interval.
    pub(crate) fn intervals_of_limit(&self) -> Option<i32> {
        match self.column(Role::Interval(0))?.role {
            Role::Interval(times) => Some(times),
            _ => None,
        }
    }

    /// Returns the columns that must be readable.
    pub(crate) fn required(&self) -> impl Iterator<Item = &'static str> {
        let required = self.columns.iter().filter(|column| column.required);
        required.map(|column| column.name).chain(self.live.column())
    }

    /// Returns the names of all columns in the statement, including that of [`Live`].
    pub(crate) fn column_names(&self) -> impl Iterator<Item = &'static str> {
        let columns = self.columns.iter().map(|column| column.name);
        columns.chain(self.live.column())
    }
}

impl Live {
    /// Returns the column that marks deleted rows, if there is one.
    pub(crate) fn column(self) -> Option<&'static str> {
        match self {
            Self::False(column) | Self::Zero(column) | Self::Null(column) => Some(column),
            Self::All => None,
        }
    }
}
