"""How many threads tick the stages, and for how long one looks for work of other processes."""

from __future__ import annotations

from typing import Any

import pytest
from support.graphs import Engine, Pass, Scheduler, Source, chain, node, run

from holoflow.engine import holoscan
from holoflow.engine.control import Control
from holoflow.engine.stage import PATIENCE, Progress, Stage


@pytest.mark.parametrize(("workers", "stages", "made"), [(4, 1, 1), (4, 2, 2), (2, 3, 2)])
def test_no_worker_without_a_stage(
    monkeypatch: pytest.MonkeyPatch, workers: int, stages: int, made: int
) -> None:
    make, asked = holoscan.make_scheduler, []

    def noting(app: Any, scheduler: Scheduler, standstill: int) -> Any:
        asked.append(scheduler.workers)
        return make(app, scheduler, standstill)

    monkeypatch.setattr(holoscan, "make_scheduler", noting)
    more = [node(f"more{index}", Pass, fuse=False) for index in range(stages - 1)]
    graph = chain(node("source", Source), node("first", Pass), *more)
    ran = run(graph, Engine("holoscan", Scheduler("event", workers)))
    assert (ran.result.outcome, asked) == ("done", [made])


def idle(linger: int) -> Stage:
    """Return a stage with a neighbour in another process that has looked for work in vain."""
    stage = Stage([], {}, Control())
    stage.linked, stage.linger = True, linger
    for _ in range(2 * PATIENCE + 2):
        assert stage.tick() is Progress.IDLE
    return stage


def test_a_stage_sleeps_once_it_has_lingered() -> None:
    assert idle(0).sleeping
    assert not idle(1 << 62).sleeping
