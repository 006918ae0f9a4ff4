"""Folders for the sockets of apps that only the test has."""

import subprocess
import tempfile
from pathlib import Path

import pytest

from holoflow.live import attach


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """Whoever answers is waited for, however busy the machine is."""
    monkeypatch.setattr(attach, "ANSWER", 300.0)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The folder in which apps are found; there is no other."""
    # Not in tmp_path: the names of sockets may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="live") as runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        yield Path(runtime) / "holoflow"


@pytest.fixture
def gone():
    """The number of a process that has ended."""
    with subprocess.Popen(["true"]) as process:
        pass
    return process.pid
