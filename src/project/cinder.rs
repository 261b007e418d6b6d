//! Cinder's tables, with the columns that are read and those that old releases may lack.
//!
//! Mirrors `Service` and `Cluster` in cinder/db/models.py. Cinder's rules for up and down are in
//! [`liveness`](crate::heartbeat::liveness).

use super::Project;
use super::options::{Options, Seconds};
use super::table::{Column, ColumnKind, Table};

/// Cinder's `services` and `clusters`.
pub static PROJECT: Project = Project {
    name: "cinder",
    options: Options {
        file: "/etc/cinder/cinder.conf",
        service_down_time: Seconds::new("service_down_time", 60),
        report_interval: Seconds::new("report_interval", 10),
        database: "database",
    },
    services: Table {
        name: "services",
        deleted: "deleted",
        // The order is that of `row::service`, which reads by position.
        columns: &[
            Column::required("id", ColumnKind::Integer),
            Column::required("binary", ColumnKind::Text),
            Column::required("host", ColumnKind::Text),
            Column::required("report_count", ColumnKind::Integer),
            Column::required("updated_at", ColumnKind::Time),
            Column::required("created_at", ColumnKind::Time),
            Column::required("disabled", ColumnKind::Boolean),
            Column::optional("topic", ColumnKind::Text),
            Column::optional("disabled_reason", ColumnKind::Text),
            Column::optional("frozen", ColumnKind::Boolean),
            Column::optional("availability_zone", ColumnKind::Text),
            Column::optional("cluster_name", ColumnKind::Text),
            Column::optional("uuid", ColumnKind::Text),
            Column::optional("rpc_current_version", ColumnKind::Text),
            Column::optional("object_current_version", ColumnKind::Text),
            Column::optional("replication_status", ColumnKind::Text),
            Column::optional("active_backend_id", ColumnKind::Text),
        ],
    },
    // Since Newton.
    clusters: Some(Table {
        name: "clusters",
        deleted: "deleted",
        columns: &[
            Column::required("id", ColumnKind::Integer),
            Column::required("binary", ColumnKind::Text),
            Column::required("name", ColumnKind::Text),
            Column::required("disabled", ColumnKind::Boolean),
        ],
    }),
};
