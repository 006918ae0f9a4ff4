"""The Compose file."""

from __future__ import annotations

from pathlib import Path

import yaml
from support.deployable import in_a_row

from holoflow.deploy.compose import compose
from holoflow.deploy.services import Mount, RunCommand
from holoflow.deploy.split import in_containers

IMAGE = "registry.lab:5000/faces:1.2"


def read(made, run=None, source=None):
    return yaml.safe_load(compose(in_containers(made, run or RunCommand()), IMAGE, source))


def test_a_service():
    file = read(in_a_row(source={"restart": "on-failure", "restarts": 4}, view={}))
    service = file["services"]["source"]
    assert service["image"] == IMAGE
    assert service["hostname"] == "source"
    assert service["command"][0] == "--fragment=source"
    assert service["restart"] == "on-failure:4"
    assert service["stop_grace_period"] == "30s"
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp:size=256m,mode=1777"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["secrets"] == [{"source": "source-keys", "target": "holoflow-keys"}]
    assert service["devices"] == ["/dev/video0:/dev/video0"]
    assert service["healthcheck"]["test"][-1] == "health"
    assert "depends_on" not in service
    assert file["secrets"]["source-keys"] == {"file": "./keys/source.json"}
    assert set(file["volumes"]) == {"source-output", "view-output"}
    assert file["services"]["view"]["restart"] == "no"
    assert file["services"]["view"]["networks"] == service["networks"] == list(file["networks"])


def test_what_it_is_given():
    box = {"host": "box", "gpu": 1, "cores": (2, 3), "memory": 100 << 20}
    service = read(in_a_row(a=box, b=box | {"gpu": 0}))["services"]["box"]
    (gpus,) = service["deploy"]["resources"]["reservations"]["devices"]
    assert gpus == {"driver": "nvidia", "device_ids": ["0", "1"], "capabilities": ["gpu"]}
    assert service["cpuset"] == "2,3"
    assert service["shm_size"] == "160m"
    assert service["mem_limit"] == f"{200 + 160 + 512}m"


def test_pages_and_metrics_are_published_here_alone_and_each_once():
    services = read(in_a_row(a={}, b={}, c={}), RunCommand(metrics=True))["services"]
    assert services["a"]["ports"] == ["127.0.0.1:9464:9464"]
    assert services["b"]["ports"] == ["127.0.0.1:9465:9464"]
    assert services["c"]["ports"] == ["127.0.0.1:8350:8350", "127.0.0.1:9466:9464"]


def test_links_are_not_published():
    assert "ports" not in read(in_a_row())["services"]["detect"]


def test_input_can_be_read():
    source = Mount(Path("/data/$clips"), "/input")
    service = read(in_a_row(), source=source)["services"]["view"]
    assert service["volumes"][1] == {
        "type": "bind", "source": "/data/$$clips", "target": "/input", "read_only": True,
    }  # fmt: skip


def test_variables_are_not_filled_in():
    services = read(in_a_row(), RunCommand(settings={"a": "${HOME}"}))["services"]
    assert services["view"]["command"][-1] == "--set=a=$${HOME}"


def test_without_keys_there_are_no_secrets():
    file = read(in_a_row(only={}))
    assert "secrets" not in file
    assert "secrets" not in file["services"]["only"]


def test_people_can_read_it():
    text = compose(in_containers(in_a_row(), RunCommand()), IMAGE)
    assert "docker compose up" in text
    assert "\n\n  # Fragment detect; talks to source, view, encrypted.\n  detect:\n" in text
    assert "depends_on" in text
    assert max(map(len, text.splitlines())) <= 100
