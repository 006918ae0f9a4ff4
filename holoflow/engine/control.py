"""Options, control and result of a run."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from holoflow.app.format import RestartPolicy
from holoflow.app.graph import Node
from holoflow.stats.records import Recorder, Records
from holoflow.stats.snapshot import Sample, Snapshot
from holoflow.stats.spans import PathTree

EngineName: TypeAlias = Literal["holoscan", "threads", "inline"]
Outcome: TypeAlias = Literal["done", "failed", "interrupted"]


@dataclass(frozen=True)
class RunOptions:
    """How to run a plan."""

    engine: EngineName | None = None
    """None selects `holoscan` if the package can be imported, else `threads`."""
    output: Path = field(default_factory=Path)
    """Folder for what operators write; created if it is missing."""
    frames: int | None = None
    """Number of frames after which every source ends."""
    seconds: float | None = None
    """Seconds after which every source ends."""
    lossless: bool = False
    """Every flow blocks and nothing depends on arrival times."""
    web: bool = True
    """Whether operators may serve pages."""
    guarded: bool = False
    """Whether arrays passed to operators are read-only, to find operators that change them."""
    tracked: bool = True
    """Whether every frame and operator is timed."""
    trace: int | None = None
    """Number of newest frames of each source whose calls are recorded; None records none."""
    returns: RestartPolicy = "never"
    """When the process will be restarted; its links then stay open for it."""
    generation: int = 0
    """How often the process of these operators was started before in this run."""
    read_only: bool = False
    """Whether those who watch the app may not change its parameters."""
    changes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Live parameters that an earlier process of the run has changed: values as JSON, by operator
    and parameter."""
    run: str = field(default_factory=lambda: secrets.token_hex(4))
    """Identifies the run, in all its processes."""


class Stopper:
    """Asks a run to end: once to drain it, twice to stop it at once.

    Safe to use from any thread or signal handler.
    """

    def __init__(self) -> None:
        """Make a stopper that has not asked for anything."""
        self.drain = threading.Event()
        self.now = threading.Event()

    def ask(self) -> None:
        """Ask the run to drain and end; the second call asks it to stop at once."""
        if self.drain.is_set():
            self.now.set()
        self.drain.set()


@dataclass(frozen=True)
class Failure:
    """Why a run failed."""

    operator: str
    """Empty if the process failed rather than one of its operators."""
    frame: str
    """`frame 100 of camera`, `start` or `stop`; empty if it was none of these."""
    cause: str
    """The exception, `ValueError: …`, or how the process ended."""
    error: BaseException | None = None
    trace: str = ""
    """The traceback of an error in another process."""
    fragment: str = ""
    """The fragment whose process failed, if there are several."""

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
    """How a run ended; the counts in `last.flows` add up."""

    outcome: Outcome
    engine: EngineName
    last: Snapshot
    failure: Failure | None = None
    history: tuple[Sample, ...] = ()
    """Curves over the run."""
    records: Records | None = None
    """The calls recorded for the newest frames, if requested."""

    @property
    def over_budget(self) -> bool:
        """Whether a budget was missed that the app wants to see in the exit status."""
        return any(
            budget.missed and (budget.fail or budget.when_missed == "stop")
            for budget in self.last.budgets
        )


@dataclass(frozen=True)
class WholeRun:
    """How a process that runs a part of an app learns of the whole run; any thread may ask."""

    snapshot: Callable[[], Snapshot | None]
    """Returns its newest known state."""
    history: Callable[[], tuple[Sample, ...]]
    """Returns its curves so far."""
    outcome: Callable[[], tuple[Outcome, str] | None]
    """Returns how it has ended and what failed; None if that is not known in time."""
    operators: Mapping[str, Node]
    """Those of the whole app."""
    change: Callable[[str, str, Any], None]
    """Changes a live parameter of any operator; raises HoloflowError if it cannot."""


class Worker:
    """A thread that ticks stages."""

    __slots__ = ("busy", "name")

    def __init__(self, name: str) -> None:
        """Make a worker that has done nothing yet."""
        self.name = name
        self.busy = 0
        """Nanoseconds spent in ticks that had work."""


class Control:
    """Shared state of a run. Every change wakes all stages, so that none sleeps through it."""

    def __init__(
        self, *, lossless: bool = False, tracked: bool = True, trace: int | None = None
    ) -> None:
        """Make the state of a run that has not been asked to end."""
        self.lossless = lossless
        self.tracked = tracked
        self.paths = PathTree()
        self.recorder = Recorder(trace) if tracked and trace is not None else None
        self.workers: dict[int, Worker] = {}
        """Threads that have ticked stages, by thread identifier."""
        self.begin = 0
        """When the stream began, in ns of the run's clock; 0 if runs are to be repeatable."""
        self.restart()
        self.draining = False
        """Whether sources are to end."""
        self.aborted = False
        """Whether everything is to end now."""
        self.durable = False
        """Whether counts are written so that they remain consistent if the process dies."""
        self.returns: RestartPolicy = "never"
        """When the process will be restarted."""
        self.guarded = False
        """Whether operators that change their inputs are reported."""
        self.failure: Failure | None = None
        self.now: Callable[[], int] = time.time_ns
        self.captured: Callable[[], int] = time.time_ns
        """Time (ns) of a frame that its source gives now."""
        self.waits = True
        """Whether waiting takes time; false with a simulated clock."""
        self.endings: list[threading.Event] = []
        """Events that sources wait on; set when the sources are to end."""
        self.wake_at: Callable[[int, Callable[[], None]], None] = lambda _time, _wake: None
        """Calls a function at a time (ns) of the run's clock; set by the engine."""
        self._listeners: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def restart(self) -> int:
        """Let the stream begin now; return that time in ns."""
        self.begin = 0 if self.lossless else time.time_ns()
        return self.begin

    def worker(self) -> Worker:
        """Return the worker of the calling thread."""
        number = threading.get_ident()
        found = self.workers.get(number)
        if found is None:
            with self._lock:
                found = Worker(f"worker {len(self.workers) + 1}")
                self.workers[number] = found
        return found

    def listen(self, wake: Callable[[], None]) -> None:
        """Call `wake` whenever the run is asked to end."""
        with self._lock:
            self._listeners.append(wake)

    def release(self) -> None:
        """Forget all listeners; the run is over."""
        with self._lock:
            self._listeners.clear()

    def drain(self) -> None:
        """End the sources; what they have sent is still processed."""
        self.draining = True
        for ending in self.endings:
            ending.set()
        self._wake_all()

    def abort(self) -> None:
        """End everything now."""
        self.aborted = True
        self.drain()

    def comes_back(self) -> bool:
        """Whether the process will be restarted after its end."""
        if self.failure is not None:
            return self.returns != "never"
        return self.returns == "always" and not self.draining

    def fail(self, failure: Failure) -> None:
        """End the run because of `failure`; the first one counts."""
        with self._lock:
            self.failure = self.failure or failure
        self.drain()

    def stalled(self, failure: Failure) -> None:
        """End a run in which no stage can continue."""
        with self._lock:
            self.failure = self.failure or failure
        self.abort()

    def _wake_all(self) -> None:
        for wake in list(self._listeners):
            wake()
