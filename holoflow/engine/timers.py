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
        """Count from `begin` (ns), now; nobody waits yet."""
        self._begin = begin
        self._zero = time.monotonic_ns()

    def now(self) -> int:
        """Time of the run in nanoseconds; never goes back once frames flow."""
        return self._begin + time.monotonic_ns() - self._zero

    captured = now
    """Time of what is captured now."""

    def wake_at(self, due: int, wake: Callable[[], None]) -> None:
        """Call `wake` at `due`."""
        with self._changed:
            heapq.heappush(self._heap, (due, next(self._order), wake))
            self._changed.notify()

    @property
    def armed(self) -> bool:
        """Whether anybody is to be woken."""
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
                # Woken before it is taken off the heap, so that a run that waits for a timer
                # never looks as if it waited for nothing.
                wake = self._heap[0][2]
                wake()
                heapq.heappop(self._heap)

    def stop(self) -> None:
        """Wake nobody any more."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()


class SimulatedTimers:
    """Wakes by a clock that jumps to the next time anybody waits for."""

    def __init__(self, begin: int) -> None:
        """Count from `begin` (ns)."""
        self.restart(begin)
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def restart(self, begin: int) -> None:
        """Count from `begin` (ns); nobody waits yet."""
        self._now = begin
        self._ahead = begin - time.monotonic_ns()

    def now(self) -> int:
        """Time of the run in nanoseconds, by which stages take turns: as if work took no time."""
        return self._now

    def captured(self) -> int:
        """Time of what is captured now: goes on while operators work, and is never behind `now`."""
        return time.monotonic_ns() + self._ahead

    def wake_at(self, due: int, wake: Callable[[], None]) -> None:
        """Call `wake` when the clock gets to `due`."""
        heapq.heappush(self._heap, (due, next(self._order), wake))

    @property
    def armed(self) -> bool:
        """Whether anybody is to be woken."""
        return bool(self._heap)

    def jump(self) -> None:
        """Go to the next time that anybody waits for, and wake all who wait for it."""
        self._now = max(self._now, self._heap[0][0])
        self._ahead = max(self._ahead, self._now - time.monotonic_ns())
        while self._heap and self._heap[0][0] <= self._now:
            heapq.heappop(self._heap)[2]()

    def stop(self) -> None:
        """Nothing to stop."""
