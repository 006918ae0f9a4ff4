"""Bins of histograms, joined to as many as a picture shows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from holoflow.flow.histogram import Histogram


class Bin(NamedTuple):
    """Values above `low`, up to `high` seconds."""

    low: float
    high: float
    values: int


class Grid:
    """Bins of equal ratio that hold all values of some histograms.

    Histograms have bins of one fixed ratio. So that no bin here holds one of theirs more than
    its neighbours, each holds the same number of them.
    """

    def __init__(self, histograms: Iterable[Histogram], most: int) -> None:
        """Make a grid of at most about `most` bins."""
        bounds = [(low, high) for times in histograms for low, high, _ in times.bins() if low > 0]
        self.empty = not bounds
        first = bounds[0] if bounds else (1e-3, 1.02e-3)
        self._log = math.log(first[1] / first[0])
        keys = [self._key(high) for _, high in bounds] or [self._key(first[1])]
        self._least = min(keys)
        self._step = max(1, math.ceil((max(keys) - self._least + 1) / most))
        self.size = (max(keys) - self._least) // self._step + 1

    def _key(self, high: float) -> int:
        return round(math.log(high) / self._log)

    @property
    def low(self) -> float:
        """Lower end of the first bin."""
        return self._bound(0)

    @property
    def high(self) -> float:
        """Upper end of the last bin."""
        return self._bound(self.size)

    def _bound(self, index: int) -> float:
        return math.exp((self._least - 1 + index * self._step) * self._log)

    def bins(self, times: Histogram) -> list[Bin]:
        """Return the bins that hold something, ascending; values of 0 are in the first."""
        counts = Counter[int]()
        for low, high, count in times.bins():
            index = (self._key(high) - self._least) // self._step if low > 0 else 0
            counts[min(max(index, 0), self.size - 1)] += count
        return [
            Bin(self._bound(index), self._bound(index + 1), count)
            for index, count in sorted(counts.items())
        ]
