"""What is asked of a run, how it is ended, and what comes of it."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from holoflow.app.graph import RestartPolicy
from holoflow.stats.records import Recorder, Records
from holoflow.stats.snapshot import Sample, Snapshot
from holoflow.stats.spans import PathTree

EngineName: TypeAlias = Literal["holoscan", "inline"]
Outcome: TypeAlias = Literal["done", "failed", "interrupted"]


@dataclass(frozen=True)
class RunOptions:
    """How to run a plan."""

    engine: EngineName | None = None
    """None takes `holoscan` where the package imports, else `inline`."""
    output: Path = field(default_factory=Path)
    """Folder for what operators write; made if it is missing."""
    frames: int | None = None
    """Every source ends after so many frames."""
    seconds: float | None = None
    """Every source ends after so many seconds."""
    lossless: bool = False
    """Every flow blocks and nothing hangs on arrival times."""
    web: bool = True
    """Whether operators may serve pages."""
    guarded: bool = False
    """Whether arrays that operators are given are read-only, to find those that change them."""
    tracked: bool = True
    """Whether times are taken of every frame and operator."""
    trace: int | None = None
    """Keep the raw calls on the newest so many frames of each source."""
    returns: RestartPolicy = "never"
    """When the process is going to be started again, so that its links stay open for it."""
    generation: int = 0
    """How often the process of these operators had been started before in this run."""
    run: str = field(default_factory=lambda: secrets.token_hex(4))
    """Identifies the run, in all its processes."""


class Stopper:
    """Asks a run to end: once drains it, twice stops it now. Safe from any thread or signal."""

    def __init__(self) -> None:
        """Nothing is asked yet."""
        self.drain = threading.Event()
        self.now = threading.Event()

    def ask(self) -> None:
        """Ask for an end; the second call asks for it at once."""
        if self.drain.is_set():
            self.now.set()
        self.drain.set()


@dataclass(frozen=True)
class Failure:
    """Why a run failed."""

    operator: str
    """Empty where it was the process that failed, and no operator of it."""
    frame: str
    """Which frame: `frame 100 of camera`; or `start`, `stop`; empty where it is none of them."""
    cause: str
    """The exception, `ValueError: …`, or how the process ended."""
    error: BaseException | None = None
    trace: str = ""
    """The traceback of an error in another process."""
    fragment: str = ""
    """Whose process it was, where there are several."""

    def __str__(self) -> str:
        who = [f"operator {self.operator!r}"] if self.operator else []
        who += [f"fragment {self.fragment!r}"] if self.fragment else []
        return (
            f"{' of '.join(who) or 'the run'} failed"
            + (f" on {self.frame}" if self.frame else "")
            + f": {self.cause}"
        )


@dataclass(frozen=True)
class RunResult:
    """How a run ended; `last.flows` add up."""

    outcome: Outcome
    engine: EngineName
    last: Snapshot
    failure: Failure | None = None
    history: tuple[Sample, ...] = ()
    """Curves over the run."""
    records: Records | None = None
    """The raw calls on the newest frames, where they were asked for."""

    @property
    def over_budget(self) -> bool:
        """Whether a budget was missed for which the app asks to be told by the exit status."""
        return any(
            budget.missed and (budget.fail or budget.when_missed == "stop")
            for budget in self.last.budgets
        )


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
