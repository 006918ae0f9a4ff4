"""Sleeping and being woken, by whichever thread, without a wake-up that is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable

from holoflow.link.ends import Notifier


class Sleeper:
    """What is scheduled while it has something to do, and sleeps until it is woken else."""

    def __init__(self) -> None:
        """Make it awake."""
        self.schedule: Callable[[], None] | None = None
        """Schedules it again when it sleeps; set by the engine."""
        self.park: Callable[[], None] | None = None
        """Stops scheduling it until `schedule` is called; set by the engine."""
        self.signalled = True
        """Whether it has been woken since it last began to look for work."""
        self.sleeping = False
        self.notifier: Notifier | None = None
        """What it waits on instead of being parked, if it has a thread of its own."""
        self._waiting = False
        self._lock = threading.RLock()
        """Held while it falls asleep and is woken. Reentrant, as a frame may end, and wake its
        source, wherever Python collects garbage."""

    @property
    def at_work(self) -> bool:
        """Whether it is doing something."""
        return False

    @property
    def resting(self) -> bool:
        """Whether it does nothing until it is woken."""
        return not (self.signalled or self.at_work) and (self.sleeping or self._waiting)

    def wake(self) -> None:
        """Schedule the stage again. Callable from any thread; cheap while the stage is awake."""
        self.signalled = True
        if self.sleeping:
            self._schedule()
        elif self._waiting and self.notifier is not None:
            self.notifier.notify()

    def _schedule(self) -> None:
        with self._lock:
            if self.sleeping:
                self.sleeping = False
                if self.schedule is not None:
                    self.schedule()

    def _sleep(self) -> None:
        with self._lock:
            self.sleeping = True
            if self.park is not None:
                self.park()
            if not self.sleeping and self.schedule is not None:
                self.schedule()  # woken by this thread, before it was parked
        # A signal from before `sleeping` was visible has scheduled nothing, so it is answered here.
        # None is missed: `wake` sets `signalled` before it reads `sleeping`, and this method sets
        # `sleeping` before it reads `signalled`, so at least one of the two sees the other's write.
        if self.signalled or self._called_from_outside():
            self._schedule()

    def _wait(self, notifier: Notifier) -> None:
        """Sleep in the thread that ticks it."""
        self._waiting = True
        if not (self.signalled or self._called_from_outside()):
            notifier.wait()
        self._waiting = False

    def _called_from_outside(self) -> bool:
        """Have other processes wake it from now on; true if one would do so already."""
        return False
