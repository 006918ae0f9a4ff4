"""Raw calls of running apps: whole, and of the newest frames only."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from support.graphs import (
    Batch,
    Count,
    Engine,
    Join,
    Keep,
    Loop,
    Pass,
    Repeat,
    Source,
    WithLatest,
    app,
    chain,
    flow,
    node,
    on_both,
    run,
)

from holoflow.stats.records import Records


def records(ran: Any) -> Records:
    assert ran.result.records is not None
    return ran.result.records


def check(ran: Any) -> Records:
    """Check that every message that was used was sent before, by the operator that says so."""
    found = records(ran)
    sent: dict[Any, Any] = {}
    for call in found.calls:
        assert call.arrived <= call.start <= call.end or call.takes == ()
        for message in call.gives:
            assert message not in sent
            assert message[0].split(".")[0] == call.operator
            sent[message] = call
    used = Counter(message for call in found.calls for message in set(call.takes))
    for call in found.calls:
        for message in call.takes:
            assert sent[message].end <= call.start
            assert message[0].split(" -> ")[1].split(".")[0] == call.operator
    for stats in ran.result.last.flows:
        mine = [message for message in used if message[0] == stats.name]
        assert len(mine) == stats.delivered
        assert len([message for message in sent if message[0] == stats.name]) == stats.sent
    ends = [call.end for call in found.calls]
    assert ends == sorted(ends)
    return found


@on_both
@pytest.mark.parametrize("fuse", [True, False])
def test_a_chain(engine: Engine, fuse: bool) -> None:
    graph = chain(node("source", Source, {"n": 50}), node("a", Pass), node("sink", Count))
    found = check(run(graph, engine, fuse=fuse, trace=1000, run="abc"))
    assert (found.app, found.run) == ("app", "abc")
    by_operator = Counter(call.operator for call in found.calls)
    assert by_operator == {"source": 50, "a": 50, "sink": 50}
    assert {call.source for call in found.calls} == {"source"}
    assert {call.worker for call in found.calls} <= {"worker 1", "worker 2"}
    assert {call.fragment for call in found.calls} == {"app"}


@on_both
def test_joins_generators_filters_batches_and_cycles(engine: Engine) -> None:
    graph = app(
        [
            node("source", Source, {"n": 20}), node("repeat", Repeat), node("keep", Keep),
            node("batch", Batch), node("join", Join), node("loop", Loop), node("sink", Count),
            node("latest", WithLatest), node("end", Count),
        ],
        [
            flow("source", "repeat"), flow("repeat", "keep"), flow("keep", "batch"),
            flow("source", "join.a"), flow("batch", "join.b", queue=64), flow("join", "loop"),
            flow("loop", "loop.back", back_edge=True), flow("loop", "sink"),
            flow("source", "latest"), flow("repeat", "latest.newest"), flow("latest", "end"),
        ],
    )  # fmt: skip
    check(run(graph, engine, trace=1000, fuse=False))


@on_both
def test_only_the_newest_frames_are_kept(engine: Engine) -> None:
    graph = chain(node("source", Source, {"n": 500}), node("a", Pass), node("sink", Count))
    found = records(run(graph, engine, fuse=False, trace=10))
    assert {call.sequence for call in found.calls} == set(range(490, 500))
    assert len(found.calls) == 30


def test_none_unless_asked_for() -> None:
    graph = chain(node("source", Source), node("sink", Count))
    assert run(graph).result.records is None
    assert run(graph, trace=5, tracked=False).result.records is None
