"""Comparing two snapshots of a run, and percentiles of what happened in between.

Percentiles are computed from the histograms of both snapshots. This must be cheap: the page needs
hundreds of them twice a second, in the process that does the work.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from holoflow.stats.histogram import ACCURACY, Histogram
from holoflow.stats.snapshot import Snapshot

ROWS = 12
"""Rows of the heat map per doubling of the latency: 6% each."""
FLOOR = 1e-6
"""Lower edge of the lowest row in seconds; shorter times are in that row too."""


@dataclass(frozen=True)
class TimeSummary:
    """A histogram in few numbers."""

    count: int
    total: float
    """Sum of all values in seconds."""
    bins: Mapping[float, int]
    """Counts by the upper bound of their bin, in seconds, ascending."""
    max: float

    @classmethod
    def of(cls, histogram: Histogram) -> TimeSummary:
        """Summarise `histogram`."""
        bins = {upper: count for _, upper, count in histogram.bins()}
        return cls(histogram.count, histogram.total, bins, histogram.max)

    def since(self, before: TimeSummary) -> TimeSummary:
        """Return what came after `before`, or everything if counting has begun anew."""
        if before.count > self.count:
            return self
        if before.count == self.count:
            return NONE
        bins = {
            upper: rest
            for upper, count in self.bins.items()
            if (rest := count - before.bins.get(upper, 0)) > 0
        }
        return TimeSummary(
            self.count - before.count, max(self.total - before.total, 0.0), bins,
            self.max if self.max > before.max else min(max(bins, default=0.0), self.max),
        )  # fmt: skip

    @property
    def mean(self) -> float:
        """Mean in seconds; 0 if there are no values."""
        return self.total / self.count if self.count else 0.0

    def quantiles(self, shares: Sequence[float]) -> list[float | None]:
        """Return the quantile of each of the ascending `shares`, in seconds; None if empty."""
        if not self.bins:
            return [None] * len(shares)
        found: list[float | None] = []
        count = sum(self.bins.values())
        wanted = [max(math.ceil(share * count), 1) for share in shares]
        passed = 0
        for upper, count in self.bins.items():
            passed += count
            while len(found) < len(wanted) and passed >= wanted[len(found)]:
                found.append(min(upper * (1 - ACCURACY), self.max))
        return found

    def cells(self) -> list[tuple[int, int]]:
        """Return (row, count) of the non-empty rows of the heat map."""
        cells: dict[int, int] = {}
        for upper, count in self.bins.items():
            seconds = upper * (1 - ACCURACY)
            row = int(ROWS * math.log2(seconds / FLOOR)) if seconds > FLOOR else 0
            cells[row] = cells.get(row, 0) + count
        return list(cells.items())


NONE = TimeSummary(0, 0.0, {}, 0.0)
"""Nothing."""


Kind: TypeAlias = Literal["operators", "flows", "paths", "workers", "fragments"]


class Look:
    """A snapshot with its statistics by name, and summaries of the histograms that are needed."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Index `snapshot`."""
        self.snapshot = snapshot
        self.seconds = snapshot.seconds
        self._stats: dict[Kind, Mapping[Any, Any]] = {
            "operators": {stats.name: stats for stats in snapshot.operators},
            "flows": {stats.name: stats for stats in snapshot.flows},
            "paths": {stats.name: stats for stats in snapshot.paths},
            "workers": {(stats.fragment, stats.name): stats for stats in snapshot.workers},
            "fragments": {(b.name, b.host, b.pid): b for b in snapshot.fragments},
        }
        self._times: dict[tuple[Kind, Any, str], TimeSummary] = {}

    def find(self, kind: Kind, name: Any) -> Any:
        """Return the statistics with that name; None if there are none."""
        return self._stats[kind].get(name)

    def times(self, kind: Kind, name: Any, field: str) -> TimeSummary:
        """Return the histogram `field` of the statistics with that name, or an empty one."""
        key = (kind, name, field)
        if key not in self._times:
            stats = self.find(kind, name)
            if stats is None:
                return NONE
            self._times[key] = TimeSummary.of(getattr(stats, field))
        return self._times[key]


class Change:
    """What happened from one snapshot (or the beginning of the run) to a later one.

    Where counting has begun anew because a process was restarted, the whole later value is used.
    """

    def __init__(self, before: Look | None, now: Look) -> None:
        """Compare two snapshots of one run."""
        self.before = before
        self.now = now
        self.seconds = now.seconds - (before.seconds if before else 0.0)

    def times(self, kind: Kind, name: Any, field: str) -> TimeSummary:
        """Return what was added to the histogram `field`."""
        now = self.now.times(kind, name, field)
        return now.since(self.before.times(kind, name, field)) if self.before else now

    def number(self, kind: Kind, name: Any, *fields: str) -> float:
        """Return by how much a number has grown; `fields` lead to it, one within the other."""
        now = _number(self.now.find(kind, name), fields)
        before = _number(self.before.find(kind, name), fields) if self.before else 0.0
        return now - before if now >= before else now

    def share(self, kind: Kind, name: Any, *fields: str) -> float | None:
        """Return the growth of a number per second; None while there is no time between the two."""
        return self.number(kind, name, *fields) / self.seconds if self.seconds > 0 else None

    def dropped(self, kind: Literal["operators", "flows"], name: str) -> dict[str, int]:
        """Return how many messages were dropped, by cause, without causes that did not occur."""
        now = self.now.find(kind, name)
        before = self.before.find(kind, name) if self.before else None
        past = before.dropped if before is not None else {}
        grown = {cause: n - past.get(cause, 0) for cause, n in now.dropped.items()}
        return {c: n if n >= 0 else now.dropped[c] for c, n in grown.items() if n}


def _number(stats: Any, fields: tuple[str, ...]) -> float:
    for field in fields:
        if stats is None:
            return 0.0
        stats = getattr(stats, field)
    return float(stats or 0.0)
