"""What links cost: constants that were measured, and their file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from holoflow.flow.plain import from_plain, to_plain

LinkName: TypeAlias = Literal["shared_memory", "zeromq_local", "zeromq", "zeromq_encrypted"]
"""Kinds of links that cost different things; the last two lead from host to host."""


@dataclass(frozen=True)
class Line:
    """Seconds for a message: `base + per_byte * bytes`."""

    base: float
    per_byte: float

    def at(self, size: float) -> float:
        """Return the seconds for a message of `size` bytes."""
        return self.base + self.per_byte * size

    @staticmethod
    def through(small: tuple[float, float], large: tuple[float, float]) -> Line:
        """Return the line through two points (bytes, seconds); nothing on it is below 0."""
        (x, a), (y, b) = small, large
        a, b = max(a, 0.0), max(b, 0.0)
        per_byte = max((b - a) / (y - x), 0.0)
        return Line(max(a - per_byte * x, 0.0), per_byte)


@dataclass(frozen=True)
class LinkCosts:
    """What a kind of link costs, by the size of the message."""

    send: Line
    """In the sending stage: packing, handing over, counting."""
    receive: Line
    """In the receiving stage."""
    out: Line
    """On a core beside the stage of the sending process: the link's own threads."""
    into: Line
    """The same in the receiving process."""
    delay: Line
    """What is left of the latency of a message that nothing holds up: waking, above all."""


@dataclass(frozen=True)
class Costs:
    """All constants that a prediction rests on besides the run."""

    measured: str
    """Where and when."""
    overhead: float
    """Seconds that a call takes besides the operator's own work."""
    wake: float
    """Seconds until a stage that sleeps works on a message from its own process."""
    background: float
    """Cores that a process keeps busy when nothing comes: looking, counting, reporting."""
    links: Mapping[LinkName, LinkCosts]


def read_costs(data: object) -> Costs:
    """Return what `plain_costs` wrote; raises HoloflowError for anything else."""
    return from_plain(Costs, data)


def plain_costs(costs: Costs) -> object:
    """Return `costs` as JSON has them."""
    return to_plain(costs)
