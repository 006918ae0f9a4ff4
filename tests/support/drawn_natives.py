"""Drawn apps some of whose operators are Holoscan's own, in Python."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from holoflow.app.graph import Node
from holoflow.holoscan import runtime
from holoflow.holoscan.classes import HoloscanOperator
from support.drawn_apps import Burst, Drawn, Emit, Falter, Sift, drawn

holoscan = runtime.load()


class _One(holoscan.core.Operator):
    """One input, one output; `work` says what comes of a message."""

    def __init__(self, fragment: Any, *args: Any, **kwargs: Any) -> None:
        own = {name: kwargs.pop(name) for name in list(kwargs) if name != "name"}
        self.__dict__.update(own)
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: Any) -> None:
        spec.input("x")
        spec.output("out")

    def compute(self, op_input: Any, op_output: Any, _context: Any) -> None:
        value = op_input.receive("x")
        for result in self.work(self.metadata["holoflow.sequence"], value):
            op_output.emit(result, "out")

    def work(self, _frame: int, value: Any) -> list[Any]:
        return [value]


class HoloscanEmit(_One):
    def setup(self, spec: Any) -> None:
        spec.output("out")

    def start(self) -> None:
        self.next = 0

    def compute(self, _op_input: Any, op_output: Any, _context: Any) -> None:
        if self.next == self.n:
            self.stop_execution()
            return
        op_output.emit((self.next,), "out")
        self.next += 1


class HoloscanSift(_One):
    def work(self, frame: int, value: Any) -> list[Any]:
        return [] if frame in self.drops else [(*value, "s")]


class HoloscanBurst(_One):
    def work(self, frame: int, value: Any) -> list[Any]:
        return [(*value, j) for j in range(self.counts[frame % len(self.counts)])]


class HoloscanFalter(_One):
    def work(self, frame: int, value: Any) -> list[Any]:
        if frame in self.fails:
            raise ValueError("no good")
        return [(*value, "f")]


TWINS = {Emit: HoloscanEmit, Sift: HoloscanSift, Burst: HoloscanBurst, Falter: HoloscanFalter}


def drawn_natives(seed: int) -> Drawn:
    """Draw an app; some of its operators, at least one, are Holoscan's."""
    app = drawn(seed)
    choice = random.Random(seed)
    by_time = any(node.sync not in (None, "arrival") for node in app.graph.operators.values())
    able = [
        name
        for name, node in app.graph.operators.items()
        if node.cls in TWINS
        and not (by_time and node.cls is Emit)  # it gives frames no time
        and max(node.parameters.get("counts", [1])) <= 1  # an output has room for one message
    ]
    chosen = choice.sample(able, choice.randint(1, len(able))) if able else []
    nodes = {
        name: _twin(node) if name in chosen else node for name, node in app.graph.operators.items()
    }
    return replace(app, graph=replace(app.graph, operators=nodes))


def _twin(node: Node) -> Node:
    cls = TWINS[node.cls]
    inputs = () if node.cls is Emit else ("x",)
    given = {"n": node.parameters["n"]} if node.cls is Emit else dict(node.parameters)
    made = HoloscanOperator(cls, given, (), inputs, ("out",))
    return replace(node, cls=cls, parameters={}, holoscan_operator=made)
