"""Simulated time, and what happens when."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import TypeAlias

Act: TypeAlias = Callable[[], None]


class Events:
    """Acts in the order of their times; of one time, in the order in which they were set."""

    def __init__(self) -> None:
        """Begin at 0."""
        self.now = 0.0
        """Seconds."""
        self.count = 0
        """Acts set so far."""
        self._heap: list[tuple[float, int, Act]] = []

    def after(self, seconds: float, act: Act) -> None:
        """Have `act` done so many seconds from now."""
        self.count += 1
        heapq.heappush(self._heap, (self.now + seconds, self.count, act))

    def next(self) -> bool:
        """Do what is next; false where nothing is."""
        if not self._heap:
            return False
        self.now, _, act = heapq.heappop(self._heap)
        act()
        return True
