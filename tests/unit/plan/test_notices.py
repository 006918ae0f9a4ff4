"""What is told of a plan that is right and may surprise."""

from __future__ import annotations

from pathlib import Path

import pytest

from holoflow.app import load
from holoflow.plan import plan

APP = """
app: three
schema: 1
scheduler: {kind: %s, workers: %s}
fuse: off
operators:
  scene: {type: capture.synthetic}
  one: {type: preprocess.colour, inputs: {image: scene.image}, with: {to: gray}}
  two: {type: visualize.web, inputs: {image: one}}
"""


@pytest.mark.parametrize(
    ("kind", "workers", "told"),
    [
        ("event", 8, "three: 3 of 8 workers run, as there are 3 stages"),
        ("event", 3, None),
        ("greedy", 8, "three: 1 of 8 workers run, as the scheduler greedy has no more"),
    ],
)
def test_workers_that_are_asked_for_and_do_not_run(
    tmp_path: Path, kind: str, workers: int, told: str | None
) -> None:
    file = tmp_path / "app.yaml"
    file.write_text(APP % (kind, workers))
    notices = [notice for notice in plan(load(file)).notices if "workers" in notice]
    assert [notice.split(";")[0] for notice in notices] == ([told] if told else [])
