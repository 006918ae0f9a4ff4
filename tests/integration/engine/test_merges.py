"""Operators that are called for each message of any input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import pytest
from support.graphs import (
    Add,
    App,
    Engine,
    Join,
    Keep,
    Node,
    Operator,
    Pass,
    Repeat,
    Sink,
    Source,
    app,
    flow,
    node,
    on_all,
    on_both,
    run,
)

from holoflow import Latest, OperatorDefinitionError
from holoflow.app.graph import Flow
from holoflow.operators.flow.merge import MergeOp
from holoflow.operators.flow.share import ShareOp


class Work(Pass):
    heavy: ClassVar[bool] = True


def round_robin(*workers: Node) -> App:
    nodes: list[Node] = [node("source", Source, {"n": 30}), node("merge", MergeOp)]
    flows: list[Flow] = [flow("merge", "sink")]
    for part, worker in enumerate(workers):
        share = f"share{part}"
        nodes += [node(share, ShareOp, {"of": len(workers), "part": part}), worker]
        flows += [flow("source", f"{share}.message"), flow(share, worker.name)]
        flows += [flow(worker.name, f"merge.messages:{part}")]
    return app([*nodes, node("sink", Sink)], flows)


@on_all
def test_frames_that_were_dealt_out_are_gathered_in_order(engine: Engine) -> None:
    """One of them is lost on its way, and not waited for."""
    ran = run(
        round_robin(
            node("a", Work), node("b", Work, {"fail_at": 13}, on_error="skip"), node("c", Work)
        ),
        engine,
    )
    assert ran.result.outcome == "done"
    assert ran.payloads() == [n for n in range(30) if n != 13]
    assert [got.sequence for got in ran.sinks["sink"]] == ran.payloads()
    assert {got.source for got in ran.sinks["sink"]} == {"source"}


@on_all
def test_of_one_frame_the_first_input_goes_first(engine: Engine) -> None:
    graph = app(
        [node("source", Source), node("twice", Repeat), node("add", Add, {"amount": 100}),
         node("merge", MergeOp), node("sink", Sink)],
        [flow("source", "twice"), flow("source", "add"), flow("add", "merge.messages:0"),
         flow("twice", "merge.messages:1", queue=1), flow("merge", "sink")],
    )  # fmt: skip
    assert run(graph, engine).payloads() == [x for n in range(10) for x in (n + 100, n, n)]


@on_all
def test_frames_of_several_sources_become_those_of_the_merge(engine: Engine) -> None:
    """What joins them by frame behind it goes by the merge's numbers."""
    graph = app(
        [node("a", Source, {"n": 20}), node("b", Source, {"n": 7}), node("merge", MergeOp),
         node("keep", Keep, {"every": 3}), node("join", Join), node("sink", Sink)],
        [flow("a", "merge.messages:0"), flow("b", "merge.messages:1"), flow("merge", "keep"),
         flow("merge", "join.a"), flow("keep", "join.b"), flow("join", "sink")],
    )  # fmt: skip
    ran = run(graph, engine)
    assert ran.result.outcome == "done"
    got = ran.sinks["sink"]
    assert [message.sequence for message in got] == list(range(0, 27, 3))
    assert all(message.payload[0] == message.payload[1] for message in got)
    assert {message.source for message in got} == {"merge"}
    for message in got:
        assert message.metadata["from"]["sequence"] == message.payload[0]
    assert ran.flow("merge", "join.a").dropped == {"unpaired": 18}


class Either(Operator):
    trigger: ClassVar[Any] = "any"

    def process(
        self, newest: Latest[Any], parts: list[Any], others: Sequence[Any] = (), one: Any = None
    ) -> Any:
        return (parts, list(others), one, newest)


@on_both
def test_what_has_not_come_is_empty_or_the_default(engine: Engine) -> None:
    graph = app(
        [node("source", Source, {"n": 1}), node("either", Either), node("sink", Sink)],
        [flow("source", f"either.{port}")
         for port in ("newest", "parts:0", "parts:1", "others:0", "one")]
        + [flow("either", "sink")],
    )  # fmt: skip
    assert run(graph, engine).payloads() == [
        ([0], [], None, 0), ([0], [], None, 0), ([], [0], None, 0), ([], [], 0, 0),
    ]  # fmt: skip


def test_an_input_that_any_other_may_trigger_can_be_missing() -> None:
    class Wrong(Operator):
        trigger: ClassVar[Any] = "any"

        def process(self, a: int, b: int = 0) -> int:
            return a + b

    with pytest.raises(OperatorDefinitionError, match="'a' has no message where another input"):
        Wrong.ports()
    Wrong.trigger = "some"
    with pytest.raises(OperatorDefinitionError, match="trigger is 'all' or 'any', not 'some'"):
        Wrong.ports()
