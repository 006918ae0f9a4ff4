"""Holoscan is found by whoever imports holoflow first, without a CUDA toolkit."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

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
