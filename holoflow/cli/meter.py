"""What the display shows of each operator, worked out from one snapshot to the next."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass

from holoflow.engine.result import Snapshot

WINDOW = 2.0
"""Seconds over which rates are taken."""


@dataclass(frozen=True)
class Reading:
    """An operator at one moment."""

    name: str
    frames: int
    rate: float
    """Frames per second over the last seconds."""
    working: float
    """Mean seconds of work a frame."""
    latency: float
    """Mean seconds from capture to the end of the call."""
    waiting: int
    """Messages in its queues."""
    queue: int
    """Messages that may wait there; 0 where all its flows are fused."""
    dropped: Mapping[str, int]
    """Messages to it that were lost, by cause, and frames lost before they became messages."""
    skipped: int


class Meter:
    """Turns snapshots into readings; keeps those of the last `WINDOW` seconds."""

    def __init__(self) -> None:
        """Nothing has been read yet: the first rates are means since the start."""
        self._earlier: deque[tuple[float, dict[str, int]]] = deque([(0.0, {})])

    def read(self, snapshot: Snapshot) -> list[Reading]:
        """Return a reading for every operator, in the order of the snapshot."""
        now = snapshot.seconds
        while len(self._earlier) > 1 and now - self._earlier[1][0] >= WINDOW:
            self._earlier.popleft()
        since, frames = self._earlier[0]
        self._earlier.append((now, {books.name: books.frames for books in snapshot.operators}))
        span = now - since
        waiting, queues = Counter[str](), Counter[str]()
        dropped: dict[str, Counter[str]] = {
            books.name: Counter(books.dropped) for books in snapshot.operators
        }
        for flow in snapshot.flows:
            target = flow.target.rpartition(".")[0]
            waiting[target] += flow.waiting
            queues[target] += flow.queue
            dropped[target].update(flow.dropped)
        return [
            Reading(
                name=books.name,
                frames=books.frames,
                rate=(books.frames - frames.get(books.name, 0)) / span if span > 0 else 0.0,
                working=books.working / books.frames if books.frames else 0.0,
                latency=books.latency,
                waiting=waiting[books.name],
                queue=queues[books.name],
                dropped=dropped[books.name],
                skipped=books.skipped,
            )
            for books in snapshot.operators
        ]


def source_frames(snapshot: Snapshot) -> int:
    """Return the frames that all sources have sent."""
    fed = {flow.target.rpartition(".")[0] for flow in snapshot.flows}
    return sum(books.frames for books in snapshot.operators if books.name not in fed)


def total_dropped(snapshot: Snapshot) -> Counter[str]:
    """Return everything lost, by cause."""
    total = Counter[str]()
    for operator in snapshot.operators:
        total.update(operator.dropped)
    for flow in snapshot.flows:
        total.update(flow.dropped)
    return total
