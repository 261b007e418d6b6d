"""A cloud as a database shows it: any number of services with heartbeats."""

import os
import pathlib
import re
import signal
import subprocess
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent
REPORT_INTERVAL = 10
COLUMNS = (
    "id, `binary`, host, report_count, updated_at, created_at, disabled, topic, disabled_reason, frozen, "
    "availability_zone, cluster_name, uuid, rpc_current_version, object_current_version, replication_status, "
    "active_backend_id"
)


class Servers:
    """The servers of tests/run if it runs this, otherwise private servers of this run."""

    def __enter__(self):
        self.process = None
        self.environment = {name: value for name, value in os.environ.items() if name.startswith("HEARTBEAT_TEST_")}
        if not self.environment:
            try:
                self.start()
            except BaseException:
                self.__exit__()
                raise
        self.mariadb, self.postgresql = MariaDB(self.environment), PostgreSQL(self.environment)
        return self

    def start(self):
        self.process = subprocess.Popen(
            [ROOT / "tests" / "run", "--servers"], stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        for line in self.process.stdout:
            if line.startswith("# Ctrl-C"):
                break
            if found := re.match(r'declare -x (\w+)="(.*)"', line):
                self.environment[found[1]] = found[2]
        if not self.environment:
            raise SystemExit("the servers did not start")

    def __exit__(self, *_):
        if self.process:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait()


class Engine:
    """A server, accessed through its C client."""

    def query(self, sql, *database):
        """Runs statements, and returns the rows of the last one, each a list of texts."""
        done = subprocess.run(self.command(sql, *database), check=True, capture_output=True, text=True)
        return [line.split("\t") for line in done.stdout.splitlines()]


class MariaDB(Engine):
    """MariaDB, accessed through its C client."""

    client = "mariadb"
    alive = "deleted = 0"
    now = "UTC_TIMESTAMP()"
    columns = COLUMNS

    def __init__(self, environment):
        self.socket = environment["HEARTBEAT_TEST_MARIADB_SOCKET"]
        self.address = environment["HEARTBEAT_TEST_MARIADB"].removeprefix("mysql://root@")

    def command(self, sql, database=""):
        """Returns the command line of the client, which prints each row on arrival, one a line."""
        command = ["mariadb", "--no-defaults", "--user=root", f"--socket={self.socket}", "--skip-ssl"]
        command += ["--batch", "--skip-column-names", "--quick", "--execute", sql]
        return [*command, database] if database else command

    def create(self, name, services):
        """Creates a database with this number of services, in place of an existing one."""
        self.drop(name)
        self.query(f"""
            CREATE DATABASE {name};
            USE {name};
            CREATE TABLE services LIKE cinder_template.services;
            CREATE TABLE clusters LIKE cinder_template.clusters;
            CREATE USER IF NOT EXISTS bench IDENTIFIED BY 'bench';
            GRANT SELECT ON {name}.* TO bench;
            INSERT INTO services (created_at, updated_at, deleted, host, `binary`, topic, report_count,
                disabled, availability_zone, rpc_current_version, object_current_version, replication_status, uuid,
                frozen)
            SELECT UTC_TIMESTAMP(), UTC_TIMESTAMP(), 0,
                CONCAT('storage-', LPAD(CRC32(seq DIV 8), 10, '0'), '.region-one.example.org@ceph-', seq MOD 8),
                'cinder-volume', 'cinder-volume', 1000 + seq, 0, CONCAT('az', seq MOD 3), '3.17', '1.39',
                'not-capable', UUID(), 0
            FROM seq_1_to_{services};
        """)

    def drop(self, name):
        """Removes a database, if there is one."""
        self.query(f"DROP DATABASE IF EXISTS {name}")

    def url(self, name):
        """Returns the URL of a database for the exporter."""
        return f"mysql://bench:bench@{self.address}/{name}?ssl-mode=DISABLED"


class PostgreSQL(Engine):
    """PostgreSQL, accessed through psql."""

    client = "psql"
    alive = "NOT deleted"
    now = "(clock_timestamp() AT TIME ZONE 'UTC')"
    columns = COLUMNS.replace("`", '"')

    def __init__(self, environment):
        self.address = environment["HEARTBEAT_TEST_POSTGRES"].removeprefix("postgres://postgres@")
        self.host, self.port = self.address.split(":")

    def command(self, sql, database="postgres"):
        """Returns the command line of the client, which prints all rows after the last arrived, one a line."""
        command = ["psql", "--no-psqlrc", "--quiet", f"--host={self.host}", f"--port={self.port}"]
        command += ["--username=postgres", "--set=ON_ERROR_STOP=1", "--no-align", "--tuples-only"]
        return [*command, "--field-separator=\t", f"--command={sql}", database]

    def create(self, name, services):
        """Creates a database with this number of services, in place of an existing one."""
        self.drop(name)
        self.query(f"CREATE DATABASE {name} TEMPLATE cinder_template")
        machine = "'storage-' || lpad(hashtext((seq / 8)::text)::text, 11, '0')"
        host = f"{machine} || '.region-one.example.org@ceph-' || seq % 8"
        self.query(f"""
            INSERT INTO services (created_at, updated_at, deleted, host, "binary", topic, report_count,
                disabled, availability_zone, rpc_current_version, object_current_version, replication_status, uuid,
                frozen)
            SELECT {self.now}, {self.now}, false, {host},
                'cinder-volume', 'cinder-volume', 1000 + seq, false, 'az' || seq % 3, '3.17', '1.39',
                'not-capable', gen_random_uuid()::text, false
            FROM generate_series(1, {services}) AS seq;
        """, name)

    def drop(self, name):
        """Removes a database, if there is one."""
        self.query(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def url(self, name):
        """Returns the URL of a database for the exporter."""
        return f"postgresql://postgres@{self.address}/{name}?sslmode=disable"


def beat_all(clouds, turn, turns):
    """Writes heartbeats of one of `turns` groups of services, in several databases of one server."""
    engine = clouds[0].engine
    engine.query("".join(
        f"UPDATE {one.name}.services SET report_count = report_count + 1, updated_at = {engine.now} "
        f"WHERE id % {turns} = {turn % turns};"
        for one in clouds
    ))


class Cloud:
    """A database of services with realistic names and facts, not in the order of names."""

    def __init__(self, engine, services, name="bench"):
        self.engine = engine
        self.services = services
        self.name = f"{name}_{services}"
        self.stopped = self.failure = None
        self.turns = REPORT_INTERVAL
        engine.create(self.name, services)

    @property
    def url(self):
        return self.engine.url(self.name)

    @property
    def select(self):
        """Returns a statement that reads at least the columns that the exporter reads."""
        return f"SELECT {self.engine.columns} FROM services WHERE {self.engine.alive}"

    def beat(self, turn, turns):
        """Writes heartbeats of one of `turns` groups of services."""
        self.engine.query(
            f"UPDATE services SET report_count = report_count + 1, updated_at = {self.engine.now} "
            f"WHERE id % {turns} = {turn % turns}",
            self.name,
        )

    def drop(self):
        """Removes the database."""
        self.engine.drop(self.name)

    def beating(self, turns):
        """Sets the number of seconds in which all services send a heartbeat, one group after the other."""
        self.turns = turns
        return self

    def __enter__(self):
        """Starts heartbeats, by default of a tenth of the services each second."""
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        return self

    def run(self):
        turn = 0
        try:
            while not self.stopped.wait(1):
                self.beat(turn, self.turns)
                turn += 1
        except subprocess.CalledProcessError as failure:
            # Figures of a cloud without heartbeats would mean nothing.
            self.failure = failure

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()
        if self.failure:
            raise self.failure
