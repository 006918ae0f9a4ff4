"""Any graph, an operator that raises anywhere, an end asked for at any time: the counts add up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, note, settings
from hypothesis import strategies as st
from support.graphs import (
    INLINE,
    SCHEDULED,
    App,
    Endpoint,
    Engine,
    Header,
    Operator,
    node,
    param,
    run,
)  # fmt: skip
from support.random_graphs import outline, random_graphs

from holoflow.engine import Stopper


class Bad(Operator):
    """Raises on one frame of every source."""

    at: int = param(0, doc="frame")

    def process(self, x: Any, header: Header) -> Any:
        if header.sequence == self.at:
            raise ValueError("bad")
        return x


@st.composite
def broken_graphs(draw: Any) -> App:
    """Draw a graph with a bad operator in one of its flows, and some that are not lossless."""
    graph = draw(random_graphs())
    index = draw(st.integers(0, len(graph.flows) - 1))
    cut = graph.flows[index]
    bad = node(
        "bad", Bad, {"at": draw(st.integers(0, 6))},
        on_error=draw(st.sampled_from(["stop", "skip"])), fuse=draw(st.sampled_from([None, False])),
    )  # fmt: skip
    flows = [
        replace(f, when_full=draw(st.sampled_from([None, None, None, "drop_oldest"])))
        for f in graph.flows
    ]
    flows[index] = replace(cut, source=Endpoint("bad", "out"))
    flows.append(replace(cut, target=Endpoint("bad", "x"), back_edge=False))
    return replace(graph, operators={**graph.operators, "bad": bad}, flows=tuple(flows))


@settings(max_examples=100)
@given(
    broken_graphs(), st.sampled_from((INLINE, *SCHEDULED)), st.booleans(),
    st.sampled_from([None, None, 0, 1]), st.integers(1, 2),
)  # fmt: skip
def test_it_ends_and_adds_up(
    graph: App, engine: Engine, lossless: bool, ask_at: int | None, times: int
) -> None:
    note(outline(graph))
    stopper = Stopper()
    seen: list[Any] = []

    def observe(snapshot: Any, _history: Any) -> None:
        seen.append(snapshot)
        if ask_at is not None and len(seen) > ask_at:
            for _ in range(times):
                stopper.ask()

    ran = run(graph, engine, lossless=lossless, stopper=stopper, observe=observe, every=0.0)
    failure = ran.result.failure
    if failure is None:
        assert ran.result.outcome == ("interrupted" if stopper.drain.is_set() else "done")
        assert graph.operators["bad"].on_error == "skip" or not ran.flow_into("bad").dropped.get(
            "error"
        )
    else:
        assert ran.result.outcome == "failed"
        assert failure.operator == "bad" or "the app is stalled" in failure.cause
        assert "engine" not in failure.operator
    for stats in ran.result.last.operators:
        into = [f for f in ran.result.last.flows if f.target.split(".")[0] == stats.name]
        assert stats.frames <= max((f.delivered for f in into), default=stats.frames)
