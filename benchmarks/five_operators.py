"""A source and five pass-through operators: in holoflow, and as a Holoscan application by hand."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from holoflow import Operator, param
from holoflow.app.graph import App, Endpoint, Flow, Node, Scheduler
from holoflow.engine import RunOptions, execute
from holoflow.engine.holoscan import make_scheduler
from holoflow.holoscan import runtime
from holoflow.plan import plan

holoscan = runtime.load()
core = holoscan.core

OPERATORS = 5
SCHEDULERS = {
    "greedy": Scheduler("greedy", 1),
    "event, 1 worker": Scheduler("event", 1),
    "event, 2 workers": Scheduler("event", 2),
    "multithread, 2 workers": Scheduler("multithread", 2),
}


class CountOp(Operator):
    """Count up."""

    count: int = param(doc="frames")

    def frames(self) -> Iterator[int]:
        """Yield 1 to `count`."""
        yield from range(1, self.count + 1)


class PassOp(Operator):
    """Pass on what comes."""

    def process(self, value: Any) -> Any:
        """Return `value`."""
        return value


def chain(count: int, scheduler: Scheduler, *, source_apart: bool) -> App:
    """Return the app: a source and five pass-through operators."""
    names = [f"pass{index}" for index in range(OPERATORS)]
    nodes = {
        "count": Node("count", "", CountOp, {"count": count}, fuse=False if source_apart else None)
    }
    nodes.update((name, Node(name, "", PassOp)) for name in names)
    flows = tuple(
        Flow(Endpoint(before, "out"), Endpoint(name, "value"))
        for before, name in zip(["count", *names], names, strict=False)
    )
    return App("chain", None, nodes, flows, scheduler=scheduler)


def run_holoflow(
    count: int, scheduler: Scheduler, output: Path, *,
    tracked: bool, source_apart: bool = False, fuse: bool = True,
) -> float:  # fmt: skip
    """Return frames per second, from before Holoscan's start to after its end."""
    planned = plan(chain(count, scheduler, source_apart=source_apart), fuse=fuse)
    start = time.perf_counter()
    options = RunOptions(engine="holoscan", output=output, tracked=tracked)
    result = execute(planned, options)
    seconds = time.perf_counter() - start
    if [o.frames for o in result.last.operators] != [count] * (OPERATORS + 1):
        raise RuntimeError(f"not every frame got through: {result}")
    return count / seconds


class HandSource(core.Operator):  # type: ignore[name-defined, misc]
    """Emits a number a tick."""

    def setup(self, spec: Any) -> None:
        """Declare the output."""
        spec.output("out")

    def start(self) -> None:
        """Take the time of the first tick."""
        self.value = 0
        self.began = 0.0

    def compute(self, _op_input: Any, op_output: Any, _context: Any) -> None:
        """Emit the next number."""
        if not self.value:
            self.began = time.perf_counter()
        self.value += 1
        op_output.emit(self.value, "out")


class HandPass(core.Operator):  # type: ignore[name-defined, misc]
    """Emits what it receives."""

    def setup(self, spec: Any) -> None:
        """Declare the ports."""
        spec.input("in")
        spec.output("out")

    def compute(self, op_input: Any, op_output: Any, _context: Any) -> None:
        """Pass the number on."""
        op_output.emit(op_input.receive("in"), "out")


class HandLast(core.Operator):  # type: ignore[name-defined, misc]
    """The last one has nobody to emit to."""

    def setup(self, spec: Any) -> None:
        """Declare the input."""
        spec.input("in")

    def start(self) -> None:
        """Begin to count."""
        self.seen = 0
        self.ended = 0.0

    def compute(self, op_input: Any, _op_output: Any, _context: Any) -> None:
        """Receive and take the time."""
        op_input.receive("in")
        self.seen += 1
        self.ended = time.perf_counter()


class HandChain(core.Application):  # type: ignore[name-defined, misc]
    """The chain as a user of Holoscan writes it."""

    def __init__(self, count: int) -> None:
        """Run `count` frames."""
        self.count = count
        super().__init__()

    def compose(self) -> None:
        """Wire source and operators."""
        condition = holoscan.conditions.CountCondition(self, self.count)
        self.source = before = HandSource(self, condition, name="count")
        for index in range(OPERATORS):
            cls = HandPass if index < OPERATORS - 1 else HandLast
            operator = cls(self, name=f"pass{index}")
            self.add_flow(before, operator)
            before = operator
        self.last = before


def run_hand_written(count: int, scheduler: Scheduler, *, tracked: bool = False) -> float:
    """Return frames per second, from the source's first tick to the last one's last.

    `tracked` has Holoscan's own tracker follow them.
    """
    app = HandChain(count)
    app.scheduler(make_scheduler(app, scheduler))
    with core.Tracker(app) if tracked else nullcontext():
        app.run()
    if app.last.seen != count:
        raise RuntimeError(f"{app.last.seen} of {count} frames got through")
    seconds: float = app.last.ended - app.source.began
    return count / seconds
