"""Cores that are shared: who is at work gets an equal part of them."""

from __future__ import annotations

from collections.abc import Sequence

from holoflow.plan.simulate.events import Act, Events


class Pool:
    """Some cores; where more are wanted, all who want one are slowed down alike."""

    def __init__(self, name: str, cores: float) -> None:
        """Hold so many `cores`."""
        self.name = name
        self.cores = cores
        self.load = 0.0
        """Cores that are wanted now."""
        self.jobs: dict[Job, None] = {}
        self.used = 0.0
        """Core seconds."""
        self._since = 0.0

    @property
    def slowness(self) -> float:
        """How many times as long a core's work takes, 1 or more."""
        return max(1.0, self.load / self.cores)

    def settle(self, now: float) -> None:
        """Count what was used until `now`."""
        self.used += min(self.load, self.cores) * (now - self._since)
        self._since = now


class Job:
    """Some seconds of work that wants `cores` of each of its pools."""

    __slots__ = ("_events", "_ticket", "at", "cores", "left", "pace", "pools", "then")

    def __init__(
        self, events: Events, seconds: float, cores: float, pools: Sequence[Pool], then: Act
    ) -> None:
        """Begin now; `then` is done at the end."""
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
        """Come to the pools, or leave them; others become slower or faster."""
        now = self._events.now
        for pool in self.pools:
            pool.settle(now)
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
        """Go on at the speed that the pools allow now."""
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
