"""Both engines, fused or not, under any scheduler: the same results from any graph."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

from hypothesis import given, note, settings
from hypothesis import strategies as st
from support.graphs import (
    INLINE,
    SCHEDULED,
    App,
    Engine,
    Join,
    Run,
    Sink,
    app,
    check_books,
    flow,
    node,
    run,
)  # fmt: skip
from support.random_graphs import outline, random_graphs, repeatable

from holoflow import Operator, Stamped, param
from holoflow.app.graph import Sync


def check_flows(ran: Run) -> None:
    """What an operator sends, all flows behind that output carry."""
    check_books(ran.result)
    for stats in ran.result.last.flows:
        assert stats.dropped.keys() <= {"end", "late"}
        assert stats.sent <= ran.operator(stats.source.split(".")[0]).sent


@settings(max_examples=100)
@given(random_graphs(), st.sampled_from(SCHEDULED))
def test_random_graphs(graph: App, scheduled: Engine) -> None:
    note(outline(graph))
    runs = [
        run(graph, engine, lossless=True, fuse=fuse)
        for engine in (INLINE, scheduled)
        for fuse in (True, False)
    ]
    for ran in runs:
        assert ran.result.outcome == "done", ran.result.failure
        check_flows(ran)
    first, *others = runs
    for other in others:
        assert repeatable(graph, other.sinks) == repeatable(graph, first.sinks)


class At(Operator):
    """Gives frames at any times whatever."""

    times: list[int] = param(doc="ns")

    def frames(self) -> Iterator[Stamped[int]]:
        for index, time in enumerate(self.times):
            yield Stamped(index, timestamp=time)


steps = st.one_of(st.integers(0, 60), st.integers(-100, 0), st.integers(-(10**7), 10**7))
"""Milliseconds from a frame to the next."""
times = st.lists(steps, max_size=30).map(lambda s: [ms * 1_000_000 for ms in accumulate(s)])


@settings(max_examples=30)
@given(times, times, st.integers(1, 4), st.sampled_from(SCHEDULED))
def test_clocks_that_jump_and_are_set_back_hold_nobody_up(
    a: list[int], b: list[int], queue: int, scheduled: Engine
) -> None:
    graph = app(
        [node("a", At, {"times": a}), node("b", At, {"times": b}),
         node("join", Join, sync=Sync("a", 0.02)), node("sink", Sink)],
        [flow("a", "join.a", queue=queue), flow("b", "join.b", queue=queue), flow("join", "sink")],
    )  # fmt: skip
    first, other = (run(graph, engine, lossless=True) for engine in (INLINE, scheduled))
    assert first.result.outcome == other.result.outcome == "done"
    assert first.sinks == other.sinks
    assert all(abs(a[x] - b[y]) <= 20_000_000 for x, y in first.payloads())
