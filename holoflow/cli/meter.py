"""What the display shows of each operator, computed from snapshot to snapshot."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass

from holoflow.stats.difference import subtract
from holoflow.stats.histogram import Histogram
from holoflow.stats.snapshot import OperatorStats, Snapshot

WINDOW = 2.0
"""Seconds over which rates, utilisation and latencies are computed."""


@dataclass(frozen=True)
class Reading:
    """An operator at one moment."""

    name: str
    frames: int | None
    """Since the start; None if they are not counted."""
    rate: float | None
    """Frames per second over the last seconds."""
    utilisation: float | None
    """Share of the last seconds (0 to 1) in which it worked; None if it is not measured."""
    working: Histogram
    """Seconds of work per frame, over the last seconds."""
    latency: Histogram
    """Seconds from capture to the end of the call, over the last seconds."""
    waiting: int
    """Messages in its queues."""
    queue: int
    """Capacity of its queues in messages; 0 if all its flows are fused."""
    dropped: Mapping[str, int]
    """Messages to it that were lost, by cause, and frames lost before they became messages."""
    skipped: int


class OperatorReadings:
    """Turns snapshots into readings; keeps those of the last `WINDOW` seconds."""

    def __init__(self) -> None:
        """Make a meter without snapshots: its first readings cover the time since the start."""
        self._earlier: deque[tuple[float, Mapping[str, OperatorStats]]] = deque([(0.0, {})])

    def read(self, snapshot: Snapshot) -> list[Reading]:
        """Return a reading for every operator, in the order of the snapshot."""
        now = snapshot.seconds
        while len(self._earlier) > 1 and now - self._earlier[1][0] >= WINDOW:
            self._earlier.popleft()
        since, before = self._earlier[0]
        self._earlier.append((now, {stats.name: stats for stats in snapshot.operators}))
        waiting, queues = Counter[str](), Counter[str]()
        dropped: dict[str, Counter[str]] = {
            stats.name: Counter(stats.dropped) for stats in snapshot.operators
        }
        for flow in snapshot.flows:
            waiting[flow.consumer] += flow.waiting
            queues[flow.consumer] += flow.queue
            dropped.setdefault(flow.consumer, Counter()).update(flow.dropped)
        return [
            _reading(
                stats, before.get(stats.name), now - since, waiting=waiting[stats.name],
                queue=queues[stats.name], dropped=dropped[stats.name],
            )
            for stats in snapshot.operators
        ]  # fmt: skip


def _reading(
    now: OperatorStats, before: OperatorStats | None, span: float, *, waiting: int, queue: int,
    dropped: Mapping[str, int],
) -> Reading:  # fmt: skip
    calls, busy, working, latency = now.calls, now.busy, now.working, now.latency
    if before is not None:
        calls, busy = calls - before.calls, busy - before.busy
        working = subtract(working, before.working)
        latency = subtract(latency, before.latency)
    return Reading(
        name=now.name,
        frames=now.frames,
        rate=None if now.frames is None else calls / span if span > 0 else 0.0,
        utilisation=min(max(busy / span, 0.0), 1.0) if span > 0 and now.working.count else None,
        working=working,
        latency=latency,
        waiting=waiting,
        queue=queue,
        dropped=dropped,
        skipped=now.skipped,
    )
