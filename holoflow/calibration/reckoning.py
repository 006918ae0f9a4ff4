"""From the books of the small apps to what links cost; pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from holoflow.flow.books import Snapshot
from holoflow.plan.simulate.costs import Costs, Line, LinkCosts, LinkName

UNDISTURBED: Final = 0.1
"""Quantile of a latency that is taken: other programs of the machine disturb the rest."""


@dataclass(frozen=True)
class Trial:
    """Two runs with messages of one size."""

    size: int
    """Bytes."""
    full: Snapshot
    """As fast as it went."""
    calm: Snapshot
    """At a pace at which nothing waits."""


@dataclass(frozen=True)
class Point:
    """Seconds for a message of one size."""

    size: int
    send: float
    receive: float
    out: float
    into: float
    latency: float


def reckon(alone: Trial, trials: Mapping[LinkName, Sequence[Trial]], measured: str) -> Costs:
    """Return the costs.

    `alone` has both operators in one process; of each link there are two trials, with small
    messages and with large ones. `measured` says where and when.
    """
    (process,) = alone.full.fragments
    calls = sum(books.calls for books in alone.full.operators)
    overhead = stage_cpu(alone.full, process.name) / max(calls, 1)
    idle = min(
        background(small.calm, fragment.name)
        for small, _ in trials.values()
        for fragment in small.calm.fragments
    )
    wake = alone.calm.operator("receive").waits.quantile(UNDISTURBED)
    return Costs(
        measured=measured,
        overhead=overhead,
        wake=wake,
        background=idle,
        links={
            name: link_costs(
                *(point(trial, overhead, idle) for trial in both), known=wake + overhead
            )
            for name, both in trials.items()
        },
    )


def stage_cpu(snapshot: Snapshot, fragment: str) -> float:
    """Return the CPU seconds of the stages of `fragment`, besides the operators' own."""
    own = [books for books in snapshot.operators if books.fragment in fragment.split("+")]
    busy = sum(books.busy for books in own)
    share = sum((1.0 if b.cpu is None else b.cpu) * b.busy for b in own) / busy if busy else 1.0
    return max(_ticks(snapshot, fragment) * share - busy * share, 0.0)


def background(snapshot: Snapshot, fragment: str) -> float:
    """Return the cores that the process of `fragment` kept busy besides its stages."""
    (process,) = [books for books in snapshot.fragments if books.name == fragment]
    return max(process.machine.cpu - _ticks(snapshot, fragment), 0.0) / process.seconds


def _ticks(snapshot: Snapshot, fragment: str) -> float:
    """Return the seconds in which workers of `fragment` were at work."""
    return sum(books.busy for books in snapshot.workers if books.fragment == fragment)


def point(trial: Trial, overhead: float, idle: float) -> Point:
    """Return what a message of this size took."""
    count = max(trial.full.operator("receive").calls, 1)

    def stage(fragment: str) -> float:
        return max(stage_cpu(trial.full, fragment) / count - overhead, 0.0)

    def beside(fragment: str) -> float:
        (process,) = [books for books in trial.full.fragments if books.name == fragment]
        return max(background(trial.full, fragment) - idle, 0.0) * process.seconds / count

    (path,) = trial.calm.paths
    return Point(
        size=trial.size,
        send=stage("sending"),
        receive=stage("receiving"),
        out=beside("sending"),
        into=beside("receiving"),
        latency=path.end_to_end.quantile(UNDISTURBED) - path.working.quantile(UNDISTURBED),
    )


def link_costs(small: Point, large: Point, *, known: float) -> LinkCosts:
    """Return the costs for messages of any size.

    `known` are the seconds of their latency that come with every stage, linked or not.
    """

    def line(name: str) -> Line:
        return Line.through((small.size, getattr(small, name)), (large.size, getattr(large, name)))

    parts = {name: line(name) for name in ("send", "receive", "out", "into")}
    rests = [
        (end.size, end.latency - known - sum(part.at(end.size) for part in parts.values()))
        for end in (small, large)
    ]
    return LinkCosts(**parts, delay=Line.through(rests[0], rests[1]))
