"""However long a run is, what is known of it takes the same memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.graphs import EVENT2, INLINE, Count, Engine, Pass, app, calls, chain, flow, node, run
from support.snapshots import faces, times

from holoflow import Operator, param
from holoflow.stats.machine import MOST_SAMPLES, History
from holoflow.stats.snapshot import Sample, to_json

PAGE = os.sysconf("SC_PAGE_SIZE")
MB = 1_000_000
ROOM = 10 * MB
"""What memory may grow by: what waits to be folded comes and goes, and the allocator keeps some.
A span of a frame takes 200 bytes, its time stamps in a chain of five 40."""


def memory() -> int:
    """Return bytes of memory that the process has in use."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


class Long(Operator):
    """Gives frames, and looks at the memory now and then."""

    n: int = param(doc="frames")
    looks: int = param(50, doc="looks at the memory")

    def frames(self) -> Iterator[int]:
        taken = calls.setdefault("memory", [])
        every = self.n // self.looks
        for index in range(self.n):
            if index % every == 0:
                taken.append(memory())
            yield index


def assert_flat(taken: list[Any]) -> None:
    """Check that memory has not grown after the first fifth of a run."""
    begin = len(taken) // 5
    grown = max(taken[begin:]) - max(taken[: begin + 1])
    assert grown < ROOM, f"grown by {grown / MB:.1f} MB: {[at // MB for at in taken]}"


@pytest.mark.parametrize("engine", [INLINE, EVENT2], ids=str)
def test_a_million_frames_through_a_chain(engine: Engine) -> None:
    n = 1_000_000
    made = run(
        chain(
            node("s", Long, {"n": n}), *(node(f"p{i}", Pass) for i in range(4)), node("c", Count)
        ),
        engine,
    )
    assert made.operator("c").working.count == n
    (path,) = made.result.last.paths
    assert path.frames == n
    assert_flat(made.calls["memory"])


def test_many_frames_through_queues_that_drop() -> None:
    n = 200_000
    graph = app(
        [node("s", Long, {"n": n}), node("a", Pass, fuse=False), node("c", Count)],
        [
            flow("s", "a", queue=2, when_full="drop_oldest"),
            flow("a", "c", queue=2, when_full="drop_newest"),
        ],
    )
    made = run(graph)
    stats = made.flow_into("a")
    assert stats.sent == n
    assert stats.ages.count == stats.lost > 0
    assert made.operator("c").frames > 1000
    assert_flat(made.calls["memory"])


def test_many_frames_through_stages_of_their_own() -> None:
    n = 150_000
    graph = chain(node("s", Long, {"n": n}), node("a", Pass), node("c", Count))
    made = run(graph, fuse=False)
    assert made.operator("c").latency.count == n
    assert_flat(made.calls["memory"])


def test_curves_get_coarser_not_longer() -> None:
    history = History()
    last = faces(seconds=0.0)
    steps = 3000
    for step in range(1, steps + 1):
        operators = tuple(replace(b, frames=7 * step) for b in last.operators)
        last = replace(last, seconds=step * 0.5, operators=operators)
        history.add(last, {"camera → screen": times(0.01, 0.02)})
        assert len(history.samples) <= MOST_SAMPLES
    assert len(history.samples) > MOST_SAMPLES // 4
    assert sum(sample.span for sample in history.samples) == pytest.approx(steps * 0.5)
    assert history.samples[-1].seconds == steps * 0.5
    for name in ("camera", "detect"):
        assert sum(sample.frames[name] for sample in history.samples) == 7 * steps
    latencies = [sample.latency["camera → screen"] for sample in history.samples]
    assert sum(latency.count for latency in latencies) == 2 * steps
    assert len(to_json(history.samples, tuple[Sample, ...])) < MB
