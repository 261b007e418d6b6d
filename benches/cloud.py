"""A cloud as its database shows it: any number of services that beat."""

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
SELECT = f"SELECT {COLUMNS} FROM services WHERE deleted = 0"


class Servers:
    """The servers of the tests: those of tests/run, where that runs this, or else servers of this run alone."""

    def __enter__(self):
        self.process = None
        self.environment = {name: value for name, value in os.environ.items() if name.startswith("HEARTBEAT_TEST_")}
        if not self.environment:
            try:
                self.start()
            except BaseException:
                self.__exit__()
                raise
        self.address = self.environment["HEARTBEAT_TEST_MARIADB"].removeprefix("mysql://root@")
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

    def client(self, *arguments):
        """Returns the command line of the C client."""
        socket = self.environment["HEARTBEAT_TEST_MARIADB_SOCKET"]
        return ["mariadb", "--no-defaults", "--user=root", f"--socket={socket}", "--skip-ssl", *arguments]

    def query(self, sql, database=""):
        """Runs statements, and returns the rows of the last one, each a list of texts."""
        command = self.client("--batch", "--skip-column-names", "--execute", sql, *([database] if database else []))
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return [line.split("\t") for line in done.stdout.splitlines()]


class Cloud:
    """A database of so many services, with the names and the facts that real ones have, in no order of the names."""

    def __init__(self, servers, services, name="bench"):
        self.servers = servers
        self.services = services
        self.name = f"{name}_{services}"
        self.stopped = self.failure = None
        self.turns = REPORT_INTERVAL
        servers.query(f"""
            DROP DATABASE IF EXISTS {self.name};
            CREATE DATABASE {self.name};
            USE {self.name};
            CREATE TABLE services LIKE cinder_template.services;
            CREATE TABLE clusters LIKE cinder_template.clusters;
            CREATE USER IF NOT EXISTS bench IDENTIFIED BY 'bench';
            GRANT SELECT ON {self.name}.* TO bench;
            INSERT INTO services (created_at, updated_at, deleted, host, `binary`, topic, report_count,
                disabled, availability_zone, rpc_current_version, object_current_version, replication_status, uuid,
                frozen)
            SELECT UTC_TIMESTAMP(), UTC_TIMESTAMP(), 0,
                CONCAT('storage-', LPAD(CRC32(seq DIV 8), 10, '0'), '.region-one.example.org@ceph-', seq MOD 8),
                'cinder-volume', 'cinder-volume', 1000 + seq, 0, CONCAT('az', seq MOD 3), '3.17', '1.39',
                'not-capable', UUID(), 0
            FROM seq_1_to_{services};
        """)

    @property
    def url(self):
        return f"mysql://bench:bench@{self.servers.address}/{self.name}?ssl-mode=DISABLED"

    def beat(self, turn, turns):
        """One of `turns` groups of services beats."""
        self.servers.query(
            "UPDATE services SET report_count = report_count + 1, updated_at = UTC_TIMESTAMP() "
            f"WHERE id % {turns} = {turn % turns}",
            self.name,
        )

    def drop(self):
        """Removes the database."""
        self.servers.query(f"DROP DATABASE {self.name}")

    def beating(self, turns):
        """Sets in how many seconds all services beat, one group after the other."""
        self.turns = turns
        return self

    def __enter__(self):
        """From now on services beat, by default a tenth of them each second."""
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
            # Figures of a silent cloud would mean nothing.
            self.failure = failure

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()
        if self.failure:
            raise self.failure
