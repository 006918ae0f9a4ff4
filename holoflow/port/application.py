"""A Holoscan application as it has composed itself: what was made of which class, and connected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from holoflow.core.ports import base, position


@dataclass(frozen=True)
class Made:
    """An operator, condition, resource or scheduler, and how it was made."""

    thing: Any
    cls: type
    args: tuple[Any, ...]
    """Positional arguments, with the fragment."""
    keywords: Mapping[str, Any]
    function: str = ""
    """The function that has made it, if `create_op` has made one of a class or a function."""


@dataclass(frozen=True)
class GraphEdge:
    """A flow between two operators of one fragment, or of two."""

    source: Any
    target: Any
    output: str
    input: str


@dataclass(frozen=True)
class PoolAddition:
    """Operators that were added to a thread pool in one call."""

    operators: tuple[Any, ...]
    pin: bool
    cores: tuple[int, ...]
    policy: Any = None
    """Its real-time policy, if any."""


@dataclass
class OperatorPool:
    """A pool of threads for some operators."""

    name: str
    size: int
    additions: list[PoolAddition] = field(default_factory=list)


@dataclass(frozen=True)
class ComposedFragment:
    """A fragment, or the whole of an application without fragments."""

    name: str
    operators: tuple[Any, ...]
    """In the order in which they were added."""
    connections: tuple[GraphEdge, ...]
    after: tuple[tuple[Any, Any], ...]
    """Execution flows, from one operator to the next; None stands for the start operator."""


@dataclass(frozen=True)
class Composed:
    """A Holoscan application that has been composed, and not been run."""

    file: Path
    name: str
    fragments: tuple[ComposedFragment, ...]
    between: tuple[tuple[Any, Any, Sequence[tuple[str, str]]], ...]
    """Flows between fragments: both, and the ports as `operator.port`."""
    distributed: bool
    config: Path | None
    scheduler: Any
    made: Mapping[int, Made]
    """How things were made, by identity."""
    sections: Mapping[int, str]
    """Sections of `config` that `from_config` has returned, by identity of what it returned."""
    dynamic: Sequence[tuple[Any, Any]] = ()
    """Operators with the functions that choose their flows."""
    pools: Sequence[OperatorPool] = ()
    services: Sequence[tuple[str, Any]] = ()
    """Fragment services by the names under which they are registered; empty without one."""
    loggers: Sequence[tuple[str, Any]] = ()
    """Data loggers, by name."""
    notes: Sequence[str] = ()
    """Calls that nothing in an app file stands for."""
    kept: Sequence[Any] = field(default_factory=tuple)
    """Keeps all things alive, so that identities stay."""


START = "<|start|>"
_EXECUTION = "__input_exec__"


def composed_fragment(name: str, graph: Any) -> ComposedFragment:
    """Return what Holoscan's own graph of a fragment says, subgraphs and ports resolved."""
    nodes = graph.get_nodes()
    operators = tuple(node for node in nodes if node.name != START)
    connections, after = [], []
    for node in nodes:
        for follower in graph.get_next_nodes(node):
            for output, inputs in graph.get_port_map(node, follower).items():
                for port in sorted(inputs, key=position):
                    if port == _EXECUTION:
                        after.append((None if node.name == START else node, follower))
                    else:
                        connections.append(GraphEdge(node, follower, output, port))
    # Flows into one port are in the order of their numbers: `receivers:0`, `receivers:1`.
    connections.sort(key=lambda flow: position(flow.input))
    return ComposedFragment(name, operators, tuple(connections), tuple(after))


def inputs_of(connections: Sequence[GraphEdge], operator: Any) -> dict[str, list[GraphEdge]]:
    """Return the flows to each input of `operator`, in order."""
    found: dict[str, list[GraphEdge]] = {}
    for connection in connections:
        if connection.target is operator:
            found.setdefault(base(connection.input), []).append(connection)
    return found
