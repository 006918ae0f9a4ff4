"""An operator within a stage: how it is called and what it is counted by."""

from __future__ import annotations

import inspect
import logging
import types
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Union, get_args, get_origin

from holoflow.app.graph import Node, OnError
from holoflow.errors import HoloflowError
from holoflow.flow.account import Account
from holoflow.flow.budget import BudgetAccount
from holoflow.flow.durations import Durations
from holoflow.flow.paths import Stop
from holoflow.message import Header, Stamped
from holoflow.operator import Operator
from holoflow.ports import base, class_of, position, type_name


class Host:
    """An operator of the running app."""

    def __init__(self, node: Node, operator: Operator, connected: list[str], stop: Stop) -> None:
        """Host `operator`, whose inputs named `connected` are wired."""
        self.name = node.name
        self.operator = operator
        self.ports = operator.ports()
        self.on_error: OnError = node.on_error
        self.account = Account(node.name)
        self.ages = Durations()
        """Of messages from within its stage that it failed on."""
        self.stop: Stop = stop
        """The step of paths that it is."""
        self.sink = False
        """Whether frames end here: nothing takes what it sends."""
        self.budgets: tuple[BudgetAccount, ...] = ()
        """Those that end here."""
        self.ending = False
        """Whether frames or budgets end here."""
        self.deadlines: tuple[BudgetAccount, ...] = ()
        """Those for which a late frame is not worked on here any more."""
        self.log = logging.getLogger(f"holoflow.operator.{node.name}")
        self._given = {name: _classes(port.type) for name, port in self.ports.outputs.items()}
        """Of what payloads of each output must be instances; None where a class tells nothing."""
        self._gave = "frames gave" if self.ports.source else "process returned"
        self._lists: dict[str, list[str]] = {}
        """Inputs that take several flows, and the ports of these in their order."""
        for port in sorted(connected, key=position):
            if base(port) != port:
                self._lists.setdefault(base(port), []).append(port)
        self.call = self._single_call(connected) if not self.ports.source else None
        self.plain = not (self.ports.stamped or self.ports.header or self.ports.several)
        """Takes and gives bare payloads, so that nobody need make headers for it."""

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
        """Return the keywords of `process`: payloads, and the header where it takes it."""
        if self._lists:
            single = {port: given for port, given in arguments.items() if base(port) == port}
            lists = {
                name: [arguments[port] for port in ports] for name, ports in self._lists.items()
            }
            arguments = {**single, **lists}
        if self.ports.header is None:
            return arguments
        return {**arguments, self.ports.header: header}

    def sends(self, result: Any) -> list[tuple[str, Any]]:
        """Return what `result` sends on which output; raises TypeError where it is not declared."""
        if not self.ports.several:
            self.check("out", result)
            return [("out", result)]
        if not isinstance(result, dict):
            raise TypeError(
                f"{self._gave} {type(result).__name__}, not a dict by the names of the outputs "
                f"({', '.join(self.ports.outputs)})"
            )
        sends = [(port, payload) for port, payload in result.items() if payload is not None]
        for port, payload in sends:
            self.check(port, payload)
        return sends

    def check(self, port: str, payload: Any) -> None:
        """Raise TypeError where `payload` is not what output `port` is declared to give."""
        if port not in self._given:
            known = ", ".join(self.ports.outputs) or "none"
            raise TypeError(f"{self.name!r} has no output port {port!r}; it has {known}")
        classes = self._given[port]
        if classes is not None and not isinstance(payload, classes):
            raise TypeError(
                f"output {port!r} is declared to give {type_name(self.ports.outputs[port].type)}, "
                f"but {self._gave} {type(payload).__name__}"
            )


def _classes(declared: Any) -> tuple[type, ...] | None:
    """Return the classes that the declared type allows; None where a class tells nothing."""
    if get_origin(declared) in (Union, types.UnionType):
        members = [_classes(member) for member in get_args(declared)]
        allowed = [cls for member in members if member is not None for cls in member]
        return None if None in members else tuple(allowed)
    kind = class_of(declared)
    if kind is Any or not isinstance(kind, type):
        return None
    return (float, int) if kind is float else (kind,)


def restamp(result: Stamped[Any], header: Header, begin: int) -> Header:
    """Return `header` with what `result` sets; `begin` is the time the stream began (ns)."""
    if result.timestamp is not None:
        header = replace(header, timestamp=result.timestamp)
    elif result.elapsed is not None:
        header = replace(header, timestamp=begin + result.elapsed)
    if result.metadata:
        header = replace(header, metadata={**header.metadata, **result.metadata})
    return header


def describe(error: BaseException) -> str:
    """Say what an exception says, in one line that names its type unless it is holoflow's."""
    text = " ".join(str(error).split())
    if isinstance(error, HoloflowError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
