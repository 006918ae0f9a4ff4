"""Operators of Holoscan's for tests, and nodes of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from holoflow.app.graph import Node
from holoflow.holoscan import runtime
from holoflow.holoscan.classes import HoloscanOperator

core = runtime.load().core


class Given(core.Operator):
    """Keeps its arguments as attributes, and has no ports unless they are declared."""

    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    whole = False
    """Whether it stops the whole app, not itself alone."""

    def __init__(self, fragment: Any, *args: Any, name: str, **arguments: Any) -> None:
        self.calls = 0
        self.stop_at = self.fail_at = -1
        self.fail_in = ""
        self.__dict__.update(arguments)
        super().__init__(fragment, *args, name=name)

    def setup(self, spec: Any) -> None:
        for port in self.inputs:
            spec.input(port)
        for port in self.outputs:
            spec.output(port)

    def initialize(self) -> None:
        super().initialize()
        self.fail("initialize")

    def start(self) -> None:
        self.fail("start")

    def stop(self) -> None:
        self.fail("stop")

    def fail(self, where: str) -> None:
        if self.fail_in == where:
            raise ValueError("bad")

    def ends(self) -> bool:
        """Count a call; whether it is the one at which the operator stops."""
        self.calls += 1
        if self.calls - 1 == self.fail_at:
            raise ValueError("bad")
        if self.calls - 1 == self.stop_at:
            (self.fragment if self.whole else self).stop_execution()
        return self.calls - 1 == self.stop_at


class GiveOp(Given):
    """Gives arrays, for ever."""

    outputs = ("out",)

    def compute(self, _op_input: Any, op_output: Any, _context: Any) -> None:
        if not self.ends():
            op_output.emit({"": np.full(3, self.calls - 1)}, "out")


class PassOp(Given):
    """Passes on what it gets."""

    inputs, outputs = ("in",), ("out",)

    def compute(self, op_input: Any, op_output: Any, _context: Any) -> None:
        message = op_input.receive("in")
        if not self.ends():
            op_output.emit(message, "out")


class TakeOp(Given):
    """Takes everything."""

    inputs = ("in",)

    def compute(self, op_input: Any, _op_output: Any, _context: Any) -> None:
        op_input.receive("in")
        self.ends()


def holoscan_node(name: str, cls: type, *conditions: Any, **arguments: Any) -> Node:
    """Return the node of an operator of class `cls`, one of the above."""
    given: Any = cls
    made = HoloscanOperator(cls, arguments, conditions, given.inputs, given.outputs)
    return Node(name, f"{cls.__module__}:{cls.__name__}", cls, holoscan_operator=made)
