"""A run that falls behind its recording is as late as it looks, and says what it was asked for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from support.graphs import EVENT2, GREEDY, Engine, app, flow, node, run

from holoflow import Operator, Stamped

FRAMES, PERIOD, WORK = 20, 0.002, 0.02

pytestmark = pytest.mark.holoscan


class Recording(Operator):
    def frames(self) -> Iterator[Stamped[int]]:
        for index in range(FRAMES):
            yield Stamped(index, elapsed=round(index * PERIOD * 1e9), wait=True)


class Slow(Operator):
    def process(self, x: Any) -> None:
        time.sleep(WORK)


@pytest.mark.parametrize("engine", [GREEDY, EVENT2])
@pytest.mark.parametrize("queue", [None, 1])
def test_frames_that_are_asked_for_late_are_late(engine: Engine, queue: int | None) -> None:
    played = app([node("clip", Recording), node("slow", Slow)], [flow("clip", "slow", queue=queue)])
    snapshot = run(played, engine).result.last
    (path,) = snapshot.paths
    # The last is due after 38 ms, and 20 times 20 ms of work have to be done by its end.
    assert path.end_to_end.max >= FRAMES * WORK - (FRAMES - 1) * PERIOD - 0.001
    assert snapshot.operator("slow").latency.max == pytest.approx(path.end_to_end.max, rel=0.01)
    clip = snapshot.operator("clip")
    assert clip.own_time == pytest.approx(FRAMES * PERIOD)
    assert clip.given_time >= (FRAMES - 4) * WORK
