"""What is simulated, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from holoflow.app.graph import Sync
from holoflow.core.ports import Trigger
from holoflow.plan.plan import PlannedFlow
from holoflow.stats.histogram import Histogram


@dataclass(frozen=True)
class Work:
    """The calls of an operator."""

    operator: str
    times: Histogram
    """Seconds that a call takes."""
    cores: float = 1.0
    """Cores that a call keeps busy; less than 1 where it sleeps or waits for a device."""
    factor: float = 1.0
    """What `times` are multiplied by, to have those of a call with all the cores that it wants."""
    passes: float = 1.0
    """Messages for each call that go on to the next operator of the stage, 0 to 1."""


@dataclass(frozen=True)
class SourcePace:
    """How often a source gives a frame."""

    rate: float | None = None
    """Frames a second; None where it gives them as fast as the rest takes them."""
    live: bool = False
    """Waits for a device, which loses frames that nobody fetches."""
    frames: int | None = None
    """After so many it ends; None: not before the simulation does."""


@dataclass(frozen=True)
class StageModel:
    """Operators that are scheduled as one."""

    name: str
    process: str
    work: tuple[Work, ...]
    overhead: float = 0.0
    """Seconds that each call takes besides: books, queues, headers."""
    pace: SourcePace | None = None
    """Of a source."""
    sync: Sync | None = None
    optional: frozenset[str] = frozenset()
    """Ports that a call can do without."""
    trigger: Trigger = "all"
    generator: bool = False
    """May send several messages for one: that a call is through is known to it, and so to joins
    behind, only once there is room for another message."""
    batch: int = 1
    """Most frames that it takes at once."""


@dataclass(frozen=True)
class Carriage:
    """What a link takes for a message, in seconds."""

    send: float = 0.0
    """In the sending stage."""
    receive: float = 0.0
    """In the receiving stage."""
    out: float = 0.0
    """In the link's own threads of the sending process, one message at a time."""
    into: float = 0.0
    """The same in the receiving process."""
    delay: float = 0.0
    """On the way, any number of messages at the same time."""
    back: float = 0.0
    """Until the sender knows that a message was taken."""
    wire: float = 0.0
    """On the network, one message of a host at a time in each direction; 0 within a host."""


@dataclass(frozen=True)
class FlowModel:
    """A flow between two stages."""

    planned: PlannedFlow
    """Its queue, and what happens where that is full."""
    source: str
    """Stage that sends."""
    target: str
    """Stage that receives."""
    rate: float = 1.0
    """Messages for each call of the sender's last operator."""
    carriage: Carriage | None = None
    """None within a process."""

    @property
    def name(self) -> str:
        """`camera.out -> detect.x`."""
        return f"{self.planned.source} -> {self.planned.target}"


@dataclass(frozen=True)
class ProcessModel:
    """A fragment's process."""

    name: str
    host: str
    workers: int
    pools: tuple[str, ...]
    """Cores that it may use; it needs a free one in each of these pools."""


@dataclass(frozen=True)
class Model:
    """An app on its hosts."""

    stages: tuple[StageModel, ...]
    flows: tuple[FlowModel, ...]
    """Those into one stage in the order of its ports."""
    processes: tuple[ProcessModel, ...]
    pools: Mapping[str, float] = field(default_factory=dict)
    """Cores, by the name of the pool."""
    wake: float = 0.0
    """Seconds until a stage that sleeps is at work again."""


ResourceKind: TypeAlias = Literal["stage", "workers", "cores", "link", "network"]


@dataclass(frozen=True)
class Resource:
    """Something that can be fully used."""

    kind: ResourceKind
    name: str
    used: float
    """Share of the time or, of cores, of all of them: 0 to 1."""


@dataclass(frozen=True)
class FlowOutcome:
    """What became of the messages of a flow; sent = delivered + dropped + waiting."""

    name: str
    sent: int
    delivered: int
    dropped: Mapping[str, int]
    waiting: int


@dataclass(frozen=True)
class PathOutcome:
    """Frames that went one way from a source to a sink."""

    operators: tuple[str, ...]
    frames: int
    mean: float
    """Seconds from capture to the end of the last call, as all that follow."""
    p50: float
    p99: float

    @property
    def name(self) -> str:
        """`camera → detect → screen`."""
        return " → ".join(self.operators)


@dataclass(frozen=True)
class Outcome:
    """A simulated run, without its beginning and its end."""

    seconds: float
    """Simulated."""
    rates: Mapping[str, float]
    """Calls a second by operator; of a source, frames."""
    paths: tuple[PathOutcome, ...]
    """The slowest first."""
    flows: tuple[FlowOutcome, ...]
    """Of the whole run, to its end."""
    resources: tuple[Resource, ...]
    """The most used first."""
    lost: Mapping[str, int]
    """Frames that devices of live sources lost."""
    stuck: bool = False
    """Nothing could go on any more, while sources still had frames."""
