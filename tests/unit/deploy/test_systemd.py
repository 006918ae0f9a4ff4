"""Units of systemd."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from support.deployable import in_a_row

from holoflow.deploy.services import RunCommand
from holoflow.deploy.split import on_machines
from holoflow.deploy.systemd import quoted, systemd

BOX = {
    "host": "box", "gpu": 1, "cores": (2, 3), "memory": 100 << 20, "restart": "on-failure",
    "restarts": 4,
}  # fmt: skip


def units(made, run=None, app="/srv/app.yaml"):
    command = ["/opt/holoflow/bin/python", "-m", "holoflow", "run"]
    return systemd(on_machines(made, run or RunCommand()), command, Path(app))


def entries(text):
    found = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def test_a_unit_for_each_host_and_a_target():
    made = units(in_a_row(source={"host": "edge"}, a=BOX, b=BOX), RunCommand(settings={"k": "a b"}))
    assert list(made) == [
        "holoflow-app-edge.service", "holoflow-app-box.service", "holoflow-app.target",
    ]  # fmt: skip
    target = entries(made["holoflow-app.target"])
    assert target["Wants"] == ["holoflow-app-edge.service holoflow-app-box.service"]
    box = entries(made["holoflow-app-box.service"])
    (start,) = box["ExecStart"]
    assert shlex.split(start)[-4:] == ["/var/lib/holoflow/app-box", "--fragment=a", "--fragment=b",
                                       "--set=k=a b"]  # fmt: skip
    assert box["LoadCredential"] == ["holoflow-keys:/etc/holoflow/keys/app-box.json"]
    assert "HOLOFLOW_KEYS_FILE=%d/holoflow-keys" in box["Environment"]
    assert box["Restart"] == ["on-failure"]
    assert box["StartLimitBurst"] == ["5"]
    assert box["CPUAffinity"] == ["2 3"]
    assert int(box["MemoryMax"][0]) > 200 << 20
    assert box["KillSignal"] == ["SIGTERM"]
    assert box["TimeoutStopSec"] == ["30"]
    assert box["DeviceAllow"][0] == "char-nvidia-frontend rw"
    edge = entries(made["holoflow-app-edge.service"])
    assert edge["DeviceAllow"] == ["/dev/video0 rw"]
    assert edge["Restart"] == ["no"]
    assert edge["PartOf"] == ["holoflow-app.target"]


def test_one_machine_needs_no_keys_and_no_second_name():
    made = units(in_a_row())
    assert list(made) == ["holoflow-app.service", "holoflow-app.target"]
    unit = entries(made["holoflow-app.service"])
    assert "LoadCredential" not in unit
    assert unit["StateDirectory"] == ["holoflow/app"]
    assert unit["ProtectHome"] == ["yes"]


def test_homes_can_be_read_where_the_app_is_in_one():
    made = units(in_a_row(), app="/home/me/app.yaml")["holoflow-app.service"]
    assert entries(made)["ProtectHome"] == ["read-only"]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("--set=a=b", "--set=a=b"), ("a b", '"a b"'), ("50%", "50%%"), ("$HOME", "$$HOME"),
        ('say "x"', r'"say \"x\""'), ("a\nb", r'"a\nb"'), ("\\", r'"\\"'), ("", '""'), (";", '";"'),
    ],
)  # fmt: skip
def test_words(text, word):
    assert quoted(text) == word
