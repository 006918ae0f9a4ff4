"""Every app gives the same results on both engines."""

from __future__ import annotations

from pathlib import Path

import pytest

from holoflow.app import load
from holoflow.assets import fetch_all
from holoflow.cli.apps import find, names
from holoflow.engine import RunOptions, execute
from holoflow.plan import plan


def written(folder: Path) -> dict[str, bytes]:
    """Content of every file below `folder`."""
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


@pytest.mark.parametrize("name", names())
def test_lossless_runs_are_equal(name: str, tmp_path: Path) -> None:
    app = load(find(name))
    fetch_all(app)

    results = {}
    for engine in ("holoscan", "inline"):
        output = tmp_path / engine
        options = RunOptions(engine, output, frames=40, lossless=True, web=False)
        result = execute(plan(app, lossless=True), options)
        assert result.outcome == "done", result.failure
        for flow in result.last.flows:
            assert flow.sent == flow.delivered, flow
        results[engine] = written(output)

    assert results["inline"], "an app writes something"
    assert results["holoscan"].keys() == results["inline"].keys()
    for file, content in results["inline"].items():
        assert results["holoscan"][file] == content, file
