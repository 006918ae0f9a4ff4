"""An operator within a stage: how it is called, and its meters."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping
from typing import Any

from holoflow.app.format import OnError
from holoflow.app.graph import Node
from holoflow.core.message import Header
from holoflow.core.operator import Operator
from holoflow.core.ports import base, position
from holoflow.engine.results import Results
from holoflow.stats.budget import BudgetMeter
from holoflow.stats.operator_stats import Durations, OperatorMeter
from holoflow.stats.spans import PathStep


class OperatorRunner:
    """An operator of the running app."""

    def __init__(
        self, node: Node, operator: Operator, connected: list[str], step: PathStep
    ) -> None:
        """Run `operator`, whose inputs named `connected` are wired; `step` is its path step."""
        self.name = node.name
        self.operator = operator
        self.ports = operator.ports()
        self.on_error: OnError = node.on_error
        self.in_flight = node.in_flight
        self.meter = OperatorMeter(node.name)
        self.ages = Durations()
        """Ages of messages from within its stage that it failed on."""
        self.step: PathStep = step
        """Its path step."""
        self.sink = False
        """Whether frames end here because nothing takes what it sends."""
        self.budgets: tuple[BudgetMeter, ...] = ()
        """Budgets that end here."""
        self.ending = False
        """Whether frames or budgets end here."""
        self.deadlines: tuple[BudgetMeter, ...] = ()
        """Budgets for which this operator drops frames that are already late."""
        self.log = logging.getLogger(f"holoflow.operator.{node.name}")
        self.results = Results(self.name, self.ports)
        self._lists: dict[str, list[str]] = {}
        """Inputs that take several flows, with the ports of these flows in order."""
        for port in sorted(connected, key=position):
            if base(port) != port:
                self._lists.setdefault(base(port), []).append(port)
        self.call = self._single_call(connected) if not self.ports.source else None
        self.plain = not (self.ports.stamped or self.ports.header or self.ports.several)
        """Whether it takes and returns bare payloads, so that no headers need to be made for it."""

    def _single_call(self, connected: list[str]) -> Callable[[Any], Any]:
        """Return `process` as a function of the payload of its only connected input."""
        process: Callable[..., Any] = self.operator.process  # type: ignore[attr-defined]
        if len(connected) != 1:
            return process
        name = connected[0]
        if base(name) != name:
            return lambda payload, **header: process(**{base(name): [payload]}, **header)
        first = next(iter(inspect.signature(process).parameters.values()))
        if first.name == name and first.kind is first.POSITIONAL_OR_KEYWORD:
            return process
        return lambda payload, **header: process(**{name: payload}, **header)

    def call_with(self, arguments: Mapping[str, Any], header: Header) -> Any:
        """Call `process` with the payloads of all inputs, by port."""
        process: Callable[..., Any] = self.operator.process  # type: ignore[attr-defined]
        return process(**self.keywords(arguments, header))

    def keywords(self, arguments: Mapping[str, Any], header: Header) -> Mapping[str, Any]:
        """Return the keyword arguments of `process`: payloads, and the header if it takes it."""
        arguments = self.inputs(arguments)
        if self.ports.header is None:
            return arguments
        return {**arguments, self.ports.header: header}

    def inputs(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the payloads of all inputs by the parameters of `process`."""
        if self._lists:
            single = {port: given for port, given in arguments.items() if base(port) == port}
            lists = {
                name: [arguments[port] for port in ports if port in arguments]
                for name, ports in self._lists.items()
            }
            return {**single, **lists}
        return arguments
