"""Where an app is asked for more than it does: sources held up, and messages dropped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from holoflow.flow.books import OperatorBooks
from holoflow.flow.verdict.facts import Facts
from holoflow.flow.verdict.words import share

Kind: TypeAlias = Literal["held", "free", "dropped"]

HELD = 0.05
"""Share of the time from which a source counts as held up, or as paced."""
DROPPED = 0.01
"""Share of the messages from which drops count."""


@dataclass(frozen=True)
class Demand:
    """More frames than get through."""

    kind: Kind
    """`held`: a source waits for room. `free`: a source gives as fast as its frames are taken.
    `dropped`: messages find no room."""
    at: str
    """The source, or the flow that drops."""
    share: float
    """Of the time that the source was held up, or of the messages that were dropped."""
    region: frozenset[str]
    """The operators that may be the reason."""


def demands(facts: Facts) -> list[Demand]:
    """Return what is asked for in vain; nothing where the app keeps up."""
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


def _of_source(facts: Facts, source: OperatorBooks) -> Demand | None:
    region = frozenset(facts.downstream([source.name]))
    lost = source.dropped.get("device", 0)
    dropped = share(lost, lost + source.calls)
    if dropped >= DROPPED:
        return Demand("dropped", source.name, dropped, region)
    held = facts.of_run(source.held)
    if held >= HELD:
        return Demand("held", source.name, held, region)
    # The clock of the engine inline does not wait for anybody.
    paced = 0.0 if facts.simulated else facts.of_run(source.paced)
    # Of a few frames nobody can say how fast they could have come.
    if not source.live and paced < HELD and source.calls > 2:
        return Demand("free", source.name, 1 - paced, region)
    return None
