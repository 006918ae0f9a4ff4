"""What is simulated, and its outcome."""

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
    """Cores that a call keeps busy; less than 1 if it sleeps or waits for a device."""
    factor: float = 1.0
    """Factor for `times` that gives those of a call with all the cores it needs."""
    passes: float = 1.0
    """Share of calls whose result goes on to the next operator of the stage, 0 to 1."""


@dataclass(frozen=True)
class SourcePace:
    """How often a source produces a frame."""

    rate: float | None = None
    """Frames per second; None if it produces them as fast as they are taken."""
    live: bool = False
    """Whether it waits for a device, which loses frames that are not fetched in time."""
    frames: int | None = None
    """Number of frames after which it ends; None if it does not end before the simulation."""


@dataclass(frozen=True)
class StageModel:
    """Operators that are scheduled as one."""

    name: str
    process: str
    work: tuple[Work, ...]
    overhead: float = 0.0
    """Seconds that each call takes besides: counting, queues, headers."""
    pace: SourcePace | None = None
    """Of a source; None for other stages."""
    sync: Sync | None = None
    optional: frozenset[str] = frozenset()
    """Ports without which a call is possible."""
    trigger: Trigger = "all"
    generator: bool = False
    """Whether it may send several messages per call. Then it knows that a call is complete, and so
    do joins behind it, only once there is room for another message."""
    batch: int = 1
    """Largest number of frames that it takes at once."""
    copies: int = 1
    """Calls that go on at once."""
    in_flight: int | Literal["auto"] | None = None
    """Of a source: how many of its frames may be under way at once; None: any number."""


@dataclass(frozen=True)
class LinkTimes:
    """Seconds that a link takes per message."""

    send: float = 0.0
    """In the sending stage."""
    receive: float = 0.0
    """In the receiving stage."""
    out: float = 0.0
    """In the link's own threads of the sending process, one message at a time."""
    into: float = 0.0
    """The same in the receiving process."""
    delay: float = 0.0
    """On the way, for any number of messages at the same time."""
    back: float = 0.0
    """Until the sender knows that a message was taken."""
    wire: float = 0.0
    """On the network, one message of a host at a time in each direction; 0 within a host."""


@dataclass(frozen=True)
class FlowModel:
    """A flow between two stages."""

    planned: PlannedFlow
    """Its queue, and the policy when it is full."""
    source: str
    """Stage that sends."""
    target: str
    """Stage that receives."""
    rate: float = 1.0
    """Messages per call of the sender's last operator."""
    link_times: LinkTimes | None = None
    """Times of its link; None within a process."""

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
    """Pools of cores; its threads need a free core in each of them."""


@dataclass(frozen=True)
class Model:
    """An app on its hosts."""

    stages: tuple[StageModel, ...]
    flows: tuple[FlowModel, ...]
    """All flows; those into one stage in the order of its ports."""
    processes: tuple[ProcessModel, ...]
    pools: Mapping[str, float] = field(default_factory=dict)
    """Cores, by the name of the pool."""
    wake: float = 0.0
    """Seconds until a sleeping stage is at work again."""


ResourceKind: TypeAlias = Literal["stage", "workers", "cores", "link", "network"]


@dataclass(frozen=True)
class Resource:
    """Something that can be fully used."""

    kind: ResourceKind
    name: str
    used: float
    """Used share of the time or, for cores, of all of them; 0 to 1."""


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
    """Frames that took one path from a source to a sink."""

    operators: tuple[str, ...]
    frames: int
    mean: float
    """Seconds from capture to the end of the last call, as in the following fields."""
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
    """Simulated seconds."""
    rates: Mapping[str, float]
    """Calls per second by operator; for a source, frames."""
    paths: tuple[PathOutcome, ...]
    """All paths, the slowest first."""
    flows: tuple[FlowOutcome, ...]
    """Flows over the whole run, to its end."""
    resources: tuple[Resource, ...]
    """Resources, the most used first."""
    lost: Mapping[str, int]
    """Frames that devices of live sources lost."""
    stuck: bool = False
    """Whether nothing could continue although sources still had frames."""
