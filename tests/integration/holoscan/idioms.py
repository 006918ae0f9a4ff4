"""Holoscan operators that do what those of the SDK's examples do, each in a few lines.

What an operator says is printed in a line of its own that begins with its name.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
from holoscan.core import ConditionType, IOSpec, MetadataPolicy, Operator
from holoscan.decorator import create_op


def say(name: str, *what: Any) -> None:
    """Print one line."""
    print("|", name, *what, flush=True)


class PairOp(Operator):
    """Sends the next two numbers."""

    def setup(self, spec: Any) -> None:
        self.last = 0
        spec.output("first")
        spec.output("second")

    def compute(self, _op_input: Any, op_output: Any, _context: Any) -> None:
        op_output.emit(self.last + 1, "first")
        op_output.emit(self.last + 2, "second")
        self.last += 2


class ScaleOp(Operator):
    """Multiplies both of its numbers; its factor is a parameter of Holoscan's."""

    def setup(self, spec: Any) -> None:
        spec.input("first")
        spec.input("second")
        spec.output("first_scaled")
        spec.output("second_scaled")
        spec.param("factor", 2)

    def compute(self, op_input: Any, op_output: Any, _context: Any) -> None:
        op_output.emit(op_input.receive("first") * self.factor, "first_scaled")
        op_output.emit(op_input.receive("second") * self.factor, "second_scaled")


class CountOp(Operator):
    """Sends 1, 2, 3, …, also as metadata."""

    def setup(self, spec: Any) -> None:
        self.last = 0
        spec.output("out")

    def compute(self, _op_input: Any, op_output: Any, _context: Any) -> None:
        self.last += 1
        self.metadata["number"] = self.last
        op_output.emit(self.last, "out")


class AddOp(Operator):
    """Adds to the number, and says so in the metadata."""

    def __init__(self, fragment: Any, *args: Any, amount: int = 1, **keywords: Any) -> None:
        self.amount = amount
        super().__init__(fragment, *args, **keywords)

    def setup(self, spec: Any) -> None:
        spec.input("in")
        spec.output("out")

    def compute(self, op_input: Any, op_output: Any, _context: Any) -> None:
        value = op_input.receive("in")
        self.metadata["added"] = self.amount
        op_output.emit(value + self.amount, "out")


class SayOp(Operator):
    """Says what it receives."""

    def setup(self, spec: Any) -> None:
        spec.input("in")

    def compute(self, op_input: Any, _op_output: Any, _context: Any) -> None:
        say(self.name, op_input.receive("in"))


class NotesOp(Operator):
    """Says what it receives, with the metadata of the operators before it."""

    def setup(self, spec: Any) -> None:
        spec.input("in")

    def compute(self, op_input: Any, _op_output: Any, _context: Any) -> None:
        value = op_input.receive("in")
        say(self.name, value, *(self.metadata.get(key, None) for key in ("number", "added")))


class GatherOp(Operator):
    """Says what it receives from any number of operators."""

    def setup(self, spec: Any) -> None:
        spec.input("receivers", size=IOSpec.ANY_SIZE)

    def compute(self, op_input: Any, _op_output: Any, _context: Any) -> None:
        say(self.name, op_input.receive("receivers"))


class OldGatherOp(Operator):
    """The same in the older form."""

    def __init__(self, fragment: Any, *args: Any, **keywords: Any) -> None:
        self.receivers: list[Any] = []
        super().__init__(fragment, *args, **keywords)

    def setup(self, spec: Any) -> None:
        spec.param("receivers", kind="receivers")

    def compute(self, op_input: Any, _op_output: Any, _context: Any) -> None:
        say(self.name, op_input.receive("receivers"))


class PrecedingOp(Operator):
    """Receives from all that precede it at one port, in any order; says at the end what."""

    def setup(self, spec: Any) -> None:
        self.got: list[int] = []
        spec.input("in", size=IOSpec.PRECEDING_COUNT)

    def compute(self, op_input: Any, _op_output: Any, _context: Any) -> None:
        self.got += op_input.receive("in")

    def stop(self) -> None:
        say(self.name, sorted(self.got))


