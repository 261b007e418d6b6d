//! The cloud for the commands of the documentation, under the names that the documentation uses.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use openstack_heartbeat_exporter::config::database_url::Engine;

use crate::support::alertmanager::Alertmanager;
use crate::support::exporter::{Exporter, PROGRAM, intervals, set_apart};
use crate::support::prometheus::Prometheus;
use crate::support::server::Server;
use crate::support::{env, folder};

/// Cinder's database on both engines, Manila's on MariaDB, and a running exporter, Prometheus and Alertmanager.
pub(super) struct Cloud {
    mariadb: Server,
    postgres: Server,
    exporter: Exporter,
    prometheus: Prometheus,
    alertmanager: Alertmanager,
}

/// The services that the documentation names, all of them up.
const SERVICES: &str = "
    INSERT INTO services (`binary`, host, report_count, created_at, updated_at, disabled, deleted)
    VALUES ('cinder-scheduler', 'controller', 9, UTC_TIMESTAMP(), UTC_TIMESTAMP(), 0, 0),
           ('cinder-volume', 'block1@lvm', 9, UTC_TIMESTAMP(), UTC_TIMESTAMP(), 0, 0),
           ('cinder-volume', 'block2@lvmdriver-b21', 9, UTC_TIMESTAMP(), UTC_TIMESTAMP(), 0, 0);
";

/// The same of Manila.
const SHARES: &str = "
    INSERT INTO availability_zones (id, name, deleted) VALUES ('z1', 'nova', 'False');
    INSERT INTO services (`binary`, host, topic, state, report_count, created_at, updated_at, disabled, deleted, ensuring,
                          availability_zone_id)
    VALUES ('manila-share', 'block1@nfs', 'manila-share', 'up', 9, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), 0, 0, 0, 'z1');
";

/// Kayobe's folder for rules of Prometheus.
const KAYOBE_RULES: &str = "etc/kayobe/kolla/config/prometheus";

/// Keeps the services up during the tests.
const DOWN_TIME: (&str, &str) = ("OS_DEFAULT__SERVICE_DOWN_TIME", "3600");

impl Cloud {
    pub(super) fn start() -> Self {
        let mariadb = Server::start(Engine::MySql);
        let exporter = Exporter::start(
            &format!("{}/cinder", mariadb.url()),
            &["--web.enable-lifecycle", &intervals(3600, 10)],
        );
        let alertmanager = fs::read_to_string("alerts/alertmanager.example.yml").unwrap();
        let cloud = Self {
            mariadb,
            postgres: Server::start(Engine::Postgres),
            prometheus: Prometheus::start(exporter.address()),
            alertmanager: Alertmanager::start(&alertmanager),
            exporter,
        };
        let folder = cloud.folder();
        fs::write(folder.join("services.sql"), SERVICES).unwrap();
        fs::write(folder.join("shares.sql"), SHARES).unwrap();
        let lines = "mariadb --execute 'CREATE DATABASE cinder; CREATE DATABASE manila'
            mariadb-dump cinder_template | mariadb cinder
            mariadb-dump manila_template | mariadb manila
            mariadb cinder <services.sql
            mariadb manila <shares.sql
            createdb --template=cinder_template cinder";
        assert_eq!(
            fault(&mut cloud.shell(&folder, lines), "the databases"),
            None
        );
        cloud.exporter.wait_for_services();
        cloud.alertmanager.wait_until_ready();
        cloud
    }

