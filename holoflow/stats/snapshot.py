"""Snapshots of a run: what became of each flow's messages, and what each operator did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from holoflow.core.errors import HoloflowError
from holoflow.stats.causes import CAUSES
from holoflow.stats.histogram import Histogram
from holoflow.stats.path_stats import PathStats as PathStats
from holoflow.stats.path_stats import Step as Step
from holoflow.stats.path_stats import StepKind as StepKind
from holoflow.stats.process_stats import BudgetStats as BudgetStats
from holoflow.stats.process_stats import FragmentStats as FragmentStats
from holoflow.stats.process_stats import MachineStats as MachineStats
from holoflow.stats.process_stats import WorkerStats as WorkerStats
from holoflow.stats.statistic import Times, counter, gauge, histogram


@dataclass(frozen=True)
class FlowStats:
    """Statistics of a flow; sent = delivered + dropped once the run has ended."""

    source: str
    """`operator.port`."""
    target: str
    """`operator.port`."""
    sent: int = field(
        metadata=counter(
            "messages", "Messages sent.", lasting=True, metric="flow_messages_sent", column="sent"
        )
    )
    delivered: int = field(
        metadata=counter(
            "messages", "Messages that were used.", lasting=True,
            metric="flow_messages_delivered", column="delivered", width=50,
        )
    )  # fmt: skip
    dropped: Mapping[str, int] = field(
        default_factory=dict,
        metadata=counter(
            "messages", "Messages that were dropped, by cause.", by="cause", loss=True,
            keys={cause: why for cause, why in CAUSES.items() if cause != "device"},
            metric="flow_messages_dropped", column="dropped", width=40,
        ),
    )  # fmt: skip
    waiting: int = field(
        default=0,
        metadata=gauge(
            "messages", "Messages that are waiting.", metric="flow_queue_messages", column="waiting"
        ),
    )
    queue: int = field(
        default=0,
        metadata=gauge(
            "messages", "Messages that may wait.", merge="max",
            metric="flow_queue_capacity_messages",
        ),
    )  # fmt: skip
    """0 for a fused flow."""
    when_full: str = "block"
    link: str = "none"
    """Kind of link between fragments; `none` within one."""
    latest: bool = False
    """Whether its input keeps only the newest value."""
    back_edge: bool = False
    waits: Times = field(
        default_factory=Histogram,
        metadata=histogram(
            "From the end of the call that made a message to its use.",
            metric="flow_wait",
            column="wait",
            shown=("p50", "p99"),
            compared="wait",
        ),
    )
    """One value for each message that was used."""
    ages: Times = field(
        default_factory=Histogram,
        metadata=histogram("From a frame's capture until it was dropped."),
    )
    """One value for each message that was dropped."""
    size: float | None = field(
        default=None,
        metadata=gauge("bytes", "Mean size of a message.", merge="mean", weight="sent"),
    )
    """Measured for one message in 64: on a link as packed, in a queue its arrays and text. None if
    none was measured, as in a fused flow."""
    retried: int = field(
        default=0,
        metadata=counter(
            "messages", "Messages that a link sent again.",
            metric="flow_messages_retried", column="retried", width=110,
        ),
    )  # fmt: skip
    """After a broken connection or a dead consumer had lost them."""

    @property
    def lossless(self) -> bool:
        """Whether its producer waits for room (`PlannedFlow.lossless`)."""
        return self.when_full == "block" and not self.latest

    @property
    def lost(self) -> int:
        """Messages that were dropped, whatever the cause."""
        return sum(self.dropped.values())

    @property
    def name(self) -> str:
        """`operator.port -> operator.port`."""
        return f"{self.source} -> {self.target}"

    @property
    def producer(self) -> str:
        """Name of the operator that sends."""
        return self.source.rpartition(".")[0]

    @property
    def consumer(self) -> str:
        """Name of the operator that receives."""
        return self.target.rpartition(".")[0]


@dataclass(frozen=True)
class Waiting:
    """Why an operator's messages waited, in seconds summed over all calls."""

    partner: float = 0.0
    """For the other messages of their join or batch."""
    turn: float = 0.0
    """Behind earlier frames that the operator was working on."""
    room: float = 0.0
    """For room in a queue behind the operator (back-pressure)."""
    worker: float = 0.0
    """Ready, but no worker of the scheduler was free."""

    @property
    def total(self) -> float:
        """All reasons together."""
        return self.partner + self.turn + self.room + self.worker


