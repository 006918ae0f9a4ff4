"""What is told of a plan that is right and may surprise."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path

import pytest

from holoflow.app import load
from holoflow.core.errors import HoloflowError
from holoflow.plan import plan, planner
from holoflow.plan.draw import describe, draw_text

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
        ("greedy", 8, "three: 1 of 8 workers run, as the greedy scheduler has only one"),
    ],
)
def test_workers_that_are_asked_for_and_do_not_run(
    tmp_path: Path, kind: str, workers: int, told: str | None
) -> None:
    file = tmp_path / "app.yaml"
    file.write_text(APP % (kind, workers))
    notices = [notice for notice in plan(load(file)).notices if "workers" in notice]
    assert [notice.split(";")[0] for notice in notices] == ([told] if told else [])


OF_ITS_OWN = """
app: two
operators:
  scene: {type: capture.synthetic}
  one: {type: preprocess.colour, inputs: {image: scene.image}, with: {to: gray}}
  two: {type: visualize.web, inputs: {image: one}}
scheduler: {workers: 7}
fragments:
  a: {operators: [scene, one], scheduler: {kind: multithread, workers: 9}}
  b: {operators: [two]}
"""


def test_pictures_tell_the_workers_that_run(tmp_path: Path) -> None:
    """A fragment's own scheduler, or the app's, has no more of them than the fragment stages."""
    file = tmp_path / "app.yaml"
    file.write_text(OF_ITS_OWN)
    planned = plan(load(file), fuse=False)
    drawn = draw_text(replace(planned, notices=()))
    assert "multithread scheduler with 2 workers" in drawn
    assert "event scheduler with 1 worker" in drawn
    assert "7 workers" not in drawn
    assert "9 workers" not in drawn
    processes = describe(planned)["processes"]
    assert [process["scheduler"]["workers"] for process in processes] == [2, 1]


def test_more_stages_than_holoscan_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner, "MOST_STAGES", 2)
    execute = importlib.import_module("holoflow.engine.execute")
    monkeypatch.setattr(execute, "MOST_STAGES", 2)
    file = tmp_path / "app.yaml"
    file.write_text(APP % ("event", 1))
    planned = plan(load(file))
    assert any("at most 2 stages in a process, and there are 3" in n for n in planned.notices)
    with pytest.raises(HoloflowError, match="3 stages in a process"):
        execute._check_stages(planned)


@pytest.mark.parametrize(
    ("window", "rate", "told"),
    [
        ("1s", "30hz", True),
        ("10s", "30hz", False),
        ("1s", "200hz", False),
        ("1s", "30hz, paced: false", False),  # as fast as its frames are taken
    ],
)
def test_a_percentile_that_its_window_can_never_fill(
    tmp_path: Path, window: str, rate: str, told: bool
) -> None:
    file = tmp_path / "app.yaml"
    written = APP.replace("capture.synthetic}", f"capture.synthetic, with: {{rate: {rate}}}}}")
    file.write_text(
        written % ("event", 2)
        + f"budgets:\n  - {{from: scene, to: two, p99: 50ms, max: 1s, window: {window}}}\n"
    )
    notices = [notice for notice in plan(load(file)).notices if "budget" in notice]
    said = (
        "budget scene → two: p99 takes 100 frames to judge, and a window of 1 s holds 30 at most: "
        "it is judged at the end only; write `window: 4s`"
    )
    assert notices == ([said] if told else [])
