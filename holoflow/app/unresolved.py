"""Operators on their way from the file to the graph, and their exclusive resources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any, TypeAlias

from holoflow.app.document import Value
from holoflow.app.format import OperatorSchema
from holoflow.app.graph import Fragment, Node
from holoflow.app.mistakes import Report, short
from holoflow.app.plugins import Package
from holoflow.core.errors import Location
from holoflow.core.operator import Operator
from holoflow.core.ports import Ports
from holoflow.holoscan.classes import HoloscanOperator


@dataclass(eq=False)
class UnresolvedOperator:
    """An operator as far as it is known; where a field is None, a mistake has been reported."""

    name: str
    """Its name in the app."""
    local: str
    """Its name in its own file."""
    at: Location
    """Place of its name."""
    value: Value
    entry: OperatorSchema | None
    scope: Scope
    cls: type[Operator] | type | None = None
    ports: Ports | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    holoscan_operator: HoloscanOperator | None = None
    connected: dict[str, Location] = field(default_factory=dict)
    """Inputs that are connected, and where."""
    back_edges: set[str] = field(default_factory=set)
    """Inputs among them at which a cycle is closed."""
    after: tuple[str, ...] = ()
    """Names in the app of the operators that it is called after."""
    unclear: bool = False
    """Whether a mistake hides what its inputs are connected to."""

    @property
    def is_holoscan(self) -> bool:
        """Whether it is a Holoscan operator."""
        return self.cls is not None and not issubclass(self.cls, Operator)

    @property
    def top(self) -> tuple[str, Location]:
        """Name and place of its entry, or that of the outermost template, in the app file."""
        thing: UnresolvedOperator | TemplateUse = self
        while thing.scope.group is not None:
            thing = thing.scope.group
        return thing.local, thing.at


UnresolvedPort: TypeAlias = tuple[UnresolvedOperator, "str | None"]
"""A port of an operator; its name is None if it is not known, which has been reported."""


@dataclass(eq=False)
class TemplateUse:
    """A fragment template used in the app: operators under a common name."""

    name: str
    local: str
    at: Location
    value: Value
    scope: Scope
    """Where it is used."""
    path: Path | None = None
    """Its file."""
    package: Package | None = None
    """The plugin that its file belongs to, if any."""
    members: list[UnresolvedOperator] = field(default_factory=list)
    inputs: dict[str, list[UnresolvedPort]] | None = None
    """Exported inputs; None if it could not be read, which has been reported."""
    outputs: dict[str, UnresolvedPort | None] | None = None


@dataclass(eq=False)
class Scope:
    """The names by which the operators of one file refer to one another."""

    prefix: str = ""
    group: TemplateUse | None = None
    """The used template that it is the inside of; None for the app."""
    names: dict[str, UnresolvedOperator | TemplateUse] = field(default_factory=dict)


@dataclass(frozen=True)
class Conflict:
    """Two fragments or operators that cannot be on the same host."""

    name: str
    """Name of the second of them."""
    wrong: str
    right: str


def check_claims(
    unresolved_operators: Sequence[UnresolvedOperator],
    nodes: Mapping[str, Node | None],
    fragments: Mapping[str, Fragment],
    report: Report,
) -> None:
    """Report conflicts on each of the hosts that the app names."""
    places = {unresolved.name: unresolved.top[1] for unresolved in unresolved_operators}
    places.update({name: f.location for name, f in fragments.items() if f.location is not None})
    made = {name: node for name, node in nodes.items() if node is not None}
    hosts: dict[str | None, list[Fragment]] = {}
    for fragment in fragments.values():
        hosts.setdefault(fragment.host, []).append(fragment)
    for together in hosts.values():
        operators = [made[name] for f in together for name in f.operators if name in made]
        for conflict in (*conflicts(together, operators), *_ports(together)):
            report.add(places[conflict.name], conflict.wrong, conflict.right)
    if not fragments:
        for conflict in conflicts((), tuple(made.values())):
            report.add(places[conflict.name], conflict.wrong, conflict.right)


def conflicts(fragments: Sequence[Fragment], operators: Sequence[Node]) -> Iterator[Conflict]:
    """Yield the conflicts of having `fragments` and `operators` on one host."""
    for one, other in combinations(fragments, 2):
        if not (one.exclusive or other.exclusive):
            continue
        shared = sorted(set(one.cores) & set(other.cores))
        things = [f"core {number}" for number in shared[:1]]
        if one.gpu is not None and one.gpu == other.gpu:
            things.append(f"GPU {one.gpu}")
        alone = one if one.exclusive else other
        for thing in things:
            wrong = f"fragments {short(one.name)} and {short(other.name)} both have {thing}, "
            wrong += f"which is for {short(alone.name)} alone"
            yield Conflict(other.name, wrong, "give one of them another, or remove exclusive")
    owners: dict[str, str] = {}
    for node in operators:
        for claim in claims(node):
            owner = owners.setdefault(claim, node.name)
            if owner != node.name:
                wrong = f"operators {short(owner)} and {short(node.name)} both need {claim}"
                yield Conflict(node.name, wrong, "only one can have it; give one of them another")


def claims(node: Node) -> tuple[str, ...]:
    """Return the exclusive resources of an operator; none if it cannot be constructed."""
    if not issubclass(node.cls, Operator) or node.cls.claims is Operator.claims:
        return ()
    try:
        return tuple(node.cls.from_app(node.parameters).claims())
    except Exception:  # wrong parameters have been reported; user code may raise anything else
        return ()


def _ports(fragments: Sequence[Fragment]) -> Iterator[Conflict]:
    """Yield fragments that would listen on the same port."""
    owners: dict[int, str] = {}
    for fragment in fragments:
        if fragment.port is not None:
            owner = owners.setdefault(fragment.port, fragment.name)
            if owner != fragment.name:
                names = f"fragments {short(owner)} and {short(fragment.name)}"
                wrong = f"{names} are on one host and both have port {fragment.port}"
                yield Conflict(fragment.name, wrong, "give one of them another")
