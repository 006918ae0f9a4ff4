"""Histograms of durations that can be merged and whose relative error is bounded."""

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
"""Largest relative error of a percentile."""

LEAST, MOST = 1e-12, 1e12
"""Seconds: shorter durations count as 0 in percentiles, longer ones as `MOST`. Thus no histogram
has more than 2,765 bins, whoever wrote it."""

_MAPPING = LogarithmicMapping(ACCURACY)
_LOG_GAMMA = math.log(_MAPPING.gamma)
_FIRST, _LAST = (math.ceil(math.log(bound) / _LOG_GAMMA) for bound in (LEAST, MOST))


@dataclass(frozen=True)
class Statistics:
    """Summary of a histogram: everything but the count in seconds, everything 0 if it is empty."""

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
    """Maximum minus p95."""
    flatness: float
    """p90 minus p10."""


class Histogram:
    """A DDSketch (Masson, Rim, Lee: DDSketch, VLDB 2019) of durations in seconds.

    Percentiles have a relative error of at most 1%; count, mean, standard deviation, minimum and
    maximum are exact. Merging two histograms equals adding all values to one. Negative values,
    which the clocks of two hosts can produce, count as 0, and values above `MOST` as `MOST`. For
    percentiles, values below `LEAST` are 0.
    """

    __slots__ = ("_store", "_zeros", "count", "m2", "max", "mean", "min")

    def __init__(self) -> None:
        self._store = DenseStore()
        self._zeros = 0
        self.count = 0
        self.mean = 0.0
        self.m2 = 0.0
        """Sum of the squared differences from the mean."""
        self.min = 0.0
        self.max = 0.0

    def add(self, values: NDArray[Any]) -> None:
        """Add durations in seconds, an array of shape (n,) with any n."""
        if not len(values):
            return
        values = np.clip(np.asarray(values, dtype=np.float64), 0.0, MOST)
        mean = float(values.mean())
        m2 = float(np.square(values - mean).sum())
        self._add_moments(len(values), mean, m2, float(values.min()), float(values.max()))
        positive = values[values >= LEAST]
        self._zeros += len(values) - len(positive)
        if len(positive):
            # The sketch takes one value at a time: group them by bin, so that thousands cost
            # hardly more than one.
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
        """Combine the moments of two sets (Chan, Golub, LeVeque 1979)."""
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
        """Add all values of `other`."""
        if other.count:
            self._add_moments(other.count, other.mean, other.m2, other.min, other.max)
            self._zeros += other._zeros
            self._store.merge(other._store)

    def without(self, before: Histogram) -> Histogram:
        """Return the values that `before` does not have; all of them if it has any others.

        Count and mean are exact. Minimum and maximum are exact if they are beyond those of
        `before`; otherwise they have, like the percentiles, a relative error of at most 1%.
        """
        if not before.count:
            return self
        left = dict(self._bins())
        for key, number in before._bins():
            left[key] = left.get(key, 0) - number
        zeros, count = self._zeros - before._zeros, self.count - before.count
        if zeros < 0 or min(left.values(), default=0) < 0:
            return self
        made = Histogram()
        if not count:
            return made
        keys = sorted(key for key, number in left.items() if number)
        made._zeros = zeros
        made._add_bins((key, left[key]) for key in keys)
        mean = max((self.total - before.total) / count, 0.0)
        between = (mean - before.mean) ** 2 * before.count * count / self.count
        least = 0.0 if zeros else min(max(_MAPPING.value(keys[0]), self.min), self.max)
        most = min(max(_MAPPING.value(keys[-1]) if keys else 0.0, least), self.max)
        made._add_moments(
            count,
            mean,
            max(self.m2 - before.m2 - between, 0.0),
            self.min if self.min < before.min else least,
            self.max if self.max > before.max else most,
        )
        return made

    def copy(self) -> Histogram:
        """Return an independent histogram with the same values."""
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
        """Return the smallest value that a share `q` (0 to 1) of all values does not exceed.

        This is the nearest rank: p99.9 of a hundred values is the largest of them. Without values
        the result is 0.
        """
        # 99.9 / 100 * 1000 is slightly more than 999.
        rank = max(math.ceil(q * self.count * (1 - 1e-12)), 1) - 1
        if rank >= self.count - 1:
            return self.max
        found = 0.0
        if rank >= self._zeros:
            found = _MAPPING.value(self._store.key_at_rank(rank - self._zeros))
        return min(max(found, self.min), self.max)

    def statistic(self, name: str) -> float:
        """Return a statistic by name (`mean`, `max`, `std`, or a percentile: `p99.9`), in seconds.

        Raises:
            KeyError: There is no such statistic.
            ValueError: The percentile is not a number.
        """
        if name.startswith("p"):
            return self.quantile(float(name[1:]) / 100)
        return float({"mean": self.mean, "max": self.max, "std": self.std}[name])

    def statistics(self) -> Statistics:
        """Return the summary that reports show."""
        p10, p50, p90, p95, p99, p999 = map(self.quantile, (0.1, 0.5, 0.9, 0.95, 0.99, 0.999))
        return Statistics(
            self.count, self.mean, self.std, p50, p90, p95, p99, p999, self.max,
            tail=self.max - p95, flatness=p90 - p10,
        )  # fmt: skip

    def bins(self) -> Iterator[tuple[float, float, int]]:
        """Yield (lower bound, upper bound, count) of each non-empty bin, in seconds, ascending.

        A bin includes its upper bound but not its lower one; the first may be (0, 0, count).
        """
        if self._zeros:
            yield 0.0, 0.0, self._zeros
        for key, count in self._bins():
            yield math.exp((key - 1) * _LOG_GAMMA), math.exp(key * _LOG_GAMMA), count

    def below(self, bounds: Sequence[float]) -> list[int]:
        """Return how many values lie at or below each of the ascending `bounds` (seconds).

        A bound is accurate to 1%.
        """
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
        """Return the histogram as JSON-compatible values, from which `from_plain` restores it."""
        return {
            "count": self.count, "mean": self.mean, "m2": self.m2, "min": self.min,
            "max": self.max, "zeros": self._zeros, "bins": [[k, n] for k, n in self._bins()],
        }  # fmt: skip

    @classmethod
    def from_plain(cls, data: Mapping[str, Any]) -> Histogram:
        """Return the histogram that `to_plain` has written.

        Raises:
            ValueError: `data` is not a histogram, or its values contradict one another.
        """
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
