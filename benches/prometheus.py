"""Prometheus, which scrapes exporters and evaluates the shipped rules."""

import json
import pathlib
import tempfile
import urllib.parse
import urllib.request
from collections import namedtuple

from cloud import ROOT
from subject import NotYet, Subject, free_port

RULES = ROOT / "alerts" / "openstack-heartbeat.rules.yml"
# Series that a global Prometheus federates from the regions: aggregates, and faults of single services.
FEDERATED = (
    '{__name__=~"openstack_heartbeat_.*|openstack_heartbeat:.*|service:openstack_service_down_reason:now|ALERTS"}'
)

Disk = namedtuple("Disk", "chunks index samples series")


class Prometheus(Subject):
    """A Prometheus with its own folder."""

    def __init__(self, configuration, folder):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="prometheus.", dir=folder))
        self.data = folder / "data"
        # JSON is YAML.
        (folder / "prometheus.yml").write_text(json.dumps(configuration))
        port = free_port()
        command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={self.data}"]
        command += [f"--web.listen-address=127.0.0.1:{port}", "--web.enable-admin-api"]
        super().__init__(command, folder, port=port)
        try:
            self.wait_for(b"Ready", path="/-/ready")
        except BaseException:
            self.__exit__()
            raise

    @classmethod
    def above(cls, exporters, folder, interval, replica):
        """Starts one that scrapes exporters, each in its own region, at an interval in seconds."""
        regions = [
            {"targets": [f"127.0.0.1:{exporter.port}"], "labels": {"region": f"region{number}"}}
            for number, exporter in enumerate(exporters)
        ]
        job = {"job_name": "openstack-heartbeat", "honor_labels": True, "static_configs": regions}
        own = f"{interval}s"
        every = {"scrape_interval": own, "scrape_timeout": own, "evaluation_interval": own}
        one = cls({
            "global": {**every, "external_labels": {"replica": str(replica)}},
            "rule_files": [str(RULES)],
            "scrape_configs": [job],
        }, folder)
        one.interval = interval
        return one

    @classmethod
    def beside(cls, others, folder, interval):
        """Starts one that federates the aggregates of others."""
        job = {
            "job_name": "federation",
            "honor_labels": True,
            "metrics_path": "/federate",
            "params": {"match[]": [FEDERATED]},
            "static_configs": [{"targets": [f"127.0.0.1:{other.port}" for other in others]}],
        }
        own = f"{interval}s"
        return cls({"global": {"scrape_interval": own, "scrape_timeout": own}, "scrape_configs": [job]}, folder)

    def metric(self, name):
        """Returns the sum of one of its own metrics."""
        lines = self.get().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))

    def query(self, expression):
        """Returns the value of an expression.

        Raises NotYet if there is none.
        """
        path = "/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        result = json.loads(self.get(path=path))["data"]["result"]
        if len(result) != 1:
            raise NotYet(f"{expression}: {result}")
        return float(result[0]["value"][1])

    def on_disk(self):
        """Returns the sizes of all its data, as blocks of its database."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v1/admin/tsdb/snapshot", method="POST"
        )
        with urllib.request.urlopen(request, timeout=600) as answer:
            name = json.load(answer)["data"]["name"]
        blocks = [path for path in (self.data / "snapshots" / name).iterdir() if path.is_dir()]
        metas = [json.loads((block / "meta.json").read_text())["stats"] for block in blocks]
        return Disk(
            chunks=sum(file.stat().st_size for block in blocks for file in (block / "chunks").iterdir()),
            index=sum((block / "index").stat().st_size for block in blocks),
            samples=sum(meta["numSamples"] for meta in metas),
            series=sum(meta["numSeries"] for meta in metas),
        )
