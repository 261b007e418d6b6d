"""Programs under measurement: how each is started, queried, and observed from outside."""

import gzip
import http.client
import json
import os
import pathlib
import re
import socket
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
# The headers of Prometheus.
OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
PLAIN = {}
GZIP = {"Accept": OPENMETRICS, "Accept-Encoding": "gzip"}


class NotYet(Exception):
    """An answer without the expected content."""


class Subject:
    """A process that serves /metrics on an address."""

    def __init__(self, command, folder, environment=None, port=None):
        self.started = time.monotonic()
        self.log = open(folder / f"log.{os.urandom(4).hex()}", "w+b")
        self.process = subprocess.Popen(
            command, stdout=self.log, stderr=self.log, env={**os.environ, **(environment or {})}
        )
        self.port = port or int(self.wait_for_line(rb"127\.0\.0\.1:(\d+)"))

    def wait_for_line(self, pattern):
        while self.process.poll() is None and time.monotonic() - self.started < 60:
            if found := re.search(pattern, pathlib.Path(self.log.name).read_bytes()):
                return found[1]
            time.sleep(0.001)
        self.fail(pattern)

    def check(self):
        """Ends the run if the program has exited."""
        if self.process.poll() is not None:
            self.fail("sign of life")

    def fail(self, missing):
        """Ends the program and the run, since an expected output is missing."""
        self.__exit__()
        raise SystemExit(f"no {missing}: {pathlib.Path(self.log.name).read_text()[-2000:]}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.log.close()

    def get(self, headers=PLAIN, path="/metrics"):
        """Returns the body of one answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                raise NotYet(f"{path}: {answer.status}")
            return body
        finally:
            connection.close()

    def wait_for(self, sample, seconds=120, path="/metrics"):
        """Waits for an answer that contains this, and returns its time."""
        while self.process.poll() is None and time.monotonic() - self.started < seconds:
            try:
                if sample in self.get(path=path):
                    return time.monotonic()
            except (OSError, http.client.HTTPException, NotYet):
                pass
            time.sleep(0.001)
        self.fail(sample)

    def wait_until_ready(self):
        """Waits for the first poll without a scrape: a scrape makes the exporter render pages in advance."""
        self.wait_for(b"ready", path="/-/ready")

    def resident(self):
        """Returns the resident memory in bytes."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024

    def processor(self):
        """Returns the processor time of all its threads so far, ended ones included, in seconds."""
        # The clock that clock_getcpuclockid(3) returns for the process.
        return time.clock_gettime(~self.process.pid << 3 | 2)

    def polls(self, headers):
        """Returns the number of polls, requested in the encoding of the scrapes."""
        page = self.get(headers, "/metrics?name[]=openstack_heartbeat_poll_duration_seconds")
        page = gzip.decompress(page) if headers is GZIP else page
        return float(re.search(rb"_count\S* (\S+)", page)[1])

    def last_polls(self):
        """Returns the time of each database's last successful poll, by the database's clock."""
        name = "openstack_heartbeat_last_poll_timestamp_seconds"
        page = self.get(path=f"/metrics?name[]={name}").decode()
        found = re.findall(name + r'{database="([^"]+)"} (\S+)', page)
        return {database: float(time) for database, time in found}

    def load(self, seconds, headers=PLAIN, path="/metrics"):
        """Sends requests on one connection with wrk; returns its figures."""
        fields = [part for name, value in headers.items() for part in ("--header", f"{name}: {value}")]
        command = ["wrk", "--threads=1", "--connections=1", f"--duration={seconds}s", "--timeout=30s"]
        command += ["--script", HERE / "wrk.lua", *fields, f"http://127.0.0.1:{self.port}{path}"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        figures = json.loads(done.stdout.splitlines()[-1])
        if figures["errors"] or not figures["answers"]:
            raise SystemExit(f"wrk: {done.stdout}")
        return figures


def exporter(programs, folder, url, *flags):
    return Subject(
        [programs.exporter, "serve", "--web.listen-address=127.0.0.1:0", *flags],
        folder,
        {"OPENSTACK_HEARTBEAT_DATABASE_URL": url},
    )


def of_sources(programs, folder, urls, *flags):
    """The exporter of several databases of Cinder."""
    settings = folder / f"sources.{os.urandom(4).hex()}.yml"
    lines = (f"  {name}: {{project: cinder, database.url: '{url}'}}\n" for name, url in urls.items())
    settings.write_text("sources:\n" + "".join(lines))
    command = [programs.exporter, "serve", "--web.listen-address=127.0.0.1:0", "--config.file", settings]
    return Subject([*command, *flags], folder)


def static_server(programs, folder, plain, gzip):
    for name, content in (("plain", plain), ("gzip", gzip)):
        (folder / name).write_bytes(content)
    return Subject([programs.static_server, folder / "plain", folder / "gzip"], folder)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


# Four values for each service: up, age, heartbeats, time of the last one; read at the default interval. The host is
# renamed, since one of the peers has its own label `host`.
PEER_SELECT = (
    "SELECT `binary`, host AS service_host, ABS(TIMESTAMPDIFF(SECOND, updated_at, UTC_TIMESTAMP())) <= 60 AS up, "
    "TIMESTAMPDIFF(SECOND, updated_at, UTC_TIMESTAMP()) AS age, report_count, "
    "UNIX_TIMESTAMP(updated_at) AS updated FROM services WHERE deleted = 0"
)
# The same four values of this exporter.
FOUR = "&".join(
    f"name[]=openstack_service_{name}"
    for name in ("up", "heartbeat_age_seconds", "heartbeats_total", "last_heartbeat_timestamp_seconds")
)


def sql_exporter(cloud, folder):
    """prometheus-sql-exporter from Debian."""
    config = {
        "jobs": [{
            "name": "services",
            "interval": "15s",
            "connections": [f"mysql://bench:bench@tcp({cloud.engine.address})/{cloud.name}"],
            "queries": [{
                "name": "service",
                "help": "Services",
                "labels": ["binary", "service_host"],
                "values": ["up", "age", "report_count", "updated"],
                "query": PEER_SELECT,
            }],
        }]
    }
    (folder / "sql_exporter.yml").write_text(json.dumps(config))
    port = free_port()
    command = ["prometheus-sql-exporter", "-config.file", folder / "sql_exporter.yml"]
    return Subject([*command, "-web.listen-address", f"127.0.0.1:{port}"], folder, port=port), b"\nsql_service{"


def query_exporter(cloud, folder, peers):
    """query-exporter from PyPI."""
    names = ("up", "age", "report_count", "updated")
    config = {
        "databases": {"cinder": {"dsn": f"mysql+pymysql://bench:bench@{cloud.engine.address}/{cloud.name}"}},
        "metrics": {
            name: {"type": "gauge", "description": name, "labels": ["binary", "service_host"]} for name in names
        },
        "queries": {
            "services": {"databases": ["cinder"], "metrics": list(names), "interval": 15, "sql": PEER_SELECT}
        },
    }
    (folder / "query_exporter.yml").write_text(json.dumps(config))
    port = free_port()
    command = [peers / "bin" / "query-exporter", "--host", "127.0.0.1", "--port", str(port)]
    return Subject([*command, "--config", folder / "query_exporter.yml"], folder, port=port), b"\nupdated{"
