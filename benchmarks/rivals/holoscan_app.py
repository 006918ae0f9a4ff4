"""The operators of an app as a Holoscan application by hand: Python operators with ports."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from holoflow.app.graph import App, Scheduler
from holoflow.core.message import Header
from holoflow.core.operator import Operator
from holoflow.core.ports import base
from holoflow.engine.holoscan import make_scheduler
from holoflow.holoscan import runtime
from rivals.by_hand import SECOND, started, when

holoscan = runtime.load()
core = holoscan.core


class HandOperator(core.Operator):  # type: ignore[name-defined, misc]
    """Receives a (header, payload) at each port, calls, and emits."""

    def __init__(self, fragment: Any, operator: Operator, inputs: list[str], name: str) -> None:
        """Call `operator`, whose flows end at `inputs`."""
        self._operator = operator
        self._inputs = inputs
        self._ports = operator.ports()
        super().__init__(fragment, name=name.replace(".", "_"))

    def setup(self, spec: Any) -> None:
        """Declare the ports."""
        for port in self._inputs:
            spec.input(port)
        for port in self._ports.outputs:
            spec.output(port)

    def compute(self, op_input: Any, op_output: Any, _context: Any) -> None:
        """Call the operator."""
        inputs: dict[str, Any] = {}
        header = None
        for port in self._inputs:
            came, value = op_input.receive(port)
            header = header or came
            if port == base(port):
                inputs[port] = value
            else:
                inputs.setdefault(base(port), []).append(value)
        if self._ports.header is not None:
            inputs[self._ports.header] = header
        made = self._operator.process(**inputs)  # type: ignore[attr-defined]
        outputs = self._ports.outputs
        if len(outputs) == 1:
            op_output.emit((header, made), next(iter(outputs)))
        else:
            for port in outputs:
                op_output.emit((header, made[port]), port)


class HandSource(core.Operator):  # type: ignore[name-defined, misc]
    """Emits a frame a tick."""

    def __init__(self, fragment: Any, *conditions: Any, operator: Operator, name: str) -> None:
        """Draw from `operator`."""
        self._operator = operator
        (self._port,) = operator.ports().outputs
        super().__init__(fragment, *conditions, name=name.replace(".", "_"))

    def setup(self, spec: Any) -> None:
        """Declare the port."""
        spec.output(self._port)

    def start(self) -> None:
        """Begin with the first tick."""
        self._number = -1
        self._begin = 0

    def compute(self, _op_input: Any, op_output: Any, _context: Any) -> None:
        """Emit the next frame."""
        if not self._begin:
            self._begin = time.time_ns()
            self._frames = self._operator.frames()  # type: ignore[attr-defined]
        payload, captured = when(next(self._frames), self._begin)
        self._number += 1
        op_output.emit((Header(self._number, captured, self.name), payload), self._port)


class HandApp(core.Application):  # type: ignore[name-defined, misc]
    """The app as a user of Holoscan writes it."""

    def __init__(self, app: App, operators: dict[str, Operator], frames: int) -> None:
        """Run `operators` for `frames` frames."""
        self._app, self._operators, self._frames = app, operators, frames
        super().__init__()

    def compose(self) -> None:
        """Wire the operators."""
        inputs: dict[str, list[str]] = {name: [] for name in self._operators}
        for flow in self._app.flows:
            inputs[flow.target.operator].append(flow.target.port)
        made: dict[str, Any] = {}
        for name, operator in self._operators.items():
            if inputs[name]:
                made[name] = HandOperator(self, operator, inputs[name], name)
                continue
            conditions = [holoscan.conditions.CountCondition(self, self._frames)]
            if hz := getattr(operator, "hz", 0.0):
                conditions.append(
                    holoscan.conditions.PeriodicCondition(self, recess_period=round(SECOND / hz))
                )
            made[name] = HandSource(self, *conditions, operator=operator, name=name)
        for flow in self._app.flows:
            ports = {(flow.source.port, flow.target.port)}
            self.add_flow(made[flow.source.operator], made[flow.target.operator], ports)


def run(app: App, output: Path, frames: int, scheduler: Scheduler) -> None:
    """Run `app` for `frames` frames; with several workers a model's call has one thread."""
    operators = started(app, output, 1 if scheduler.workers > 1 else 0)
    application = HandApp(app, operators, frames)
    application.scheduler(make_scheduler(application, scheduler))
    application.run()
    for operator in reversed(operators.values()):
        operator.stop()
