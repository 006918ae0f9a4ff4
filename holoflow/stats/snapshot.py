"""Snapshots: what became of every message of every flow, and what every operator did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import PlainSerializer, PlainValidator, TypeAdapter, ValidationError

from holoflow.core.errors import HoloflowError
from holoflow.stats.histogram import Histogram

StepKind: TypeAlias = Literal["work", "serialise", "link"]


def _histogram(value: Any) -> Histogram:
    return value if isinstance(value, Histogram) else Histogram.from_plain(value)


Times: TypeAlias = Annotated[
    Histogram, PlainValidator(_histogram), PlainSerializer(Histogram.to_plain)
]
"""A histogram of seconds."""


@dataclass(frozen=True)
class FlowStats:
    """A flow's books; once the run has ended, sent = delivered + dropped."""

    source: str
    """`operator.port`."""
    target: str
    """`operator.port`."""
    sent: int
    delivered: int
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Messages by cause."""
    waiting: int = 0
    """Messages in the queue now."""
    queue: int = 0
    """Messages that may wait; 0 for a fused flow."""
    when_full: str = "block"
    link: str = "none"
    """What carries it between fragments; `none` within one."""
    latest: bool = False
    """Its input holds the newest value."""
    back_edge: bool = False
    waits: Times = field(default_factory=Histogram)
    """Of each message that was used: from the end of the call that made it to its use."""
    ages: Times = field(default_factory=Histogram)
    """Of each message that was dropped: time since its frame's capture."""
    size: float | None = None
    """Mean bytes of a message, of one in 64: on a link as packed, in a queue those of its arrays
    and text. None where none was looked at, as in a fused flow."""

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
    frames: int | None
    """Calls that ended (of a source: frames sent); None where nobody could count them."""
    sent: int | None
    """Messages sent; None likewise."""
    skipped: int
    """Calls that failed and were skipped."""
    busy: float
    """Seconds in which the operator was at work. A batch counts once."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Frames lost before they became messages, by cause (`device`)."""
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
    working: Times = field(default_factory=Histogram)
    """Of each frame: from the call's start to its end; of a source, from asking to getting."""
    waits: Times = field(default_factory=Histogram)
    """Of each call: from the arrival of the message that leads it to its start."""
    waiting: Waiting = field(default_factory=Waiting)
    """The same by reason."""
    latency: Times = field(default_factory=Histogram)
    """Of each frame: from its capture to the end of the call."""
    jitter: Times = field(default_factory=Histogram)
    """Differences, without sign, of successive intervals between ends of calls."""
    held: float = 0.0
    """Seconds in which its stage could not begin because a queue behind it was full."""
    paced: float = 0.0
    """Seconds in which a source held a frame back until its time had come."""
    own_time: float = 0.0
    """Of a source that was asked for a rate: seconds that its frames cover by that rate."""
    given_time: float = 0.0
    """Seconds that it took to give them."""
    cpu: float | None = None
    """Share of its stage's working time that was spent on a CPU (sampled); the rest it slept,
    waited for a device, a GPU, a lock or a core. None where it was not sampled."""

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
    critical: int
    """Frames on which this was the way that came last at every join, and so set the latency."""
    end_to_end: Times
    working: Times
    waiting: Times
    link: Times
    serialising: Times
    jitter: Times
    """Differences, without sign, of successive intervals between ends."""
    closed_by_back_edge: bool = False
    """Ends where a back edge brings the frame to an operator that it had passed before."""
    uncertainty: float = 0.0
    """Seconds by which clocks of different hosts may have been misjudged; 0 on one host."""

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
class WorkerStats:
    """A thread of a scheduler."""

    fragment: str
    name: str
    busy: float
    """Seconds in which it ticked a stage that had work."""


@dataclass(frozen=True)
class BudgetStats:
    """A budget of the app and how it was kept."""

    source: str
    target: str
    limits: Mapping[str, float]
    """Seconds by statistic: `p99`, `max`, …"""
    when_missed: str
    window: float
    """Seconds of the sliding window."""
    fail: bool
    """Whether missing it makes the run's exit status 3."""
    times: Times
    """Of all frames: from `source` to the end of `target`'s call, or to where it was dropped."""
    now: Mapping[str, float] = field(default_factory=dict)
    """The limited statistics over the newest window; empty where it holds no frame."""
    worst: Mapping[str, float] = field(default_factory=dict)
    """The worst that any window has had."""
    judged: int = 0
    """Judgements so far."""
    missed: int = 0
    """Of those, how many found a limit exceeded."""
    dropped: int = 0
    """Frames that were dropped because they were late."""

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

    cores: int
    """CPU cores that the process may use."""
    cpu: float
    """CPU seconds that the process spent."""
    memory: int
    """Bytes of memory in use, now."""
    gil: float | None = None
    """Share of the time (0 to 1) in which who wants Python's interpreter lock has to wait for
    it noticeably."""
    crowded: float | None = None
    """Share of the time (0 to 1) in which a thread that is ready has to wait for a core."""


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
    seconds: float
    """Since its sources began."""
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
    restarts: int = 0
    """How often its process was started again."""
    refused: Mapping[str, int] = field(default_factory=dict)
    """What strangers have sent to its links, by cause (`holoflow.core.listener`)."""


@dataclass(frozen=True)
class Snapshot:
    """The state of a run at one moment, with all that is known of its frames."""

    app: str
    run: str
    """Identifies the run; equal in all its fragments."""
    time: float
    """Seconds since the epoch."""
    seconds: float
    """Since the sources began."""
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
