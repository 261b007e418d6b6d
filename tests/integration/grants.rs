//! `print grants` in the administrator's own client: it works whatever is there, and lets the exporter read.

use openstack_heartbeat_exporter::config::database_url::Engine;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::binary::{Outcome, outcome};
use crate::support::check_config::connects;
use crate::support::client::{feed, printed};
use crate::support::database::{Database, Product};
use crate::support::server::Server;
use crate::support::{folder, unique};

/// Lets `hb` read all projects of a server, twice: the administrator grants again after each upgrade.
fn grant(engine: Engine, server: &Server) {
    let name = match engine {
        Engine::MySql => "mariadb",
        _ => "postgresql",
    };
    let script = printed(&format!("print grants --user hb --engine {name}"));
    for _ in 0..2 {
        feed(engine, &server.url(), &script);
    }
}

/// Runs the exporter's check of these databases, as the user `hb`.
fn check(server: &Server, databases: &[&Database]) -> Outcome {
    let url = server.url();
    let (scheme, _) = url.split_once("://").unwrap();
    let address = server.address();
    let source = |database: &&Database| {
        let name = &database.name;
        format!("  {name}: {{database.url: '{scheme}://hb:p@{address}/{name}'}}\n")
    };
    let sources: String = databases.iter().map(source).collect();
    let file = folder("grants").join("settings.yml");
    std::fs::write(&file, format!("sources:\n{sources}")).unwrap();
    let file = format!("--config.file={}", file.display());
    outcome(&["check-config", "--connect", &file], &[])
}

/// Returns the statements that make a project's tables of a release.
fn tables(engine: Engine, releases: &str) -> String {
    let dialect = match engine {
        Engine::MySql => "mariadb",
        _ => "postgres",
    };
    std::fs::read_to_string(format!("tests/data/manila/{releases}.{dialect}.sql")).unwrap()
}

fn create_user(engine: Engine) -> &'static str {
    match engine {
        Engine::MySql => "CREATE USER hb IDENTIFIED BY 'p'",
        _ => "CREATE ROLE hb LOGIN PASSWORD 'p'",
    }
}

fn create_cinder(engine: Engine) -> &'static str {
    match engine {
        Engine::MySql => {
            "CREATE DATABASE cinder; \
             CREATE TABLE cinder.services LIKE cinder_template.services; \
             CREATE TABLE cinder.clusters LIKE cinder_template.clusters"
        }
        _ => "CREATE DATABASE cinder TEMPLATE cinder_template",
    }
}

#[test]
fn all_projects_are_granted_whatever_is_there_and_again_after_an_upgrade() {
    for product in Product::servers() {
        eprintln!("on {product:?}");
        let (engine, server) = (product.engine(), Server::start(product));
        let named = |project| Database::named(project, engine, &server.url(), project);
        let (cinder, manila) = (named("cinder"), named("manila"));
        feed(engine, &server.url(), create_user(engine));
        grant(engine, &server);

        manila.create(&tables(engine, "8-10"));
        grant(engine, &server);
        let checked = check(&server, &[&manila]);
        assert_eq!(checked.code, 0, "{}", checked.stderr);
        let missing = "cannot read state, disabled_reason: ";
        assert!(checked.stderr.contains(missing), "{}", checked.stderr);

        // An upgrade adds columns, and another project comes.
        manila.execute(&[
            "ALTER TABLE services ADD state varchar(36)",
            "ALTER TABLE services ADD disabled_reason varchar(255)",
        ]);
        feed(engine, &server.url(), create_cinder(engine));
        grant(engine, &server);
        let checked = check(&server, &[&cinder, &manila]);
        assert_eq!(checked.code, 0, "{}", checked.stderr);
        assert!(
            !checked.stderr.contains("cannot read"),
            "{}",
            checked.stderr
        );
    }
}

#[test]
fn names_are_quoted_for_the_client_and_the_server() {
    for product in Product::servers() {
        eprintln!("on {product:?}");
        let name = unique(r#"o'd"d`=\r"#);
        let quoted =
            |quote: &str| format!("{quote}{}{quote}", name.replace(quote, &quote.repeat(2)));
        let (engine, create) = if product.engine() == Engine::MySql {
            let (database, user) = (quoted("`"), quoted("'"));
            let create = format!(
                "SET sql_mode = CONCAT(@@sql_mode, ',NO_BACKSLASH_ESCAPES');\n\
                     CREATE DATABASE {database};\n\
                     CREATE TABLE {database}.services LIKE cinder_template.services;\n\
                     CREATE TABLE {database}.clusters LIKE cinder_template.clusters;\n\
                     CREATE USER {user} IDENTIFIED BY 'p';"
            );
            ("mysql", create)
        } else {
            let name = quoted("\"");
            let create = format!(
                "CREATE DATABASE {name} TEMPLATE cinder_template;\n\
                     CREATE ROLE {name} LOGIN PASSWORD 'p';"
            );
            ("postgresql", create)
        };
        let server = product.server();
        feed(product.engine(), &server, &create);
        let project = ["print", "grants", "cinder", "--engine", engine];
        let names = ["--database", &name, "--user", &name];
        let script = outcome(&[&project[..], &names].concat(), &[]).stdout;
        feed(product.engine(), &server, &script);

        let (scheme, address) = server.split_once("://").unwrap();
        let (_, address) = address.split_once('@').unwrap();
        let name = utf8_percent_encode(&name, NON_ALPHANUMERIC);
        connects(&format!("{scheme}://{name}:p@{address}/{name}"));
    }
}
