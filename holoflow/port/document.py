"""A composed Holoscan application as the document of an app file, with notes on what is left."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from holoflow.app.writing import Keys, written
from holoflow.holoscan import signature
from holoflow.port.application import Composed, ComposedFragment, GraphEdge, Made, inputs_of
from holoflow.port.scheduling import scheduler_of
from holoflow.port.values import Names, UnportedError, Values, unique


@dataclass
class Ported:
    """An app file, and what it does not say of the application."""

    document: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    """A sentence for each thing that was not ported."""
    comments: dict[Keys, list[str]] = field(default_factory=dict)
    """The same, where they stand in the file."""

    def note(self, keys: Keys, text: str) -> None:
        """Note that something at `keys` was not ported."""
        who = f"{keys[1]}: " if len(keys) > 1 else ""
        line = " ".join(text.split())
        self.notes.append(f"{who}{line}")
        self.comments.setdefault(keys, []).append(f"not ported: {line}")

    def text(self) -> str:
        """Return the app file."""
        return written(self.document, self.comments)


def port(composed: Composed, folder: Path) -> Ported:
    """Return the app file in `folder` that says what `composed` does."""
    return _Porting(composed, folder).port()


class _Porting:
    def __init__(self, composed: Composed, folder: Path) -> None:
        self.composed = composed
        self.names = Names(composed.file, folder)
        self.values = Values(composed.made, self.names)
        self.ported = Ported({"app": unique(composed.name, {})})
        self.operators: dict[int, str] = {}
        """Names in the app of operators, by identity."""

    def port(self) -> Ported:
        composed, document = self.composed, self.ported.document
        header = f"ported from {self.composed.file.name}, an application of Holoscan's"
        self.ported.comments[()] = [header]
        for text in composed.notes:
            self.ported.note((), text)
        operators: dict[str, Any] = {}
        for fragment in composed.fragments:
            for operator in fragment.operators:
                self.operators[id(operator)] = unique(operator.name, operators)
                operators[self.operators[id(operator)]] = {}
                made = composed.made.get(id(operator))
                for item in (*made.args, *made.keywords.values()) if made else ():
                    self.values.count(item)
        for fragment in composed.fragments:
            connections = [*fragment.connections, *self._arriving(fragment)]
            for operator in fragment.operators:
                name = self.operators[id(operator)]
                operators[name] = self._operator(operator, name, connections, fragment)
        for section, found in (("services", composed.services), ("loggers", composed.loggers)):
            if entries := self._named(section, found):
                document[section] = entries
        if self.values.resources:
            document["resources"] = self.values.resources
        document["operators"] = operators
        if composed.distributed:
            document["fragments"] = {
                unique(fragment.name, {}): {
                    "operators": [self.operators[id(operator)] for operator in fragment.operators]
                }
                for fragment in composed.fragments
            }
        document["scheduler"], unsaid = scheduler_of(composed, self.operators)
        for text in unsaid:
            self.ported.note(("scheduler",), text)
        return self.ported

    def _operator(
        self, operator: Any, name: str, connections: list[GraphEdge], fragment: ComposedFragment
    ) -> dict[str, Any]:
        """Return the entry of an operator."""
        keys = ("operators", name)
        made = self.composed.made.get(id(operator))
        if made is None:
            self.ported.note(keys, "nobody has seen how it was made")
            made = Made(operator, type(operator), (), {})
        entry: dict[str, Any] = {"type": self._type(made, keys)}
        inputs = {
            port: [f"{self.operators[id(flow.source)]}.{flow.output}" for flow in flows]
            for port, flows in inputs_of(connections, operator).items()
        }
        if inputs:
            entry["inputs"] = {
                port: sources[0] if len(sources) == 1 else sources
                for port, sources in inputs.items()
            }
        entry |= self._arguments(made, keys)
        after = [
            "start_op" if before is None else self.operators[id(before)]
            for before, follower in fragment.after
            if follower is operator
        ]
        if after:
            entry["after"] = after
        for chooser, function in self.composed.dynamic:
            if chooser is operator:
                try:
                    entry["dynamic_flows"] = self.names.of(function)
                except UnportedError as error:
                    self.ported.note(keys, f"its dynamic flows: {error}")
        return entry

    def _type(self, made: Made, keys: Keys) -> str:
        """Return what `type:` says of an operator."""
        if made.function:
            return f"{self.names.file(self.composed.file)}:{made.function}"
        try:
            return self.names.of(made.cls)
        except UnportedError as error:
            self.ported.note(keys, f"its type: {error}")
            return f"{self.names.file(self.composed.file)}:{made.cls.__name__}"

    def _arguments(self, made: Made, keys: Keys) -> dict[str, Any]:
        """Return `config:`, `with:` and `conditions:` of an operator."""
        entry: dict[str, Any] = {}
        arguments: dict[str, Any] = {}
        conditions = []
        by_name = list(_bound(made))
        for name, value in by_name:
            section = self.composed.sections.get(id(value))
            try:
                if section is not None and not name and "config" not in entry:
                    entry["config"] = self._section(section)
                elif name:
                    keyword = signature.keywords_of(made.cls).get(name, signature.UNKNOWN)
                    arguments[name] = self.values.of(value, keyword)
                elif (found := self.composed.made.get(id(value))) is not None:
                    conditions.append(self.values.object(found))
                else:
                    raise UnportedError(f"a {type(value).__name__} that is given by position")
            except UnportedError as error:
                what = f"its argument {name}" if name else "an argument"
                self.ported.note(keys, f"{what}: {error}")
        if arguments:
            entry["with"] = arguments
        if conditions:
            entry["conditions"] = conditions
        return entry

    def _section(self, section: str) -> str:
        config = self.composed.config
        if config is None or "." in section:
            raise UnportedError(f"section {section!r} of a configuration that is not at its top")
        return f"{self.names.file(config)}#{section}"

    def _arriving(self, fragment: ComposedFragment) -> Iterator[GraphEdge]:
        """Yield the flows into a fragment from other ones."""
        parts = {part.name: part for part in self.composed.fragments}
        for source, target, pairs in self.composed.between:
            if target.name != fragment.name:
                continue
            for output, port in pairs:
                try:
                    sender, sent = _end(parts[source.name], output, "output")
                    taker, taken = _end(fragment, port, "input")
                except UnportedError as error:
                    self.ported.note((), f"the flow from {source.name} to {target.name}: {error}")
                    continue
                yield GraphEdge(sender, taker, sent, taken)

    def _named(self, section: str, found: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        """Return services or loggers by name."""
        entries: dict[str, Any] = {}
        for name, thing in found:
            made = self.composed.made.get(id(thing), Made(thing, type(thing), (), {}))
            key = unique(name, entries)
            try:
                if not name:
                    raise UnportedError("it is registered without a name")
                entries[key] = self.values.object(made)
            except UnportedError as error:
                self.ported.note(
                    (), f"the {section.removesuffix('s')} {made.cls.__name__}: {error}"
                )
        return entries


def _bound(made: Made) -> Iterator[tuple[str, Any]]:
    """Yield the arguments of an operator; the name is empty for what is given by position alone."""
    constructor = made.cls.__init__  # type: ignore[misc]
    names = ["fragment"]
    if inspect.isfunction(constructor) and not made.function:
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        parameters = list(inspect.signature(constructor).parameters.values())[1:]
        names = [parameter.name for parameter in parameters if parameter.kind in kinds]
    for index, value in list(enumerate(made.args))[1:]:
        name = names[index] if index < len(names) else ""
        if name != "name":
            yield name, value
    for name, value in made.keywords.items():
        if name not in ("name", "fragment"):
            yield name, value


def _end(fragment: ComposedFragment, text: str, kind: str) -> tuple[Any, str]:
    """Return the operator and the port that `operator.port` names in a fragment.

    Raises:
        UnportedError: There is no such operator, or it has several ports.
    """
    name, _, port = text.partition(".")
    found = [operator for operator in fragment.operators if operator.name == name]
    if not found:
        raise UnportedError(f"{fragment.name} has no operator {name!r}")
    (operator,) = found
    if not port:
        ports = list(operator.spec.outputs if kind == "output" else operator.spec.inputs)
        if len(ports) != 1:
            raise UnportedError(f"{name} has several {kind}s")
        (port,) = ports
    return operator, port
