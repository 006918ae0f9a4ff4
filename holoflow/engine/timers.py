"""Timers: wake a stage at a time of the run's clock."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable


class Timers:
    """Wakes by the wall clock, from a thread of its own."""

    def __init__(self, begin: int) -> None:
        """Count from `begin` (ns), now."""
        self.restart(begin)
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="timers", daemon=True)
        self._thread.start()

    def restart(self, begin: int) -> None:
        """Start again from `begin` (ns) now, with no wake-ups set."""
        self._begin = begin
        self._zero = time.monotonic_ns()

    def now(self) -> int:
        """Time of the run in nanoseconds; never goes back once frames flow."""
        return self._begin + time.monotonic_ns() - self._zero

    captured = now
    """Time of a frame that is captured now."""

    def wake_at(self, due: int, wake: Callable[[], None]) -> None:
        """Call `wake` at `due`."""
        with self._changed:
            heapq.heappush(self._heap, (due, next(self._order), wake))
            self._changed.notify()

    @property
    def armed(self) -> bool:
        """Whether any wake-up is set."""
        return bool(self._heap)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._stopped:
                    left = (self._heap[0][0] - self.now()) / 1e9 if self._heap else None
                    if left is not None and left <= 0:
                        break
                    self._changed.wait(left)
                if self._stopped:
                    return
                # Woken before it is removed from the heap, so that a run that waits for a timer
                # never looks as if it waited for nothing.
                wake = self._heap[0][2]
                wake()
                heapq.heappop(self._heap)

    def stop(self) -> None:
        """Stop the thread; nothing is woken any more."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()


class SimulatedTimers:
    """Wakes by a clock that jumps to the next time that is waited for."""

    def __init__(self, begin: int) -> None:
        """Count from `begin` (ns)."""
        self.restart(begin)
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def restart(self, begin: int) -> None:
        """Start again from `begin` (ns), with no wake-ups set."""
        self._now = begin
        self._ahead = begin - time.monotonic_ns()

    def now(self) -> int:
        """Time of the run in nanoseconds, which orders the stages as if work took no time."""
        return self._now

    def captured(self) -> int:
        """Time of a frame captured now (ns): advances while operators work, never behind `now`."""
        return time.monotonic_ns() + self._ahead

    def wake_at(self, due: int, wake: Callable[[], None]) -> None:
        """Call `wake` when the clock reaches `due`."""
        heapq.heappush(self._heap, (due, next(self._order), wake))

    @property
    def armed(self) -> bool:
        """Whether any wake-up is set."""
        return bool(self._heap)

    def jump(self) -> None:
        """Advance to the next time that is waited for, and wake everything due then."""
        self._now = max(self._now, self._heap[0][0])
        self._ahead = max(self._ahead, self._now - time.monotonic_ns())
        while self._heap and self._heap[0][0] <= self._now:
            heapq.heappop(self._heap)[2]()

    def stop(self) -> None:
        """Do nothing: there is no thread to stop."""
