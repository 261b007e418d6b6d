"""The measured programs and the machine: installs and builds the former, describes the latter."""

import os
import pathlib
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
# From PyPI; Debian's package has the version of Debian.
QUERY_EXPORTER = "5.0.2"
PEERS = ROOT / "target" / "benches" / f"query-exporter-{QUERY_EXPORTER}"
DEBIAN = {
    "wrk": "wrk",
    "prometheus-sql-exporter": "prometheus-sql-exporter",
    "mariadb": "mariadb-client",
    "prometheus": "prometheus",
}


def install():
    """Installs the missing peers and tools."""
    missing = [package for command, package in DEBIAN.items() if not shutil.which(command)]
    if missing:
        root = [] if os.geteuid() == 0 else ["sudo"]
        subprocess.run([*root, "apt-get", "-qq", "update"], check=True)
        install = ["apt-get", "-qq", "install", "--no-install-recommends", *missing]
        environment = ["env", "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1"]
        subprocess.run([*root, *environment, *install], check=True, stdout=subprocess.DEVNULL)
    if not (PEERS / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", PEERS], check=True)
        pip = [PEERS / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, f"query-exporter=={QUERY_EXPORTER}", "pymysql"], check=True)
        (PEERS / "complete").touch()


class Programs:
    """The paths of the built programs."""

    def __init__(self, folder):
        self.exporter = folder / "openstack-heartbeat-exporter"
        self.static_server = folder / "examples" / "static_server"


def build(smoke):
    """Builds the exporter and the static server. A smoke run uses the tests' profile, which builds faster."""
    profile = [] if smoke else ["--release"]
    command = ["cargo", "build", "--locked", "--quiet", *profile, "--bins", "--example", "static_server"]
    subprocess.run(command, cwd=ROOT, check=True)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return Programs(target / ("debug" if smoke else "release"))


def describe():
    """Returns the properties of the machine that the figures depend on."""
    cpu = [line for line in open("/proc/cpuinfo") if line.startswith("model name")]
    memory = next(line for line in open("/proc/meminfo") if line.startswith("MemTotal"))
    return {
        "date": time.strftime("%Y-%m-%d"),
        "processors": f"{os.cpu_count()} × {cpu[0].split(':')[1].strip()}" if cpu else str(os.cpu_count()),
        "memory": f"{int(memory.split()[1]) / 2**20:.0f} GiB",
        "kernel": os.uname().release,
        "revision": output(["git", "describe", "--always", "--dirty"]),
        "rustc": output(["rustc", "--version"]),
        "mariadb": output(["mariadb", "--version"]),
        "psql": output(["psql", "--version"]),
        "prometheus": output(["dpkg-query", "-W", "-f", "${Version}", "prometheus"]),
        "prometheus-sql-exporter": output(["dpkg-query", "-W", "-f", "${Version}", "prometheus-sql-exporter"]),
        "query-exporter": QUERY_EXPORTER,
    }


def output(command):
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
