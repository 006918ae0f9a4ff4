"""The part of a plan that a process runs."""

from __future__ import annotations

from support.graphs import Join, Pass, Sink, Source, app, flow, fragment, node

from holoflow.app.graph import Budget, Scheduler
from holoflow.plan import plan
from holoflow.plan.plan import enters, leaves, part

GRAPH = app(
    [node(name, cls) for name, cls in (
        ("left", Source), ("right", Source), ("pass", Pass), ("join", Join), ("sink", Sink),
    )],
    [
        flow("left", "pass"), flow("pass", "join.a"), flow("right", "join.b"), flow("join", "sink"),
    ],
    fragments=[
        fragment("one", "left", "pass"),
        fragment("two", "right", "join", scheduler=Scheduler("greedy", 1)),
        fragment("three", "sink"),
    ],
    budgets=(Budget("left", "join", {"p99": 1.0}), Budget("left", "sink", {"max": 1.0})),
)  # fmt: skip


def test_a_part_has_its_operators_and_every_flow_that_touches_them() -> None:
    whole = plan(GRAPH)
    two = part(whole, "two")
    assert list(two.app.operators) == ["right", "join"]
    assert [process.fragment for process in two.processes] == ["two"]
    assert [str(flow.target) for flow in two.flows] == ["join.a", "join.b", "sink.x"]
    assert [enters(two, flow) for flow in two.flows] == [True, False, False]
    assert [leaves(two, flow) for flow in two.flows] == [False, False, True]
    assert two.app.flows == whole.app.flows
    assert two.app.scheduler.kind == "greedy"
    assert part(whole, "one").app.scheduler.kind == "event"


def test_a_budget_belongs_to_where_it_ends() -> None:
    whole = plan(GRAPH)
    budgets = {name: part(whole, name).app.budgets for name in ("one", "two", "three")}
    assert budgets == {"one": (), "two": GRAPH.budgets[:1], "three": GRAPH.budgets[1:]}


def test_parts_have_all_of_the_plan() -> None:
    whole = plan(GRAPH)
    parts = [part(whole, process.fragment) for process in whole.processes]
    assert sorted(name for one in parts for name in one.app.operators) == sorted(GRAPH.operators)
    assert {flow for one in parts for flow in one.flows} == set(whole.flows)
    assert [stage for one in parts for stage in one.stages] == list(whole.stages)
