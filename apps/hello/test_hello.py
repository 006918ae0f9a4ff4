"""The synthetic scene is found where it is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from holoflow.app import load
from holoflow.engine import RunOptions, execute
from holoflow.plan import plan

APP = Path(__file__).parent / "app.yaml"


def apart(boxes: np.ndarray) -> bool:
    """Whether no two boxes touch, so that each disc is a patch of its own."""
    for index, a in enumerate(boxes):
        for b in boxes[index + 1 :]:
            if (np.maximum(a[:2], b[:2]) <= np.minimum(a[2:], b[2:])).all():
                return False
    return True


@pytest.mark.parametrize("engine", ["holoscan", "inline"])
def test_discs_are_found_within_two_pixels(engine: str, tmp_path: Path) -> None:
    app = load(APP, settings={"frames": "60"})

    result = execute(plan(app, lossless=True), RunOptions(engine, tmp_path, lossless=True))

    assert result.outcome == "done"
    lines = [json.loads(line) for line in (tmp_path / "hello.jsonl").read_text().splitlines()]
    assert [line["sequence"] for line in lines] == list(range(60))
    compared = 0
    for line in lines:
        truth = np.array(sorted(box["xyxy"] for box in line["truth"]))
        found = np.array(sorted(box["xyxy"] for box in line["found"]))
        if apart(truth):
            compared += 1
            assert np.abs(found - truth).max() <= 2
    assert compared > 30


def test_clip_has_every_frame(tmp_path: Path) -> None:
    import av

    app = load(APP, settings={"frames": "20"})
    execute(plan(app, lossless=True), RunOptions("inline", tmp_path, lossless=True))

    with av.open(str(tmp_path / "hello.mp4")) as clip:
        assert sum(1 for _ in clip.decode(video=0)) == 20
