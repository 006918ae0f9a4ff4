"""Statistics of processes, their threads and their machine, and of the app's budgets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from holoflow.app.graph import enough
from holoflow.stats.statistic import Times, counter, gauge, histogram


@dataclass(frozen=True)
class WorkerStats:
    """A thread of the scheduler."""

    fragment: str
    name: str
    busy: float = field(
        metadata=counter(
            "seconds",
            "Time in which a worker ran a stage that had work.",
            lasting=True,
            metric="worker_busy",
        )
    )


@dataclass(frozen=True)
class BudgetStats:
    """A budget of the app and how it was kept."""

    source: str
    target: str
    limits: Mapping[str, float] = field(
        metadata=gauge(
            "seconds", "Largest permitted value of a statistic.", by="statistic", merge="max",
            metric="budget_limit",
        )
    )  # fmt: skip
    """By statistic: `p99`, `max`, …"""
    when_missed: str
    window: float
    """Seconds of the sliding window."""
    fail: bool
    """Whether missing it makes the run's exit status 3."""
    times: Times = field(
        metadata=histogram("From the source to the end of the target's call, or to a drop.")
    )
    """Includes frames that were dropped as late."""
    now: Mapping[str, float] = field(
        default_factory=dict,
        metadata=gauge(
            "seconds", "Value of a statistic over the newest window.", by="statistic", merge="max",
            metric="budget_now",
        ),
    )  # fmt: skip
    """Empty if the window has no frame."""
    frames: int = field(
        default=0, metadata=gauge("frames", "Frames in the newest window.", merge="max")
    )
    worst: Mapping[str, float] = field(
        default_factory=dict,
        metadata=gauge(
            "seconds", "Worst value of a statistic over any window.", by="statistic",
            merge="max",
        ),
    )  # fmt: skip
    judged: int = field(
        default=0, metadata=counter("judgements", "Judgements.", metric="budget_judged")
    )
    missed: int = field(
        default=0,
        metadata=counter(
            "judgements", "Judgements that found a limit exceeded.", metric="budget_missed"
        ),
    )
    dropped: int = field(
        default=0,
        metadata=counter(
            "frames", "Frames that were dropped because they were late.",
            metric="budget_dropped_frames",
        ),
    )  # fmt: skip

    @property
    def name(self) -> str:
        """`camera → screen`."""
        return f"{self.source} → {self.target}"

    def lacks(self, name: str) -> str:
        """Return `79 of 100 frames` if the newest window has too few to judge `name`; else ""."""
        needed = enough(name)
        return f"{self.frames:,} of {needed:,} frames" if 0 < self.frames < needed else ""

    @property
    def over(self) -> tuple[str, ...]:
        """The limits that the newest window exceeds, of those that can be judged."""
        return tuple(
            name
            for name, limit in self.limits.items()
            if not self.lacks(name) and self.now.get(name, 0.0) > limit
        )

    @property
    def kept(self) -> bool:
        """Whether no window missed it."""
        return not self.missed


@dataclass(frozen=True)
class MachineStats:
    """How the process used its machine, sampled while it ran; None if unknown."""

    cores: int = field(
        metadata=gauge("cores", "CPU cores that the process may use.", metric="process_cores")
    )
    cpu: float = field(metadata=counter("seconds", "CPU time spent.", metric="process_cpu"))
    memory: int = field(metadata=gauge("bytes", "Memory in use.", metric="process_memory"))
    gil: float | None = field(
        default=None,
        metadata=gauge(
            "ratio", "Share of the time in which Python's interpreter lock had to be waited for.",
            metric="process_interpreter_lock",
        ),
    )  # fmt: skip
    crowded: float | None = field(
        default=None,
        metadata=gauge(
            "ratio", "Share of the time in which a thread that was ready had to wait for a core.",
            metric="process_crowded",
        ),
    )  # fmt: skip


@dataclass(frozen=True)
class FragmentStats:
    """A fragment's process."""

    name: str
    pid: int
    host: str
    engine: str
    scheduler: str
    """`greedy`, `event`, `multithread`; `inline` for the engine of that name."""
    workers: int
    """Threads of the scheduler."""
    seconds: float = field(
        metadata=counter("seconds", "Time since its sources began.", merge="max", lasting=True)
    )
    machine: MachineStats
    call: str = ""
    """Operator of the longest current call; empty if there is none."""
    call_frame: str = ""
    """What it works on, `frame 60 of camera`; empty if unknown."""
    call_for: float = 0.0
    """Seconds that it has taken so far."""
    call_usual: float = 0.0
    """Seconds of the longest call before it; 0 if there was none, or without tracking."""
    call_hang: float = 0.0
    """Seconds that it may take before its operator is considered hanging; 0 if unknown."""
    waits: Mapping[str, str] = field(default_factory=dict)
    """What each stage waits for, if none can continue before another process sends or receives."""
    still: float = 0.0
    """Seconds since a message last moved, or a call ended, in its process."""
    awaits: Mapping[str, str] = field(default_factory=dict)
    """What each stage waits for, if nothing has moved for long."""
    held: bool = False
    """Whether nothing has moved for longer than a call may take although no source, timer or call
    is known to be the cause."""
    silent: float = 0.0
    """Seconds for which it has not reported to its launcher, which expects that twice a second; 0
    without one."""
    over: bool = False
    """Whether it has finished its work, or its process has ended."""
    restarts: int = field(
        default=0,
        metadata=counter(
            "restarts", "How often the fragment was restarted.", metric="process_restarts"
        ),
    )
    refused: Mapping[str, int] = field(
        default_factory=dict,
        metadata=counter(
            "messages", "Refused messages of strangers to links of the fragment.", by="cause",
            metric="refused",
        ),
    )  # fmt: skip
    """By the causes listed in `holoflow.core.listener`."""
