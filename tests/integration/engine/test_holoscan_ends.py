"""Operators of Holoscan's that stop or fail: the run ends drained, and says who failed at what."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.graphs import EVENT2, GREEDY, Count, Pass, Source, app, flow, node, run
from support.holoscan_operators import GiveOp, PassOp, TakeOp, holoscan_node

from holoflow.app.graph import App, Node
from holoflow.holoscan import runtime
from holoflow.holoscan.classes import HoloscanObject, HoloscanOperator

conditions = runtime.load().conditions
from holoscan.operators import SegmentationPostprocessorOp  # noqa: E402
from holoscan.resources import UnboundedAllocator  # noqa: E402

MANY = 1_000_000
ENGINES = pytest.mark.parametrize("engine", [GREEDY, EVENT2], ids=str)


def counted(count: int) -> HoloscanObject:
    return HoloscanObject(conditions.CountCondition, "count", {"count": count})


def mixed(*given: Any, own: bool = True, **arguments: Any) -> App:
    """Return an app: an endless source, an operator between, and one of Holoscan's at the end."""
    source = node("source", Source, {"n": MANY}) if own else holoscan_node("source", GiveOp)
    between = node("pass", Pass) if own else holoscan_node("pass", PassOp)
    take = holoscan_node("take", TakeOp, *given, **arguments)
    port = "pass" if own else "pass.in"
    return app([source, between, take], [flow("source", port), flow("pass", "take.in")])


@ENGINES
@pytest.mark.parametrize("own", [True, False], ids=["own", "holoscan"])
@pytest.mark.parametrize("how", ["stops", "counts"])
def test_one_that_ends_ends_what_feeds_it(how: str, own: bool, engine: Any) -> None:
    graph = mixed(stop_at=6, own=own) if how == "stops" else mixed(counted(7), own=own)
    ran = run(graph, engine)
    assert ran.result.outcome == "done", ran.result.failure
    assert ran.operator("take").frames == ran.flow("pass", "take.in").delivered == 7
    assert ran.operator("pass").sent == ran.flow("pass", "take.in").sent
    assert set(ran.flow("pass", "take.in").dropped) <= {"end"}


@ENGINES
def test_one_in_the_middle_that_ends_ends_both_sides(engine: Any) -> None:
    graph = app(
        [node("source", Source, {"n": MANY}), holoscan_node("pass", PassOp, stop_at=6),
         node("count", Count)],
        [flow("source", "pass.in"), flow("pass", "count")],
    )  # fmt: skip
    ran = run(graph, engine)
    assert ran.result.outcome == "done", ran.result.failure
    assert (ran.operator("pass").frames, ran.operator("count").frames) == (7, 6)


@ENGINES
def test_one_that_stops_the_app_has_it_drained(engine: Any) -> None:
    ran = run(mixed(stop_at=6, whole=True), engine)
    assert ran.result.outcome == "done", ran.result.failure
    assert ran.operator("take").frames == ran.operator("source").frames >= 7
    assert ran.flow("pass", "take.in").dropped == {}


@ENGINES
@pytest.mark.parametrize("where", ["initialize", "start", "stop"])
def test_a_failure_names_operator_phase_and_cause(where: str, engine: Any) -> None:
    graph = app(
        [node("source", Source, {"n": 5}), holoscan_node("pass", PassOp, fail_in=where),
         node("count", Count)],
        [flow("source", "pass.in"), flow("pass", "count")],
    )  # fmt: skip
    ran = run(graph, engine)
    assert str(ran.result.failure) == f"operator 'pass' failed on {where}: ValueError: bad"
    assert ran.operator("count").frames == (5 if where == "stop" else 0)


@ENGINES
def test_a_call_that_fails_is_skipped_where_the_app_says_so(engine: Any) -> None:
    bad = replace(holoscan_node("pass", PassOp, fail_at=3), on_error="skip")
    graph = app(
        [node("source", Source, {"n": 9}), bad, node("count", Count)],
        [flow("source", "pass.in"), flow("pass", "count")],
    )
    ran = run(graph, engine)
    assert ran.result.outcome == "done", ran.result.failure
    assert ran.flow("source", "pass.in").dropped == {"error": 1}
    assert (ran.operator("pass").frames, ran.operator("pass").skipped) == (8, 1)
    assert ran.operator("count").frames == 8


@ENGINES
def test_a_call_in_cpp_that_fails_is_named(engine: Any) -> None:
    allocator = HoloscanObject(UnboundedAllocator, "allocator")
    made = HoloscanOperator(
        SegmentationPostprocessorOp, {"allocator": allocator}, (), ("in_tensor",), ("out_tensor",)
    )
    bad = Node("bad", "its", SegmentationPostprocessorOp, holoscan_operator=made)
    give = holoscan_node("give", GiveOp)
    graph = app(
        [give, bad, node("count", Count)],
        [flow("give", "bad.in_tensor"), flow("bad.out_tensor", "count")],
    )
    ran = run(graph, engine)
    failure = ran.result.failure
    assert failure is not None
    assert (failure.operator, failure.frame) == ("bad", "frame 0 of give")
    assert "must be in CUDA device" in failure.cause
    assert ran.flow("give", "bad.in_tensor").dropped["error"] == 1
