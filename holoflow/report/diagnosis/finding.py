"""What a diagnosis consists of: findings, and the demands that an app does not meet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from holoflow.report.diagnosis.facts import Facts
from holoflow.report.measures import share
from holoflow.stats.snapshot import OperatorStats, PathStats

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
    "stall",
]
"""What limits a run. `unknown`: no frame has come yet. `nothing`: it keeps up with its sources.
`stall`: a call does not return, a process does not report, or nothing has moved for long."""


@dataclass(frozen=True)
class Finding:
    """One thing that limits the run."""

    cause: Limit
    where: str
    """The operator, flow (`a.out -> b.image`) or fragment."""
    evidence: str
    """A sentence with the numbers: `detect works 31 ms of each 33.3 ms: utilisation 94%; …`."""
    advice: tuple[str, ...]
    """What would help, a sentence each, best first."""
    weight: float
    """How much of the rate or of the latency it accounts for, 0 to 1."""


@dataclass(frozen=True)
class Explanation:
    """What a snapshot says about a run."""

    bottleneck: Finding
    """What limits the run most. Its cause is `nothing` if the app keeps up, and `unknown` before
    anything can be judged."""
    others: tuple[Finding, ...]
    """What else matters, the heaviest first."""
    critical: PathStats | None
    """The path that determines the latency; None if no frame has reached a sink."""


Kind: TypeAlias = Literal["held", "free", "dropped"]

HELD = 0.05
"""Share of the time from which a source counts as held up, or as paced."""
DROPPED = 0.01
"""Share of dropped messages from which drops count."""


@dataclass(frozen=True)
class Demand:
    """An unmet demand: more frames than get through."""

    kind: Kind
    """`held`: a source waits for room. `free`: a source delivers as fast as its frames are taken.
    `dropped`: messages find no room."""
    at: str
    """The source, or the flow that drops."""
    share: float
    """Share of the time in which the source was held up, or of the messages that were dropped."""
    region: frozenset[str]
    """The operators that may be the reason."""


def demands(facts: Facts) -> list[Demand]:
    """Return the unmet demands; none if the app keeps up."""
    found = []
    for source in facts.snapshot.operators:
        if source.source:
            demand = _of_source(facts, source)
            if demand is not None:
                found.append(demand)
    for flow in facts.snapshot.flows:
        dropped = share(flow.dropped.get("full", 0), flow.sent)
        if dropped >= DROPPED:
            region = frozenset(facts.downstream([flow.consumer]))
            found.append(Demand("dropped", flow.name, dropped, region))
    return found


def _of_source(facts: Facts, source: OperatorStats) -> Demand | None:
    region = frozenset(facts.downstream([source.name]))
    lost = source.dropped.get("device", 0)
    dropped = share(lost, lost + source.calls)
    if dropped >= DROPPED:
        return Demand("dropped", source.name, dropped, region)
    held = facts.of_run(source.held)
    if held >= HELD:
        return Demand("held", source.name, held, region)
    # The clock of the inline engine waits for nobody.
    paced = 0.0 if facts.simulated else facts.of_run(source.paced)
    # A few frames do not show how fast they could have come.
    if not source.live and paced < HELD and source.calls > 2:
        return Demand("free", source.name, 1 - paced, region)
    return None
