# SPDX-License-Identifier: PostgreSQL
"""Reads packaging/container: checks the form of compose.yaml and kubernetes.yaml, and writes what of them the test starts into a folder."""
import pathlib
import sys

import yaml

files, target = map(pathlib.Path, sys.argv[1:])


def write(name, text):
    (target / name).write_text(text)


def is_within(allowed, mapping, where):
    unknown = set(mapping) - allowed
    assert not unknown, f"{where} has {unknown}"


# --- compose.yaml ---
compose = yaml.safe_load((files / "compose.yaml").read_text())
services = compose["services"]
assert set(services) == {"db", "sql", "setup", "pgchime", "web"}, services
for name, service in services.items():
    for config in service.get("configs", []):
        assert config["source"] in compose["configs"], config
    for volume in service.get("volumes", []):
        assert volume.split(":")[0] in compose["volumes"], volume
    for needed in service.get("depends_on", {}):
        assert needed in services, needed
assert services["pgchime"]["read_only"] and services["pgchime"]["stop_grace_period"] == "60s"
write("url", services["pgchime"]["environment"]["DATABASE_URL"])
write("sql", services["sql"]["entrypoint"][2])
write("web", services["web"]["entrypoint"][2])
write("web-health", " ".join(services["web"]["healthcheck"]["test"][1:]))
for name, config in compose["configs"].items():
    write(f"{name}.conf", config["content"])

# --- kubernetes.yaml ---
documents = list(yaml.safe_load_all((files / "kubernetes.yaml").read_text()))
for document in documents:
    assert {"apiVersion", "kind", "metadata"} <= set(document), document
by_kind = {}
for document in documents:
    by_kind.setdefault(document["kind"], {})[document["metadata"]["name"]] = document
assert set(by_kind) == {"Secret", "ConfigMap", "Deployment", "PodDisruptionBudget"}, by_kind.keys()
deployment = by_kind["Deployment"]["pgchime"]["spec"]
labels = deployment["template"]["metadata"]["labels"]
assert deployment["replicas"] == 2
for selector in (deployment["selector"], by_kind["PodDisruptionBudget"]["pgchime"]["spec"]["selector"]):
    assert selector["matchLabels"].items() <= labels.items(), selector
pod = deployment["template"]["spec"]
is_within({"terminationGracePeriodSeconds", "automountServiceAccountToken", "securityContext", "topologySpreadConstraints", "containers", "volumes"},
          pod, "the pod")
assert pod["terminationGracePeriodSeconds"] > 30, "runs get 30 s to end"
(container,) = pod["containers"]
is_within({"name", "image", "args", "env", "livenessProbe", "readinessProbe", "resources", "securityContext", "volumeMounts"}, container, "the container")
for probe in ("livenessProbe", "readinessProbe"):
    is_within({"exec", "initialDelaySeconds", "periodSeconds", "timeoutSeconds"}, container[probe], probe)
    assert container[probe]["exec"]["command"][:2] == ["sh", "-c"]
    write(probe, container[probe]["exec"]["command"][2])
assert container["resources"]["limits"]["memory"].endswith("Mi")
write("memory", container["resources"]["limits"]["memory"][:-2])
security = container["securityContext"]
assert pod["securityContext"]["runAsNonRoot"] and security["runAsUser"] > 0 and security["readOnlyRootFilesystem"]
assert security["allowPrivilegeEscalation"] is False and security["capabilities"] == {"drop": ["ALL"]}
assert {m["name"] for m in container["volumeMounts"]} == {v["name"] for v in pod["volumes"]}
for variable in container["env"]:
    source = variable["valueFrom"]
    if "secretKeyRef" in source:
        key = source["secretKeyRef"]
        assert key["key"] in by_kind["Secret"][key["name"]]["stringData"], key
for mount in container["volumeMounts"]:
    volume = next(v for v in pod["volumes"] if v["name"] == mount["name"])
    if "configMap" in volume:
        data = by_kind["ConfigMap"][volume["configMap"]["name"]]["data"]
        assert mount["mountPath"].endswith("/" + mount["subPath"]), mount
        write("kubernetes-" + mount["subPath"], data[mount["subPath"]])
