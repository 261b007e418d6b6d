"""Checks the manifests of Kubernetes against the schemas of their readers.

Pods must meet the profile `restricted` of the Pod Security Standards, PrometheusRule must be the output of
`print rules`, no key may be unknown, and every version must be that of Cargo.toml. tests/run runs it with the
packages that it installs; $1: the exporter.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import kubernetes_validate
import yaml
from cloudcoil.models.prometheus_operator import v1 as operator

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "packaging/kubernetes"
# The oldest and the newest version that the package knows.
KUBERNETES = ["1.28", kubernetes_validate.latest_version()]


def check_schema(manifest):
    """Checks a manifest against its schema, which refuses unknown keys."""
    if manifest["apiVersion"].startswith("monitoring.coreos.com/"):
        getattr(operator, manifest["kind"]).model_validate(manifest, extra="forbid")
    else:
        for version in KUBERNETES:
            kubernetes_validate.validate(manifest, version, strict=True)


def check_restricted(pod):
    """Checks a pod against the profile `restricted`, and some settings beyond it."""
    context = pod["securityContext"]
    assert context["runAsNonRoot"] and context["runAsUser"] > 0
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not pod["automountServiceAccountToken"]
    for container in pod["containers"]:
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["requests"] and container["resources"]["limits"]
        assert container["livenessProbe"] and container["readinessProbe"]


def check_names(manifests):
    """Checks that the names by which one manifest refers to another exist there."""
    deployment, service, monitor, secret = (
        manifests[kind] for kind in ("Deployment", "Service", "ServiceMonitor", "Secret")
    )
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert service["spec"]["selector"].items() <= labels.items()
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    pod = deployment["spec"]["template"]["spec"]
    container_ports = {port["name"] for port in pod["containers"][0]["ports"]}
    assert {port["targetPort"] for port in service["spec"]["ports"]} <= container_ports
    service_ports = {port["name"] for port in service["spec"]["ports"]}
    assert {endpoint["port"] for endpoint in monitor["spec"]["endpoints"]} <= service_ports
    assert pod["volumes"][0]["secret"]["secretName"] == secret["metadata"]["name"]
    folder = pod["containers"][0]["volumeMounts"][0]["mountPath"]
    (key,) = secret["stringData"]
    assert f"--database.url-file={folder}/{key}" in pod["containers"][0]["args"]


def check_versions():
    """Finds images and references with another version than that of Cargo.toml."""
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"]
    named = re.compile(r"openstack-heartbeat-exporter:(\d[^\s`]*)|[?]ref=v([^\s`]*)")
    files = [*FOLDER.glob("*.yaml"), *(ROOT / "docs").glob("*.md"), ROOT / "README.md"]
    found = [(path.name, match[1] or match[2]) for path in files for match in named.finditer(path.read_text())]
    assert found and all(other == version for _, other in found), (version, found)


def main(exporter):
    rules = subprocess.run([exporter, "print", "rules", "--format", "kubernetes"], check=True, capture_output=True)
    assert (FOLDER / "prometheusrule.yaml").read_bytes() == rules.stdout, (
        "packaging/kubernetes/prometheusrule.yaml is not what `print rules --format kubernetes` prints"
    )
    kustomization = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    files = {path.name for path in FOLDER.glob("*.yaml")}
    assert files == {*kustomization["resources"], "kustomization.yaml", "secret.example.yaml"}, files
    manifests = {}
    for name in sorted(files - {"kustomization.yaml"}):
        manifest = yaml.safe_load((FOLDER / name).read_text())
        check_schema(manifest)
        manifests[manifest["kind"]] = manifest
        print(f"{name}: {manifest['kind']}")
    check_restricted(manifests["Deployment"]["spec"]["template"]["spec"])
    check_names(manifests)
    check_versions()


main(sys.argv[1])
