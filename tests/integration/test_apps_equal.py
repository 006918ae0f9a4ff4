"""Every app gives the same results on both engines."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest

from holoflow.app import load
from holoflow.app.assets import fetch_all
from holoflow.cli.apps import find, names
from holoflow.engine import RunOptions, execute
from holoflow.plan import plan


def pictures(clip: bytes) -> np.ndarray:
    """Frames of a clip, (frames, height, width, 3) int16."""
    with av.open(io.BytesIO(clip)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return np.stack(frames).astype(np.int16)


def same(file: str, a: bytes, b: bytes) -> bool:
    """Whether two results are equal: clips by their pictures, all else to the byte.

    A lossy encoder was once seen to give another size for the same frames, in a process that
    had encoded much before.
    """
    if a == b or not file.endswith(".mp4"):
        return a == b
    left, right = pictures(a), pictures(b)
    return left.shape == right.shape and float(np.abs(left - right).mean(axis=(1, 2, 3)).max()) < 1


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
        assert same(file, results["holoscan"][file], content), file
