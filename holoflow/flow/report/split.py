"""Where the end-to-end time of a path goes: by operator, into working and kinds of waiting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from holoflow.flow.books import OperatorBooks, PathBooks, Snapshot, Step

Kind: TypeAlias = Literal[
    "working", "worker", "room", "turn", "partner", "other", "link", "serialising"
]
LABELS: dict[Kind, str] = {
    "working": "working",
    "worker": "waiting for a worker",
    "room": "waiting for room",
    "turn": "waiting for its turn",
    "partner": "waiting for a partner",
    "other": "waiting",
    "link": "on the link",
    "serialising": "serialising",
}
"""What each kind of time is called, from the last to the first that a message comes by."""
SHORT: dict[Kind, str] = {
    kind: "waiting" if kind == "other" else label.rpartition(" ")[2]
    for kind, label in LABELS.items()
}
"""The same in a word, for the heads of tables."""


@dataclass(frozen=True)
class Part:
    """What one operator has of a path's time, with all that comes before it; mean seconds."""

    operator: str
    port: str
    """Input port at which the path comes in; empty for the source's."""
    begin: float
    """When it begins, since the source had the frame in hand."""
    seconds: Mapping[Kind, float]
    """Seconds by kind; only what is not 0."""

    @property
    def total(self) -> float:
        """All of it."""
        return sum(self.seconds.values())


def split(path: PathBooks, snapshot: Snapshot) -> tuple[Part, ...]:
    """Return the parts of `path`, from source to sink; together they are its mean time.

    How long frames waited before a step was measured for the path itself. Why they waited was
    measured for the calls of the operator, to which the message that leads a call counts; for
    other messages of a join it follows from that: whatever they waited longer than the call
    that was complete had to, they waited for a partner.
    """
    books = {item.name: item for item in snapshot.operators}
    inputs = Counter(flow.consumer for flow in snapshot.flows)
    parts: list[Part] = []
    begin = 0.0
    taken = dict.fromkeys(LABELS, 0.0)
    for step in path.steps:
        if step.kind == "work":
            operator = books.get(step.operator)
            joins = inputs[step.operator] > 1 or (operator is not None and operator.batch > 1)
            for kind, seconds in _waiting(step, operator, joins=joins).items():
                taken[kind] += seconds
            taken["working"] += step.taking
            given = {kind: seconds for kind, seconds in taken.items() if seconds > 0}
            parts.append(Part(step.operator, step.port, begin, given))
            begin += parts[-1].total
            taken = dict.fromkeys(LABELS, 0.0)
        else:
            # What a message waits for on its way between processes is not known.
            taken["other"] += step.waiting
            taken["link" if step.kind == "link" else "serialising"] += step.taking
    return tuple(parts)


def totals(parts: tuple[Part, ...]) -> dict[Kind, float]:
    """Return the mean seconds of all parts by kind; only what is not 0."""
    found = {kind: sum(part.seconds.get(kind, 0.0) for part in parts) for kind in LABELS}
    return {kind: seconds for kind, seconds in found.items() if seconds > 0}


def _waiting(step: Step, books: OperatorBooks | None, *, joins: bool) -> dict[Kind, float]:
    """Return the waiting before a step by reason."""
    if books is None or step.waiting <= 0:
        return {"other": step.waiting}
    waiting = books.waiting
    if not step.port and waiting.total <= 0:
        # A source waits with a frame in hand until there is room for it.
        return {"room" if books.held > 0 else "other": step.waiting}
    rest = step.waiting
    reasons: dict[Kind, float] = {
        "turn": waiting.turn, "room": waiting.room, "worker": waiting.worker,
    }  # fmt: skip
    if joins and books.waits.count:
        complete = min(sum(reasons.values()) / books.waits.count, step.waiting)
        partner, rest = step.waiting - complete, complete
    else:
        partner = 0.0
        reasons["partner"] = waiting.partner
    total = sum(reasons.values())
    if total <= 0:
        found: dict[Kind, float] = {"other": rest}
    else:
        found = {kind: rest * seconds / total for kind, seconds in reasons.items()}
    found["partner"] = found.get("partner", 0.0) + partner
    return found
