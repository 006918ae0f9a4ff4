"""What comes of a simulation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

ResourceKind: TypeAlias = Literal["stage", "workers", "cores", "link", "network"]


@dataclass(frozen=True)
class Resource:
    """Something that can be fully used."""

    kind: ResourceKind
    name: str
    used: float
    """Share of the time or, of cores, of all of them: 0 to 1."""


@dataclass(frozen=True)
class FlowOutcome:
    """What became of the messages of a flow; sent = delivered + dropped + waiting."""

    name: str
    sent: int
    delivered: int
    dropped: Mapping[str, int]
    waiting: int


@dataclass(frozen=True)
class PathOutcome:
    """Frames that went one way from a source to a sink."""

    operators: tuple[str, ...]
    frames: int
    mean: float
    """Seconds from capture to the end of the last call, as all that follow."""
    p50: float
    p99: float

    @property
    def name(self) -> str:
        """`camera → detect → screen`."""
        return " → ".join(self.operators)


@dataclass(frozen=True)
class Outcome:
    """A simulated run, without its beginning and its end."""

    seconds: float
    """Simulated."""
    rates: Mapping[str, float]
    """Calls a second by operator; of a source, frames."""
    paths: tuple[PathOutcome, ...]
    """The slowest first."""
    flows: tuple[FlowOutcome, ...]
    """Of the whole run, to its end."""
    resources: tuple[Resource, ...]
    """The most used first."""
    lost: Mapping[str, int]
    """Frames that devices of live sources lost."""
    stuck: bool = False
    """Nothing could go on any more, while sources still had frames."""
