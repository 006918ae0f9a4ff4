"""Durations as mergeable histograms of bounded relative error."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ddsketch.mapping import LogarithmicMapping
from ddsketch.store import DenseStore
from numpy.typing import NDArray

from holoflow.core.text import duration

ACCURACY = 0.01
"""Bound of the relative error of every percentile."""

LEAST, MOST = 1e-12, 1e12
"""Seconds that percentiles tell from 0, and that a value counts as at most: so a histogram has no
more than 2,765 bins, whoever has written it."""

_MAPPING = LogarithmicMapping(ACCURACY)
_LOG_GAMMA = math.log(_MAPPING.gamma)
_FIRST, _LAST = (math.ceil(math.log(bound) / _LOG_GAMMA) for bound in (LEAST, MOST))


@dataclass(frozen=True)
class Statistics:
    """What a histogram says; all but the count in seconds, all 0 where it is empty."""

    count: int
    mean: float
    std: float
    p50: float
    p90: float
    p95: float
    p99: float
    p99_9: float
    max: float
    tail: float
    """p95 to p100."""
    flatness: float
    """p10 to p90."""


class Histogram:
    """A DDSketch (Masson, Rim, Lee: DDSketch, VLDB 2019) of durations in seconds.

    Percentiles have a relative error of at most 1%; count, mean, standard deviation, minimum and
    maximum are exact. Merging two equals adding all values to one. Values below 0, which clocks
    of two hosts can give, count as 0, values above `MOST` as that; to percentiles those below
    `LEAST` are 0.
    """

    __slots__ = ("_store", "_zeros", "count", "m2", "max", "mean", "min")

    def __init__(self) -> None:
        """Begin with nothing."""
        self._store = DenseStore()
        self._zeros = 0
        self.count = 0
        self.mean = 0.0
        self.m2 = 0.0
        """Sum of the squares of the differences from the mean."""
        self.min = 0.0
        self.max = 0.0

    def add(self, values: NDArray[Any]) -> None:
        """Add `values`, any number of seconds."""
        if not len(values):
            return
        values = np.clip(np.asarray(values, dtype=np.float64), 0.0, MOST)
        mean = float(values.mean())
        m2 = float(np.square(values - mean).sum())
        self._add_moments(len(values), mean, m2, float(values.min()), float(values.max()))
        positive = values[values >= LEAST]
        self._zeros += len(values) - len(positive)
        if len(positive):
            # A sketch takes one value at a time; grouped by its bins, thousands cost little more.
            keys = np.ceil(np.log(positive) / _LOG_GAMMA).astype(np.int64)
            first = int(keys.min())
            counts = np.bincount(keys - first)
            filled = np.flatnonzero(counts)
            pairs = zip((filled + first).tolist(), counts[filled].tolist(), strict=True)
            self._add_bins(pairs)

    def _add_bins(self, bins: Iterable[tuple[int, int]]) -> None:
        add = self._store.add
        for key, count in bins:
            add(key, count)

    def _add_moments(self, count: int, mean: float, m2: float, least: float, most: float) -> None:
        """Join the moments of two sets (Chan, Golub, LeVeque 1979)."""
        if not self.count:
            self.count, self.mean, self.m2, self.min, self.max = count, mean, m2, least, most
            return
        total = self.count + count
        delta = mean - self.mean
        self.mean += delta * count / total
        self.m2 += m2 + delta * delta * self.count * count / total
        self.count = total
        self.min = min(self.min, least)
        self.max = max(self.max, most)

    def merge(self, other: Histogram) -> None:
        """Add all that `other` has."""
        if other.count:
            self._add_moments(other.count, other.mean, other.m2, other.min, other.max)
            self._zeros += other._zeros
            self._store.merge(other._store)

    def copy(self) -> Histogram:
        """Return another with the same values."""
        made = Histogram()
        made.merge(self)
        return made

    @property
    def total(self) -> float:
        """Sum of all values."""
        return self.mean * self.count

    @property
    def std(self) -> float:
        """Standard deviation of all values."""
        return math.sqrt(self.m2 / self.count) if self.count else 0.0

    def quantile(self, q: float) -> float:
        """Return the least value that a share `q` (0 to 1) of all does not exceed; 0 without any.

        This is the nearest rank: p99.9 of a hundred values is the greatest of them.
        """
        # 99.9 / 100 * 1000 is a little more than 999.
        rank = max(math.ceil(q * self.count * (1 - 1e-12)), 1) - 1
        if rank >= self.count - 1:
            return self.max
        found = 0.0
        if rank >= self._zeros:
            found = _MAPPING.value(self._store.key_at_rank(rank - self._zeros))
        return min(max(found, self.min), self.max)

    def statistic(self, name: str) -> float:
        """Return `mean`, `max`, `std` or a percentile such as `p99.9`, in seconds."""
        if name.startswith("p"):
            return self.quantile(float(name[1:]) / 100)
        return float({"mean": self.mean, "max": self.max, "std": self.std}[name])

    def statistics(self) -> Statistics:
        """Return all that reports show."""
        p10, p50, p90, p95, p99, p999 = map(self.quantile, (0.1, 0.5, 0.9, 0.95, 0.99, 0.999))
        return Statistics(
            self.count, self.mean, self.std, p50, p90, p95, p99, p999, self.max,
            tail=self.max - p95, flatness=p90 - p10,
        )  # fmt: skip

    def bins(self) -> Iterator[tuple[float, float, int]]:
        """Yield (above, up to, count) of every bin that holds something, in seconds, ascending."""
        if self._zeros:
            yield 0.0, 0.0, self._zeros
        for key, count in self._bins():
            yield math.exp((key - 1) * _LOG_GAMMA), math.exp(key * _LOG_GAMMA), count

    def below(self, bounds: Sequence[float]) -> list[int]:
        """Return how many values lie at or below each of the ascending `bounds`, to 1% of it."""
        counts = [0] * len(bounds)
        for _, upper, count in self.bins():
            for index, bound in enumerate(bounds):
                if min(upper, self.max) <= bound * (1 + ACCURACY):
                    counts[index] += count
        return counts

    def _bins(self) -> Iterator[tuple[int, int]]:
        offset = self._store.offset
        for index, count in enumerate(self._store.bins):
            if count:
                yield offset + index, int(count)

    def to_plain(self) -> dict[str, Any]:
        """Return all of it as JSON has it; `from_plain` gives an equal histogram."""
        return {
            "count": self.count, "mean": self.mean, "m2": self.m2, "min": self.min,
            "max": self.max, "zeros": self._zeros, "bins": [[k, n] for k, n in self._bins()],
        }  # fmt: skip

    @classmethod
    def from_plain(cls, data: Mapping[str, Any]) -> Histogram:
        """Read what `to_plain` wrote; raises ValueError for anything else."""
        made = cls()
        try:
            bins = [(int(key), int(count)) for key, count in data["bins"]]
            zeros = int(data["zeros"])
            count = int(data["count"])
            mean, m2, least, most = (float(data[name]) for name in ("mean", "m2", "min", "max"))
        except (KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"not a histogram: {error!r}") from None
        sound = (
            all(n > 0 and _FIRST <= key <= _LAST for key, n in bins)
            and zeros >= 0
            and zeros + sum(n for _, n in bins) == count < 1 << 53
            and 0 <= least <= most <= MOST
            and 0 <= mean <= MOST
            and 0 <= m2 <= count * MOST**2
        )
        if not sound:
            raise ValueError("not a histogram: its counts do not add up or are out of range")
        if count:
            made._add_moments(count, mean, m2, least, most)
            made._zeros = zeros
            made._add_bins(bins)
        return made

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Histogram) and self.to_plain() == other.to_plain()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        median = duration(self.quantile(0.5))
        return f"<Histogram of {self.count}: p50 {median}, max {duration(self.max)}>"