@dataclass(frozen=True)
class OperatorStats:
    """Statistics of an operator."""

    name: str
    frames: int | None = field(
        metadata=counter(
            "frames",
            "Calls that ended; for a source, frames sent.",
            lasting=True,
            metric="operator_frames",
            column="frames",
        )
    )
    """None if they cannot be counted."""
    sent: int | None = field(metadata=counter("messages", "Messages sent.", metric="operator_sent"))
    """None if they cannot be counted."""
    skipped: int = field(
        metadata=counter(
            "calls", "Calls that failed and were skipped.", loss=True,
            metric="operator_skipped", column="skipped", width=100,
        )
    )  # fmt: skip
    busy: float = field(
        metadata=counter("seconds", "Working time.", needs="frames", metric="operator_busy")
    )
    """A batch counts once."""
    dropped: Mapping[str, int] = field(
        default_factory=dict,
        metadata=counter(
            "frames", "Frames lost before they became messages, by cause.", by="cause", loss=True,
            keys={"device": CAUSES["device"], "full": CAUSES["full"]}, sources=True,
            metric="operator_dropped", column="dropped", width=80,
        ),
    )  # fmt: skip
    fragment: str = ""
    stage: str = ""
    """Name of its stage: the stage's operators, joined by `+`."""
    type: str = ""
    """As named in the app: `capture.video`."""
    source: bool = False
    live: bool = False
    """Whether it is a source that waits for a device."""
    heavy: bool = False
    """Whether it is marked as expensive (inference)."""
    batch: int = 1
    """Largest number of frames it takes at once."""
    working: Times = field(
        default_factory=Histogram,
        metadata=histogram(
            "Working time of a frame.",
            metric="operator_working",
            column="work",
            shown=("p50", "p99", "max"),
            compared="working",
        ),
    )
    """From the call's start to its end; for a source, from the request for a frame to the frame."""
    waits: Times = field(
        default_factory=Histogram,
        metadata=histogram("From the arrival of a call's leading message to its start."),
    )
    waiting: Waiting = field(
        default_factory=Waiting,
        metadata=counter(
            "seconds", "Time that messages waited for a call, by reason.", by="reason",
            metric="operator_waiting",
        ),
    )  # fmt: skip
    latency: Times = field(
        default_factory=Histogram,
        metadata=histogram(
            "From a frame's capture to the end of the call.",
            metric="operator_latency",
            column="latency",
            shown=("p50", "p99"),
        ),
    )
    jitter: Times = field(
        default_factory=Histogram,
        metadata=histogram(
            "Differences of successive intervals between ends of calls.",
            column="jitter",
            shown=("mean",),
        ),
    )
    """Absolute values."""
    held: float = field(
        default=0.0,
        metadata=counter(
            "seconds",
            "Time in which its stage could not start because a queue behind it was full.",
            metric="operator_held",
        ),
    )  # fmt: skip
    paced: float = field(
        default=0.0,
        metadata=counter(
            "seconds", "Time for which a source held frames back until they were due.",
            metric="operator_paced", sources=True,
        ),
    )  # fmt: skip
    own_time: float = field(
        default=0.0,
        metadata=counter(
            "seconds", "For a source with a set rate: time that its frames cover at that rate."
        ),
    )
    given_time: float = field(
        default=0.0,
        metadata=counter("seconds", "For a source with a set rate: time it took for its frames."),
    )
    in_flight: int | None = field(
        default=None,
        metadata=gauge(
            "frames", "For a source: how many of its frames may be under way at once.",
            merge="max", metric="operator_in_flight", sources=True, column="in flight",
        ),
    )  # fmt: skip
    """None if they are not limited: nothing behind it waits."""
    cpu: float | None = field(
        default=None,
        metadata=gauge(
            "ratio", "Share of the working time that was spent on a CPU.",
            merge="mean", weight="busy", metric="operator_cpu", column="on a CPU",
        ),
    )  # fmt: skip
    """Sampled for its stage; the rest of the time it slept or waited for a device, a GPU, a lock or
    a core. None if it was not sampled."""

    @property
    def calls(self) -> int:
        """Calls that were counted."""
        return self.frames or 0


