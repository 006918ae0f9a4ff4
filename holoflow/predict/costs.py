"""What links cost: measured constants, and their file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from holoflow.stats.snapshot import from_plain, to_plain

LinkName: TypeAlias = Literal["shared_memory", "zeromq_local", "zeromq", "zeromq_encrypted"]
"""Kinds of links with different costs; the last two connect hosts."""


@dataclass(frozen=True)
class LinearCost:
    """Seconds per message: `base + per_byte * bytes`."""

    base: float
    per_byte: float

    def at(self, size: float) -> float:
        """Return the seconds for a message of `size` bytes."""
        return self.base + self.per_byte * size

    @staticmethod
    def through(small: tuple[float, float], large: tuple[float, float]) -> LinearCost:
        """Return the line through two points (bytes, seconds), with no coefficient below 0."""
        (x, a), (y, b) = small, large
        a, b = max(a, 0.0), max(b, 0.0)
        per_byte = max((b - a) / (y - x), 0.0)
        return LinearCost(max(a - per_byte * x, 0.0), per_byte)


@dataclass(frozen=True)
class LinkCosts:
    """What a kind of link costs per message."""

    send: LinearCost
    """In the sending stage: packing, transfer to the link, counting."""
    receive: LinearCost
    """In the receiving stage."""
    out: LinearCost
    """On a core beside the stage, in the sending process: the link's own threads."""
    into: LinearCost
    """The same in the receiving process."""
    delay: LinearCost
    """Rest of the latency of a message that nothing delays, above all for waking the receiver."""


@dataclass(frozen=True)
class Costs:
    """All constants of a prediction that do not come from the run."""

    measured: str
    """Where and when they were measured."""
    overhead: float
    """Seconds per call besides the operator's own work."""
    wake: float
    """Seconds until a sleeping stage starts work on a message from its own process."""
    background: float
    """Cores that an idle process keeps busy: polling, counting, reporting."""
    links: Mapping[LinkName, LinkCosts]


def read_costs(data: object) -> Costs:
    """Return the costs that `plain_costs` has returned.

    Raises:
        HoloflowError: `data` are not such costs.
    """
    return from_plain(Costs, data)


def plain_costs(costs: Costs) -> object:
    """Return `costs` as JSON-compatible values."""
    return to_plain(costs)


MEASURED = Costs(
    measured="a virtual machine with two cores (AMD EPYC)",
    overhead=7.63e-06,
    wake=0.000232,
    background=0.0396,
    links={
        "shared_memory": LinkCosts(
            send=LinearCost(8.12e-06, 6.28e-11),
            receive=LinearCost(1.33e-05, 3.43e-12),
            out=LinearCost(4.38e-06, 0),
            into=LinearCost(8.78e-07, 5.23e-11),
            delay=LinearCost(0.000218, 0),
        ),
        "zeromq_local": LinkCosts(
            send=LinearCost(1.22e-05, 1.25e-11),
            receive=LinearCost(1.13e-05, 1.56e-11),
            out=LinearCost(2.16e-05, 2.17e-10),
            into=LinearCost(3.23e-05, 2.21e-10),
            delay=LinearCost(0.00034, 0),
        ),
        "zeromq": LinkCosts(
            send=LinearCost(2.07e-05, 1.32e-11),
            receive=LinearCost(2.29e-05, 1.88e-11),
            out=LinearCost(5.28e-05, 2.49e-10),
            into=LinearCost(5.73e-05, 1.95e-10),
            delay=LinearCost(0.000633, 0),
        ),
        "zeromq_encrypted": LinkCosts(
            send=LinearCost(2.69e-05, 2.11e-11),
            receive=LinearCost(3.38e-05, 3.86e-11),
            out=LinearCost(7.18e-05, 8.58e-10),
            into=LinearCost(7.17e-05, 8.61e-10),
            delay=LinearCost(0.000428, 0),
        ),
    },
)
