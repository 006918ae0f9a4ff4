"""Rates, utilisation, depths, drops and parts of latency, computed from a snapshot.

What was not measured is None, except in `finite` and `share`, which the diagnosis uses.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from holoflow.core import text
from holoflow.stats.histogram import Histogram
from holoflow.stats.snapshot import FlowStats, OperatorStats, PathStats, Snapshot, Step, WorkerStats
from holoflow.stats.standing import lasting

FEW = 10
"""Frames of an operator below which no rate is given."""
SHORT = 0.9
"""Share of the requested rate from which it counts as reached."""


def finite(value: float | None) -> float:
    """Return `value`, or 0 if it is missing, negative or not a number."""
    return value if value is not None and math.isfinite(value) and value > 0 else 0.0


def share(part: float | None, whole: float | None) -> float:
    """Return `part` as a share of `whole`, 0 to 1; 0 if that makes no sense."""
    part, whole = finite(part), finite(whole)
    return min(finite(part / whole), 1.0) if whole else 0.0


def seconds_of(snapshot: Snapshot, fragment: str) -> float:
    """Return for how many seconds `fragment` has run; if unknown, for how many the run has."""
    return max((b.seconds for b in snapshot.fragments if b.name == fragment), default=0.0) or (
        snapshot.seconds
    )


def _share(part: float | None, whole: float) -> float | None:
    return part / whole if part is not None and whole > 0 else None


def rate_in(snapshot: Snapshot, stats: OperatorStats) -> float | None:
    """Return the calls of an operator per second; for a source, the frames that it sent."""
    return _share(stats.frames, seconds_of(snapshot, stats.fragment))


def rate_out(snapshot: Snapshot, stats: OperatorStats) -> float | None:
    """Return the messages per second that an operator sent."""
    return _share(stats.sent, seconds_of(snapshot, stats.fragment))


def asked(stats: OperatorStats) -> float | None:
    """Return the frames per second that were requested of a source; None for any other."""
    return _share(stats.frames, stats.own_time)


def falls_short(stats: OperatorStats) -> bool:
    """Whether a source delivered noticeably fewer frames than requested."""
    return stats.calls >= FEW and stats.own_time < SHORT * stats.given_time


def utilisation(snapshot: Snapshot, stats: OperatorStats | WorkerStats) -> float | None:
    """Return the share of the time in which an operator or a worker was working, 0 to 1.

    A call counts when it ends, or once it lasts (`in_progress`); so a long call can take more than
    the time of a short snapshot.
    """
    going = (
        0.0 if isinstance(stats, WorkerStats) else in_progress(snapshot, stats, snapshot.seconds)
    )
    measured = going or isinstance(stats, WorkerStats) or timed(stats)
    seconds = seconds_of(snapshot, stats.fragment)
    used = _share(stats.busy + going, seconds) if measured else None
    return None if used is None else min(used, 1.0)


def in_progress(snapshot: Snapshot, stats: OperatorStats, most: float) -> float:
    """Return how many of the last `most` seconds a call of an operator that lasts has taken."""
    calls = (b.call_for for b in snapshot.fragments if b.call == stats.name and lasting(b))
    return min(max(calls, default=0.0), most)


def timed(stats: OperatorStats) -> bool:
    """Whether the durations of an operator's calls are known."""
    return bool(stats.working.count or stats.busy)


def mean_depth(snapshot: Snapshot, stats: FlowStats) -> float | None:
    """Return how many messages waited in a flow's queue on average, by Little's law."""
    return _share(stats.waits.total, snapshot.seconds) if stats.waits.count else None


def share_lost(stats: FlowStats) -> float | None:
    """Return the share of a flow's messages that was dropped, 0 to 1."""
    return _share(stats.lost, stats.sent)


def sources(snapshot: Snapshot) -> list[OperatorStats]:
    """Return the operators without input flows, whether their frames are counted or not."""
    return [stats for stats in snapshot.operators if stats.source]


def source_frames(snapshot: Snapshot) -> int | None:
    """Return the frames that all sources have sent; None if none of them are counted."""
    counts = [stats.frames for stats in sources(snapshot)]
    counted = [count for count in counts if count is not None]
    return sum(counted) if counted or not counts else None