    /// Returns a new folder with an operator's configuration files, certificates, and programs.
    pub(super) fn folder(&self) -> PathBuf {
        let folder = folder("documentation");
        for (path, text) in self.files() {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        for path in [
            "bin",
            "etc/prometheus/rules",
            "etc/kolla/config/prometheus",
            KAYOBE_RULES,
        ] {
            fs::create_dir_all(folder.join(path)).unwrap();
        }
        let tls = PathBuf::from(env("HEARTBEAT_TEST_DIR")).join("tls");
        let cinder = PathBuf::from(env("HEARTBEAT_TEST_PYTHON"));
        let manila = PathBuf::from(env("HEARTBEAT_TEST_MANILA"));
        for (name, target) in [
            ("alerts", super::markdown::root().join("alerts")),
            ("bin/cinder-manage", cinder.with_file_name("cinder-manage")),
            ("bin/manila-manage", manila.with_file_name("manila-manage")),
            ("bin/openstack-heartbeat-exporter", PROGRAM.into()),
            ("tls.crt", tls.join("server.pem")),
            ("tls.key", tls.join("server.key")),
        ] {
            symlink(target, folder.join(name)).unwrap();
        }
        // A command of the documentation creates another one.
        fs::copy(tls.join("ca.pem"), folder.join("client-ca.crt")).unwrap();
        folder
    }

    /// Returns the files of [`folder`](Self::folder), among them the settings of clients.
    fn files(&self) -> [(&'static str, String); 11] {
        let mariadb = self.mariadb.address();
        let (host, port) = (mariadb.ip(), mariadb.port());
        let conf = |database: &str| {
            format!(
                "[DEFAULT]\nreport_interval = 10\nservice_down_time = 60\nhost = block1\n\
                 [database]\nconnection = mysql+pymysql://root@{mariadb}/{database}\n"
            )
        };
        let (cinder, manila) = (conf("cinder"), conf("manila"));
        let curl = format!(
            "fail\nnoproxy = \"*\"\n\
             connect-to = \"controller:10390:127.0.0.1:{}\"\n\
             connect-to = \"prometheus:9090:127.0.0.1:{}\"\n",
            self.exporter.address().port(),
            self.prometheus.port()
        );
        let web = fs::read_to_string("docs/web-config.example.yml").unwrap();
        [
            (
                ".my.cnf",
                format!("[client]\nuser = root\nhost = {host}\nport = {port}\n"),
            ),
            (".curlrc", curl),
            (".cinder/cinder.conf", cinder.clone()),
            ("etc/cinder/cinder.conf", cinder.clone()),
            ("etc/kolla/cinder-volume/cinder.conf", cinder),
            (".manila/manila.conf", manila.clone()),
            ("etc/manila/manila.conf", manila),
            (
                "etc/openstack-heartbeat-exporter.yml",
                "poll.interval: 5s\n".to_owned(),
            ),
            ("var/log/kolla/cinder/cinder-volume.log", String::new()),
            ("database-url", self.url()),
            ("web-config.yml", web),
        ]
    }

    /// Returns text of the documentation with the addresses and paths of the tests.
    pub(super) fn here(&self, folder: &Path, text: &str) -> String {
        let folder = folder.display();
        let alertmanager = self.alertmanager.address();
        text.replace("@controller", &format!("@{}", self.mariadb.address()))
            .replace("/etc/", &format!("{folder}/etc/"))
            .replace("/var/log/", &format!("{folder}/var/log/"))
            .replace(
                "amtool ",
                &format!("amtool --alertmanager.url=http://{alertmanager} "),
            )
    }

    /// Returns the command that runs some lines of shell in a folder.
    pub(super) fn shell(&self, folder: &Path, lines: &str) -> Command {
        let mut command = self.program("timeout", folder);
        command
            .args(["120", "bash", "-euxo", "pipefail", "-c"])
            .arg(self.here(folder, lines));
        command
    }

    /// Returns a command whose environment leads to the programs and servers of the tests.
    pub(super) fn program(&self, name: &str, folder: &Path) -> Command {
        let mut command = Command::new(name);
        set_apart(&mut command);
        let path = std::env::var("PATH").unwrap();
        command
            .current_dir(folder)
            .env("HOME", folder)
            .env("PATH", format!("{}/bin:{path}", folder.display()))
            .env("KAYOBE_CONFIG_PATH", folder.join("etc/kayobe"))
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", self.postgres.address().port().to_string())
            .env("PGUSER", "postgres")
            .env(DOWN_TIME.0, DOWN_TIME.1);
        command
    }

    /// Returns the administrator's URL of Cinder's database.
    pub(super) fn url(&self) -> String {
        format!("{}/cinder", self.mariadb.url())
    }
}

/// Runs a command to its end; returns its output if it failed.
pub(super) fn fault(command: &mut Command, what: &str) -> Option<String> {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    (!output.status.success()).then(|| format!("{what}: {}\n{said}", output.status))
}
