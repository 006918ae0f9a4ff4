"""What an explanation consists of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from holoflow.flow.books import PathBooks

Limit: TypeAlias = Literal[
    "unknown",
    "nothing",
    "slow operator",
    "slow source",
    "full queue",
    "late partner",
    "link",
    "serialising",
    "interpreter lock",
    "too few workers",
    "crowded machine",
    "scheduling",
    "standstill",
]
"""What holds a run back. `unknown`: no frame has come yet. `nothing`: it keeps up with its
sources. `standstill`: nothing has moved for long."""


@dataclass(frozen=True)
class Finding:
    """One thing that holds the run back."""

    cause: Limit
    where: str
    """The operator, flow (`a.out -> b.image`) or fragment."""
    evidence: str
    """A sentence with the numbers: `detect works 31 ms of each 33 ms: utilisation 94%; …`."""
    advice: tuple[str, ...]
    """What would help, a sentence each, the best first."""
    weight: float
    """How much of the rate or of the latency it accounts for, 0 to 1."""


@dataclass(frozen=True)
class Explanation:
    """What a snapshot tells about a run."""

    bottleneck: Finding
    """What limits the run most; its cause is `nothing` where it keeps up, `unknown` before
    there is anything to judge."""
    others: tuple[Finding, ...]
    """What else matters, the heaviest first."""
    critical: PathBooks | None
    """The path that sets the latency; None where no frame has got to a sink."""
