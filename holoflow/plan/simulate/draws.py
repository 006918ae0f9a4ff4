"""Numbers drawn from what was measured; the same ones each time."""

from __future__ import annotations

from random import Random

import numpy as np

from holoflow.flow.histogram import Histogram

_BLOCK = 1024


class Draws:
    """Times as a histogram has them: the k-th is the same, whatever else is simulated."""

    def __init__(self, times: Histogram, seed: str, factor: float = 1.0) -> None:
        """Draw from `times`, each times `factor`; all 0 where it is empty."""
        self._random = np.random.default_rng(Random(seed).getrandbits(64))  # noqa: S311
        bins = [(low, high, count) for low, high, count in times.bins()]
        self._next = 0
        self._block: list[float] = []
        if not bins:
            self._values = np.zeros(1)
            self._shares = np.ones(1)
            return
        middles = np.array([(low + high) / 2 for low, high, _ in bins])
        counts = np.array([count for _, _, count in bins], float)
        values = np.clip(middles, times.min, times.max)
        mean = float((values * counts).sum() / counts.sum())
        # The middles of bins are off by up to 1%; the mean is known exactly.
        self._values = values * factor * (times.mean / mean if mean > 0 else 1.0)
        self._shares = counts / counts.sum()

    def __call__(self) -> float:
        """Return the next, in seconds."""
        if self._next >= len(self._block):
            drawn = self._random.choice(self._values, _BLOCK, p=self._shares)
            self._block, self._next = drawn.tolist(), 0
        self._next += 1
        return self._block[self._next - 1]


class Share:
    """Says how many messages each call sends, so that their mean is as measured."""

    def __init__(self, rate: float) -> None:
        """Have `rate` messages for each call."""
        self._rate = rate
        self._credit = 0.0

    def __call__(self) -> int:
        """Return how many the next call sends."""
        self._credit += self._rate
        count = int(self._credit + 1e-9)
        self._credit -= count
        return count
