//! Cinder's tables: which columns are read, and which of them an old release may lack.
//!
//! Mirrors `Service` and `Cluster` in cinder/db/models.py. A project with a table of the same kind is another
//! layout like this one, with the columns in the same order, and a rule for up in
//! [`liveness`](crate::heartbeat::liveness).

use super::layout::{Column, Kind, Layout, Table};

/// Cinder's `services` and `clusters`.
pub static LAYOUT: Layout = Layout {
    project: "cinder",
    services: Table {
        name: "services",
        deleted: "deleted",
        // In the order of `row::service`, which reads them by position.
        columns: &[
            Column::required("id", Kind::Integer),
            Column::required("binary", Kind::Text),
            Column::required("host", Kind::Text),
            Column::required("report_count", Kind::Integer),
            Column::required("updated_at", Kind::Time),
            Column::required("created_at", Kind::Time),
            Column::required("disabled", Kind::Boolean),
            Column::optional("topic", Kind::Text),
            Column::optional("disabled_reason", Kind::Text),
            Column::optional("frozen", Kind::Boolean),
            Column::optional("availability_zone", Kind::Text),
            Column::optional("cluster_name", Kind::Text),
            Column::optional("uuid", Kind::Text),
            Column::optional("rpc_current_version", Kind::Text),
            Column::optional("object_current_version", Kind::Text),
            Column::optional("replication_status", Kind::Text),
            Column::optional("active_backend_id", Kind::Text),
        ],
    },
    // Newton and later.
    clusters: Some(Table {
        name: "clusters",
        deleted: "deleted",
        columns: &[
            Column::required("id", Kind::Integer),
            Column::required("binary", Kind::Text),
            Column::required("name", Kind::Text),
            Column::required("disabled", Kind::Boolean),
        ],
    }),
};
