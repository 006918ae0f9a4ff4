"""Operators on their way from the file to the graph."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from holoflow.app.document import Value
from holoflow.app.format import OperatorPiece
from holoflow.app.plugins import Package
from holoflow.errors import Location
from holoflow.holoscan.objects import Native
from holoflow.operator import Operator
from holoflow.ports import Ports


@dataclass(eq=False)
class Draft:
    """An operator as far as it is known; what is None has been reported as a mistake."""

    name: str
    """Its name in the app."""
    local: str
    """Its name in the file it stands in."""
    at: Location
    """Place of its name."""
    value: Value
    piece: OperatorPiece | None
    scope: Scope
    cls: type[Operator] | type | None = None
    ports: Ports | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    native: Native | None = None
    connected: dict[str, Location] = field(default_factory=dict)
    """Inputs that something is said of, and where."""
    unclear: bool = False
    """Whether a mistake hides what its inputs are connected to."""

    @property
    def is_native(self) -> bool:
        """Whether it is an operator of Holoscan's."""
        return self.cls is not None and not issubclass(self.cls, Operator)

    @property
    def top(self) -> tuple[str, Location]:
        """Name and place of what stands for it in the app file."""
        thing: Draft | Group = self
        while thing.scope.group is not None:
            thing = thing.scope.group
        return thing.local, thing.at


Port: TypeAlias = tuple[Draft, "str | None"]
"""A port of an operator; None where it could not be told which, which has been reported."""


@dataclass(eq=False)
class Group:
    """A reusable fragment, put into the app: operators under a common name."""

    name: str
    local: str
    at: Location
    value: Value
    scope: Scope
    """Where it is used."""
    path: Path | None = None
    """Its file."""
    package: Package | None = None
    """The plugin that its file belongs to, if one does."""
    members: list[Draft] = field(default_factory=list)
    inputs: dict[str, list[Port]] | None = None
    """Exported inputs; None if it could not be read, which has been reported."""
    outputs: dict[str, Port | None] | None = None


@dataclass(eq=False)
class Scope:
    """The names that operators of one file may use for one another."""

    prefix: str = ""
    group: Group | None = None
    """What it is the inside of."""
    names: dict[str, Draft | Group] = field(default_factory=dict)
