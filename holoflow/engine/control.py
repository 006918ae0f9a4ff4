"""What all stages of a run share: its clock, its limits, and the word that it is to end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from holoflow.app.graph import RestartPolicy
from holoflow.engine.result import Failure
from holoflow.flow.paths import PathTree
from holoflow.flow.recorder import Recorder


class Worker:
    """A thread that ticks stages."""

    __slots__ = ("busy", "name")

    def __init__(self, name: str) -> None:
        """Nothing has been done."""
        self.name = name
        self.busy = 0
        """Nanoseconds spent in ticks that had work."""


class Control:
    """Shared state of a run. Every change wakes all stages, so that none sleeps through it."""

    def __init__(
        self, *, lossless: bool = False, tracked: bool = True, trace: int | None = None
    ) -> None:
        """Begin a run that nobody has asked to end."""
        self.lossless = lossless
        self.tracked = tracked
        self.paths = PathTree()
        self.recorder = Recorder(trace) if tracked and trace is not None else None
        self.workers: dict[int, Worker] = {}
        """Threads that have ticked stages, by their number."""
        self.begin = 0
        """Time of the stream's begin in the run's clock; 0 where runs are to be equal."""
        self.restart()
        self.draining = False
        """Sources are to end."""
        self.aborted = False
        """Everything is to end now."""
        self.durable = False
        """Whether counts are kept so that they can be made sense of if the process dies."""
        self.returns: RestartPolicy = "never"
        """When the process is going to be started again."""
        self.guarded = False
        """Whether operators that change what they were given are told."""
        self.failure: Failure | None = None
        self.now: Callable[[], int] = time.time_ns
        self.captured: Callable[[], int] = time.time_ns
        """Time of a frame that its source gives now."""
        self.waits = True
        """Whether waiting takes time: not by a simulated clock."""
        self.endings: list[threading.Event] = []
        """Set when the sources are to end: what they wait on, where they wait."""
        self.wake_at: Callable[[int, Callable[[], None]], None] = lambda _time, _wake: None
        """Call a function at a time of the run's clock; set by the engine."""
        self._listeners: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def restart(self) -> int:
        """Have the stream begin now; return when that is."""
        self.begin = 0 if self.lossless else time.time_ns()
        return self.begin

    def worker(self) -> Worker:
        """Return the worker that asks."""
        number = threading.get_ident()
        found = self.workers.get(number)
        if found is None:
            with self._lock:
                found = Worker(f"worker {len(self.workers) + 1}")
                self.workers[number] = found
        return found

    def listen(self, wake: Callable[[], None]) -> None:
        """Call `wake` whenever the run is told to end."""
        with self._lock:
            self._listeners.append(wake)

    def release(self) -> None:
        """Wake nobody any more; the run is over."""
        with self._lock:
            self._listeners.clear()

    def drain(self) -> None:
        """End the sources; what they have sent is worked off."""
        self.draining = True
        for ending in self.endings:
            ending.set()
        self._wake_all()

    def abort(self) -> None:
        """End everything now."""
        self.aborted = True
        self.drain()

    def comes_back(self) -> bool:
        """Whether the process is going to be started again after its end."""
        if self.failure is not None:
            return self.returns != "never"
        return self.returns == "always" and not self.draining

    def fail(self, failure: Failure) -> None:
        """End the run because of `failure`; the first one counts."""
        with self._lock:
            self.failure = self.failure or failure
        self.drain()

    def stalled(self, failure: Failure) -> None:
        """End a run in which nobody can go on."""
        with self._lock:
            self.failure = self.failure or failure
        self.abort()

    def _wake_all(self) -> None:
        for wake in list(self._listeners):
            wake()
