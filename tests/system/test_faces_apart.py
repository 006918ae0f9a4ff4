"""The faces app in three processes finds what it finds in one, whatever carries its frames."""

from __future__ import annotations

import subprocess
import sys

import pytest
from support.hosts import REPOSITORY

from holoflow.app import load
from holoflow.app.assets import fetch_all

HOLOFLOW = [sys.executable, "-m", "holoflow", "run"]
OPTIONS = ["--lossless", "--no-web", "--output", "out"]


def found(folder, app, *settings):
    folder.mkdir()
    command = [*HOLOFLOW, app, *OPTIONS, *(f"--set={setting}" for setting in settings)]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stdout + run.stderr
    return (folder / "out" / "faces.jsonl").read_text()


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    fetch_all(load(REPOSITORY / "apps" / "faces" / "app.yaml"))
    lines = found(tmp_path_factory.mktemp("alone") / "run", "faces")
    assert lines.count("\n") == 120
    return lines


@pytest.mark.parametrize(
    "settings",
    [
        ["link=shared_memory"],
        ["link=zeromq"],
        pytest.param(["link=ucx", "restart=never"], marks=pytest.mark.holoscan),
    ],
    ids=lambda settings: settings[0],
)
def test_the_same_faces(tmp_path, alone, settings):
    assert found(tmp_path / "run", "faces/apart", *settings) == alone
