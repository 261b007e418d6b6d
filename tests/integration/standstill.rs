//! Tables that stand still, because the server that answers is cut off or its replication stopped, and who answered.

use std::sync::Arc;
use std::time::Duration;

use openstack_heartbeat_exporter::config::database_url::{DatabaseUrl, Engine};
use openstack_heartbeat_exporter::database::{Connection, Target};
use openstack_heartbeat_exporter::project::cinder;

use crate::support::block_on;
use crate::support::database::{Database, ENGINES};
use crate::support::server::Server;

/// Returns the server that answers a user who may read nothing but the columns of the tables.
fn server(database: &Database) -> Option<Arc<str>> {
    let target = Target {
        url: DatabaseUrl::parse(&database.url()).unwrap(),
        layout: &cinder::LAYOUT,
        connect_timeout: Duration::from_secs(10),
        query_timeout: Duration::from_secs(10),
    };
    block_on(async {
        let mut connection = Connection::open(&target).await.unwrap();
        let first = connection.read(&target).await.unwrap();
        let second = connection.read(&target).await.unwrap();
        assert_eq!(first.server, second.server);
        first.server
    })
}

#[test]
fn every_answer_names_its_server() {
    for engine in ENGINES {
        let database = Database::new(engine);
        database.insert(&[]);
        let name = server(&database);
        assert_eq!(name, server(&database), "on another connection");
        assert_eq!(name.is_none(), engine == Engine::Sqlite);
        if engine != Engine::Sqlite {
            let other = Server::start(engine);
            let on_other = server(&Database::on(engine, &other.url()));
            assert_ne!(name, on_other);
            let port = other.address().port().to_string();
            let on_other = on_other.unwrap();
            assert!(on_other.contains(&port), "{on_other}");
        }
    }
}
