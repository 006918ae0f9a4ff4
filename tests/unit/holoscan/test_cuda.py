"""Holoscan is found by whoever imports holoflow first, without a CUDA toolkit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from holoflow.holoscan import runtime

pytest.importorskip("nvidia", reason="Holoscan's wheels are not installed")


@pytest.mark.holoscan
@pytest.mark.parametrize(
    "script",
    [
        "import holoflow; from holoscan.core import Application",
        # Too early once; then it still can be had.
        "import contextlib\n"
        "with contextlib.suppress(ImportError): import holoscan.core\n"
        "import holoflow; from holoscan.core import Application",
    ],
)
def test_a_script_by_hand_imports_holoscan(script: str) -> None:
    bare = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}
    command = [sys.executable, "-W", "ignore", "-c", script]
    result = subprocess.run(command, env=bare, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_what_a_module_needs_is_loaded_before_it(tmp_path, monkeypatch):
    """Also what its libraries need; what is not installed is left for the import to say."""
    wheels = tmp_path / "nvidia" / "npp" / "lib"
    wheels.mkdir(parents=True)
    needs = {
        "_op.cpython.so": ["libnppi.so.12", "libcuda.so.1"], "libnppi.so.12": ["libnppc.so.12"],
        "libnppc.so.12": [],
    }  # fmt: skip
    for name in needs:
        (wheels / name).touch()
    loaded = []

    def load(path):
        name = Path(path).name
        for needed in needs[name]:
            if needed not in loaded:
                raise OSError(f"{needed}: cannot open shared object file: No such file")
        loaded.append(name)

    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("nvidia.__path__", [str(tmp_path / "nvidia")])
    monkeypatch.setattr(runtime.ctypes, "CDLL", load)
    runtime._installed.cache_clear()
    try:
        runtime.LibraryFinder.find_spec("holoscan.operators.op._op", [str(wheels)])
        assert loaded == ["libnppc.so.12", "libnppi.so.12"]
        runtime.LibraryFinder.find_spec("other.op._op", [str(wheels)])
        assert len(loaded) == 2
    finally:
        runtime._installed.cache_clear()
