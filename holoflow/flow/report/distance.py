"""How far apart two distributions of times are, and whether that is more than chance."""

from __future__ import annotations

import math
from collections.abc import Sequence

from holoflow.flow.histogram import Histogram

ALIKE = 5
"""Frames that count as one: those that follow one another have much in common."""
FEWEST = 30
"""Values that both must have."""
SAMPLES = 5
"""Samples of a rate that both must have."""
_CHANCE = 1.949
"""Of the Kolmogorov-Smirnov distance times √(n·m/(n+m)): exceeded by chance once in 1,000."""
_SIGMA = 3.29
"""The same of a standard normal variable, two-sided."""


def distance(one: Histogram, other: Histogram) -> float:
    """Return the largest difference (0 to 1) between the shares that lie below any value.

    It is the Kolmogorov-Smirnov distance over the bins of the histograms; 0 where one is empty.
    """
    if not (one.count and other.count):
        return 0.0
    steps: dict[float, float] = {}
    for times, sign in ((one, 1.0), (other, -1.0)):
        for _, upper, count in times.bins():
            # ends of bins are computed from their numbers, and so equal in both
            steps[upper] = steps.get(upper, 0.0) + sign * count / times.count
    most = below = 0.0
    for upper in sorted(steps):
        below += steps[upper]
        most = max(most, abs(below))
    return most


def differ(one: Histogram, other: Histogram) -> bool:
    """Whether two distributions are further apart than chance puts them once in 1,000 times."""
    n, m = one.count, other.count
    if min(n, m) < FEWEST:
        return False
    return distance(one, other) > _CHANCE * math.sqrt(ALIKE * (n + m) / (n * m))


def tails_differ(one: Histogram, other: Histogram, share: float) -> bool:
    """Whether `other` has more or fewer values than chance beyond that quantile of `one`.

    Of both, at least ten values have to be expected there.
    """
    n, m = one.count, other.count
    if min(n, m) * (1 - share) < 10:
        return False
    bound = one.quantile(share)
    beyond = [times.count - times.below([bound])[0] for times in (one, other)]
    return shares_differ(beyond[0], n, beyond[1], m)


def shares_differ(k: int, n: int, j: int, m: int) -> bool:
    """Whether k of n and j of m differ more than chance: the test of two proportions."""
    if min(n, m) < FEWEST:
        return False
    both = (k + j) / (n + m)
    if not 0 < both < 1:
        return False
    return abs(k / n - j / m) > _SIGMA * math.sqrt(both * (1 - both) * ALIKE * (1 / n + 1 / m))


def means_differ(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether the means of two sets of samples differ more than the samples among themselves."""
    if min(len(one), len(other)) < SAMPLES:
        return False
    mean, error = _mean_and_error(one)
    other_mean, other_error = _mean_and_error(other)
    return abs(mean - other_mean) > _SIGMA * math.sqrt(error + other_error)


def _mean_and_error(samples: Sequence[float]) -> tuple[float, float]:
    """Return the mean and the square of its standard error."""
    n = len(samples)
    mean = sum(samples) / n
    return mean, sum((value - mean) ** 2 for value in samples) / (n - 1) / n
