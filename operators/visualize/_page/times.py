"""Percentiles of the last seconds, from two histograms of a whole run.

Cheap, as the page asks for hundreds of them twice a second in the process that does the work.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from holoflow.stats.histogram import ACCURACY, Histogram

ROWS = 12
"""Rows of the heat map for each doubling of the latency: 6% each."""
FLOOR = 1e-6
"""Seconds of the lowest row's lower edge; what is less is in that row too."""


@dataclass(frozen=True)
class Times:
    """What a histogram holds, in few numbers."""

    count: int
    total: float
    """Seconds."""
    bins: Mapping[float, int]
    """How many by the upper end of their bin, in seconds, ascending."""
    max: float

    @classmethod
    def of(cls, histogram: Histogram) -> Times:
        """Take all of `histogram`."""
        bins = {upper: count for _, upper, count in histogram.bins()}
        return cls(histogram.count, histogram.total, bins, histogram.max)

    def since(self, before: Times) -> Times:
        """Return what came after `before`; all, where the count has begun anew."""
        if before.count > self.count:
            return self
        if before.count == self.count:
            return NONE
        bins = {
            upper: rest
            for upper, count in self.bins.items()
            if (rest := count - before.bins.get(upper, 0)) > 0
        }
        return Times(
            self.count - before.count, max(self.total - before.total, 0.0), bins,
            self.max if self.max > before.max else min(max(bins, default=0.0), self.max),
        )  # fmt: skip

    @property
    def mean(self) -> float:
        """Seconds; 0 where there are none."""
        return self.total / self.count if self.count else 0.0

    def quantiles(self, shares: Sequence[float]) -> list[float | None]:
        """Return the nearest rank of each of the ascending `shares`, in seconds; None if empty."""
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
        """Return (row, count) of the rows of the heat map that hold something."""
        cells: dict[int, int] = {}
        for upper, count in self.bins.items():
            seconds = upper * (1 - ACCURACY)
            row = int(ROWS * math.log2(seconds / FLOOR)) if seconds > FLOOR else 0
            cells[row] = cells.get(row, 0) + count
        return list(cells.items())


NONE = Times(0, 0.0, {}, 0.0)
"""Nothing."""
