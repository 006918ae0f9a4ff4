"""Folders for the sockets of apps that only the test has."""

import subprocess
import tempfile

import pytest


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The folder in which apps are found; there is no other."""
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return runtime / "holoflow"


@pytest.fixture
def gone():
    """The number of a process that has ended."""
    with subprocess.Popen(["true"]) as process:
        pass
    return process.pid
