"""What processes, their threads and their machine did, and how the budgets of the app were kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from holoflow.stats.statistic import Times, counter, gauge, histogram


@dataclass(frozen=True)
class WorkerStats:
    """A thread of a scheduler."""

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
            "seconds", "What a statistic may be at most.", by="statistic", merge="max",
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
    """Of all frames."""
    now: Mapping[str, float] = field(
        default_factory=dict,
        metadata=gauge(
            "seconds", "What a statistic is over the newest window.", by="statistic", merge="max",
            metric="budget_now",
        ),
    )  # fmt: skip
    """Empty where it holds no frame."""
    worst: Mapping[str, float] = field(
        default_factory=dict,
        metadata=gauge(
            "seconds", "The worst that a statistic has been over any window.", by="statistic",
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

    @property
    def kept(self) -> bool:
        """Whether no window missed it."""
        return not self.missed


@dataclass(frozen=True)
class MachineStats:
    """What the process and its machine did, sampled while it ran; None where it is unknown."""

    cores: int = field(metadata=gauge("cores", "CPU cores it may use.", metric="process_cores"))
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
    """Operator of the longest call that goes on now; empty where none does."""
    call_frame: str = ""
    """What it is at work on, `frame 60 of camera`; empty where that is not known."""
    call_for: float = 0.0
    """Seconds that it has been going on."""
    call_usual: float = 0.0
    """Seconds of the longest call before it; 0 where there was none, or without tracking."""
    call_hang: float = 0.0
    """Seconds for which it may go on before its operator is taken to hang; 0 where not known."""
    waits: Mapping[str, str] = field(default_factory=dict)
    """What each stage waits for, where none can go on before another process gives or takes."""
    still: float = 0.0
    """Seconds since a message last moved, or a call ended, in its process."""
    awaits: Mapping[str, str] = field(default_factory=dict)
    """What each stage waits for, where nothing has moved for long."""
    held: bool = False
    """Whether nothing has moved for longer than a call may take, and neither a source, nor a
    timer, nor a call is the cause, as far as can be known."""
    over: bool = False
    """Whether it has done all that it had to, or its process has ended."""
    restarts: int = field(
        default=0,
        metadata=counter(
            "restarts", "How often the fragment was started again.", metric="process_restarts"
        ),
    )
    refused: Mapping[str, int] = field(
        default_factory=dict,
        metadata=counter(
            "messages", "What strangers have sent to links of the fragment.", by="cause",
            metric="refused",
        ),
    )  # fmt: skip
    """Causes are those of `holoflow.core.listener`."""
