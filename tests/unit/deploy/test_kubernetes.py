"""Kubernetes manifests."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from support.deployable import in_a_row

from holoflow.core.errors import HoloflowError
from holoflow.deploy.kubernetes import kubernetes, read_secrets, secrets, surprises
from holoflow.deploy.services import Mount, RunCommand
from holoflow.deploy.split import in_containers

MB = 1 << 20


def read(made, run=None, source=None, **options):
    text = kubernetes(in_containers(made, run or RunCommand()), "faces:1", source, **options)
    documents = [each for each in yaml.safe_load_all(text) if each]
    found = {(each["kind"], each["metadata"]["name"]): each for each in documents}
    assert len(found) == len(documents)
    return found


def volume(pod, name):
    (mount,) = [m for m in pod["spec"]["containers"][0]["volumeMounts"] if m["name"] == name]
    (found,) = [v for v in pod["spec"]["volumes"] if v["name"] == name]
    return mount["mountPath"], {k: v for k, v in found.items() if k != "name"}


def test_a_pod():
    found = read(in_a_row(source={}, view={"restart": "on-failure"}))
    pod = found["Pod", "view"]
    spec = pod["spec"]
    (container,) = spec["containers"]
    assert pod["metadata"]["labels"]["app.kubernetes.io/name"] == "app"
    assert pod["metadata"]["labels"]["app.kubernetes.io/component"] == "view"
    assert "annotations" not in pod["metadata"]
    assert (spec["hostname"], spec["restartPolicy"]) == ("view", "OnFailure")
    assert spec["terminationGracePeriodSeconds"] == 30
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 10001
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["args"][0] == "--fragment=view"
    assert container["readinessProbe"]["exec"]["command"][-2:] == ["health", "--ready"]
    assert container["livenessProbe"]["exec"]["command"][-1] == "health"
    assert "resources" not in container
    assert "ports" not in container
    assert "nodeSelector" not in spec
    assert volume(pod, "output") == ("/output", {"emptyDir": {}})
    path, keys = volume(pod, "keys")
    assert path == "/run/secrets"
    assert keys["secret"]["secretName"] == "view-keys"
    assert keys["secret"]["defaultMode"] == 0o444
    assert found["Pod", "source"]["spec"]["restartPolicy"] == "Never"


def test_a_service_for_those_that_are_reached():
    found = read(in_a_row(a={}, b={}, c={}))
    assert ("Service", "a") not in found
    service = found["Service", "c"]["spec"]
    assert service["clusterIP"] == "None"
    assert service["publishNotReadyAddresses"] is True
    assert [port["port"] for port in service["ports"]] == [7422, 8350]
    labels = found["Pod", "c"]["metadata"]["labels"].items()
    assert service["selector"].items() <= labels


def test_what_it_is_given():
    box = {"host": "box", "gpu": 1, "cores": (2, 3), "memory": 100 * MB}
    found = read(in_a_row(a=box, b=box | {"gpu": 0}), nodes={"box": "gpu-1"}, storage=1)
    pod = found["Pod", "box"]
    amounts = {"cpu": 2, "memory": "872Mi", "nvidia.com/gpu": 2}
    (container,) = pod["spec"]["containers"]
    assert container["resources"] == {"requests": amounts, "limits": amounts}
    assert pod["spec"]["nodeSelector"] == {"kubernetes.io/hostname": "gpu-1"}
    memory = {"emptyDir": {"medium": "Memory", "sizeLimit": "160Mi"}}
    assert volume(pod, "shared-memory") == ("/dev/shm", memory)
    claim = {"persistentVolumeClaim": {"claimName": "box-output"}}
    assert volume(pod, "output") == ("/output", claim)
    asked = found["PersistentVolumeClaim", "box-output"]["spec"]["resources"]["requests"]
    assert asked == {"storage": "1Mi"}


def test_metrics_are_found_by_prometheus():
    found = read(in_a_row(a={}, b={}), RunCommand(metrics=True))
    assert found["Pod", "a"]["metadata"]["annotations"] == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": "9464",
        "prometheus.io/path": "/metrics",
    }
    assert found["Service", "a"]["spec"]["ports"][0]["port"] == 9464


def test_input_can_be_read():
    pod = read(in_a_row(), source=Mount(Path("/data/a.mp4"), "/input/a.mp4"))["Pod", "view"]
    assert volume(pod, "input") == ("/input/a.mp4", {"hostPath": {"path": "/data/a.mp4"}})
    assert pod["spec"]["containers"][0]["volumeMounts"][-1]["readOnly"] is True


def test_cameras_are_told_of():
    (told,) = surprises(in_containers(in_a_row(), RunCommand()))
    assert told.startswith("source: a Pod does not get /dev/video0")


@pytest.mark.parametrize(
    ("value", "written"),
    [("$HOME", "$HOME"), ("$(HOME)", "$$(HOME)"), ("a$$b", "a$$$$b"), ("$x$(y)", "$$x$$(y)")],
)
def test_variables_are_not_filled_in(value, written):
    pod = read(in_a_row(), RunCommand(settings={"a": value}))["Pod", "view"]
    assert pod["spec"]["containers"][0]["args"][-1] == f"--set=a={written}"


def test_secrets_are_read_as_they_were_written(tmp_path):
    deployment = in_containers(in_a_row(), RunCommand())
    files = {"detect": '{"a": 1}\n', "view": "ä"}
    text = secrets(deployment, files)
    assert read_secrets(text, tmp_path) == files


@pytest.mark.parametrize("text", ["a: [", "- 1", "kind: Secret", "metadata: {name: 1}\ndata: {}"])
def test_other_files_are_no_secrets(text, tmp_path):
    with pytest.raises(HoloflowError, match=f"{tmp_path} contains something else than keys"):
        read_secrets(text, tmp_path)
