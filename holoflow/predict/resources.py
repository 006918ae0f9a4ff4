"""Simulated time, samples of measured times, and shared cores."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from random import Random
from typing import TypeAlias

import numpy as np

from holoflow.stats.histogram import Histogram

Act: TypeAlias = Callable[[], None]


class Events:
    """Scheduled actions, done in the order of their times; at equal times, of their scheduling."""

    def __init__(self) -> None:
        self.now = 0.0
        """Current time in seconds."""
        self.count = 0
        """Number of actions scheduled so far."""
        self._heap: list[tuple[float, int, Act]] = []

    def after(self, seconds: float, act: Act) -> None:
        """Schedule `act` after so many seconds."""
        self.count += 1
        heapq.heappush(self._heap, (self.now + seconds, self.count, act))

    def next(self) -> bool:
        """Do the next action; return False if there is none."""
        if not self._heap:
            return False
        self.now, _, act = heapq.heappop(self._heap)
        act()
        return True


_BLOCK = 1024


class Sampler:
    """Samples of a histogram; the k-th is the same, whatever else is simulated."""

    def __init__(self, times: Histogram, seed: str, factor: float = 1.0) -> None:
        """Sample `times`, multiplied by `factor`; all samples are 0 if the histogram is empty."""
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
        # The middles of bins are off by up to 1%, but the mean is known exactly.
        self._values = values * factor * (times.mean / mean if mean > 0 else 1.0)
        self._shares = counts / counts.sum()

    def __call__(self) -> float:
        """Return the next sample in seconds."""
        if self._next >= len(self._block):
            drawn = self._random.choice(self._values, _BLOCK, p=self._shares)
            self._block, self._next = drawn.tolist(), 0
        self._next += 1
        return self._block[self._next - 1]


class Share:
    """Says how many messages each call sends, so that their mean is the measured one."""

    def __init__(self, rate: float) -> None:
        """Send `rate` messages per call on average."""
        self._rate = rate
        self._credit = 0.0

    def __call__(self) -> int:
        """Return how many messages the next call sends."""
        self._credit += self._rate
        count = int(self._credit + 1e-9)
        self._credit -= count
        return count


class Pool:
    """Some cores; if more are needed than there are, everyone is slowed down alike."""

    def __init__(self, name: str, cores: float) -> None:
        """Make a pool of `cores`, which may be a fraction."""
        self.name = name
        self.cores = cores
        self.load = 0.0
        """Cores needed now."""
        self.jobs: dict[Job, None] = {}
        self.used = 0.0
        """Core seconds used so far."""
        self._since = 0.0

    @property
    def slowness(self) -> float:
        """Factor by which work is slowed down, 1 or more."""
        return max(1.0, self.load / self.cores)

    def acknowledge(self, now: float) -> None:
        """Count what was used until `now`."""
        self.used += min(self.load, self.cores) * (now - self._since)
        self._since = now


class Job:
    """Work that takes some seconds and needs `cores` of each of its pools."""

    __slots__ = ("_events", "_ticket", "at", "cores", "left", "pace", "pools", "then")

    def __init__(
        self, events: Events, seconds: float, cores: float, pools: Sequence[Pool], then: Act
    ) -> None:
        """Start now, and call `then` at the end."""
        self._events = events
        self.left = seconds
        """Seconds of work that are left, at full speed."""
        self.cores = cores
        self.pools = pools
        self.then = then
        self.at = events.now
        self.pace = 0.0
        self._ticket = 0
        self._change(+1)

    def _change(self, sign: int) -> None:
        """Enter or leave the pools, which changes the speed of other jobs."""
        now = self._events.now
        for pool in self.pools:
            pool.acknowledge(now)
            before = pool.slowness
            pool.load = max(pool.load + sign * self.cores, 0.0)
            if sign > 0:
                pool.jobs[self] = None
            else:
                del pool.jobs[self]
            if pool.slowness != before:
                for job in pool.jobs:
                    if job is not self:
                        job.adapt()
        if sign > 0:
            self.adapt()

    def adapt(self) -> None:
        """Continue at the speed that the pools allow now."""
        now = self._events.now
        self.left = max(self.left - (now - self.at) * self.pace, 0.0)
        self.at = now
        slowness = max((pool.slowness for pool in self.pools), default=1.0)
        on_core = min(self.cores, 1.0)
        self.pace = 1.0 / (1.0 - on_core + on_core * slowness)
        self._ticket += 1
        ticket = self._ticket
        self._events.after(self.left / self.pace, lambda: self._end(ticket))

    def _end(self, ticket: int) -> None:
        if ticket == self._ticket:
            self._ticket = -1
            self._change(-1)
            self.then()
