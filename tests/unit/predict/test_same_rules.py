"""Predictions take the same calls as the engine, in the same order, and drop the same messages.

The same random graph is run by the engine `inline`, with its simulated clock, and by the
simulator; what both take from their inputs for each call is written down.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.graphs import Join, JoinOptional, Loop, Pass, app, flow, node, run
from support.random_graphs import outline
from support.simulated import stage

from holoflow import Operator, Stamped, param
from holoflow.app.graph import App, Flow, Node, Sync
from holoflow.engine import joins
from holoflow.operators.flow.merge import MergeOp
from holoflow.plan import Plan, plan
from holoflow.predict.model import FlowModel, Model, ProcessModel, SourcePace
from holoflow.predict.resources import Share
from holoflow.predict.run import simulate

pytestmark = pytest.mark.slow

MILLISECOND = 1_000_000


class Give(Operator):
    """Gives `n` frames, one each `period` (ns) if that is not 0."""

    n: int = param(5, doc="frames")
    period: int = param(0, doc="nanoseconds")

    def frames(self) -> Iterator[Stamped[Any]]:
        for number in range(self.n):
            elapsed = number * self.period
            yield Stamped(number, elapsed=elapsed, wait=bool(self.period))


class Some(Operator):
    """Passes `rate` of what it gets on."""

    rate: float = param(0.5, doc="messages for each call")

    def start(self) -> None:
        self.share = Share(self.rate)

    def process(self, x: Any) -> Any:
        return x if self.share() else None


class More(Operator):
    """Sends what it gets `rate` times."""

    rate: float = param(2.0, doc="messages for each call")

    def start(self) -> None:
        self.share = Share(self.rate)

    def process(self, x: Any) -> Iterator[Any]:
        yield from [x] * self.share()


@dataclass
class _Builder:
    draw: Any
    nodes: list[Node] = field(default_factory=list)
    flows: list[Flow] = field(default_factory=list)

    def add(self, cls: type, parameters: Any = None, **fields: Any) -> str:
        name = f"n{len(self.nodes)}"
        self.nodes.append(node(name, cls, parameters, fuse=False, **fields))
        return name

    def connect(self, source: str, target: str, **fields: Any) -> None:
        self.flows.append(flow(source, target, queue=self.draw(st.integers(1, 4)), **fields))

    def any_of(self) -> str:
        return self.draw(st.sampled_from([n.name for n in self.nodes]))

    def single(self, cls: type, parameters: Any = None) -> None:
        came = self.any_of()
        self.connect(came, self.add(cls, parameters))

    def join(self) -> None:
        a, b = self.any_of(), self.any_of()
        kind = self.draw(st.sampled_from(["all", "optional", "time", "arrival"]))
        tolerance = self.draw(st.integers(0, 2)) * 1e-3
        sync = {"time": Sync("a", tolerance), "arrival": "arrival"}.get(kind)
        name = self.add(JoinOptional if kind == "optional" else Join, sync=sync)
        self.connect(a, f"{name}.a")
        self.connect(b, f"{name}.b")

    def merge(self) -> None:
        # Of several sources it would take what is there first, which is left to the scheduler.
        sources = {n.name for n in self.nodes if n.cls is Give}
        if len(sources) > 1:
            return
        ways = [self.any_of() for _ in range(self.draw(st.integers(2, 3)))]
        name = self.add(MergeOp)
        for number, way in enumerate(ways):
            self.connect(way, f"{name}.messages:{number}")

    def circle(self) -> None:
        came = self.any_of()
        name, back = self.add(Loop), self.add(Pass)
        self.connect(came, name)
        self.connect(name, back)
        self.connect(back, f"{name}.back", back_edge=True)


@st.composite
def graphs(draw: Any) -> App:
    """Draw sources, filters, operators that send several messages, joins of all kinds, rings."""
    builder = _Builder(draw)
    for _ in range(draw(st.integers(1, 2))):
        period = draw(st.sampled_from([1, 1, 2])) * MILLISECOND
        builder.add(Give, {"n": draw(st.integers(1, 12)), "period": period})
    for _ in range(draw(st.integers(1, 7))):
        kind = draw(st.sampled_from(["pass", "some", "more", "join", "join", "merge", "circle"]))
        if kind == "pass":
            builder.single(Pass)
        elif kind == "some":
            builder.single(Some, {"rate": draw(st.sampled_from([0.0, 0.25, 0.5, 0.75]))})
        elif kind == "more":
            builder.single(More, {"rate": draw(st.sampled_from([0.5, 1.5, 2.0, 3.0]))})
        else:
            getattr(builder, kind)()
    return app(builder.nodes, builder.flows)


def model_of(planned: Plan) -> Model:
    """Return the model of an app whose calls take no time, for one worker, as the engine has."""
    stages = []
    for name, one in planned.app.operators.items():
        ports = one.cls.ports()
        inputs = [f.target.port for f in planned.flows if f.target.operator == name]
        pace = None
        if ports.source:
            period = one.parameters.get("period")
            pace = SourcePace(1e9 / period if period else None, frames=one.parameters["n"])
        stages.append(
            stage(
                name, pace=pace, in_flight=pace and "auto",
                sync=one.sync if isinstance(one.sync, Sync) else None,
                trigger=ports.trigger, generator=ports.generator and not ports.source,
                optional=frozenset(port for port in inputs if not ports.input(port).required),
            )
        )  # fmt: skip
    flows = [
        FlowModel(
            f, f.source.operator, f.target.operator,
            rate=planned.app.operators[f.source.operator].parameters.get("rate", 1.0),
        )
        for f in planned.flows
    ]  # fmt: skip
    process = ProcessModel("p", "host", 1, ("cores",))
    return Model(tuple(stages), tuple(flows), (process,), {"cores": 1000.0})


Calls: TypeAlias = Mapping[str, list[Any]]
"""By operator: the frame of each call, and what it took from which flow."""


class Written:
    """Writes down the calls that are taken from inputs, whoever asks for them."""

    def __init__(self) -> None:
        self.calls: Calls = defaultdict(list)

    def make_inputs(self, name: str, *given: Any, **options: Any) -> Any:
        inputs = joins.make_inputs(name, *given, **options)
        pop = inputs.pop

        def written() -> Any:
            call = pop()
            parts = [(q.name, m.header.source, m.header.sequence) for q, m in call.parts]
            self.calls[name].append((call.header.source, call.header.sequence, parts))
            return call

        inputs.pop = written  # type: ignore[method-assign]
        return inputs


def by_engine(graph: App, **options: Any) -> tuple[Any, Calls]:
    with patch("holoflow.engine.build.make_inputs", (written := Written()).make_inputs):
        return run(graph, fuse=False, **options).result, written.calls


def by_prediction(graph: App, **options: Any) -> tuple[Any, Calls]:
    model = model_of(plan(graph, fuse=False, **options))
    with patch("holoflow.predict.stage_kinds.make_inputs", (written := Written()).make_inputs):
        return simulate(model), written.calls


def drops(ran: Any, predicted: Any) -> list[tuple[str, Any, Any]]:
    """Return what either has dropped on each flow whose consumer did not end before it.

    How much more comes to one that has is left to the scheduler.
    """
    by_name = {f"{f.source} -> {f.target}": dict(f.dropped) for f in ran.last.flows}
    both = [(f.name, by_name[f.name], dict(f.dropped)) for f in predicted.flows]
    return [(name, a, b) for name, a, b in both if "end" not in a and "end" not in b]


@settings(max_examples=40)
@given(graphs())
def test_same_calls_in_the_same_order_and_same_drops(graph: App) -> None:
    ran, calls = by_engine(graph, lossless=True)
    predicted, predicted_calls = by_prediction(graph, lossless=True)
    assert predicted_calls == calls, outline(graph)
    assert predicted.stuck == (ran.outcome == "failed"), outline(graph)
    if ran.outcome == "done":
        assert all(a == b for _, a, b in drops(ran, predicted)), outline(graph)


@pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest"])
def test_same_messages_find_no_room(policy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holoflow.engine.stage.SLICE", 10**15)  # however busy the machine is
    graph = app(
        [node("give", Give, {"n": 20}), node("more", More, {"rate": 1.5}), node("end", Pass)],
        [flow("give", "more", queue=5, when_full=policy),
         flow("more", "end", queue=3, when_full=policy)],
    )  # fmt: skip
    ran, calls = by_engine(graph)
    predicted, predicted_calls = by_prediction(graph)
    assert predicted_calls == calls
    assert drops(ran, predicted) == [
        ("give.out -> more.x", {"full": 15}, {"full": 15}),
        ("more.out -> end.x", {"full": 4}, {"full": 4}),
    ]
