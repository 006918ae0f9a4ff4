"""Snapshots: what became of every message of every flow, and what every operator did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypeVar

from pydantic import TypeAdapter, ValidationError

from holoflow.core.errors import HoloflowError
from holoflow.stats.counters import CAUSES
from holoflow.stats.histogram import Histogram
from holoflow.stats.process_stats import BudgetStats as BudgetStats
from holoflow.stats.process_stats import FragmentStats as FragmentStats
from holoflow.stats.process_stats import MachineStats as MachineStats
from holoflow.stats.process_stats import WorkerStats as WorkerStats
from holoflow.stats.statistic import Times, counter, gauge, histogram

StepKind: TypeAlias = Literal["work", "serialise", "link"]


@dataclass(frozen=True)
class FlowStats:
    """A flow's books; once the run has ended, sent = delivered + dropped."""

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
            "messages", "Messages that were dropped, by cause.", by="cause",
            keys=tuple(cause for cause in CAUSES if cause != "device"),
            metric="flow_messages_dropped", column="dropped", width=40,
        ),
    )  # fmt: skip
    waiting: int = field(
        default=0,
        metadata=gauge("messages", "Messages that wait now.", metric="flow_queue_messages"),
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
    """What carries it between fragments; `none` within one."""
    latest: bool = False
    """Its input holds the newest value."""
    back_edge: bool = False
    waits: Times = field(
        default_factory=Histogram,
        metadata=histogram(
            "From the end of the call that made a message to its use.", metric="flow_wait"
        ),
    )
    """Of each message that was used."""
    ages: Times = field(
        default_factory=Histogram,
        metadata=histogram("From a frame's capture until it was dropped."),
    )
    """Of each message that was dropped."""
    size: float | None = field(
        default=None, metadata=gauge("bytes", "Mean of a message.", merge="mean", weight="sent")
    )
    """Of one message in 64: on a link as packed, in a queue those of its arrays and text. None
    where none was looked at, as in a fused flow."""
    retried: int = field(
        default=0,
        metadata=counter(
            "messages", "Messages that a link sent again.",
            metric="flow_messages_retried", column="retried", width=110,
        ),
    )  # fmt: skip
    """What a broken connection, or a consumer that died, had lost."""

    @property
    def lost(self) -> int:
        """All that were dropped."""
        return sum(self.dropped.values())

    @property
    def name(self) -> str:
        """`operator.port -> operator.port`."""
        return f"{self.source} -> {self.target}"

    @property
    def producer(self) -> str:
        """Operator that sends."""
        return self.source.rpartition(".")[0]

    @property
    def consumer(self) -> str:
        """Operator that receives."""
        return self.target.rpartition(".")[0]


@dataclass(frozen=True)
class Waiting:
    """Why an operator's messages waited, in seconds summed over all calls."""

    partner: float = 0.0
    """For the other messages of their join or batch."""
    turn: float = 0.0
    """Behind earlier frames: the operator was working on those."""
    room: float = 0.0
    """For room in a queue behind the operator (back-pressure)."""
    worker: float = 0.0
    """Ready, but no worker of the scheduler took it up."""

    @property
    def total(self) -> float:
        """All reasons together."""
        return self.partner + self.turn + self.room + self.worker


@dataclass(frozen=True)
class OperatorStats:
    """What an operator did."""

    name: str
    frames: int | None = field(
        metadata=counter(
            "frames",
            "Calls that ended; of a source, frames sent.",
            lasting=True,
            metric="operator_frames",
        )
    )
    """None where nobody could count them."""
    sent: int | None = field(metadata=counter("messages", "Messages sent.", metric="operator_sent"))
    """None likewise."""
    skipped: int = field(
        metadata=counter(
            "calls", "Calls that failed and were skipped.",
            metric="operator_skipped", column="skipped", width=100,
        )
    )  # fmt: skip
    busy: float = field(
        metadata=counter("seconds", "Time at work.", needs="frames", metric="operator_busy")
    )
    """A batch counts once."""
    dropped: Mapping[str, int] = field(
        default_factory=dict,
        metadata=counter(
            "frames", "Frames lost before they became messages, by cause.", by="cause",
            keys=("device",), sources=True,
            metric="operator_dropped", column="dropped", width=80,
        ),
    )  # fmt: skip
    fragment: str = ""
    stage: str = ""
    """Name of the stage that holds it: its operators, joined by `+`."""
    type: str = ""
    """As the app names it: `capture.video`."""
    source: bool = False
    live: bool = False
    """A source that waits for a device."""
    heavy: bool = False
    """Marked as expensive (inference)."""
    batch: int = 1
    """Most frames it takes at once."""
    working: Times = field(
        default_factory=Histogram,
        metadata=histogram("Time that a frame was worked on.", metric="operator_working"),
    )
    """Of each frame: from the call's start to its end; of a source, from asking to getting."""
    waits: Times = field(
        default_factory=Histogram,
        metadata=histogram("From the arrival of the message that leads a call to its start."),
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
            "From a frame's capture to the end of the call.", metric="operator_latency"
        ),
    )
    jitter: Times = field(
        default_factory=Histogram,
        metadata=histogram("Differences of successive intervals between ends of calls."),
    )
    """Without sign."""
    held: float = field(
        default=0.0,
        metadata=counter(
            "seconds",
            "Time in which its stage could not begin because a queue behind it was full.",
            metric="operator_held",
        ),
    )  # fmt: skip
    paced: float = field(
        default=0.0,
        metadata=counter(
            "seconds", "Time in which a source held frames back until they were due.",
            metric="operator_paced", sources=True,
        ),
    )  # fmt: skip
    own_time: float = field(
        default=0.0,
        metadata=counter(
            "seconds", "Of a source that was asked for a rate: time that its frames cover by it."
        ),
    )
    given_time: float = field(
        default=0.0, metadata=counter("seconds", "Time that such a source took to give them.")
    )
    cpu: float | None = field(
        default=None,
        metadata=gauge(
            "ratio", "Share of the working time that was spent on a CPU.",
            merge="mean", weight="busy", metric="operator_cpu",
        ),
    )  # fmt: skip
    """Of its stage (sampled); the rest it slept, waited for a device, a GPU, a lock or a core.
    None where it was not sampled."""

    @property
    def calls(self) -> int:
        """Calls that were counted."""
        return self.frames or 0