def source_rate(snapshot: Snapshot) -> float | None:
    """Return the frames per second of all sources; None if none of them are counted."""
    rates = [rate_in(snapshot, stats) for stats in sources(snapshot)]
    counted = [rate for rate in rates if rate is not None]
    return sum(counted) if counted or not rates else None


def total_dropped(snapshot: Snapshot) -> Counter[str]:
    """Return the number of frames and messages dropped, by cause."""
    total = Counter[str]()
    stats: Iterable[OperatorStats | FlowStats] = (*snapshot.operators, *snapshot.flows)
    for item in stats:
        total.update({cause: count for cause, count in item.dropped.items() if count})
    return total


def statistic(times: Histogram, name: str) -> str:
    """Format a statistic of `times`, such as `p99`, in milliseconds.

    The result is `NOT_MEASURED` if there are no times, or no such statistic.
    """
    try:
        return text.milliseconds(times.statistic(name) if times.count else None)
    except (KeyError, ValueError):
        return text.NOT_MEASURED


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
"""Names of the kinds of time, in the reverse of the order in which a message spends them."""
SHORT_LABELS: dict[Kind, str] = {
    kind: "waiting" if kind == "other" else label.rpartition(" ")[2]
    for kind, label in LABELS.items()
}
"""The same as one word, for headings of tables."""


@dataclass(frozen=True)
class Part:
    """One operator's part of a path's time, with everything before it; mean seconds."""

    operator: str
    port: str
    """Input port of the path; empty for the source."""
    begin: float
    """When it begins, in seconds since the source had the frame."""
    seconds: Mapping[Kind, float]
    """Seconds by kind, without those that are 0."""

    @property
    def total(self) -> float:
        """The sum of all kinds in seconds."""
        return sum(self.seconds.values())


def split(path: PathStats, snapshot: Snapshot) -> tuple[Part, ...]:
    """Return the parts of `path`, from source to sink; their sum is its mean time.

    How long frames waited before a step was measured for the path itself. Why they waited was
    measured for the calls of the operator, for the leading message of each. For the other messages
    of a join it follows: whatever they waited longer than the complete call had to, they waited
    for a partner.
    """
    stats = {item.name: item for item in snapshot.operators}
    inputs = Counter(flow.consumer for flow in snapshot.flows)
    parts: list[Part] = []
    begin = 0.0
    taken = dict.fromkeys(LABELS, 0.0)
    for step in path.steps:
        if step.kind == "work":
            operator = stats.get(step.operator)
            joins = inputs[step.operator] > 1 or (operator is not None and operator.batch > 1)
            for kind, seconds in _waiting(step, operator, joins=joins).items():
                taken[kind] += seconds
            taken["working"] += step.taking
            given = {kind: seconds for kind, seconds in taken.items() if seconds > 0}
            parts.append(Part(step.operator, step.port, begin, given))
            begin += parts[-1].total
            taken = dict.fromkeys(LABELS, 0.0)
        else:
            # The reason for waiting between processes is unknown.
            taken["other"] += step.waiting
            taken["link" if step.kind == "link" else "serialising"] += step.taking
    return tuple(parts)


def totals(parts: tuple[Part, ...]) -> dict[Kind, float]:
    """Return the mean seconds of all parts by kind, without those that are 0."""
    found = {kind: sum(part.seconds.get(kind, 0.0) for part in parts) for kind in LABELS}
    return {kind: seconds for kind, seconds in found.items() if seconds > 0}


def _waiting(step: Step, stats: OperatorStats | None, *, joins: bool) -> dict[Kind, float]:
    """Return the waiting before a step, in seconds by reason."""
    if stats is None or step.waiting <= 0:
        return {"other": step.waiting}
    waiting = stats.waiting
    if not step.port and waiting.total <= 0:
        # A source waits with a finished frame until there is room for it.
        return {"room" if stats.held > 0 else "other": step.waiting}
    rest = step.waiting
    reasons: dict[Kind, float] = {
        "turn": waiting.turn, "room": waiting.room, "worker": waiting.worker,
    }  # fmt: skip
    if joins and stats.waits.count:
        complete = min(sum(reasons.values()) / stats.waits.count, step.waiting)
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