@dataclass(frozen=True)
class ParameterChange:
    """A live parameter that was changed while the app ran."""

    time: float
    """Seconds since the epoch."""
    operator: str
    parameter: str
    before: str
    """The value before, as JSON."""
    value: str
    """The value since, as JSON."""


@dataclass(frozen=True)
class Snapshot:
    """The statistics of a run at one moment."""

    app: str
    run: str
    """Identifies the run; equal in all its fragments."""
    time: float
    """Seconds since the epoch."""
    seconds: float = field(
        metadata=gauge("seconds", "Time since the sources began.", merge="max", metric="run_age")
    )
    operators: tuple[OperatorStats, ...]
    """In the order of the app."""
    flows: tuple[FlowStats, ...]
    paths: tuple[PathStats, ...] = ()
    """Those that frames have taken, the slowest first."""
    workers: tuple[WorkerStats, ...] = ()
    fragments: tuple[FragmentStats, ...] = ()
    budgets: tuple[BudgetStats, ...] = ()
    announcements: tuple[tuple[str, str], ...] = ()
    """What operators have announced: ("live page", "http://127.0.0.1:8080")."""
    unfollowed: int = 0
    """Largest number of paths of one message that were not followed because there are too many."""
    stood: str = ""
    """Describes the standstill, if nothing had moved for long when the run was asked to end."""
    changes: tuple[ParameterChange, ...] = ()
    """Live parameters that were changed, the oldest first."""

    def operator(self, name: str) -> OperatorStats:
        """Return the statistics of operator `name`.

        Raises:
            KeyError: There is no such operator.
        """
        for stats in self.operators:
            if stats.name == name:
                return stats
        raise KeyError(name)


@dataclass(frozen=True)
class Sample:
    """What changed in a run over a short time, for curves over the run."""

    seconds: float
    """When it ended, in seconds since the sources began."""
    span: float
    """How many seconds it covers."""
    frames: Mapping[str, int]
    """Calls that ended, by operator."""
    depth: Mapping[str, float]
    """Messages in each queue at the end, by flow; the maximum if samples were joined."""
    dropped: Mapping[str, int]
    """Messages dropped, by flow."""
    latency: Mapping[str, Times]
    """End-to-end times, by path."""


T = TypeVar("T")

_adapters: dict[Any, TypeAdapter[Any]] = {}
"""By class: making one takes milliseconds."""


def _adapter(cls: Any) -> TypeAdapter[Any]:
    if cls not in _adapters:
        _adapters[cls] = TypeAdapter(cls)
    return _adapters[cls]


def to_plain(value: Any, cls: Any | None = None) -> Any:
    """Return `value` as JSON-compatible values.

    Args:
        value: A dataclass of `holoflow.stats.snapshot`, or anything of type `cls`.
        cls: The type, if it is not a dataclass: `list[FlowStats]`.
    """
    return _adapter(cls or type(value)).dump_python(value, mode="json")


def to_json(value: Any, cls: Any | None = None) -> bytes:
    """Return `value` as JSON text in one line; see `to_plain`."""
    return _adapter(cls or type(value)).dump_json(value)


def from_plain(cls: type[T], data: Any) -> T:
    """Return the value of type `cls` that `to_plain` has turned into `data`.

    Raises:
        HoloflowError: `data` is not such a value; the message says which part of it.
    """
    try:
        made: T = _adapter(cls).validate_python(data)
    except ValidationError as error:
        raise _refusal(cls, error) from None
    return made


def _refusal(cls: Any, error: ValidationError) -> HoloflowError:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"])) or "it"
    return HoloflowError(f"not a {getattr(cls, '__name__', cls)}: {where}: {first['msg']}")