@dataclass(frozen=True)
class Step:
    """One stop of a path, and the part it has in the end-to-end time."""

    kind: StepKind
    """`work`: a call of an operator. `serialise`, `link`: crossing from process to process."""
    operator: str
    """The operator; of a serialise or link step the one that receives."""
    port: str
    """Its input port; empty for the source's."""
    waiting: float = 0.0
    """Mean seconds of waiting before the step."""
    taking: float = 0.0
    """Mean seconds that the step itself took."""
    by_port: bool = False
    """Whether the port is part of the path's name: other flows join the same two operators."""


@dataclass(frozen=True)
class PathStats:
    """All frames that went one way from a source to a sink.

    For each frame: end to end = working + waiting + link + serialising. Time begins with the
    capture and ends with the last operator's call. A frame is captured when its source has it in
    hand; one that has a time to keep (`wait`), at that time, however late it was asked for.
    """

    steps: tuple[Step, ...]
    """From source to sink."""
    critical: int = field(
        metadata=counter(
            "frames",
            "Frames whose latency this path has set.",
            lasting=True,
            metric="path_critical_frames",
        )
    )
    """This was the way that came last at every join."""
    end_to_end: Times = field(
        metadata=histogram(
            "From the source to the end of the sink's call.", lasting=True, metric="path_latency"
        )
    )
    working: Times = field(metadata=histogram("Time that operators worked on a frame."))
    waiting: Times = field(metadata=histogram("Time that a frame waited for calls."))
    link: Times = field(metadata=histogram("Time that a frame was on links."))
    serialising: Times = field(metadata=histogram("Time that a frame was packed and unpacked."))
    jitter: Times = field(metadata=histogram("Differences of successive intervals between ends."))
    """Without sign."""
    closed_by_back_edge: bool = False
    """Ends where a back edge brings the frame to an operator that it had passed before."""
    uncertainty: float = field(
        default=0.0,
        metadata=gauge(
            "seconds", "How far clocks of different hosts may have been misjudged.", merge="max"
        ),
    )
    """0 on one host."""

    @property
    def name(self) -> str:
        """`camera → detect → screen`."""
        return " → ".join(
            f"{step.operator}.{step.port}" if step.by_port else step.operator
            for step in self.steps
            if step.kind == "work"
        )

    @property
    def frames(self) -> int:
        """How many."""
        return self.end_to_end.count


@dataclass(frozen=True)
class Snapshot:
    """The state of a run at one moment, with all that is known of its frames."""

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
    """Those that frames have gone, the slowest first."""
    workers: tuple[WorkerStats, ...] = ()
    fragments: tuple[FragmentStats, ...] = ()
    budgets: tuple[BudgetStats, ...] = ()
    announcements: tuple[tuple[str, str], ...] = ()
    """What operators announced: ("live page", "http://127.0.0.1:8080")."""
    unfollowed: int = 0
    """Ways through the graph that were too many to be followed one by one."""
    stood: str = ""
    """What was to be said of it when it was asked to end, where nothing had moved for long."""

    def operator(self, name: str) -> OperatorStats:
        """Return the books of operator `name`; raises KeyError if there is none."""
        for stats in self.operators:
            if stats.name == name:
                return stats
        raise KeyError(name)


@dataclass(frozen=True)
class Sample:
    """What changed in a run over a short time, for curves over the run."""

    seconds: float
    """When it ended, since the sources began."""
    span: float
    """Seconds that it covers."""
    frames: Mapping[str, int]
    """Calls that ended, by operator."""
    depth: Mapping[str, float]
    """Messages in each queue at the end, by flow; the most where samples were joined."""
    dropped: Mapping[str, int]
    """Messages dropped, by flow."""
    latency: Mapping[str, Times]
    """End-to-end times, by path."""


T = TypeVar("T")

_adapters: dict[Any, TypeAdapter[Any]] = {}
"""Made once for each class: that takes milliseconds."""


def _adapter(cls: Any) -> TypeAdapter[Any]:
    if cls not in _adapters:
        _adapters[cls] = TypeAdapter(cls)
    return _adapters[cls]


def to_plain(value: Any, cls: Any | None = None) -> Any:
    """Return a dataclass of `holoflow.stats.snapshot`, or what `cls` says, as JSON has it."""
    return _adapter(cls or type(value)).dump_python(value, mode="json")


def to_json(value: Any, cls: Any | None = None) -> bytes:
    """Return the same as JSON text, in one line."""
    return _adapter(cls or type(value)).dump_json(value)


def from_plain(cls: type[T], data: Any) -> T:
    """Return the value of `cls` that `data` stands for; raises HoloflowError if it is none."""
    try:
        made: T = _adapter(cls).validate_python(data)
    except ValidationError as error:
        raise _refusal(cls, error) from None
    return made


def _refusal(cls: Any, error: ValidationError) -> HoloflowError:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"])) or "it"
    return HoloflowError(f"not a {getattr(cls, '__name__', cls)}: {where}: {first['msg']}")
