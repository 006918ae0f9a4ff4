"""Which operators share a stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.graphs import (
    Add,
    Batch,
    Join,
    Keep,
    Loop,
    Pass,
    Repeat,
    Sink,
    Source,
    Split,
    Tick,
    WithLatest,
    app,
    chain,
    flow,
    fragment,
    node,
)  # fmt: skip

from holoflow import Operator
from holoflow.app.graph import App, Flow, Node
from holoflow.holoscan.classes import HoloscanOperator
from holoflow.plan import Plan, plan


class Heavy(Pass):
    heavy: ClassVar[bool] = True


class Live(Source):
    live: ClassVar[bool] = True


class Positional(Operator):
    """Its own batching, though it gives None."""

    def batching(self) -> None:
        return None

    def process(self, x: Any) -> Any:
        return x


def stages(graph: App, **options: Any) -> list[str]:
    return [stage.name for stage in plan(graph, **options).stages]


def line(*middle: Node, **fields: Any) -> App:
    return chain(node("source", Source), *middle, node("sink", Sink), **fields)


def with_flow(graph: App, index: int, **fields: Any) -> App:
    flows = list(graph.flows)
    flows[index] = replace(flows[index], **fields)
    return replace(graph, flows=tuple(flows))


def test_a_chain_is_one_stage() -> None:
    assert stages(line(node("a", Pass), node("b", Keep))) == ["source+a+b+sink"]


@pytest.mark.parametrize("cls", [Heavy, Batch, Positional])
def test_operators_that_stay_apart(cls: type) -> None:
    graph = line(node("a", Pass), node("apart", cls), node("b", Pass))
    assert stages(graph) == ["source+a", "apart", "b+sink"]


def test_a_live_source_shares_its_stage() -> None:
    assert stages(chain(node("source", Live), node("sink", Sink))) == ["source+sink"]


def test_fuse_off() -> None:
    graph = line(node("a", Pass))
    assert stages(graph, fuse=False) == ["source", "a", "sink"]
    assert stages(replace(graph, fuse=False)) == ["source", "a", "sink"]
    assert stages(line(node("a", Pass, fuse=False))) == ["source", "a", "sink"]
    assert stages(line(node("a", Pass, fuse=True))) == ["source+a+sink"]


def test_a_generator_begins_a_stage() -> None:
    graph = line(node("a", Pass), node("twice", Repeat), node("b", Pass))
    assert stages(graph) == ["source+a", "twice+b+sink"]


def test_several_outputs_end_a_stage() -> None:
    """Also where only one of them is connected."""
    one = app(
        [node("source", Source), node("split", Split), node("sink", Sink)],
        [flow("source", "split"), flow("split.low", "sink")],
    )
    assert stages(one) == ["source+split", "sink"]


@pytest.mark.parametrize("fields", [{"queue": 2}, {"when_full": "drop_oldest"}])
def test_a_flow_with_a_queue_of_its_own(fields: dict[str, Any]) -> None:
    graph = with_flow(line(node("a", Pass)), 0, **fields)
    assert stages(graph) == ["source", "a+sink"]


def test_when_full_of_the_app() -> None:
    graph = line(node("a", Pass), when_full="drop_newest")
    assert stages(graph) == ["source", "a", "sink"]
    assert stages(with_flow(graph, 0, when_full="block")) == ["source+a", "sink"]


def test_the_queue_of_the_app_is_no_reason() -> None:
    assert stages(line(node("a", Pass), queue=5)) == ["source+a+sink"]


def test_fan_out_and_fan_in() -> None:
    graph = app(
        [node("source", Source), node("a", Pass), node("b", Pass), node("join", Join),
         node("sink", Sink)],
        [flow("source", "a"), flow("source", "b"), flow("a", "join.a"), flow("b", "join.b"),
         flow("join", "sink")],
    )  # fmt: skip
    assert stages(graph) == ["source", "a", "b", "join+sink"]


def test_two_flows_between_two_operators() -> None:
    graph = app(
        [node("source", Source), node("split", Split), node("join", Join)],
        [flow("source", "split"), flow("split.low", "join.a"), flow("split.high", "join.b")],
    )
    assert stages(graph) == ["source+split", "join"]


def test_latest_inputs() -> None:
    graph = app(
        [node("a", Source), node("b", Source), node("latest", WithLatest), node("sink", Sink)],
        [flow("a", "latest"), flow("b", "latest.newest"), flow("latest", "sink")],
    )
    assert stages(graph) == ["a", "b", "latest+sink"]
    only = app(
        [node("b", Source), node("latest", WithLatest)], [flow("b", "latest.newest")]
    )  # what is held triggers nothing, so it cannot be a plain call
    assert stages(only) == ["b", "latest"]


def test_fragments() -> None:
    graph = line(
        node("a", Pass), node("b", Pass),
        fragments=[fragment("one", "source", "a"), fragment("two", "b", "sink")],
    )  # fmt: skip
    planned = plan(graph)
    assert [p.fragment for p in planned.processes] == ["one", "two"]
    assert [[s.name for s in p.stages] for p in planned.processes] == [["source+a"], ["b+sink"]]


def test_back_edges() -> None:
    graph = app(
        [node("source", Source), node("loop", Loop), node("a", Pass), node("sink", Sink)],
        [flow("source", "loop"), flow("loop", "a"), flow("a", "loop.back", back_edge=True),
         flow("a", "sink")],
    )  # fmt: skip
    assert stages(graph) == ["source", "loop+a", "sink"]


def test_a_ring_has_no_head() -> None:
    graph = app(
        [node("a", Pass), node("b", Pass)], [flow("a", "b"), flow("b", "a")]
    )  # the reader refuses it; the planner must not lose it
    assert stages(graph) == ["a", "b"]


def test_operators_of_holoscan() -> None:
    holoscan_operator = Node(
        "native",
        "x:Y",
        object,
        holoscan_operator=HoloscanOperator(object, inputs=("x",), outputs=("out",)),
    )
    graph = line(node("a", Pass), holoscan_operator, node("b", Pass))
    assert stages(graph) == ["source+a", "native", "b+sink"]


def test_stage_of() -> None:
    planned = plan(line(node("a", Pass), fuse=True))
    assert planned.stage_of["a"].operators == ("source", "a", "sink")


# -- properties ------------------------------------------------------------------------------


KINDS: Sequence[type] = (Tick, Pass, Add, Keep, Repeat, Batch, Heavy, Split, WithLatest, Join)


@st.composite
def graphs(draw: Any) -> App:
    """Any wiring at all, sensible or not: the planner must partition it."""
    size = draw(st.integers(1, 9))
    nodes = [
        node(
            f"n{i}",
            draw(st.sampled_from((Tick, *KINDS))),
            fuse=draw(st.sampled_from([None, False])),
        )
        for i in range(size)
    ]
    flows: list[Flow] = []
    for _ in range(draw(st.integers(0, 2 * size))):
        source, target = draw(st.integers(0, size - 1)), draw(st.integers(0, size - 1))
        flows.append(
            flow(
                f"n{source}.{draw(st.sampled_from(['out', 'low', 'high']))}",
                f"n{target}.{draw(st.sampled_from(['x', 'a', 'b', 'newest']))}",
                queue=draw(st.sampled_from([None, None, 3])),
                when_full=draw(st.sampled_from([None, None, "block", "drop_oldest"])),
                back_edge=draw(st.booleans()) and target <= source,
            )
        )
    names = [n.name for n in nodes]
    cut = draw(st.integers(0, size))
    fragments = [fragment("one", *names[:cut]), fragment("two", *names[cut:])]
    return app(
        nodes, flows,
        fragments=fragments if draw(st.booleans()) and 0 < cut < size else (),
        when_full=draw(st.sampled_from(["block", "block", "drop_newest"])),
        queue=draw(st.sampled_from([1, 2, 7])),
        fuse=draw(st.sampled_from([True, True, False])),
    )  # fmt: skip


@settings(max_examples=200)
@given(graphs(), st.booleans())
def test_stages_partition_the_operators(graph: App, lossless: bool) -> None:
    planned = plan(graph, lossless=lossless)
    placed = [name for stage in planned.stages for name in stage.operators]
    assert sorted(placed) == sorted(graph.operators)
    assert len(planned.flows) == len(graph.flows)
    for planned_flow in planned.flows:
        ends = planned_flow.source.operator, planned_flow.target.operator
        together = planned.stage_of[ends[0]] == planned.stage_of[ends[1]] and ends[0] != ends[1]
        if planned_flow.fused:
            stage = planned.stage_of[ends[0]].operators
            assert stage.index(ends[1]) == stage.index(ends[0]) + 1
            assert planned_flow.queue == 0
            assert planned_flow.when_full == "block"
            assert not planned_flow.latest
            assert not planned_flow.back_edge
            assert planned_flow.link == "none"
        else:
            assert planned_flow.queue >= 1
            # A flow back within a stage is the only one that has a queue there.
            assert not together or _goes_back(planned, ends)
    for stage in planned.stages:
        assert all(
            [f for f in planned.flows if f.fused and f.target.operator == name]
            for name in stage.operators[1:]
        )
    for process in planned.processes:
        heads = [list(graph.operators).index(s.operators[0]) for s in process.stages]
        ringless = [h for h in heads if heads.count(h) == 1]
        assert ringless == heads
    assert plan(replace(graph, fuse=False)).stages == plan(graph, fuse=False).stages
    assert all(len(stage.operators) == 1 for stage in plan(graph, fuse=False).stages)


def _goes_back(planned: Plan, ends: tuple[str, str]) -> bool:
    stage = planned.stage_of[ends[0]].operators
    return stage.index(ends[1]) < stage.index(ends[0])
