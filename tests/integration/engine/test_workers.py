"""How many threads tick the stages, and for how long one looks for work of other processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.graphs import Engine, Operator, Scheduler, Source, calls, chain, node, run

from holoflow.engine.control import Control
from holoflow.engine.stage import PATIENCE, Progress, Stage


class Counting(Operator):
    """Counts the workers of Holoscan's scheduler."""

    def process(self, x: Any) -> Any:
        names = [file.read_text() for file in Path("/proc/self/task").glob("*/comm")]
        found = sum(name.startswith("WorkerThread") for name in names)
        calls.setdefault(self.context.name, []).append(found)
        return x


@pytest.mark.parametrize(("workers", "stages", "found"), [(4, 1, 1), (4, 2, 2), (2, 3, 2)])
def test_no_worker_without_a_stage(workers: int, stages: int, found: int) -> None:
    fused = [node(f"more{index}", Counting, fuse=False) for index in range(stages - 1)]
    graph = chain(node("source", Source), node("counting", Counting), *fused)
    ran = run(graph, Engine("holoscan", Scheduler("event", workers)))
    assert ran.calls["counting"] == [found] * 10


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