class EnoughOp(Operator):
    """Is called when its inputs have three messages together, and says at the end what came."""

    def setup(self, spec: Any) -> None:
        self.got: list[int] = []
        self.metadata_policy = MetadataPolicy.UPDATE
        for port in ("left", "right"):
            spec.input(port, size=10).condition(ConditionType.NONE)
        spec.multi_port_condition(
            kind=ConditionType.MULTI_MESSAGE_AVAILABLE,
            port_names=["left", "right"],
            sampling_mode="SumOfAll",
            min_sum=3,
        )

    def compute(self, op_input: Any, _op_output: Any, _context: Any) -> None:
        for port in ("left", "right"):
            self.got += op_input.receive(port) or ()

    def stop(self) -> None:
        say(self.name, sum(self.got), len(self.got))


class StepOp(Operator):
    """Says which of its calls this is."""

    def setup(self, _spec: Any) -> None:
        self.calls = 0

    def compute(self, _op_input: Any, _op_output: Any, _context: Any) -> None:
        self.calls += 1
        say(self.name, self.calls)


def three_rounds(step: Any) -> None:
    """Let `step` be followed by `again` twice, then by `done`."""
    follow(step, "again" if step.calls < 3 else "done")


def by_parity(count: Any) -> None:
    """Send odd numbers to `odd`, even ones to `even`."""
    follow(count, "odd" if count.last % 2 else "even")


def follow(operator: Any, name: str) -> None:
    """Let the flow to the operator called `name` be followed."""
    flow = operator.find_flow_info(lambda flow: flow.next_operator.name == name)
    operator.add_dynamic_flow(flow)


class TensorsOp(Operator):
    """Sends two arrays by name."""

    def setup(self, spec: Any) -> None:
        self.calls = 0
        spec.output("out")

    def compute(self, _op_input: Any, op_output: Any, _context: Any) -> None:
        self.calls += 1
        ramp = np.arange(6, dtype=np.float32).reshape(2, 3) * self.calls
        op_output.emit({"ramp": ramp, "ones": np.ones(4, np.uint8)}, "out")


class DoubleTensorsOp(Operator):
    """Doubles every tensor."""

    def setup(self, spec: Any) -> None:
        spec.input("in")
        spec.output("out")

    def compute(self, op_input: Any, op_output: Any, _context: Any) -> None:
        tensors = op_input.receive("in")
        op_output.emit({name: np.asarray(t) * 2 for name, t in tensors.items()}, "out")


class SayTensorsOp(Operator):
    """Says the name, type and shape of every tensor, and its sum unless it has no contents."""

    def __init__(self, fragment: Any, *args: Any, sums: bool = True, **keywords: Any) -> None:
        self.sums = sums
        super().__init__(fragment, *args, **keywords)

    def setup(self, spec: Any) -> None:
        spec.input("in")

    def compute(self, op_input: Any, _op_output: Any, _context: Any) -> None:
        tensors = op_input.receive("in")
        for name in sorted(tensors):
            array = np.asarray(tensors[name])
            more = [float(array.sum())] if self.sums else []
            say(self.name, repr(name), array.dtype, array.shape, *more)


class Unit(Enum):
    """What a gauge measures."""

    METRES = "m"
    FEET = "ft"


class GaugeOp(Operator):
    """Says its arguments."""

    def __init__(
        self, fragment: Any, *args: Any, table: Path, unit: Unit, layers: list[dict[str, Any]],
        adjust: Any = None, **keywords: Any,
    ) -> None:  # fmt: skip
        self.said = (table.read_text().strip(), unit.name, layers, adjust and adjust(20))
        super().__init__(fragment, *args, **keywords)

    def compute(self, _op_input: Any, _op_output: Any, _context: Any) -> None:
        say(self.name, *self.said)


def half(number: float) -> float:
    """Return half of it."""
    return number / 2


@create_op(outputs="number")
def squares(until: int = 3) -> Any:
    """Send the squares of 0, 1, 2, …"""
    for number in range(until):
        yield number**2


@create_op(inputs="number", outputs="number")
def negative(number: int, offset: int = 0) -> int:
    """Send the negative of the number."""
    return offset - number


@create_op(inputs="number")
def say_number(number: int) -> None:
    """Say the number."""
    say("say_number", number)


@create_op(inputs="number", outputs="number")
class Total:
    """The sum of all that came, from `start` on."""

    def __init__(self, start: int = 0) -> None:
        self.total = start

    def __call__(self, number: int) -> int:
        """Add a number."""
        self.total += number
        return self.total
